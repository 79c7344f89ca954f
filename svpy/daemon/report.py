"""What the service manager is told of svscan: that it is ready, how its services are, that it lives.

Rules of this module:

- a status is told when it is another one, at once, but not twice in a second: at five hundred restarts in
  one it costs one count of everything;
- what the manager did not take is told again;
- the watchdog is answered when every loop has come round since the last answer, and not before.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from svpy.core import manager
from svpy.daemon.loops import Loops
from svpy.system.notify import Manager

REST_S = 1.0


class Report:
    """`answer_interval_s`: how often the watchdog is to be answered, None for never. `count`, set by whom
    this is about, gives the status line of now."""

    def __init__(self, to: Manager, answer_interval_s: float | None) -> None:
        self._to = to
        self._answer_interval_s = answer_interval_s
        self.count: Callable[[], bytes] = bytes
        self._word = b""
        self._told: tuple[bytes, bytes] = (b"", b"")
        self._news = trio.Event()

    def begin_anew(self) -> None:
        """In a new run of trio: see Stopper."""
        self._news = trio.Event()

    def news(self) -> None:
        """Something changed that a status may show."""
        self._news.set()

    def ready(self) -> None:
        if not self._word:
            self._say(manager.READY)

    def stopping(self) -> None:
        self._say(manager.STOPPING)

    def _say(self, word: bytes) -> None:
        self._word = word
        self._tell()
        self._news.set()

    async def work(self, loops: Loops, warn: Callable[[bytes], None]) -> None:
        """For ever, if there is someone to tell."""
        if not self._to.listens():
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_status)
            if self._answer_interval_s is not None:
                nursery.start_soon(self._answer, self._answer_interval_s, loops, warn)

    async def _tell_status(self) -> None:
        while True:
            self._news = trio.Event()
            taken = self._tell()
            await trio.sleep(REST_S)
            if taken:
                await self._news.wait()

    def _tell(self) -> bool:
        """Returns whether it was taken, or was no news."""
        if not self._word or not self._to.listens():
            return True
        told = (self._word, self.count())
        if told == self._told:
            return True
        word = () if self._told[0] == self._word else (self._word,)
        if not self._to.tell(*word, told[1]):
            return False
        self._told = told
        return True

    async def _answer(self, interval_s: float, loops: Loops, warn: Callable[[bytes], None]) -> None:
        while True:
            loops.ask()
            with trio.move_on_after(interval_s):
                await loops.all_turned()
            if missing := loops.missing():
                warn(b"no answer to the watchdog: not turning: " + b", ".join(missing))
                await loops.all_turned()
            taken = self._to.tell(manager.ALIVE)
            await trio.sleep(interval_s if taken else min(interval_s, REST_S))
