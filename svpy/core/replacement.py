"""What a host says about its own replacement, for `svpy upgrade`.

Rules of this module:

- a host that was asked keeps one line in a file in memory (memfd_create(2)) called NAME, which whoever may
  see the host's descriptors finds in /proc/PID/fd: `COUNT replaced` or `COUNT refused WHY`;
- COUNT grows by one with every attempt, so that an answer can be told from the one before it; the file is
  handed on to the program that follows, which writes into it when it serves.
"""

NAME = b"svpy-upgrade"
MOST_BYTES = 1024
"""More is neither written nor read."""

_REPLACED = b"replaced"
_REFUSED = b"refused"


class Report:
    """How the attempt number `count` ended; `why` is None if the program was replaced. 0: none ended yet."""

    __slots__ = ("count", "why")

    def __init__(self, count: int = 0, why: bytes | None = None) -> None:
        self.count = count
        self.why = why


def encode(report: Report) -> bytes:
    """The file's bytes, always MOST_BYTES, so that one write replaces all that was there."""
    said = _REPLACED if report.why is None else _REFUSED + b" " + report.why
    line = b"%d %s" % (report.count, said)
    return (line[: MOST_BYTES - 1] + b"\n").ljust(MOST_BYTES, b"\0")


def decode(data: bytes) -> Report:
    """The reverse; what is no report is none yet."""
    line, newline, _ = data.partition(b"\n")
    count, _, said = line.partition(b" ")
    outcome, _, why = said.partition(b" ")
    if not newline or not count.isdigit() or outcome not in (_REPLACED, _REFUSED):
        return Report()
    return Report(int(count), None if outcome == _REPLACED else why)
