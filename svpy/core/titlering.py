"""readproctitle's memory: the last bytes of a stream, in the place of its last argument.

Rules of this module:

- the place keeps its size; it is full of dots at first, and its first three dots stay;
- NUL bytes are left out: one would end the title.
"""

KEPT = b"..."
LEAST_BYTES = 5
"""A smaller place is refused."""


class TitleRing:
    """`text` is what is to be seen, always `size_bytes` long."""

    __slots__ = ("_room_bytes", "text")

    def __init__(self, size_bytes: int) -> None:
        self._room_bytes = size_bytes - len(KEPT)
        self.text = b"." * size_bytes

    def add(self, chunk: bytes) -> None:
        """Push `chunk` in at the end, and as much out at the beginning."""
        seen = self.text + chunk.replace(b"\0", b"")
        self.text = KEPT + seen[-self._room_bytes :]
