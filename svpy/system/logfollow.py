"""Following log folders: every line once and in order, over any number of rotations.

Rules of this module:

- the folder tells what becomes of its files (core/logparts.py); what is known to be closed is read to its
  end, then the next part is opened under the name it has by then. A name may change while it is opened: what
  has been heard since decides whether that was the right file;
- a line is shown when it is whole;
- where nothing is told (no inotify), or not all of it (an overflow), the folder is listed, and the file in
  hand looked for among what is there. If a processor has replaced it meanwhile, its file is the one that
  begins alike; another that cannot be known is read again rather than left out;
- a folder that is not there, or is another one by now, is looked for once a second.
"""

import errno
import os
import select

from svpy.core.logfolder import CURRENT, PREVIOUS, PROCESSED
from svpy.core.logorder import EARLIEST, Stretch, label_at, last_label, merged
from svpy.core.logparts import Part, Parts
from svpy.system.inotify import (
    ATTRIB,
    CREATE,
    DELETE,
    DELETE_SELF,
    IGNORED,
    MODIFY,
    MOVE_SELF,
    MOVED_FROM,
    MOVED_TO,
    OVERFLOW,
    Watcher,
)
from svpy.system.logreading import File, Log, block_at, rest_of, whole_lines
from svpy.system.tell import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WATCHED = MODIFY | ATTRIB | CREATE | DELETE | MOVED_FROM | MOVED_TO | DELETE_SELF | MOVE_SELF
_ASTRAY = DELETE_SELF | MOVE_SELF | IGNORED
_MADE = CREATE | MOVED_TO
_GONE = DELETE | MOVED_FROM
_WITHOUT_LABEL = (PREVIOUS, PROCESSED, CURRENT)
_MOST_TRIES = 1000
_AT_ONCE_BYTES = 1 << 22
_ALIKE_BYTES = 4096
_LOOK_EVERY_MS = 1000
_LIST_EVERY_MS = 250


class Hearing:
    """What is told of all folders that are followed. `fd` is readable when there is something, -1 where
    nothing is told."""

    __slots__ = ("_by_watch", "_watcher", "fd")

    def __init__(self) -> None:
        self._by_watch: dict[int, list[Follower]] = {}
        self._watcher = Watcher(is_needed=False)
        self.fd = self._watcher.fd

    def watch(self, follower: "Follower", folder_fd: int) -> bool:
        """Whether changes in that folder are told from now on."""
        try:
            watch = self._watcher.add(b"/proc/self/fd/%d" % folder_fd, _WATCHED)
        except OSError:
            return False
        self._by_watch.setdefault(watch, []).append(follower)
        return True

    def unwatch(self, follower: "Follower") -> None:
        for watch, followers in [*self._by_watch.items()]:
            if follower in followers:
                followers.remove(follower)
                if not followers:
                    self._watcher.remove(watch)
                    del self._by_watch[watch]

    def drain(self) -> None:
        """Hear all that has been told. Raises OSError."""
        while events := self._watcher.read():
            for watch, mask, name in events:
                if mask & OVERFLOW:
                    for followers in self._by_watch.values():
                        for follower in followers:
                            follower.is_unsure = True
                for follower in self._by_watch.get(watch, ()):
                    follower.heard(mask, name)


