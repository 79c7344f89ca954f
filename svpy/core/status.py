"""`supervise/status`: 18 bytes, and the line svstat makes of them.

Rules of this module (daemontools' supervise.c and svstat.c):

- bytes 0-11 are the packed TAI64N time since which the service is up or down, 12-15 the pid,
  little-endian, 0 if it is down, 16 is 1 if it is paused, 17 is `u`, `d` or NUL (once);
- exactly 18 bytes: some clients refuse more;
- a time in the future counts as now.

What a status has no room for is a word of daemontools-encore's: `starting` (its `start` runs), `started`
(its `start` was all there was to run), `stopping` (its `stop` runs), `failed` (its `start` did not exit 0, or
its `run` exited 100). It stands in `supervise/state`, behind a copy of the 18 bytes it belongs to, and counts
only as long as these are the status: no two files need to change in one moment, and one that was left behind
says nothing. A service that is simply up or down has no word and writes no such file, but that the word
before is taken back, which may stand behind the same 18 bytes.
"""

from svpy.core.tai import unix_s

SIZE_BYTES = 18
ONCE = b"\0"
UP = b"u"
DOWN = b"d"

STARTING = b"starting"
STARTED = b"started"
STOPPING = b"stopping"
FAILED = b"failed"
WORDS = (STARTING, STARTED, STOPPING, FAILED)
STATE_BYTES = SIZE_BYTES + 1 + max(map(len, WORDS))
"""More than that is not read of a state file."""


class Status:
    """What a status file says. `since` is a packed TAI64N time (12 bytes), `pid` 0 if down."""

    __slots__ = ("paused", "pid", "since", "want")

    def __init__(self, since: bytes, pid: int, paused: bool, want: bytes) -> None:
        self.since = since
        self.pid = pid
        self.paused = paused
        self.want = want


def encode(status: Status) -> bytes:
    """The 18 bytes; a service that is down is never paused."""
    paused = b"\1" if status.paused and status.pid else b"\0"
    return status.since + status.pid.to_bytes(4, "little") + paused + status.want


def decode(data: bytes) -> Status:
    """The reverse of `encode`. Raises ValueError if there are fewer than 18 bytes."""
    if len(data) < SIZE_BYTES:
        raise ValueError("bad format")
    pid = int.from_bytes(data[12:16], "little")
    return Status(data[:12], pid, data[16] != 0, data[17:18])


def encode_state(status: bytes, word: bytes) -> bytes:
    """The state file for a status file's bytes."""
    return status + word + b"\n"


def state_word(status: bytes, state: bytes) -> bytes:
    """The word a state file has for a status file, nothing if it has none of ours for this one."""
    word = state[SIZE_BYTES:].rstrip(b"\n")
    return word if word in WORDS and state[:SIZE_BYTES] == status else b""


def is_up(status: bytes, word: bytes) -> bool:
    """Whether svup calls it up: it has a process, or needs none. Raises ValueError as `decode`."""
    return decode(status).pid != 0 or word == STARTED


def describe(status: Status, normally_up: bool, now_unix_s: int, word: bytes = b"") -> bytes:
    """svstat's words after `DIR: `. `normally_up` means that the folder has no `down` file."""
    words = b"up (pid %d) " % status.pid if status.pid else b"down "
    words += b"%d seconds" % max(0, now_unix_s - unix_s(status.since))
    if status.pid and not normally_up:
        words += b", normally down"
    if not status.pid and normally_up:
        words += b", normally up"
    if status.pid and status.paused:
        words += b", paused"
    if not status.pid and status.want == UP:
        words += b", want up"
    if status.pid and status.want == DOWN:
        words += b", want down"
    if word:
        words += b", " + word
    return words
