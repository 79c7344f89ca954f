"""Services as svtop knows them: read when something changes, and sampled now and then.

Rules of this module:

- a service is looked at when the kernel tells of a change in its `supervise` (inotify), when it is on the
  screen, and in its turn in a sweep: where there are no watches left to be had, or a change is none of a
  name in `supervise`, a moment later is soon enough;
- memory and load are sampled, all at once (system/trees.py), and never more of a processor is spent on that
  than a fiftieth;
- nothing of a folder is believed to be there at the next look, and nothing here raises because it is not.
"""

import time

from svpy.core.errors import error_text, one_line
from svpy.core.toprows import Group, Row
from svpy.system import inotify
from svpy.system.seeing import see, services
from svpy.system.trees import trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from svpy.core.seen import Seen
    from svpy.system.trees import Usage

SAMPLE_EVERY_S = 2.0
SPEND_AT_MOST = 0.02
SWEEP_S = 30.0
"""In so long everything has been looked at once."""

BLOCK_S = 10.0
"""What a block of a history stands for."""

_FOLDER_CHANGES = (
    inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.DELETE_SELF
    | inotify.MOVE_SELF | inotify.ONLYDIR
)  # fmt: skip
_SUPERVISE_CHANGES = inotify.MOVED_TO | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONLYDIR
_BEFORE_SUPERVISE = inotify.CREATE | inotify.MOVED_TO | inotify.DELETE_SELF | inotify.ONLYDIR


