"""Many multilogs in one process, each as if it were alone in one that was executed.

Rules of this module:

- nobody waits for one logger: for input, pauses and processors they wait all together, and what may take its
  time all the same, a disk or stderr, holds up one thread (native/turns.py);
- log pipes are blocking, they are the services' as well. Input that was announced is believed only if nobody
  has waited for input since we asked; then the pipe is asked once more;
- a logger that has ended has let go of its pipe and folders before that is reported, and leaves nothing;
- the main thread hears TERM, ALRM and CHLD, and nothing else: signals are answered however many disks hang;
- the command line is that of all: as long as they have the same words, these; else none.

A log pipe is shared with svscan, so epoll has to be told that it is not ours any more before it is closed.
"""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import errno
import os
import re  # noqa: F401  what scripts may need: forked with it, all share it
import select
import time
from _collections import deque  # type: ignore[import-not-found]
from _thread import allocate_lock, get_ident

from svpy.core import nativewire
from svpy.core.errors import FAILED
from svpy.core.logfolder import FATAL
from svpy.native.logger import (
    AT_WORK,
    FOR_CHILD,
    FOR_INPUT,
    FOR_MOMENT,
    READ,
    STOPPED,
    STOPS,
    Logger,
    Shared,
)
from svpy.native.processors import Files, Processors
from svpy.native.turns import Turns
from svpy.system import title
from svpy.system.descriptors import waiting_bytes
from svpy.system.logfiles import PAUSE_S
from svpy.system.passing import Channel
from svpy.system.tell import because, say
from svpy.system.waiting import is_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.system.logfiles import Child, LogFiles

_HEARD = (signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD)
_PASSED_OVER = {signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGPIPE, signal.SIGXFSZ}
"""What does nothing by default, and what CPython ignores."""

_INPUT_ONCE = select.EPOLLIN | select.EPOLLONESHOT
_ROOM_ONCE = select.EPOLLOUT | select.EPOLLONESHOT
_ATOMIC_BYTES = select.PIPE_BUF
_FREED_BYTES = 1 << 20


