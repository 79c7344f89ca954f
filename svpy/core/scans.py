"""What a host's scans of its folder have cost, for who watches it (svpy-exporter).

Rules of this module:

- a host keeps one line of always the same length in a file in memory (memfd_create(2)) called NAME, which
  whoever may see the host's descriptors finds in /proc/PID/fd; it is written with one call when a scan has
  ended, and handed on to the program that follows, so that its numbers grow as long as the process lives;
- a scan that has ended is one whatever asked for it, and its time is all of it: what it started, and the
  turns that others had meanwhile, included;
- the number of scans stands at both ends of the line: one that is just being written is none.
"""

NAME = b"svpy-scans"
SIZE_BYTES = 128
_NS_PER_S = 1_000_000_000
_FIELDS = 6


class Scans:
    """`count` since the process began, the seconds of the last, of the longest and of all of them, and when
    the last began, on the monotonic clock."""

    __slots__ = ("began_mono_s", "count", "last_s", "longest_s", "total_s")

    def __init__(
        self,
        count: int = 0,
        last_s: float = 0.0,
        longest_s: float = 0.0,
        total_s: float = 0.0,
        began_mono_s: float = 0.0,
    ) -> None:
        self.count = count
        self.last_s = last_s
        self.longest_s = longest_s
        self.total_s = total_s
        self.began_mono_s = began_mono_s

    def add(self, began_mono_s: float, ended_mono_s: float) -> None:
        """One more."""
        self.count += 1
        self.began_mono_s = began_mono_s
        self.last_s = ended_mono_s - began_mono_s
        self.longest_s = max(self.longest_s, self.last_s)
        self.total_s += self.last_s


def encode(scans: Scans) -> bytes:
    """The file's bytes."""
    measured = (scans.last_s, scans.longest_s, scans.total_s, scans.began_mono_s)
    line = b"%d %d %d %d %d" % (scans.count, *[int(s * _NS_PER_S) for s in measured])
    again = b" %d\n" % scans.count
    return line.ljust(SIZE_BYTES - len(again)) + again


def decode(data: bytes) -> Scans | None:
    """The reverse; None of what is no such line, or is not whole."""
    fields = data.split()
    if len(data) != SIZE_BYTES or len(fields) != _FIELDS or not all(map(bytes.isdigit, fields)):
        return None
    count, last, longest, total, began, again = map(int, fields)
    if count != again:
        return None
    return Scans(count, last / _NS_PER_S, longest / _NS_PER_S, total / _NS_PER_S, began / _NS_PER_S)
