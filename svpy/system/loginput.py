"""multilog's input and the two signals it heeds.

Rules of this module:

- a signal that comes while nothing is read is noticed before the next read: CPython takes up an interrupted
  read(2) by itself, so we wait in poll(2), for input and for the byte that a signal's handler leaves in
  a pipe;
- not epoll: it refuses regular files and /dev/null, which may be our input;
- an input that cannot be read is one that has ended, as in C.
"""

import os
import select
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

READ_BYTES = 65536
"""What a pipe holds."""


class Input:
    """Descriptor 0. `leave` and `rotate` are set by TERM and by ALRM."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.leave = False
        self.rotate = False
        self._woken_fd, wake_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # That the pipe is full means that the byte is in it: no reason to complain.
        signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGALRM))
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)
        self._poll.register(self._woken_fd, select.POLLIN)

    def _on_signal(self, number: int, frame: "FrameType | None") -> None:
        if number == signal.SIGTERM:
            self.leave = True
        else:
            self.rotate = True

    def read(self, most_bytes: int = READ_BYTES) -> bytes | None:
        """At most so many bytes; nothing at the end; None if a signal came first."""
        ready = self._poll.poll()
        for fd, _ in ready:
            if fd == self._woken_fd:
                os.read(self._woken_fd, 4096)
                return None
        try:
            return os.read(0, most_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return b""
