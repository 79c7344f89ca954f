"""Hearing of changes of files and in folders (inotify(7)).

The standard library has dnotify only (system/changes.py), which tells neither names nor folders, and packages
for inotify are one more thing to install. It is three functions of libc.
"""

import os

from svpy.system.libc import call

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
OPEN = 0x20
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
OVERFLOW = 0x4000
"""Comes with wd -1: more has happened than the kernel keeps, and it has forgotten the rest."""
IGNORED = 0x8000
"""The watch is no more: what it was of is gone, or it was removed."""
ONLYDIR = 0x1000000
DONT_FOLLOW = 0x2000000
MASK_ADD = 0x20000000

_HEAD_BYTES = 16
"""struct inotify_event: wd, mask, cookie, len, each 4 bytes in the machine's order; then len of a name."""
_READ_BYTES = 65536


class Watcher:
    """Watches, and what they tell. `fd` is readable when there is something to `read`."""

    __slots__ = ("fd",)

    def __init__(self, is_needed: bool = True) -> None:
        """Raises OSError (EMFILE: /proc/sys/fs/inotify/max_user_instances). One that is not needed is deaf
        then: `fd` is -1, no watch can be added, and nothing is told."""
        self.fd = -1
        try:
            self.fd = call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            if is_needed:
                raise

    def add(self, path: bytes, mask: int) -> int:
        """Watch a file or folder. Returns the watch's number, the same for the same inode under another name,
        and then with this mask instead of the one before. Raises OSError (ENOSPC: /proc/sys/fs/inotify/
        max_user_watches)."""
        return call("inotify_add_watch", self.fd, path, mask)

    def remove(self, wd: int) -> None:
        """One that is no more is none."""
        try:
            call("inotify_rm_watch", self.fd, wd)
        except OSError:
            pass

    def read(self) -> "list[tuple[int, int, bytes]]":
        """What has happened: (watch, mask, name in its folder), nothing if nothing has. Raises OSError."""
        if self.fd < 0:
            return []
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return []
        events = []
        at = 0
        while at < len(data):
            wd, mask, _, size = memoryview(data)[at : at + _HEAD_BYTES].cast("i")
            name_at = at + _HEAD_BYTES
            at = name_at + size
            events.append((wd, mask, data[name_at:at].rstrip(b"\0")))
        return events

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    # Whoever forgets to.
    __del__ = close
