"""Waiting for services to become something: svwait.

Rules of this module:

- nothing is asked again and again: what can change is watched first and looked at then, so that nothing that
  happens between the two is missed;
- watched are `supervise` (status, state and ready are replaced in it by rename), the folder, and the folder
  its name stands in, where a link may be moved; of what is not there, the nearest that is, behind links. A
  folder far above that is renamed is not noticed before the time is over, when all are looked at again;
- `ok` is watched as long as nobody reads it: a supervise opens it last, when its status is published. Who
  asks as svok does fails to open it then, which is no event;
- that a supervise has left, or died, is seen by holding its `ok` open to write: poll(2) tells when its last
  reader has gone;
- a folder that was there and is not any more is still the same one to who waits for it to be down or gone.
"""

import errno
import os
import select
import time

from svpy.core import awaiting
from svpy.core.awaiting import DOWN, GONE, READY
from svpy.core.errors import error_text, one_line
from svpy.core.seen import NOT_RUNNING, Seen
from svpy.system.glancing import failed, look, open_folder
from svpy.system.supervised import LOGGER, SERVICE, open_fifo_to_write, read_status, read_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.system.inotify import Watcher

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_LONGEST_WAIT_S = 86400.0
"""poll(2) takes no more than 24 days."""

_KNOWN = frozenset((b"", b"supervise", b"ok", b"status", b"state", b"ready", b"log"))