class Follower:
    """A log folder that is followed. `source` is its number among them."""

    __slots__ = (
        "_at",
        "_file",
        "_floor",
        "_has_changed",
        "_hearing",
        "_held",
        "_is_told",
        "_log",
        "_newest",
        "_parts",
        "_path",
        "_source",
        "_warn",
        "has_more",
        "is_astray",
        "is_unsure",
    )

    def __init__(self, path: bytes, source: int, hearing: Hearing, warn: "Callable[[bytes], None]") -> None:
        self._path = path
        self._source = source
        self._hearing = hearing
        self._warn = warn
        self._log: Log | None = None
        self._parts = Parts([], b"")
        self._file: File | None = None
        self._held: dict[bytes, File] = {}
        """What has no label, as it was listed: its name may have changed without our hearing it."""
        self._at = 0
        self._floor = self._newest = EARLIEST
        self._has_changed = self._is_told = False
        self.is_unsure = False
        """Something may have happened that was not heard."""
        self.is_astray = True
        """What is at the path may be another folder, or none."""
        self.has_more = False
        """There is more to read at once."""

    @property
    def is_alone(self) -> bool:
        """Whether it may be that nobody writes there any more. That a folder is removed which is open, is not
        told; that its `current` was, is."""
        return self.is_astray or not self._parts.has_current

    @property
    def lists(self) -> bool:
        """Whether nothing is told."""
        return not self._is_told

    def begin(self) -> "tuple[Log, list[File]]":
        """Open it. Returns what is there now, for whoever reads that first; it is followed from there on.
        Raises OSError."""
        log = Log(self._path, self._warn)
        log.is_followed = True
        self._is_told = self._hearing.watch(self, log.fd)
        files = self._listed(log)
        self._log = log
        self.is_astray = self.is_unsure = False
        names = [file.name for file in files]
        self._newest = max([EARLIEST, *[label_at(name, 0) for name in names]])
        self._floor = EARLIEST
        if names[-1:] == [CURRENT]:
            last = files[-1]
            last.size = self._at = whole_lines(last.fd, last.size)
            self._file = File(CURRENT, os.dup(last.fd))
            self._file.identity = last.identity
            self._parts = Parts(names, CURRENT)
        else:
            self._parts = Parts(names, b"")
        return log, files

    def _listed(self, log: Log) -> list[File]:
        """What is there, when all that was told of it has been heard. Raises OSError."""
        files: list[File] = []
        for _ in range(_MOST_TRIES):
            for file in files:
                file.close()
            self._hearing.drain()
            self._has_changed = False
            files = log.files()
            self._hearing.drain()
            if not self._has_changed:
                break
        return files

    def heard(self, mask: int, name: bytes) -> None:
        """Something has happened in the folder, or to it."""
        if mask & _ASTRAY:
            self.is_astray = True
        if mask & _MADE:
            self._has_changed = True
            self._newest = max(self._newest, label_at(name, 0))
            self._parts.made(name)
        elif mask & _GONE:
            self._has_changed = True
            self._parts.gone(name)

    def lines(self) -> "Iterator[Stretch]":
        """What is there and was not returned yet. Raises OSError."""
        self.has_more = False
        if self._log is not None:
            yield from self._read()
        if self.is_alone and not self.has_more and self._is_another():
            self.close()
            try:
                log, files = self.begin()
            except OSError:
                return
            self.has_more = True
            yield from log.forward(files, self._source)

    def _read(self) -> "Iterator[Stretch]":
        assert self._log is not None
        if self.is_unsure or not self._is_told:
            self.is_unsure = False
            self._look_again(self._log)
        left_bytes = _AT_ONCE_BYTES
        while self._file is not None or self._opens_next(self._log):
            file, part = self._file, self._parts.all[0]
            assert file is not None
            # It has to be heard before the end of the file is seen.
            is_closed = part.is_closed
            end = os.fstat(file.fd).st_size
            if end < self._at:
                self._at = 0  # Somebody has emptied it.
            while left_bytes > 0 and self._at < end:
                block, taken = block_at(file.fd, self._at, end)
                if not taken:
                    break
                self._at += taken
                left_bytes -= taken
                yield self._stretch(self._log.joint.lines(block))
            if left_bytes <= 0:
                self.has_more = True
                return
            if not is_closed:
                return
            rest = rest_of(file.fd, self._at, end)
            if whole := self._log.joint.end(part.name, rest):
                yield self._stretch(whole)
            file.close()
            self._file = None
            del self._parts.all[0]

    def _stretch(self, lines: bytes) -> Stretch:
        stretch = Stretch(self._source, self._floor, lines)
        self._floor = last_label(lines) or self._floor
        return stretch

    def _opens_next(self, log: Log) -> bool:
        """Open the part that is to be read now; not if there is none, or has no name at this moment."""
        while self._parts.all:
            part = self._parts.all[0]
            if part.is_gone:
                self._warn(b"a file of " + self._path + b" was removed before it was read")
                del self._parts.all[0]
                continue
            if not part.name:
                return False
            file = self._held.pop(part.name, None) or File(part.name)
            try:
                if file.fd < 0:
                    log.open(file)
            except OSError as error:
                self._hearing.drain()
                if part.name != file.name or part.is_gone:
                    continue
                if error.errno in (errno.ENOENT, errno.EACCES):
                    # multilog makes a `current` that is its own at first.
                    return False
                log.warn_of(file.name, error)
                del self._parts.all[0]
                continue
            self._hearing.drain()
            if part.name == file.name and not part.is_gone:
                self._file, self._at = file, 0
                return True
            file.close()
        return False

    def _look_again(self, log: Log) -> None:
        """Find by a listing what has become of the file in hand, and what follows it."""
        files = self._listed(log)
        here = self._file
        unread = {part.name for part in self._parts.all[0 if here is None else 1 :]}
        names = [file.name for file in files]
        identities = [file.identity if file.fd >= 0 else _identity(log.fd, file.name) for file in files]
        self._hold([] if self._is_told else files)
        if self._is_told:
            for file in files:
                file.close()
        before, self._newest = self._newest, max([self._newest, *[label_at(name, 0) for name in names]])
        if here is not None and here.identity in identities:
            self._parts = Parts(names, names[identities.index(here.identity)])
            return
        new = [
            name for name in names if name in unread or label_at(name, 0) > before or name in _WITHOUT_LABEL
        ]
        if here is not None:
            # What is before its own file was read before it.
            own = next((at for at, name in enumerate(new) if self._begins_alike(log, here, name)), -1)
            new = new[own + 1 :]
        self._parts = Parts(names, new[0] if new else b"")
        if here is not None:
            self._parts.all.insert(0, Part(b""))

    def _hold(self, files: list[File]) -> None:
        for file in self._held.values():
            file.close()
        self._held = {file.name: file for file in files if file.fd >= 0}

    def _begins_alike(self, log: Log, here: File, name: bytes) -> bool:
        """Whether the file of that name is what a processor has made of the one in hand."""
        if name == CURRENT:
            return False
        other = File(name)
        try:
            log.open(other)
        except OSError:
            return False
        one = os.pread(here.fd, _ALIKE_BYTES, 0)
        is_alike = bool(one) and one == os.pread(other.fd, _ALIKE_BYTES, 0)
        other.close()
        return is_alike

    def _is_another(self) -> bool:
        """Whether at its path is another folder, or whether there was none yet."""
        if self._log is None:
            return True
        try:
            is_another = not os.path.samestat(os.stat(self._path), os.fstat(self._log.fd))
        except OSError:
            return False
        self.is_astray = is_another
        return is_another

    def close(self) -> None:
        self._hearing.unwatch(self)
        self._hold([])
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._log is not None:
            self._log.close()
            self._log = None
        self.is_astray = True


def _identity(folder_fd: int, name: bytes) -> tuple[int, int]:
    try:
        found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def follow(
    followers: list[Follower],
    hearing: Hearing,
    shown: "Callable[[int, bytes], bytes]",
    out_of: "Callable[[Iterator[Stretch]], Iterator[Stretch]]",
) -> None:
    """Show the lines of all as they come, until nobody listens any more. What has come at once is in the
    order of its labels. Raises OSError."""
    poll = select.poll()
    poll.register(1, 0)
    if hearing.fd >= 0:
        poll.register(hearing.fd, select.POLLIN)
    while True:
        hearing.drain()
        for block in merged([out_of(follower.lines()) for follower in followers], shown):
            write_all(1, block)
        if any(follower.has_more or follower.is_unsure for follower in followers):
            continue
        timeout_ms = None
        if any(follower.is_alone for follower in followers):
            timeout_ms = _LOOK_EVERY_MS
        if any(follower.lists and not follower.is_astray for follower in followers):
            timeout_ms = _LIST_EVERY_MS
        if any(fd == 1 for fd, _ in poll.poll(timeout_ms)):
            return