class Loggers:
    """All loggers of this process, and who is told of them."""

    __slots__ = (
        "_armed",
        "_by_fd",
        "_by_name",
        "_channel",
        "_children",
        "_epoll",
        "_handlers",
        "_is_over",
        "_lock",
        "_main",
        "_orders_fd",
        "_pauses",
        "_processors",
        "_reports_fd",
        "_shared",
        "_shown",
        "_takes_more",
        "_turns",
        "_unsent",
        "_wake_fd",
    )

    def __init__(self, socket_fd: int, orders_fd: int, reports_fd: int) -> None:
        """Raises OSError."""
        self._channel = Channel(socket_fd)
        self._orders_fd = orders_fd
        self._reports_fd = reports_fd
        self._unsent = b""
        self._takes_more = True
        self._is_over = False
        self._by_name: dict[int, Logger] = {}
        self._by_fd: dict[int, Logger] = {}
        self._shared: dict[tuple[bytes, ...], Shared] = {}
        self._shown: tuple[bytes, ...] | None = None
        self._pauses: deque[tuple[float, Logger]] = deque()
        self._children: dict[int, Logger] = {}
        self._lock = allocate_lock()
        self._main = get_ident()
        self._turns = Turns(self._wait, self._wake)
        self._processors = Processors()
        self._armed = 0
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._handlers: dict[int, Callable[[], None]] = {
            socket_fd: self._take_message,
            orders_fd: self._take_orders,
            reports_fd: self._send_reports,
        }
        os.set_blocking(socket_fd, False)
        self._epoll.register(socket_fd, _INPUT_ONCE)
        self._epoll.register(orders_fd, _INPUT_ONCE)
        self._epoll.register(reports_fd, select.EPOLLONESHOT)
        # Each time it is written to wakes one, and nobody has to read it.
        self._epoll.register(self._wake_fd, select.EPOLLIN | select.EPOLLET)

    def run(self) -> None:
        """Until there are no loggers, and can be none any more. Raises OSError."""
        try:
            self._turns.start()
        except RuntimeError:
            raise OSError(errno.EAGAIN, "no thread can be started") from None
        while not self._is_over:
            number = self._hear()
            if number == signal.SIGTERM:
                self._takes_more = False
                self._turns.ready.append(self._close_socket)
            if number in (signal.SIGTERM, signal.SIGALRM):
                with self._lock:
                    for logger in self._by_name.values():
                        self._signal(logger, number)
            self._reap()
            self._end_pauses()
            if self._turns.ready:
                self._wake()

    def _hear(self) -> int:
        """The signal that came, 0 if a pause is over."""
        if not self._pauses:
            return int(signal.sigwaitinfo(_HEARD).si_signo)
        heard = signal.sigtimedwait(_HEARD, max(0.0, self._pauses[0][0] - time.monotonic()))
        return heard.si_signo if heard else 0

    def _reap(self) -> None:
        for pid in tuple(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._go_on(self._children.pop(pid), FOR_CHILD, status)

    def _end_pauses(self) -> None:
        now = time.monotonic()
        while self._pauses and self._pauses[0][0] <= now:
            self._go_on(self._pauses.popleft()[1], FOR_MOMENT, None)

    def _go_on(self, logger: Logger, rest: int, answer: object) -> None:
        with self._lock:
            if logger.rest == rest:
                self._revive(logger, answer)

    def _revive(self, logger: Logger, answer: object) -> None:
        """With the lock."""
        logger.rest = AT_WORK
        logger.answer = answer
        self._turns.ready.append(logger.go)

    def _wake(self) -> None:
        """Let one of the others look."""
        os.eventfd_write(self._wake_fd, 1)

    def _poke(self) -> None:
        """Let the main thread look again."""
        signal.pthread_kill(self._main, signal.SIGCHLD)

    def _wait(self, timeout_s: float) -> "Callable[[], None] | None":
        """What there is to do next, if it is not among what is ready."""
        armed = self._armed
        for fd, _ in self._epoll.poll(timeout_s, 1):
            handler = self._handlers.get(fd)
            if handler is not None:
                return handler
            with self._lock:
                logger = self._by_fd.get(fd)
                if logger is None or logger.rest != FOR_INPUT:
                    break
                logger.rest = AT_WORK
            # Otherwise it may have been read meanwhile, or the number be another pipe's. That something is in
            # it is known for less than whether it can be read, which says of an end, too.
            is_there = self._armed == armed or waiting_bytes(fd) or is_readable(fd)
            logger.answer = READ if is_there else None
            return logger.go
        return None

    def rests(self, logger: Logger, rest: int, answer: object = None, child: "Child | None" = None) -> bool:
        """Whether it does from now on: not if it has heard something meanwhile that it has to know."""
        look_again = False
        with self._lock:
            if child is not None:
                # It is to be reaped whoever waits for it; and it may have ended already.
                self._children[child.pid] = logger
                look_again = True
            if (logger.ends_by and logger.is_to_die) or (logger.has_heard and rest in (FOR_INPUT, STOPPED)):
                rests = False
            else:
                rests = True
                logger.rest = rest
                if rest == FOR_INPUT:
                    self._armed += 1
                    self._epoll.modify(logger.fd, _INPUT_ONCE)
                elif rest == STOPPED:
                    logger.answer = answer
                elif rest == FOR_MOMENT:
                    look_again = not self._pauses
                    self._pauses.append((time.monotonic() + PAUSE_S, logger))
        if look_again:
            self._poke()
        return rests

    def again(self, logger: Logger) -> None:
        """It does not rest, but it is the others' turn."""
        self._turns.ready.append(logger.go)

    def _signal(self, logger: Logger, number: int) -> None:
        """What a signal of this number does to a multilog. With the lock."""
        if number in _PASSED_OVER or not 0 < number < signal.NSIG:
            return
        logger.hear(number)
        if number in STOPS:
            if logger.rest == FOR_INPUT:
                logger.rest, logger.answer = STOPPED, None
        elif number == signal.SIGCONT and logger.rest == STOPPED:
            self._revive(logger, logger.answer)
        elif logger.rest == FOR_INPUT or (logger.rest != AT_WORK and logger.is_to_die):
            self._revive(logger, None)

    def _take_message(self) -> None:
        with self._lock:
            if self._channel.fd < 0:
                return
            try:
                data, fds = self._channel.receive()
            except ConnectionError:
                data, fds = b"", []
            except OSError:
                data, fds = b"nothing", []
        if not data:
            self._close_socket()
            return
        trouble: OSError | None = None
        try:
            what, name, *rest = nativewire.decode(data)
            if what == nativewire.ADD:
                trouble = self._add(name, fds, *rest)
            else:
                self._tell(name, *rest)
        except (EOFError, TypeError, ValueError):
            # As core/nativewire.py says of numbers that cannot be.
            _close_all(fds)
        with self._lock:
            if self._channel.fd >= 0:
                self._epoll.modify(self._channel.fd, _INPUT_ONCE)
        if trouble is not None:
            # Last: nobody may be reading it, and that must not keep the next message waiting.
            say(because(FATAL + b"unable to take input", trouble))

    def _close_socket(self) -> None:
        with self._lock:
            self._takes_more = False
            if self._channel.fd >= 0:
                self._epoll.unregister(self._channel.fd)
                del self._handlers[self._channel.fd]
                self._channel.close()
            self._look_whether_over()

    def _look_whether_over(self) -> None:
        """With the lock."""
        if self._channel.fd < 0 and not self._by_name:
            self._is_over = True
            self._poke()

    def _take_orders(self) -> None:
        try:
            data = os.read(self._orders_fd, _ATOMIC_BYTES)
        except OSError:
            data = b""
        for name, number in nativewire.records(data):
            self._tell(name, number)
        self._epoll.modify(self._orders_fd, _INPUT_ONCE)

    def _tell(self, name: int, number: int) -> None:
        with self._lock:
            logger = self._by_name.get(name)
            if logger is not None:
                self._signal(logger, number)

    def _add(self, name: int, fds: list[int], words: list[bytes], environ: list[bytes]) -> OSError | None:
        """What is to be said of one that has failed already."""
        error: OSError | None = None
        with self._lock:
            if self._takes_more and name not in self._by_name:
                try:
                    if not fds:
                        raise OSError(errno.EMFILE, "")
                    pipe_fd, start_fd = fds
                    logger = self._logger(name, tuple(words), environ, pipe_fd, start_fd)
                    self._epoll.register(pipe_fd, select.EPOLLONESHOT)
                    logger.shared.users += 1
                    if logger.shared.users == 1:
                        self._shared[logger.shared.words] = logger.shared
                        self._show()
                    self._by_name[name] = self._by_fd[pipe_fd] = logger
                    self._turns.ready.append(logger.go)
                    return None
                except OSError as trouble:
                    error = trouble
        _close_all(fds)
        if error is not None:
            with self._lock:
                self._report(name, FAILED << 8)
        return error

    def _logger(
        self, name: int, words: tuple[bytes, ...], environ: list[bytes], fd: int, start_fd: int
    ) -> Logger:
        shared = self._shared.get(words) or Shared(words)
        # Few have a processor, and of the others nobody is to keep the environment.
        has_processor = any(folder.processor is not None for folder in shared.script.folders)
        environ = environ if has_processor else []

        def files(start_fd: int) -> "LogFiles":
            return Files(start_fd, environ, self._processors, self._turns.aside)

        return Logger(self, name, shared, fd, start_fd, files)

    def _show(self) -> None:
        """With the lock."""
        words = next(iter(self._shared)) if len(self._shared) == 1 else ()
        if words != self._shown:
            self._shown = words
            title.become(b"multilog", list(words))

    def ended(self, logger: Logger, status: int) -> None:
        """It has let go of its folders: now of its pipe."""
        with self._lock:
            self._epoll.unregister(logger.fd)
            os.close(logger.fd)
            del self._by_fd[logger.fd], self._by_name[logger.name]
            logger.shared.users -= 1
            if not logger.shared.users:
                del self._shared[logger.shared.words]
                self._show()
            self._report(logger.name, status)
            self._look_whether_over()

    def _report(self, name: int, status: int) -> None:
        """With the lock."""
        self._unsent += nativewire.record(name, status)
        self._send()

    def _send_reports(self) -> None:
        with self._lock:
            self._send()

    def _send(self) -> None:
        """What does not fit waits until there is room again."""
        try:
            while self._unsent:
                written = os.write(self._reports_fd, self._unsent[:_ATOMIC_BYTES])
                self._unsent = self._unsent[written:]
        except BlockingIOError:
            self._epoll.modify(self._reports_fd, _ROOM_ONCE)


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _keep_what_is_freed() -> None:
    """glibc gives back to Linux what is free at the end of a heap of a thread, if it is more than a read and
    its copy: in a flood the same pages were returned and faulted in again for each read, at half the speed.
    What is larger than its bounds and freed raises them (M_TRIM_THRESHOLD, mallopt(3)): there is no other way
    from Python."""
    bytes(_FREED_BYTES)


def serve(socket_fd: int, orders: tuple[int, int], reports: tuple[int, int]) -> int:
    """Host the loggers that come through a socket until it is closed and the last of them has ended.

    `orders` and `reports` are pipes that do not block, both ends of each (core/nativewire.py): the ends that
    are not for us are held for who may need them. The process has its privileges, its descriptors 0 to 2, its
    umask and its title already, its current folder is `/`, and it has no other threads. Those that are begun
    here end with it. Returns the exit code; raises OSError if nothing was begun."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    _keep_what_is_freed()
    Loggers(socket_fd, orders[0], reports[1]).run()
    return 0