class Unable(Exception):
    """It cannot be waited for, in words."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message)
        self.message = message


class Awaited:
    """A folder that is waited for. `is_done`: it was so once. `seen`: as it was when last looked at. `fd`:
    the folder, if it is to be the same one to the end, else -1."""

    __slots__ = ("_wanted", "fd", "is_done", "names", "ok_fds", "path", "seen", "watches")

    def __init__(self, path: bytes, wanted: bytes) -> None:
        self.path = path
        self.seen = Seen(path)
        self.is_done = False
        self.watches: set[int] = set()
        self.names: frozenset[bytes] = _KNOWN
        self.ok_fds: tuple[int, ...] = ()
        self._wanted = wanted
        self.fd = -1

    def look(self) -> bool:
        """Whether it is so, or was. Raises Unable if that can never be known."""
        if not self.is_done:
            self.seen = Seen(self.path)
            try:
                fd = self._open()
                try:
                    self.is_done = self._is_gone(fd) if self._wanted == GONE else self._is_so(fd)
                finally:
                    self._keep(fd)
            except OSError as error:
                failed(self.seen, b"unable to chdir: ", error)
                if error.errno not in _ABSENT:
                    raise Unable(
                        b"unable to look at " + one_line(self.path) + b": " + error_text(error.errno)
                    ) from error
                self.is_done = self._wanted == GONE
        if self.is_done:
            self.close()
        return self.is_done

    def _open(self) -> int:
        """The folder, or what was there before. Raises OSError."""
        try:
            return open_folder(self.path)
        except OSError as error:
            if self.fd < 0 or error.errno not in _ABSENT:
                raise
            return self.fd

    def _keep(self, fd: int) -> None:
        if fd == self.fd:
            return
        if self._wanted in (DOWN, GONE) and not self.is_done:
            fd, self.fd = self.fd, fd
        if fd >= 0:
            os.close(fd)

    def _is_so(self, fd: int) -> bool:
        """Raises OSError."""
        if self._wanted == READY:
            from svpy.system.seeing import look_closely

            look_closely(self.seen, fd, SERVICE)
        else:
            look(self.seen, fd, SERVICE)
        if self._wanted == DOWN and self.seen.trouble == NOT_RUNNING:
            self.seen.raw = read_status(SERVICE, fd)
            self.seen.word = read_word(self.seen.raw, SERVICE, fd)
        if self.seen.error not in (0, *_ABSENT):
            raise OSError(self.seen.error, "not to be seen")
        return awaiting.is_so(self._wanted, self.seen)

    def _is_gone(self, fd: int) -> bool:
        """Raises OSError. As long as it is not, what tells its end is held open."""
        self._let_go_of_ok()
        look(self.seen, fd, SERVICE)
        found = []
        for where in (SERVICE, LOGGER):
            try:
                found.append(open_fifo_to_write(where + b"/ok", fd))
            except OSError as error:
                if error.errno not in (errno.ENXIO, *_ABSENT):
                    self.ok_fds = tuple(found)
                    raise
        self.ok_fds = tuple(found)
        self.seen.is_supervised = bool(found)
        return not found

    def _let_go_of_ok(self) -> None:
        for fd in self.ok_fds:
            os.close(fd)
        self.ok_fds = ()

    def close(self) -> None:
        self._let_go_of_ok()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def wait(
    folders: "list[Awaited]",
    is_enough: "Callable[[int], bool]",
    until_mono_s: float,
    tell: "Callable[[list[Awaited]], None]",
) -> bool:
    """Wait until so many are so that `is_enough`, or until that moment; returns which of the two it was.
    `tell` is called with those that are not so, before it is waited and when there are fewer. Raises
    Unable."""
    missing = [each for each in folders if not each.look()]
    if is_enough(len(folders) - len(missing)):
        return True
    if until_mono_s <= time.monotonic():
        return False
    hearing = _Hearing()
    try:
        for each in missing:
            hearing.listen_to(each)
        while True:
            still = [each for each in missing if not each.is_done]
            if is_enough(len(folders) - len(still)):
                return True
            tell(still)
            missing = still
            changed: set[Awaited] = set()
            while not any(each.is_done for each in changed):
                left_s = until_mono_s - time.monotonic()
                if left_s <= 0:
                    # What was not heard is seen now: what is said of them is so.
                    still = [each for each in missing if not each.look()]
                    return is_enough(len(folders) - len(still))
                changed = hearing.changed(min(left_s, _LONGEST_WAIT_S), missing)
                for each in changed:
                    hearing.listen_to(each)
    finally:
        hearing.close()


class _Hearing:
    """What there is to be heard of folders."""

    def __init__(self) -> None:
        """Raises Unable."""
        from svpy.system import inotify

        self._inotify = inotify
        self._mask = (
            inotify.CREATE | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE
            | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONLYDIR
        )  # fmt: skip
        try:
            self._watcher: Watcher = inotify.Watcher()
        except OSError as error:
            raise Unable(b"unable to use inotify: " + error_text(error.errno)) from error
        self._users: dict[int, set[Awaited]] = {}
        self._fifos: dict[int, Awaited] = {}
        self._poll = select.poll()
        self._poll.register(self._watcher.fd, select.POLLIN)

    def close(self) -> None:
        self._watcher.close()

    def listen_to(self, one: Awaited) -> None:
        """Watch all that can change, and look then; nothing of what is so. Raises Unable."""
        for fd in one.ok_fds:
            if self._fifos.pop(fd, None):
                self._poll.unregister(fd)
        while not one.is_done:
            before = one.watches
            one.watches = self._watch(one)
            self._forget(one, before - one.watches)
            if one.look() or one.seen.is_supervised or not self._watch_ok(one):
                break
            # A supervise that came before its `ok` was watched is seen now.
            if one.look() or not one.seen.is_supervised:
                break
        if one.is_done:
            self._forget(one, one.watches)
        for fd in one.ok_fds:
            self._poll.register(fd, 0)
            self._fifos[fd] = one

    def _watch(self, one: Awaited) -> "set[int]":
        """The watches of its folders, added anew. Raises Unable."""
        below = os.path.join(one.path, SERVICE)
        while True:
            found = set()
            missing = b""
            denied: OSError | None = None
            for path in (os.path.dirname(one.path.rstrip(b"/")) or b".", one.path, below):
                try:
                    found.add(self._add(one, path))
                except OSError as error:
                    if error.errno in _ABSENT:
                        missing = path
                        break
                    denied = error
            if not missing:
                # Folders above that may not be read are not watched; `supervise` is what it is about.
                if denied is not None and self._is_out_of_reach(one, below):
                    raise _unable_to_watch(below, denied) from denied
                break
            at = self._nearest(one, missing)
            if at >= 0:
                found |= {at, *self._what_was_there(one)}
                break
        whole = os.path.realpath(below)
        one.names = _KNOWN | set(whole.split(b"/")) | set(one.path.split(b"/"))
        return found

    def _what_was_there(self, one: Awaited) -> "set[int]":
        """The `supervise` of a folder that went away, and is waited for nevertheless."""
        if one.fd < 0:
            return set()
        try:
            return {self._add(one, b"/proc/self/fd/%d/" % one.fd + SERVICE)}
        except OSError:
            return set()

    def _is_out_of_reach(self, one: Awaited, below: bytes) -> bool:
        try:
            self._add(one, below)
        except OSError:
            return True
        return False

    def _nearest(self, one: Awaited, missing: bytes) -> int:
        """Watch the nearest folder that there is of a path, -1 if there was more of it then. Raises
        Unable."""
        path = os.path.realpath(missing)
        while True:
            above = os.path.dirname(path)
            try:
                found = self._add(one, above)
            except OSError as error:
                if error.errno not in _ABSENT or above == path:
                    raise _unable_to_watch(above, error) from error
                path = above
                continue
            return -1 if os.path.isdir(path) else found

    def _watch_ok(self, one: Awaited) -> bool:
        """Whether there is one to be watched: its supervise is only seen when it opens it."""
        try:
            path = os.path.join(one.path, SERVICE, b"ok")
            one.watches.add(self._add(one, path, self._inotify.OPEN | self._inotify.DONT_FOLLOW))
        except OSError:
            return False
        return True

    def _add(self, one: Awaited, path: bytes, mask: int = 0) -> int:
        """Raises OSError; Unable if there may be no more watches."""
        try:
            watch = self._watcher.add(path, mask or self._mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise _unable_to_watch(path, error) from error
            raise
        self._users.setdefault(watch, set()).add(one)
        return watch

    def _forget(self, one: Awaited, watches: "set[int]") -> None:
        for watch in watches:
            users = self._users.get(watch, set())
            users.discard(one)
            if not users:
                self._users.pop(watch, None)
                self._watcher.remove(watch)

    def changed(self, most_s: float, missing: "list[Awaited]") -> "set[Awaited]":
        """Wait, at most so long, for something to happen to some of them."""
        found: set[Awaited] = set()
        # Rounded up: nobody wakes a moment too early and looks at the clock again and again.
        for fd, _ in self._poll.poll(int(most_s * 1000) + 1):
            if fd in self._fifos:
                found.add(self._fifos[fd])
            else:
                found |= self._told(missing)
        return {each for each in found if not each.is_done}

    def _told(self, missing: "list[Awaited]") -> "set[Awaited]":
        found: set[Awaited] = set()
        for watch, mask, name in self._watcher.read():
            if mask & self._inotify.OVERFLOW:
                return set(missing)
            found |= {each for each in self._users.get(watch, ()) if name in each.names}
            if mask & self._inotify.IGNORED:
                self._users.pop(watch, None)
        return found


def _unable_to_watch(path: bytes, error: OSError) -> Unable:
    return Unable(b"unable to watch " + one_line(path) + b": " + error_text(error.errno))
