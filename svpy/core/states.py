"""In one word, how a service or logger is that was looked at (core/seen.py), and how much that matters.

Rules of this module:

- the first state of the table that is so is its state;
- one that is down although its folder has no `down` was stopped by somebody, who may have forgotten it; one
  that is down and wanted up is about to be started again, or waits for others.
"""

from errno import ENOENT

from svpy.core.errors import error_text
from svpy.core.seen import NOT_RUNNING
from svpy.core.status import DOWN, FAILED, STARTED, STARTING, STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.core.seen import Seen

GOOD, QUIET, PASSING, BAD = "good", "quiet", "passing", "bad"
"""What a state means to who looks: as it should be, down as wanted, on its way, needs somebody."""


class State:
    """`letter` and `word` name it; `matters` is one of GOOD, QUIET, PASSING, BAD; `help` is its meaning."""

    __slots__ = ("help", "letter", "matters", "word")

    def __init__(self, letter: str, word: str, matters: str, help: str) -> None:
        self.letter = letter
        self.word = word
        self.matters = matters
        self.help = help


_NEVER = b"unable to open supervise/ok: " + error_text(ENOENT)
"""svstat's words for a folder that no svscan has seen yet."""


def _is_leaving(seen: "Seen") -> bool:
    return seen.word == STOPPING or (seen.is_up and seen.status is not None and seen.status.want == DOWN)


def _is_paused(seen: "Seen") -> bool:
    return seen.pid != 0 and seen.status is not None and seen.status.paused


STATES: "tuple[tuple[State, Callable[[Seen], bool]], ...]" = (
    (
        State("-", "no svscan", BAD, "nobody supervises it"),
        lambda seen: seen.trouble in (NOT_RUNNING, _NEVER),
    ),
    (
        State("?", "unknown", BAD, "it could not be looked at"),
        lambda seen: seen.status is None,
    ),
    (
        State("F", "failed", BAD, "its start did not exit 0, or its run exited 100"),
        lambda seen: seen.word == FAILED,
    ),
    (
        State("S", "starting", PASSING, "its start runs"),
        lambda seen: seen.word == STARTING,
    ),
    (
        State("E", "stopping", PASSING, "its stop runs, or it was told to go down and still runs"),
        _is_leaving,
    ),
    (
        State("P", "paused", PASSING, "it was sent STOP"),
        _is_paused,
    ),
    (
        State("N", "not ready", PASSING, "it runs, and is not ready yet as its file ready has it"),
        lambda seen: seen.is_up and seen.asks_ready and not seen.ready,
    ),
    (
        State("O", "started", GOOD, "its start has exited 0 and was all there was to run"),
        lambda seen: seen.word == STARTED,
    ),
    (
        State("U", "up", GOOD, "it runs"),
        lambda seen: seen.is_up,
    ),
    (
        State("W", "waits", PASSING, "it waits for what its file needs names"),
        lambda seen: seen.note != b"" and not seen.is_wanted,
    ),
    (
        State("R", "restarts", BAD, "it has ended, or has not begun yet, and is about to be started"),
        lambda seen: not seen.is_wanted,
    ),
    (
        State("D", "down", BAD, "it is down although it has no file down: somebody stopped it"),
        lambda seen: seen.normally_up,
    ),
    (
        State("d", "down", QUIET, "it is down as its file down has it"),
        lambda seen: True,
    ),
)


def state_of(seen: "Seen") -> State:
    """Of a service or logger that was looked at."""
    return next(state for state, is_so in STATES if is_so(seen))
