"""What multilog asks of Linux for its files, and the carrying out of a log folder's steps.

Nothing here waits for what may take its time: a pause and a processor are values, for whoever drives it.
All names are relative to the open folder. The folder belongs to the account multilog runs as, but root may
run multilog in a folder of somebody else's: no name in it is followed through a symlink,
and nothing opened can block.
"""

import errno
import fcntl
import os
import stat
import time
from _signal import SIGALRM, SIGPIPE, SIGTERM, SIGXFSZ  # type: ignore[import-not-found]

from svpy.core.errors import FAILED, Die, error_text
from svpy.core.logfolder import FATAL, NEWSTATE, PREVIOUS, PROCESSED, STATE, WARNING
from svpy.system.environment import mapping
from svpy.system.tell import because, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeAlias

    from svpy.core.logfolder import LogFolder, Steps

    Waits: TypeAlias = Generator["int | Pause | Child", Any, None]
    """What has to be waited for, one after the other, and what is answered to each: an int asks for so many
    bytes of input at most, its answer are these, nothing at the end, or None if there may be none yet."""

PAUSE_S = 5.0
LINUX_WRITES_BACK_S = 5.0
"""How often it begins to, of what has been there for a while: vm.dirty_writeback_centisecs."""

_OWN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _OWN
_EMPTY = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | _OWN
_GIVEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_TAKEN = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
PROCESSORS_FILES = (
    (0, PREVIOUS, _GIVEN, 0),
    (1, PROCESSED, _TAKEN, 0o644),
    (4, STATE, _GIVEN, 0),
    (5, NEWSTATE, _TAKEN, 0o644),
)
"""As which descriptor a processor gets which file, and how it is opened."""
_DEFAULT_SIGNALS = (SIGTERM, SIGALRM, SIGPIPE, SIGXFSZ)
"""Ours and those that CPython ignores; the others are handed on as they came."""


class Pause:
    """A wait of PAUSE_S for what went wrong to be mended: `trouble` is to be said."""

    __slots__ = ("trouble",)

    def __init__(self, trouble: bytes) -> None:
        self.trouble = trouble


class Child:
    """A wait for the end of a child of ours, which nobody else waits for. The answer is its wait status."""

    __slots__ = ("pid",)

    def __init__(self, pid: int) -> None:
        self.pid = pid


def carry_out(steps: "Steps", files: "LogFiles") -> "Waits":
    """Do all steps; one that fails is repeated after a pause. Raises Die where that is not worth it."""
    result = None
    while True:
        try:
            what, arguments, trouble = steps.send(result)
        except StopIteration:
            return
        if what == "pause":
            result = yield Pause(*arguments)
            continue
        do = getattr(files, what)
        while True:
            try:
                result = do(*arguments)
                break
            except OSError as error:
                if trouble.startswith(FATAL):
                    raise Die(FAILED, because(trouble, error)) from error
                reason = because(trouble, error)
            yield Pause(reason)
        if result.__class__ is Child:
            result = yield result


class Pauses:
    """Waiting by doing nothing else. TERM and ALRM wait, too: what was read is nowhere else."""

    def __init__(self, sleep: "Callable[[float], None]" = time.sleep) -> None:
        self._sleep = sleep

    def over(self, wait: "Pause | Child") -> int | None:
        """Tell what is wrong and wait; or wait for a child, and return its wait status."""
        if isinstance(wait, Child):
            return os.waitpid(wait.pid, 0)[1]
        say(wait.trouble)
        self._sleep(PAUSE_S)
        return None


class Found:
    """What is known of a file: the permissions are in `mode`, none for a symlink."""

    __slots__ = ("links", "mode", "size_bytes")

    def __init__(self, mode: int, size_bytes: int, links: int) -> None:
        self.mode = mode
        self.size_bytes = size_bytes
        self.links = links


