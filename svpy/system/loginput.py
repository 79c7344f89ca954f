"""multilog's input and the two signals it heeds.

Rules of this module:

- a signal that comes while nothing is read is noticed before the next read: CPython takes up an interrupted
  read(2) by itself, so we wait in poll(2), for input and for signals;
- not epoll: it refuses regular files and /dev/null, which may be our input;
- an input that cannot be read is one that has ended, as in C.
"""

import _signal as signal  # type: ignore[import-not-found]
import os
import select

from svpy.system.signals import Heard

READ_BYTES = 65536
"""What a pipe holds."""


class Input:
    """Descriptor 0. `leave` and `rotate` are set by TERM and by ALRM."""

    __slots__ = ("_heard", "_wait", "leave", "rotate")

    def __init__(self) -> None:
        """Raises OSError."""
        self.leave = False
        self.rotate = False
        self._heard = Heard(signal.SIGTERM, signal.SIGALRM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGALRM))
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._heard.fd, select.POLLIN)
        self._wait = poll.poll

    def read(self, most_bytes: int = READ_BYTES) -> bytes | None:
        """At most so many bytes; nothing at the end; None if a signal came first."""
        # The input was registered first, so what else is ready comes last.
        if self._wait()[-1][0]:
            self._take_signals()
            return None
        try:
            return os.read(0, most_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _take_signals(self) -> None:
        for number in self._heard.take():
            if number == signal.SIGTERM:
                self.leave = True
            else:
                self.rotate = True
