"""What happens to the names in a folder, counted by the kernel."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import TracebackType

_IN_MOVED_TO = 0x80
_HEADER_BYTES = 16


class Renames:
    """Counts the renames into a folder: `with Renames(folder) as renames: …; renames.count()`.

    inotify(7): an event is a watch, a mask, a cookie and a length of four bytes each, then the name."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(folder), _IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), f"inotify on {folder}")

    def count(self) -> int:
        """How many since the last count."""
        counted = 0
        while True:
            try:
                events = os.read(self._fd, 65536)
            except BlockingIOError:
                return counted
            while events:
                counted += 1
                events = events[_HEADER_BYTES + int.from_bytes(events[12:16], "little") :]

    def __enter__(self) -> Renames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
