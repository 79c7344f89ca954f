"""What becomes of the files of a log folder while it is followed: parts of one log, one after the other.

Rules of this module:

- a part is what was `current` until a rotation. It keeps its name or gets others: `previous`, then
  `@LABEL.s`; a processor's work has the same label. After a crash it gets its label while it is `current`
  still;
- parts get their labels in the order in which they were `current`: a new label is that of the earliest part
  that has none;
- all names in a folder tell their changes in order (inotify(7)); a part that is closed is not written to any
  more when that is heard;
- a part whose file is gone before it was read is lost. One that has no name just now will get one.
"""

from svpy.core.logfolder import CURRENT, PREVIOUS
from svpy.core.logorder import label_at

_MOST_UNLABELLED = 3
"""There is one `previous` and one `current`: what never got a label will get none."""


class Part:
    """One of them: under which name it is found, nothing if under none now."""

    __slots__ = ("is_closed", "is_gone", "name")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.is_closed = name != CURRENT
        self.is_gone = False


class Parts:
    """Those from the one that is being read on: `all[0]`, None if there is none yet."""

    __slots__ = ("_labelled", "_unlabelled", "all")

    def __init__(self, names: list[bytes], reading: bytes) -> None:
        """`names`: what the folder holds, in order. What is before `reading` was read; `reading` is the last
        of them, or nothing if nothing is being read."""
        parts = [Part(name) for name in names]
        at = names.index(reading) if reading else len(names)
        self.all = parts[at:]
        self._unlabelled = [part for part in parts if not label_at(part.name, 0)]
        labelled = [part for part in parts if label_at(part.name, 0)]
        self._labelled = labelled[-1] if labelled else None

    @property
    def has_current(self) -> bool:
        """Whether there is one that may grow."""
        return bool(self.all) and not self.all[-1].is_closed

    def made(self, name: bytes) -> None:
        """There is something of that name, or something else."""
        if name == CURRENT:
            for part in self.all:
                part.is_closed = True
                part.is_gone |= part.name == CURRENT
            self.all.append(Part(CURRENT))
            self._unlabelled = [*self._unlabelled[1 - _MOST_UNLABELLED :], self.all[-1]]
        elif name == PREVIOUS:
            for part in self._unlabelled:
                if part.is_closed and not part.name:
                    part.name = PREVIOUS
        elif label := label_at(name, 0):
            if self._labelled is not None and label_at(self._labelled.name, 0) == label:
                self._labelled.name, self._labelled.is_gone = name, False
            elif self._unlabelled:
                self._labelled = self._unlabelled.pop(0)
                self._labelled.name = name

    def gone(self, name: bytes) -> None:
        """There is nothing of that name any more."""
        if name == CURRENT:
            for part in self.all:
                part.is_closed = True
            for part in self._unlabelled:
                if part.name == CURRENT:
                    part.name = b""
        elif name == PREVIOUS:
            for part in self._unlabelled:
                if part.name == PREVIOUS:
                    part.name = b""
        else:
            for part in self.all:
                part.is_gone |= part.name == name != b""
