"""One of many loggers: a multilog that goes on with what it waited for, until it rests again.

Rules of this module:

- it is never at work in two threads. Where it rests it can be found: by its input, by the end of what it
  waits for, and by signals, whoever comes first;
- what is wrong with it, a bug too, ends it alone: its message, its exit code.
"""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import os

from svpy.core.errors import FAILED, Die
from svpy.core.logfolder import FATAL
from svpy.core.logscript import Script
from svpy.system.descriptors import waiting_bytes
from svpy.system.entry import described
from svpy.system.logfiles import Pause
from svpy.system.multilog import Multilog
from svpy.system.tell import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.native.loggers import Loggers
    from svpy.system.logfiles import LogFiles

AT_WORK, FOR_INPUT, FOR_MOMENT, FOR_CHILD, STOPPED = range(5)
"""Where a logger is: in a thread or on its way there, or at rest until something."""

STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}

READ = object()
"""An answer that has to be read yet."""

_PLENTY_BYTES = 1 << 14
"""Who has read so much at once will soon have more: that it is asked is cheaper than to wait for it, for that
wakes another thread if there is more already."""


class Shared:
    """What loggers with the same words have in common, and how many they are."""

    __slots__ = ("script", "users", "words")

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self.words = words
        self.script = Script(list(words))
        self.users = 0


class Logger:
    """A multilog. What signals ask of it is in `leave` and `rotate` (system/multilog.py), `is_stopped`, and
    `ends_by`, the one that it dies of.

    All that others may change, `answer` and `rest` too while it is at rest, they change under the host's
    lock, and so does it when it comes to rest."""

    __slots__ = (
        "_has_plenty",
        "_host",
        "_most_bytes",
        "_multilog",
        "_waits",
        "answer",
        "ends_by",
        "fd",
        "has_heard",
        "is_stopped",
        "leave",
        "name",
        "rest",
        "rotate",
        "shared",
    )

    def __init__(
        self,
        host: "Loggers",
        name: int,
        shared: "Shared",
        fd: int,
        start_fd: int,
        files: "Callable[[int], LogFiles]",
    ) -> None:
        self._host = host
        self.name = name
        self.shared = shared
        self.fd = fd
        self.leave = self.rotate = self.is_stopped = self.has_heard = False
        self.ends_by = 0
        self.rest = AT_WORK
        self.answer: object = None
        self._most_bytes = 0
        self._has_plenty = False
        self._multilog = Multilog(shared.script, start_fd, self)
        self._waits = self._multilog.log(files)

    @property
    def is_to_die(self) -> bool:
        return bool(self.ends_by) and (not self.is_stopped or self.ends_by == signal.SIGKILL)

    def hear(self, number: int) -> None:
        """What a signal asks of it. That it has heard one comes last: it may be just about to forget that,
        and to look at all it was asked for."""
        if number in STOPS:
            self.is_stopped = True
        elif number == signal.SIGCONT:
            self.is_stopped = False
        elif number == signal.SIGTERM:
            self.leave = True
        elif number == signal.SIGALRM:
            self.rotate = True
        elif not self.ends_by or number == signal.SIGKILL:
            self.ends_by = number
        self.has_heard = True

    def go(self) -> None:
        """Go on with what was waited for, until it rests again or has ended."""
        try:
            status = self._advance()
        except Die as death:
            if death.message:
                say(death.message)
            status = death.code << 8
        except MemoryError:
            say(FATAL + b"out of memory")
            status = FAILED << 8
        except Exception as error:
            say(FATAL + b"unexpected " + described(error))
            status = FAILED << 8
        if status is not None:
            self._multilog.release()
            del self._waits, self._multilog
            self._host.ended(self, status)

    def _advance(self) -> int | None:
        """Its wait status; None if it rests, and may be somebody else's already."""
        answer, self.answer = self.answer, None
        while True:
            self.has_heard = False
            if self.ends_by and self.is_to_die:
                return self.ends_by
            if self.is_stopped:
                if self._host.rests(self, STOPPED, answer):
                    return None
                continue
            if answer is READ:
                answer = self._read()
            try:
                wait = self._waits.send(answer)
            except StopIteration:
                return 0
            answer = None
            if isinstance(wait, int):
                self._most_bytes = wait
                if self._has_plenty and waiting_bytes(self.fd):
                    self.answer = READ
                    self._host.again(self)
                    return None
                if self._host.rests(self, FOR_INPUT):
                    return None
            elif isinstance(wait, Pause):
                say(wait.trouble)
                if self._host.rests(self, FOR_MOMENT):
                    return None
            elif self._host.rests(self, FOR_CHILD, None, wait):
                return None

    def _read(self) -> bytes | None:
        """As system/loginput.py has it."""
        try:
            data = os.read(self.fd, self._most_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        self._has_plenty = len(data) >= _PLENTY_BYTES
        return data
