"""In one word, how a service or logger is that was looked at (core/seen.py), and how much that matters.

Rules of this module:

- the first state of the table that is so is its state;
- one that is down although its folder has no `down` was stopped by somebody, who may have forgotten it; one
  that is down and wanted up is about to be started again, or waits for others.
"""

from svpy.core.seen import NOT_RUNNING
from svpy.core.status import DOWN, FAILED, STARTED, STARTING, STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.core.seen import Seen

GOOD, QUIET, PASSING, BAD = "good", "quiet", "passing", "bad"
"""What a state means to who looks: as it should be, down as wanted, on its way, needs somebody."""


class State:
    """`letter` and `word` name it; `matters` is one of GOOD, QUIET, PASSING, BAD."""

    __slots__ = ("letter", "matters", "word")

    def __init__(self, letter: str, word: str, matters: str) -> None:
        self.letter = letter
        self.word = word
        self.matters = matters


def _is_leaving(seen: "Seen") -> bool:
    return seen.word == STOPPING or (seen.is_up and seen.status is not None and seen.status.want == DOWN)


def _is_paused(seen: "Seen") -> bool:
    return seen.pid != 0 and seen.status is not None and seen.status.paused


STATES: "tuple[tuple[State, Callable[[Seen], bool]], ...]" = (
    (State("-", "no svscan", BAD), lambda seen: seen.trouble == NOT_RUNNING),
    (State("?", "unknown", BAD), lambda seen: seen.status is None),
    (State("F", "failed", BAD), lambda seen: seen.word == FAILED),
    (State("S", "starting", PASSING), lambda seen: seen.word == STARTING),
    (State("E", "stopping", PASSING), _is_leaving),
    (State("P", "paused", PASSING), _is_paused),
    (State("N", "not ready", PASSING), lambda seen: seen.is_up and seen.asks_ready and not seen.ready),
    (State("O", "started", GOOD), lambda seen: seen.word == STARTED),
    (State("U", "up", GOOD), lambda seen: seen.is_up),
    (State("W", "waits", PASSING), lambda seen: seen.note != b"" and not seen.is_wanted),
    (State("R", "restarts", BAD), lambda seen: not seen.is_wanted),
    (State("D", "down", BAD), lambda seen: seen.normally_up),
    (State("D", "down", QUIET), lambda seen: True),
)  # fmt: skip


def state_of(seen: "Seen") -> State:
    """Of a service or logger that was looked at."""
    return next(state for state, is_so in STATES if is_so(seen))
