"""What svwait waits for, and what it says meanwhile.

Rules of this module:

- each folder is waited for until it was once so: one that restarts in a loop is up as soon as it was up;
- up, as svup has it: there is a supervise, and a process, or none is needed any more;
- down: there is no process. What a supervise that has left says last counts as well: `svc -dx` is answered;
- ready: it is up, and what its file `ready` asks for is so; without one, that it is up is enough;
- gone: no supervise runs, neither for the service nor for a logger that is a file in its folder. A folder
  that is not there has none.
"""

from svpy.core.errors import one_line
from svpy.core.status import DOWN as WANT_DOWN
from svpy.core.status import SIZE_BYTES, STARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.seen import Seen

UP, DOWN, READY, GONE = b"u", b"d", b"r", b"x"
WORDS = {UP: b"up", DOWN: b"down", READY: b"ready", GONE: b"gone"}
"""By the option's letter."""

TIMED_OUT = 99
_MOST_NAMED = 3


def is_so(wanted: bytes, seen: "Seen") -> bool:
    """Whether it is UP, DOWN or READY."""
    if wanted == DOWN:
        return len(seen.raw) >= SIZE_BYTES and seen.raw[12:16] == bytes(4) and seen.word != STARTED
    if not seen.is_supervised or not seen.is_up:
        return False
    return wanted == UP or seen.ready


def is_meant(seen: "Seen") -> bool:
    """Whether it is one of all services, for who waits for these to be up: not if it is wanted down."""
    if seen.status is None:
        return seen.normally_up
    return seen.status.want != WANT_DOWN


def progress(wanted: bytes, done: int, number: int, missing: bytes, width: int) -> bytes:
    """A line that takes the place of the one before it: how many are so, and the first that is not."""
    line = b"svwait: %d of %d %s, waiting for " % (done, number, WORDS[wanted]) + one_line(missing)
    return b"\r" + line[: width - 1] + CLEAR_REST


CLEAR_REST = b"\033[K"
CLEAR = b"\r" + CLEAR_REST


def timed_out(wanted: bytes, missing: "list[tuple[bytes, Seen]]") -> bytes:
    """What is said when nobody waits any longer: which are not so, and how they are."""
    # Who is in time needs none of it.
    from svpy.core.states import state_of

    named = []
    for name, seen in missing[:_MOST_NAMED]:
        how = state_of(seen).word.encode()
        if seen.note:
            how += b": " + one_line(seen.note)
        named.append(one_line(name) + b" (" + how + b")")
    text = b", ".join(named)
    if more := len(missing) - len(named):
        text += b" and %d more" % more
    return b"svwait: fatal: timed out, not " + WORDS[wanted] + b": " + text
