"""What services without a logger write, as it stands in svscan's output: each line behind its service's name.

Rules of this module:

- a line is written when it is whole, or when its service's process has ended: then it gets a newline;
- a line of more than LINE_BYTES is cut, and what follows is a line behind the name as well;
- how a stream was cut into reads changes nothing of what comes out;
- what is written at once is whole lines, of no more than a pipe takes at once or nothing (PIPE_BUF): others
  write to the same output, and must not come to stand within a line. A line longer than that is on its own.
"""

from __future__ import annotations

from collections.abc import Iterator

LINE_BYTES = 65536
PIECE_BYTES = 4096


class Prefixer:
    """One service's stream. `partial` is the begin of a line whose end was not read yet; all there is to hand
    on to another process that reads on."""

    __slots__ = ("_prefix", "partial")

    def __init__(self, name: bytes, partial: bytes = b"") -> None:
        self._prefix = name + b": "
        self.partial = partial

    def feed(self, data: bytes) -> bytes:
        """What was read in; the lines that are whole with it out."""
        stream = self.partial + data
        if len(stream) > LINE_BYTES:
            stream = _cut(stream)
        whole, newline, self.partial = stream.rpartition(b"\n")
        if not newline:
            return b""
        return self._prefix + whole.replace(b"\n", b"\n" + self._prefix) + b"\n"

    def end(self) -> bytes:
        """The process that wrote has ended: its last line, if there is none of its end."""
        return self.feed(b"\n") if self.partial else b""


def _cut(stream: bytes) -> bytes:
    """A newline behind every LINE_BYTES bytes of a line that goes on."""
    return b"\n".join(
        [
            line[at : at + LINE_BYTES]
            for line in stream.split(b"\n")
            for at in range(0, len(line) or 1, LINE_BYTES)
        ]
    )


def pieces(lines: bytes) -> Iterator[bytes]:
    """Whole lines, cut into what is to be written at once."""
    begin = 0
    while begin < len(lines):
        end = lines.rfind(b"\n", begin, begin + PIECE_BYTES) + 1
        if not end:
            end = lines.find(b"\n", begin) + 1 or len(lines)
        yield lines[begin:end]
        begin = end
