"""What happens to the names in a folder, counted by the kernel."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_MOVED_FROM = 0x40
_IN_MOVED_TO = 0x80
_HEADER_BYTES = 16


@contextmanager
def renames_into(folder: Path) -> Iterator[Callable[[], int]]:
    """`with renames_into(folder) as count: …`: how many names were renamed into it since the last count.

    inotify(7): an event is a watch, a mask, a cookie and a length of four bytes each, then the name. One that
    is like the last that was not read yet is dropped, so that a name replaced again and again would count
    as one: the other half of each rename, from the name before, keeps them apart."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    try:
        if libc.inotify_add_watch(fd, os.fsencode(folder), _IN_MOVED_FROM | _IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), f"inotify on {folder}")
        yield lambda: _count(fd)
    finally:
        os.close(fd)


def _count(fd: int) -> int:
    counted = 0
    while True:
        try:
            events = os.read(fd, 65536)
        except BlockingIOError:
            return counted
        while events:
            counted += bool(int.from_bytes(events[4:8], "little") & _IN_MOVED_TO)
            events = events[_HEADER_BYTES + int.from_bytes(events[12:16], "little") :]
