"""What happens to files, counted by the kernel.

inotify(7): an event is a watch, a mask, a cookie and a length of four bytes each, then the name. One that is
like the last that was not read yet is dropped, so that what happens again and again would count as once: a
second kind of event that always comes between keeps them apart."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

_IN_CLOSE_NOWRITE = 0x10
_IN_OPEN = 0x20
_IN_MOVED_FROM = 0x40
_IN_MOVED_TO = 0x80
_HEADER_BYTES = 16

Counter = AbstractContextManager[Callable[[], int]]


def renames_into(folder: Path) -> Counter:
    """`with renames_into(folder) as count: …`: how many names were renamed into it since the last count."""
    return _counting(folder, _IN_MOVED_TO, _IN_MOVED_FROM)


def opens_of(path: Path) -> Counter:
    """The same: how often a file was opened, execve(2) included, and closed before it was again."""
    return _counting(path, _IN_OPEN, _IN_CLOSE_NOWRITE)


@contextmanager
def _counting(path: Path, counts: int, comes_between: int) -> Iterator[Callable[[], int]]:
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    try:
        if libc.inotify_add_watch(fd, os.fsencode(path), counts | comes_between) < 0:
            raise OSError(ctypes.get_errno(), f"inotify on {path}")
        yield lambda: _count(fd, counts)
    finally:
        os.close(fd)


def _count(fd: int, counts: int) -> int:
    counted = 0
    while True:
        try:
            events = os.read(fd, 65536)
        except BlockingIOError:
            return counted
        while events:
            counted += bool(int.from_bytes(events[4:8], "little") & counts)
            events = events[_HEADER_BYTES + int.from_bytes(events[12:16], "little") :]
