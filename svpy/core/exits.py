"""What a supervise counts in `supervise/lock`: how often what it runs has ended, and how the last time.

Rules of this module:

- it stands behind the record (core/record.py), in a line of its own that is always as long and written in
  place with one write. Who knows only of records reads no further than theirs;
- what counts are ends of `run`, or of a `start` that failed; not of `stop`, nor of a `start` behind which
  `run` follows. The line is written when one has ended and before that is published, never at a start: what
  has never ended has no line;
- it counts for one boot, as a record does. It goes on over the death of a supervise and over an upgrade, and
  ends with supervising.
"""

from svpy.core.tai import LABEL_BYTES

MAGIC = b"svpy-exits "
OFFSET_BYTES = 160
SIZE_BYTES = 160
VERSION = b"1"
MOST_EXITS = 10**18
"""No more than that are counted, so that a line has room for it."""

_UNKNOWN = b"-"
_FIELDS = 6
_MOST_PID_DIGITS = 10
_AT_BYTES = 12


class Exits:
    """`exits`: how often it has ended since boot, at least once. Of the last time: `code` is the exit code,
    or minus the number of the signal that killed it, None if nobody heard it; `pid` the process;
    `at` 12 packed bytes of TAI64N."""

    __slots__ = ("at", "code", "exits", "pid")

    def __init__(self, exits: int, code: "int | None", pid: int, at: bytes) -> None:
        self.exits = exits
        self.code = code
        self.pid = pid
        self.at = at


NO_EXITS = Exits(0, None, 0, bytes(_AT_BYTES))
"""Of what has not ended since boot."""


def encode(boot: bytes, exits: Exits) -> bytes:
    """The line. `boot` is text without blanks, up to 60 bytes."""
    code = _UNKNOWN if exits.code is None else b"%d" % exits.code
    fields = (VERSION, boot, b"%d" % exits.exits, code, b"%d" % exits.pid, b"@" + exits.at.hex().encode())
    return (MAGIC + b" ".join(fields)).ljust(SIZE_BYTES - 1) + b"\n"


def decode(line: bytes, boot: "bytes | None" = None) -> "Exits | None":
    """What a line says; None if it is none, is half one, or is another boot's. With `boot` None any boot's
    counts."""
    if len(line) != SIZE_BYTES or not line.startswith(MAGIC) or not line.endswith(b"\n"):
        return None
    fields = line[len(MAGIC) :].split()
    if len(fields) != _FIELDS or fields[0] != VERSION or boot not in (None, fields[1]):
        return None
    _, _, exits, code, pid, label = fields
    at = _at(label)
    is_code = code == _UNKNOWN or _digits(code.removeprefix(b"-"), 3)
    if at is None or not (
        is_code and _digits(exits, len(b"%d" % MOST_EXITS)) and _digits(pid, _MOST_PID_DIGITS)
    ):
        return None
    return Exits(int(exits), None if code == _UNKNOWN else int(code), int(pid), at)


def restarts(exits: "Exits | None", is_up: bool) -> int:
    """How often it was started again, of what has ended so often; None is never."""
    ended = 0 if exits is None else exits.exits
    return ended if is_up else max(0, ended - 1)


def _digits(text: bytes, most: int) -> bool:
    return text.isdigit() and len(text) <= most


def _at(label: bytes) -> "bytes | None":
    if len(label) != LABEL_BYTES or not label.startswith(b"@"):
        return None
    try:
        at = bytes.fromhex(label[1:].decode("ascii"))
    except ValueError:
        return None
    return at if len(at) == _AT_BYTES else None