class Scene:
    """The services of a folder. `groups` are in no order; `trouble` is why they are not known."""

    def __init__(self, folder: bytes, block_s: float = BLOCK_S) -> None:
        self.folder = folder
        self.trouble = b""
        self.groups: dict[bytes, Group] = {}
        self._block_s = block_s
        self._changed: dict[bytes, None] = {}
        self._must_list = True
        self._settled: set[bytes] = set()
        self._sweep: list[bytes] = []
        self._swept_mono = 0.0
        self._usage: dict[bytes, tuple[int, float]] = {}
        self._sampled_mono = 0.0
        self._block_mono = 0.0
        self._watches: dict[int, bytes] = {}
        # Without one everything is found by the sweep.
        self._watcher = inotify.Watcher(is_needed=False)

    @property
    def fd(self) -> int:
        """Readable when something has changed; -1 if nobody tells."""
        return self._watcher.fd

    def close(self) -> None:
        self._watcher.close()

    def hear(self) -> None:
        """Take what the kernel tells. `look` looks at it."""
        try:
            events = self._watcher.read()
        except OSError:
            return
        for wd, mask, _ in events:
            if mask & inotify.OVERFLOW:
                self._must_list = True
                self._changed.update(dict.fromkeys(self.groups))
            elif (folder := self._watches.get(wd)) == self.folder:
                self._must_list = True
            elif folder is not None:
                self._changed[folder] = None
            if mask & inotify.IGNORED:
                self._watches.pop(wd, None)

    def look(self, also: "Iterable[bytes]" = ()) -> None:
        """Look at what has changed, and at these services as well."""
        if self._must_list or self.trouble:
            self._list()
        for folder in dict.fromkeys([*self._changed, *also]):
            if folder in self.groups:
                self._see(folder)
        self._changed.clear()

    def _list(self) -> None:
        """Which services there are."""
        self._watch(self.folder, self.folder, _FOLDER_CHANGES)
        try:
            found = services(self.folder)
        except OSError as error:
            self.trouble = b"unable to read " + one_line(self.folder) + b": " + error_text(error.errno)
            found = []
        else:
            self.trouble = b""
        self._must_list = False
        for gone in self.groups.keys() - set(found):
            del self.groups[gone]
            self._forget(gone)
        for folder in found:
            if folder not in self.groups:
                self._see(folder)

    def _see(self, folder: bytes) -> None:
        """Look at a service. Where nobody supervises it yet, what is to be watched may just have come: then
        it is looked at once more, now that it is watched."""
        group = self._seen(folder)
        if not all(row.seen.is_supervised and row.key in self._settled for row in group.rows()):
            self._settled.update(row.key for row in group.rows() if row.seen.is_supervised)
            if self._watch_service(group):
                self._seen(folder)

    def _seen(self, folder: bytes) -> Group:
        seen = see(folder)
        service, logger = seen[0], seen[1] if len(seen) > 1 else None
        group = self.groups.get(folder)
        if group is None:
            group = self.groups[folder] = Group(Row(service), None if logger is None else Row(logger))
            return group
        group.service.see(service)
        if logger is None:
            group.logger = None
        elif group.logger is None:
            group.logger = Row(logger)
        else:
            group.logger.see(logger)
        return group

    def _watch_service(self, group: Group) -> bool:
        """Returns whether anything is watched that was not."""
        folder = group.service.key
        is_new = self._watch_half(folder, folder + b"/supervise", folder)
        if group.logger is not None:
            seen: Seen = group.logger.seen
            path = folder + b"/supervise/log" if seen.is_file else seen.name + b"/supervise"
            is_new |= self._watch_half(folder, path, path.rpartition(b"/")[0])
        return is_new

    def _watch_half(self, folder: bytes, supervise: bytes, before: bytes) -> bool:
        is_new = self._watch(folder, supervise, _SUPERVISE_CHANGES)
        return self._watch(folder, before, _BEFORE_SUPERVISE) or False if is_new is None else is_new

    def _watch(self, folder: bytes, path: bytes, mask: int) -> "bool | None":
        """Returns whether it was not watched before; None if it cannot be."""
        try:
            wd = self._watcher.add(path, mask)
        except OSError:
            return None
        is_new = wd not in self._watches
        self._watches[wd] = folder
        return is_new

    def _forget(self, folder: bytes) -> None:
        for wd in [wd for wd, whose in self._watches.items() if whose == folder]:
            self._watcher.remove(wd)
            del self._watches[wd]
        for key in (folder, folder + b"/log"):
            self._usage.pop(key, None)
            self._settled.discard(key)

    def sweep(self, now_mono: float) -> None:
        """Look at so many of all services as is their turn."""
        elapsed_s = min(SWEEP_S, now_mono - self._swept_mono)
        self._swept_mono = now_mono
        if not self._sweep:
            self._sweep = list(self.groups)
            self._must_list = True
        number = 1 + int(len(self.groups) * elapsed_s / SWEEP_S)
        for folder in self._sweep[-number:]:
            if folder in self.groups:
                self._watch_service(self.groups[folder])
                self._see(folder)
        del self._sweep[-number:]

    def sample(self, now_mono: float) -> float:
        """Take memory and load of all. Returns in how many seconds to do so again."""
        spent_s = time.thread_time()
        rows = [row for group in self.groups.values() for row in group.rows()]
        try:
            usage = trees({row.seen.pid for row in rows if row.seen.pid and not row.seen.shared})
        except OSError:
            usage = {}  # No /proc: nothing is known.
        elapsed_s = now_mono - self._sampled_mono
        self._sampled_mono = now_mono
        is_block = now_mono - self._block_mono >= self._block_s
        if is_block:
            self._block_mono = now_mono
        for row in rows:
            self._note(row, usage.get(row.seen.pid) if not row.seen.shared else None, elapsed_s)
            if is_block and not row.seen.shared:
                row.load.add(row.share or 0.0)
                row.growth.add(row.rss_bytes or 0)
        return max(SAMPLE_EVERY_S, (time.thread_time() - spent_s) / SPEND_AT_MOST)

    def _note(self, row: Row, used: "Usage | None", elapsed_s: float) -> None:
        if used is None:
            row.share = row.rss_bytes = None
            self._usage.pop(row.key, None)
            return
        pid, before_s = self._usage.get(row.key, (0, 0.0))
        self._usage[row.key] = row.seen.pid, used.cpu_s
        row.rss_bytes = used.rss_bytes
        is_known = pid == row.seen.pid and elapsed_s > 0
        # A child that was not waited for takes its time with it.
        row.share = max(0.0, used.cpu_s - before_s) / elapsed_s if is_known else None
