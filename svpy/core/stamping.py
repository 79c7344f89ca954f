"""Stamps, and tai64n's work: a label before each line.

Rules of this module:

- a chunk is what one read returned; all lines that begin in it get the same label, the time of
  that read;
- a line gets its label when its first byte is there, so no label stands alone at the end.
"""

from svpy.core.tai import label

_US_PER_S = 1_000_000


def accustamp(unix_ns: int) -> bytes:
    """`seconds.microseconds` of a Unix time in nanoseconds, six digits after the point: what Bernstein's
    accustamp wrote, and multilog's `T` in daemontools-encore."""
    return b"%d.%06d" % divmod(unix_ns // 1000, _US_PER_S)


class Stamper:
    """Labels a stream, chunk by chunk."""

    __slots__ = ("_at_line_start",)

    def __init__(self) -> None:
        self._at_line_start = True

    def stamp(self, chunk: bytes, unix_ns: int) -> bytes:
        """`chunk`, not empty, read at `unix_ns` (Unix time in nanoseconds), with its labels."""
        before_line = label(unix_ns) + b" "
        lines = chunk.count(b"\n")
        ends_line = chunk.endswith(b"\n")
        stamped = chunk.replace(b"\n", b"\n" + before_line, lines - ends_line)
        if self._at_line_start:
            stamped = before_line + stamped
        self._at_line_start = ends_line
        return stamped
