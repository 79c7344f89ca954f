"""How much is written into a log folder, and how often it rotates: from looks at it, and from what its files
are called when.

Rules of this module:

- a file is its inode, from when it is `current` until it has been counted to its end; a look finds it longer
  than the one before;
- a rotation begins when `current` becomes `previous` and ends when there is another `.s`. That is the same
  file, unless a processor has made it: then there was `processed` between the two;
- a `current` that was left behind by a crash becomes `.u`;
- a look that finds another file than was told of counts as one rotation;
- what came and went between two looks, or went into a processor at once, is missing from what was written.
"""

CURRENT = b"current"
PREVIOUS = b"previous"
PROCESSED = b"processed"
WHOLE, CUT = b".s", b".u"
_MOST = 16
"""Files that are remembered: what was not seen to its end while so many were begun will not be."""


class LogCount:
    """Of one folder, since the first look."""

    __slots__ = ("_counted", "_ended", "_is_processed", "_is_told", "rotations", "written_bytes")

    def __init__(self) -> None:
        self.rotations = 0
        self.written_bytes = 0
        self._counted: dict[int, int] = {}
        self._ended: set[int] = set()
        self._is_told = False
        self._is_processed = False

    def first_looked(self, inode: int, size_bytes: int) -> None:
        """The first `current`: what is in it was written before."""
        self._counted[inode] = size_bytes

    def knows(self, inode: int) -> bool:
        return inode in self._counted

    def looked(self, inode: int, size_bytes: int) -> None:
        """This is `current` now."""
        if inode not in self._counted:
            self.rotations += bool(self._counted) and not self._is_told
            self._is_told = False
        # An inode is given again, to another file, which may be shorter.
        self._ended.discard(inode)
        before = self._counted.pop(inode, 0)
        self.written_bytes += size_bytes - before if size_bytes >= before else size_bytes
        self._counted[inode] = size_bytes
        if len(self._counted) > _MOST:
            del self._counted[next(iter(self._counted))]

    def named(self, name: bytes, inode: int, size_bytes: int) -> None:
        """A file has got this name, and is this; inode 0 if it has lost it already."""
        if name == PREVIOUS:
            self.rotations += 1
            self._is_told = True
            self._is_processed = False
            self._end(inode, size_bytes)
        elif name == PROCESSED:
            self._is_processed = True
        elif name.endswith(WHOLE):
            if self._is_processed:
                self._ended.clear()
            else:
                self._end(inode, size_bytes)
                self._ended.discard(inode)
        elif name.endswith(CUT) and inode in self._counted:
            self.rotations += 1
            self._is_told = True
            self._end(inode, size_bytes)

    def _end(self, inode: int, size_bytes: int) -> None:
        if inode and inode not in self._ended:
            self.written_bytes += max(0, size_bytes - self._counted.pop(inode, 0))
            self._ended.add(inode)
