"""How much is written into log folders, and how often they rotate, as long as somebody watches.

Rules of this module:

- a folder is watched for what becomes of its `current` only: it becomes `previous`, or a `.u` after a
  crash. What is written costs nobody anything until the next look;
- where the kernel has no more watches to give, looks have to do;
- what all this comes to is core/logcount.py's;
- a folder is known by its path. Nothing in it is opened, and no symlink of that name is followed.
"""

import errno
import os
import stat

from svpy.core.logcount import CURRENT, CUT, PREVIOUS, PROCESSED, WHOLE, LogCount
from svpy.system.inotify import CREATE, IGNORED, MOVED_TO, ONLYDIR, OVERFLOW, Watcher


class Sizes:
    """What a look at a log folder finds: the bytes of its files, and `current`, None if there is none."""

    __slots__ = ("bytes", "current")

    def __init__(self, path: bytes) -> None:
        """Raises OSError."""
        self.bytes = 0
        self.current: os.stat_result | None = None
        with os.scandir(path) as found:
            for entry in found:
                status = _status(entry)
                if status is None or not stat.S_ISREG(status.st_mode):
                    continue
                if entry.name == CURRENT:
                    self.current = status
                    self.bytes += status.st_size
                elif entry.name == PREVIOUS or entry.name.endswith((WHOLE, CUT)):
                    self.bytes += status.st_size


def _status(entry: "os.DirEntry[bytes]") -> "os.stat_result | None":
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None  # It is gone.


class LogWatch:
    """Watches log folders. `fd` is readable when `hear` has something to do, -1 if there is no inotify."""

    def __init__(self) -> None:
        self._watcher = Watcher(is_needed=False)
        self.fd = self._watcher.fd
        self._counts: dict[bytes, LogCount] = {}
        self._paths: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}

    def look(self, path: bytes) -> "tuple[Sizes, LogCount]":
        """What there is, and what was counted. Raises OSError."""
        self._watch(path)
        sizes = Sizes(path)
        current = sizes.current
        count = self._counts.get(path)
        if count is None:
            count = self._counts[path] = LogCount()
            if current is not None:
                count.first_looked(current.st_ino, current.st_size)
        elif current is not None and not count.knows(current.st_ino):
            # It was exchanged a moment ago. Who did that has been heard of by now.
            self.hear()
            inode, size_bytes = _file(path, CURRENT)
            if inode:
                count.looked(inode, size_bytes)
        elif current is not None:
            count.looked(current.st_ino, current.st_size)
        return sizes, count

    def _watch(self, path: bytes) -> None:
        if path in self._watches:
            return
        try:
            number = self._watcher.add(path, MOVED_TO | CREATE | ONLYDIR)
        except OSError:
            return
        self._watches[path] = number
        self._paths[number] = path

    def keep(self, paths: "set[bytes]") -> None:
        """Forget all others."""
        for path in [path for path in self._counts if path not in paths]:
            del self._counts[path]
        for path in [path for path in self._watches if path not in paths]:
            number = self._watches.pop(path)
            if self._paths.get(number) == path:
                del self._paths[number]
                self._watcher.remove(number)

    def hear(self) -> None:
        """Take what the kernel has to tell. Raises nothing."""
        try:
            events = self._watcher.read()
        except OSError as error:
            if error.errno != errno.EINTR:
                self._watcher.close()
                self.fd = -1
            return
        heard = set()
        for number, mask, name in events:
            path = self._paths.get(number)
            if mask & OVERFLOW or path is None:
                continue  # The next look sees that it is another file.
            if mask & IGNORED:
                # It may be another folder of that name from now on.
                del self._paths[number]
                self._watches.pop(path, None)
            elif path in self._counts and name.endswith((PREVIOUS, PROCESSED, WHOLE, CUT)):
                self._counts[path].named(name, *_file(path, name))
                heard.add(path)
        for path in heard:
            inode, size_bytes = _file(path, CURRENT)
            if inode:
                self._counts[path].looked(inode, size_bytes)


def _file(path: bytes, name: bytes) -> "tuple[int, int]":
    """Inode and size of what has this name in a folder, 0 if nothing has."""
    try:
        found = os.lstat(path + b"/" + name)
    except OSError:
        return 0, 0
    return (found.st_ino, found.st_size) if stat.S_ISREG(found.st_mode) else (0, 0)
