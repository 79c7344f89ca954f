"""multilog's input and the two signals it heeds.

Rules of this module:

- a signal is noticed before the next read, or ends the one that waits; nothing that was read is lost;
- CPython takes up an interrupted read(2) by itself, and a signal may come between its last look and the read.
  So a thread hears the signals, and what they end is the descriptor: it puts one that cannot be read in the
  place of the input, our own copy of it, and interrupts the read. Whether that has begun, goes on or is taken
  up again, it fails;
- where there can be no thread (RLIMIT_NPROC), poll(2) waits for input and for signals before each read: a
  quarter more work for a line that comes alone. Not epoll: it refuses regular files and /dev/null;
- an input that cannot be read is one that has ended, as in C.
"""

import _signal as signal  # type: ignore[import-not-found]
import fcntl
import os
import select
from _thread import allocate_lock, get_ident, stack_size, start_new_thread

from svpy.system.descriptors import hold_place
from svpy.system.signals import Heard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 65536
"""What a pipe holds."""

_HEARD = (signal.SIGTERM, signal.SIGALRM)
_STACK_BYTES = 1 << 18
"""Not less than 128 KiB: glibc refuses that on ARM and POWER. What is not used takes no memory."""


class Input:
    """Descriptor 0. `leave` and `rotate` are set by TERM and by ALRM."""

    __slots__ = ("_fd", "_is_shut", "_lock", "_main", "_shut_fd", "leave", "read", "rotate")

    def __init__(self) -> None:
        """Raises OSError."""
        self.leave = False
        self.rotate = False
        self.read: Callable[[int], bytes | None] = self._read
        """At most so many bytes; nothing at the end; None if a signal came first."""
        self._lock = allocate_lock()
        self._main = get_ident()
        self._is_shut = False
        self._shut_fd = hold_place()
        self._fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
        signal.signal(signal.SIGURG, {}.get)  # Something that does nothing and is not Python: see Heard.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGURG,))
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        stack_size(_STACK_BYTES)
        try:
            start_new_thread(self._hear, ())
        except RuntimeError:
            self.read = _Polled(self).read

    def note(self, number: int) -> None:
        """A signal has come."""
        if number == signal.SIGTERM:
            self.leave = True
        else:
            self.rotate = True

    def _read(self, most_bytes: int) -> bytes | None:
        try:
            return os.read(self._fd, most_bytes)
        except BlockingIOError:
            # Others may make it so at any time. This ends as a read does.
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            poll.poll()
            return None
        except OSError:
            return self._reopened()

    def _reopened(self) -> bytes | None:
        """What it comes to that a read failed."""
        with self._lock:
            if not self._is_shut:
                return b""
            os.dup2(0, self._fd, inheritable=False)
            self._is_shut = False
        return None

    def _hear(self) -> None:
        while True:
            number = signal.sigwait(_HEARD)
            with self._lock:
                self.note(number)
                os.dup2(self._shut_fd, self._fd, inheritable=False)
                self._is_shut = True
            signal.pthread_kill(self._main, signal.SIGURG)


class _Polled:
    """The same, without a thread."""

    __slots__ = ("_heard", "_input", "_wait")

    def __init__(self, source: Input) -> None:
        self._input = source
        self._heard = Heard(*_HEARD)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._heard.fd, select.POLLIN)
        self._wait = poll.poll

    def read(self, most_bytes: int) -> bytes | None:
        # The input was registered first, so what else is ready comes last.
        if self._wait()[-1][0]:
            for number in self._heard.take():
                self._input.note(number)
            return None
        try:
            return os.read(0, most_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return b""
