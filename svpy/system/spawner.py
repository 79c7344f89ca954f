"""Starting programs from a thread that has few descriptors, whatever the process has.

What is started gets a copy of its parent's table of descriptors, and exec closes all of it that is
close-on-exec: with 16 000 of them that is more than all the rest of a start. But a table belongs to a thread.

Rules of this module:

- the thread's table is its own (CLOSE_RANGE_UNSHARE; containers refuse unshare(2)), which is seen to be so
  before anything in it is closed: a kernel that only pretends must not cost us ours. In it stand what this
  process was started with to be handed on, under the same numbers, and the thread's end of a socket, in the
  places of 0, 1 and 2;
- no copy of anything else stays there, or a pipe would have no end and a lock no owner to leave it: what is
  handed over for a program is closed before its pid is told;
- all else is the process': folder, limits, oom_score_adj, umask, user and the children. Whoever asks waits
  for the answer, so what he has changed for the call is changed for this one;
- the thread gets no signals: they are heard where they always were;
- an object that closes its descriptor when it is collected may be collected in either thread, and a number is
  one thing here and another there: nothing is left to the collector;
- nothing here may end the process or hold it up: what cannot be done is told as that, and is done without
  us. What was asked for and not begun in time is taken back, so that nothing is started twice; and what was
  begun is waited for, which is not longer than it would have taken without us.

What belongs to one thread is no longer the caller's: a program that asked for PR_SET_PDEATHSIG gets that
signal when this thread ends, as it does in execve of the process; and renice(1) and taskset(1) by the pid
change the process' first thread alone. fork leaves the thread behind: no child of ours asks it for anything.
"""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import errno
import os
from _thread import allocate_lock, get_native_id, stack_size, start_new_thread
from collections.abc import Mapping, Sequence

from svpy.system.descriptors import hold_place
from svpy.system.passing import Channel, channels
from svpy.system.replacing import close
from svpy.system.signals import ALL

_BEGIN_S = 5.0
_ANSWER_S = 10.0
_STACK_BYTES = 1 << 18
_CLOSE_RANGE_UNSHARE = 2
_NO_FD = (1 << 32) - 1

Argv = list[bytes] | tuple[bytes, ...]
Move = tuple[int, int, int]
"""A file action of posix_spawn's."""
Request = tuple[bytes, Argv, Mapping[bytes, bytes], list[int]]
"""Path, argv, environment, and the number of each descriptor that goes with it, in the program."""


def spawn(path: bytes, argv: Argv, environ: Mapping[bytes, bytes], moves: list[Move]) -> int:
    """Start a program from the calling thread, with default signals. Returns its pid. Raises OSError."""
    return os.posix_spawn(path, argv, environ, file_actions=moves, setsigmask=(), setsigdef=ALL)


class Spawner:
    """One such thread. To be made while nothing is inheritable but what every program is to get."""

    __slots__ = ("_answered", "_answers", "_channel", "_is_apart", "_requests", "_thread")

    def __init__(self) -> None:
        """Raises OSError: there can be none."""
        self._requests: list[Request] = []
        self._answers: list[int | OSError | None] = []
        self._is_apart = False
        self._thread = b""
        self._answered = allocate_lock()
        self._answered.acquire()
        self._channel, theirs = channels()
        fd = theirs.detach()
        try:
            self._begin(fd)
            has_begun = self._answered.acquire(True, _BEGIN_S)
        except RuntimeError:
            has_begun = True
        if has_begun:
            # One that is late may still want it.
            os.close(fd)
        if not (has_begun and self._is_apart):
            self.close()
            raise OSError(errno.ENOTSUP, "no thread with descriptors of its own")

    def _begin(self, fd: int) -> None:
        """Raises RuntimeError."""
        stack_bytes = stack_size(_STACK_BYTES)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
        try:
            start_new_thread(self._live, (fd,))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            stack_size(stack_bytes)

    def spawn(
        self,
        path: bytes,
        argv: Argv,
        environ: Mapping[bytes, bytes],
        fds: Sequence[int],
        also: tuple[int, int] | None = None,
    ) -> int | None:
        """Start a program with these descriptors as 0, 1 and 2, and default signals. Returns its pid, or
        None: the caller is to do it himself, now. `also` is one more descriptor, with its number there.

        One that has its number already and is close-on-exec is closed for the program, as by any start.
        Raises OSError, of fork as well as of exec."""
        try:
            places = [place for place, fd in enumerate(fds) if place != fd or os.get_inheritable(fd)]
            sent = [fds[place] for place in places]
            if also is not None:
                sent.append(also[0])
                places.append(also[1])
            self._requests[:] = [(path, argv, environ, places)]
            self._channel.send(b"\0", sent)
        except OSError:
            return None
        try:
            answer = self._wait()
        except BaseException:
            # What is answered later is nobody's.
            self.close()
            raise
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _wait(self) -> int | OSError | None:
        while True:
            has_news = self._answered.acquire(True, _ANSWER_S)
            if self._answers:
                return self._answers.pop()
            try:
                self._requests.pop()
            except IndexError:
                # It is being done, and whoever were told of an error now would start it once more.
                if not has_news and os.path.lexists(self._thread):
                    continue
            self.close()
            return None

    def close(self) -> None:
        """Let the thread end. What is asked for from now on is not done here."""
        self._channel.close()

    def _live(self, fd: int) -> None:
        channel = None
        try:
            self._thread = b"/proc/self/task/%d" % get_native_id()
            _go_apart(fd)
            channel = Channel(0)
            self._is_apart = True
            while True:
                self._answered.release()
                data, fds = channel.receive(1)
                if not data:
                    return
                self._answers.append(_start(self._requests.pop(), fds))
        except BaseException:
            # Whoever waits sees that nothing was done. The table ends with the thread.
            pass
        finally:
            if channel is not None:
                channel.detach()  # Its number means something else to another thread.
            if self._answered.locked():
                self._answered.release()


def _go_apart(socket_fd: int) -> None:
    """Give the calling thread a table of its own, with what the module's first rule says. Raises OSError,
    and what importing ctypes raises."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def close_range(first: int, last: int, flags: int = 0) -> None:
        if libc.close_range(ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_int(flags)):
            raise OSError(ctypes.get_errno(), "close_range")

    close_range(_NO_FD, _NO_FD, _CLOSE_RANGE_UNSHARE)
    _check_apart()
    given = sorted(fd for fd in map(int, os.listdir(b"/proc/thread-self/fd")) if fd > 2 and _is_given(fd))
    for standard in range(3):
        os.dup2(socket_fd, standard, inheritable=False)
    first = 3
    for fd in given:
        if first < fd:
            close_range(first, fd - 1)
        first = fd + 1
    close_range(first, _NO_FD)


def _check_apart() -> None:
    """Raises OSError if what this thread opens is open in the process' first thread."""
    fd = hold_place()
    try:
        os.readlink(b"/proc/thread-self/fd/%d" % fd)
        if os.path.lexists(b"/proc/self/fd/%d" % fd):
            raise OSError(errno.ENOTSUP, "one table")
    finally:
        os.close(fd)


def _is_given(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False  # What /proc was read with.


def _start(request: Request, fds: list[int]) -> int | OSError | None:
    path, argv, environ, places = request
    if len(fds) != len(places):
        return None
    try:
        moves = [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in zip(fds, places, strict=True)]
        return spawn(path, argv, environ, moves)
    except OSError as error:
        return OSError(error.errno, error.strerror)
    except Exception:
        return None  # Whoever asked meets the same, and knows what to make of it.
    finally:
        close(fds)
