"""The loops that must turn: each says so every time it comes round, and can be made to when it has nothing
to do. Only who asks for it, for the watchdog, costs anything."""

from __future__ import annotations

from collections.abc import Callable

import trio


class Loop:
    """One of them. `nudge` makes it come round."""

    __slots__ = ("_turned", "has_turned", "nudge")

    def __init__(self, nudge: Callable[[], None], turned: Callable[[], None]) -> None:
        self.nudge = nudge
        self.has_turned = True
        self._turned = turned

    def turn(self) -> None:
        """To be called at the top of the loop."""
        if not self.has_turned:
            self.has_turned = True
            self._turned()


class Loops:
    """All of one process."""

    def __init__(self) -> None:
        self._loops: dict[bytes, Loop] = {}
        self._one_turned = trio.Event()

    def begin_anew(self) -> None:
        """In a new run of trio: see Stopper."""
        self._one_turned = trio.Event()

    def join(self, name: bytes, nudge: Callable[[], None]) -> Loop:
        """A loop that begins, or begins again: a name counts once. One that ends without `leave` is missed,
        and that is meant."""
        loop = self._loops[name] = Loop(nudge, self._turned)
        return loop

    def leave(self, name: bytes) -> None:
        """That one has ended as it should."""
        self._loops.pop(name, None)
        self._turned()

    def missing(self) -> list[bytes]:
        """Those that have not come round since they were last asked to."""
        return [name for name, loop in self._loops.items() if not loop.has_turned]

    def ask(self) -> None:
        """Have every one come round."""
        for loop in self._loops.values():
            loop.has_turned = False
            try:
                loop.nudge()
            except OSError:
                pass  # It comes round when it has something to do; until then it is missed.

    async def all_turned(self) -> None:
        """Returns when each has since it was asked."""
        while self.missing():
            self._one_turned = trio.Event()
            await self._one_turned.wait()

    def _turned(self) -> None:
        self._one_turned.set()
