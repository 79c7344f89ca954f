"""The program that is installed now, and how this process becomes it (`svpy upgrade`).

Rules of this module:

- the program is the script this process was started as, by that path: a link that was changed leads to
  the new one;
- it is tried first: it is started beside us, is given the state, and has to say that it understands it,
  which takes all that it imports and builds; meanwhile all goes on;
- then every signal is blocked, the state as it is now and the descriptors in it are handed on, and the
  process executes it; signals that come meanwhile are heard by the new program;
- what goes wrong before is said in one line, and nothing has happened;
- how it ended is left where `svpy upgrade` finds it (core/replacement.py).
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from svpy.core.errors import one_line
from svpy.core.handover import UNDERSTOOD, State, descriptors, encode
from svpy.core.replacement import NAME, Report, decode
from svpy.core.replacement import encode as encode_report
from svpy.system import replacing
from svpy.system.tell import because

TRIAL_S = 120.0
"""A new program that has not said by then whether it understands is killed. On a machine that has too much to
do it takes long to import all it needs, and only `svpy upgrade` waits for it."""

STATE_NAME = b"svpy-state"


class Successor:
    """`script` is the absolute path it was started as, `words` those that stood behind it.
    `taken_over` says that this program has followed another and has not said so yet; `report_fd` is where."""

    def __init__(self, script: bytes, words: tuple[bytes, ...]) -> None:
        self.report_fd = -1
        self.taken_over = False
        self._script = script
        self._words = words

    async def replace(self, state: Callable[[], State], ready: Callable[[], bytes | None]) -> bytes:
        """Become the program that is installed. Returns only where that was not possible, with the reason.

        `state` gives what is to be handed over; `ready` is asked when signals are blocked, and says
        what is against it now."""
        why = await self._try(state()) or self._become(state, ready)
        self.tell(why)
        return why

    def serves(self) -> None:
        """To be called when all is as it was."""
        if self.taken_over:
            self.taken_over = False
            self.tell(None)

    def tell(self, why: bytes | None) -> None:
        """To who asked: how it ended."""
        try:
            last = decode(replacing.read(self.report_fd)).count
            replacing.rewrite(self.report_fd, encode_report(Report(last + 1, why)))
        except OSError:
            pass  # Who waits for it waits in vain, and says so.

    async def _try(self, state: State) -> bytes | None:
        try:
            if self.report_fd < 0:
                self.report_fd = replacing.memory_file(NAME)
            state_fd = replacing.memory_file(STATE_NAME, encode(state))
        except OSError as error:
            return because(b"unable to make a file in memory", error)
        try:
            trial = replacing.Trial(self._argv(b"--check-state", state_fd), state_fd)
        except OSError as error:
            return because(b"unable to start " + self._script, error)
        finally:
            replacing.close([state_fd])
        try:
            with trio.move_on_after(TRIAL_S):
                await trio.lowlevel.wait_readable(trial.pid_fd)
                said = trial.last_line()
                return None if said == UNDERSTOOD else self._script + b": " + (said or b"it said nothing")
            return self._script + b": it did not come to an end"
        finally:
            trial.kill()
            trial.close()

    def _become(self, state: Callable[[], State], ready: Callable[[], bytes | None]) -> bytes:
        before = replacing.hold_back_all()
        state_fd = -1
        handed_on: set[int] = set()
        try:
            why = ready()
            if why is not None:
                return why
            now = state()
            state_fd = replacing.memory_file(STATE_NAME, encode(now))
            handed_on = descriptors(now) | {state_fd}
            replacing.hand_on(handed_on)
            replacing.execute(self._argv(b"--state", state_fd))
        except OSError as error:
            return because(b"unable to execute " + self._script, error)
        finally:
            # Whatever else fails: who hears no signal any more can neither be ended nor reap.
            replacing.blocked(before)
            replacing.keep(handed_on)
            replacing.close([state_fd])
        raise AssertionError

    def _argv(self, option: bytes, state_fd: int) -> list[bytes]:
        return [self._script, option, b"%d" % state_fd, *self._words]


def in_words(error: Exception) -> bytes:
    return b"unexpected " + one_line(repr(error).encode("utf-8", "replace"))