class LogFiles:
    """A log folder on disk: one method for each step of core's LogFolder. All raise OSError."""

    __slots__ = (
        "_begun_mono",
        "_current_fd",
        "_environ",
        "_folder_fd",
        "_lock_fd",
        "_other_fd",
        "_previous_fd",
        "_start_fd",
        "now_ns",
    )

    def __init__(
        self, start_fd: int, environ: list[bytes], clock_ns: "Callable[[], int]" = time.time_ns
    ) -> None:
        """`start_fd` is the folder that paths are relative to, needed for `open` only; `environ` what a
        processor gets."""
        self._start_fd = start_fd
        self._environ = environ
        self.now_ns = clock_ns
        self._begun_mono = 0.0
        self._folder_fd = self._lock_fd = self._current_fd = self._previous_fd = self._other_fd = -1

    def open(self, path: bytes) -> None:
        try:
            os.mkdir(path, 0o700, dir_fd=self._start_fd)
        except OSError:
            pass  # If it is not there, opening it says why.
        self._folder_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._start_fd)
        # A folder that may be read and not entered is one that cannot be opened.
        self.enter()

    def lock(self) -> None:
        self._lock_fd = os.open(b"lock", _APPEND, 0o600, dir_fd=self._folder_fd)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def look(self, name: bytes) -> Found | None:
        try:
            found = os.stat(name, dir_fd=self._folder_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        mode = 0 if stat.S_ISLNK(found.st_mode) else stat.S_IMODE(found.st_mode)
        return Found(mode, found.st_size, found.st_nlink)

    def open_current(self) -> None:
        """Open it or make it; the one before, by now `previous`, is kept until its mode is set."""
        fd = os.open(b"current", _APPEND, 0o600, dir_fd=self._folder_fd)
        self._previous_fd, self._current_fd = self._current_fd, fd

    def set_previous_mode(self, mode: int) -> None:
        os.fchmod(self._previous_fd, mode)
        os.close(self._previous_fd)
        self._previous_fd = -1

    def set_current_mode(self, mode: int) -> None:
        os.fchmod(self._current_fd, mode)

    def sync_current(self) -> None:
        os.fsync(self._current_fd)

    def write(self, data: memoryview) -> int | None:
        """How much of `data` was written; None if the file must not become any longer."""
        try:
            return os.write(self._current_fd, data)
        except OSError as error:
            if error.errno == errno.EFBIG:
                return None
            raise

    def write_now(self, folder: "LogFolder", block: bytes) -> bytes:
        """Write what needs no steps of its folder's. Returns what is left for these, which also tell what did
        not go well."""
        if folder.filled_bytes + len(block) >= folder.steps_from_bytes:
            return block
        try:
            written = os.write(self._current_fd, block)
        except OSError:
            return block
        folder.filled_bytes += written
        return block[written:]

    def write_back(self, begin: int, end: int) -> None:
        """Have Linux begin to write what is there from `begin` up to `end`, and do not wait for it.

        That is the first thing DONTNEED does. The second is to take from the cache what is on the disk
        already, from under whoever reads the end of the file: what has only been begun is not, and what came
        so slowly that Linux has written it by itself is left alone here. sync_file_range(2), which does
        the first alone, Python does not have. No more than a hint: what it fails to do, fsync does."""
        before, self._begun_mono = self._begun_mono, time.monotonic()
        if self._begun_mono - before > LINUX_WRITES_BACK_S:
            return
        try:
            os.posix_fadvise(self._current_fd, begin, end - begin, os.POSIX_FADV_DONTNEED)
        except OSError:
            pass

    def enter(self) -> None:
        os.fchdir(self._folder_fd)

    def rename(self, name: bytes, new_name: bytes) -> None:
        os.rename(name, new_name, src_dir_fd=self._folder_fd, dst_dir_fd=self._folder_fd)

    def link(self, name: bytes, new_name: bytes) -> bool:
        """Whether it was linked; not if there is something of the new name."""
        here = self._folder_fd
        try:
            os.link(name, new_name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
        except FileExistsError:
            return False
        return True

    def remove(self, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=self._folder_fd)
        except FileNotFoundError:
            pass

    def discard(self, name: bytes) -> None:
        """Remove what is no longer needed; that it may stay shows later, where it matters."""
        try:
            os.unlink(name, dir_fd=self._folder_fd)
        except OSError:
            pass

    def names(self) -> list[bytes]:
        return [os.fsencode(name) for name in os.listdir(self._folder_fd)]

    def make_empty(self, name: bytes) -> None:
        os.close(os.open(name, _EMPTY, 0o644, dir_fd=self._folder_fd))

    def open_other(self, name: bytes) -> None:
        self._other_fd = os.open(name, _APPEND, 0o600, dir_fd=self._folder_fd)

    def sync_other(self) -> None:
        os.fsync(self._other_fd)

    def set_other_mode(self, mode: int) -> None:
        os.fchmod(self._other_fd, mode)

    def close_other(self) -> None:
        os.close(self._other_fd)
        self._other_fd = -1

    def process(self, command: bytes) -> Child | int:
        """Run `sh -c command` on `previous`, in the folder. Returns whom to wait for, or a wait status.

        Raises OSError only if there could be no process at all, as C does; a file that cannot be
        opened is the processor's failure."""
        try:
            return Child(self.spawn([b"sh", b"-c", command]))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOMEM):
                raise
            say(FATAL + b"unable to run " + command + b": " + error_text(error.errno))
            return FAILED << 8

    def spawn(self, argv: list[bytes]) -> int:
        """Start a shell where it finds a processor's files. Returns its pid. Raises OSError."""
        os.fchdir(self._folder_fd)
        return self._start(argv, [(os.POSIX_SPAWN_OPEN, *file) for file in PROCESSORS_FILES])

    def _start(self, argv: list[bytes], files: "list[tuple[Any, ...]]") -> int:
        environ = mapping(self._environ)
        return os.posix_spawn(
            b"/bin/sh", argv, environ, file_actions=files, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
        )

    def release(self) -> None:
        """Let go of the folder, and its lock, as a process does that ends."""
        for fd in (self._current_fd, self._previous_fd, self._other_fd, self._folder_fd, self._lock_fd):
            _let_go(fd)
        self._folder_fd = self._lock_fd = self._current_fd = self._previous_fd = self._other_fd = -1


class StatusFile:
    """A file that always holds the last selected line."""

    __slots__ = ("_fd", "_path")

    def __init__(self, path: bytes, start_fd: int) -> None:
        """Open it, or make it with mode 0600. Raises Die."""
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o600, dir_fd=start_fd)
        except OSError as error:
            raise Die(FAILED, because(FATAL + b"unable to create " + path, error)) from error

    def put(self, content: bytes) -> bytes:
        """Write `content` from the beginning on. Returns what is to be said if not all of it is there; then
        it has to be tried again."""
        try:
            if os.pwrite(self._fd, content, 0) == len(content):
                return b""
            trouble = OSError(errno.ENOSPC, "")
        except OSError as error:
            trouble = error
        what = b"move to beginning of " if trouble.errno == errno.ESPIPE else b"write "
        return because(WARNING + b"unable to " + what + self._path + b", pausing", trouble)

    def release(self) -> None:
        _let_go(self._fd)


def _let_go(fd: int) -> None:
    """An error (EIO, EDQUOT) tells what became of the data: the descriptor is closed."""
    if fd >= 0:
        try:
            os.close(fd)
        except OSError:
            pass
