"""Log folders and their processors in a process that hosts many loggers.

Rules of this module:

- the current folder and the limit on descriptors are everybody's: they are changed for one moment, by one
  at a time, while a processor is started;
- a processor's files are opened before, one by one: while a child did it, the interpreter would stand still.
"""

import fcntl
import os
import resource
from _thread import allocate_lock

from svpy.system.descriptors import raise_limit
from svpy.system.logfiles import PROCESSORS_FILES, LogFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ABOVE_PROCESSORS = 6
"""The first number that no processor's descriptor has."""

_MORE_MEANWHILE = 64
"""More descriptors than the other threads may open while a child is started."""


class Processors:
    """Starts them. From now on this process may have as many descriptors as its hard limit allows; processors
    get the limit that there was."""

    __slots__ = ("_limits", "_starting")

    def __init__(self) -> None:
        soft = raise_limit()
        self._limits = (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        self._starting = allocate_lock()

    def start(self, folder_fd: int, spawn: "Callable[[], int]") -> int:
        """Have `spawn` start a child in a folder. Returns its pid, nobody waits for it. Raises OSError."""
        with self._starting:
            os.fchdir(folder_fd)
            is_lowered = False
            try:
                is_lowered = self._lower(folder_fd)
                pid = spawn()
            finally:
                if is_lowered:
                    raise_limit()
                os.chdir(b"/")
        if is_lowered:
            return pid
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, self._limits)
        except OSError:
            pass  # It has more than it needs.
        return pid

    def _lower(self, fd: int) -> bool:
        """Have a child begin with the limit it is to have, unless another thread might need more meanwhile:
        then the child sees ours for a moment."""
        lowest_free = os.dup(fd)
        os.close(lowest_free)
        if lowest_free + _MORE_MEANWHILE > self._limits[0]:
            return False
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)
        return True


class Files(LogFiles):
    """A log folder on disk, in a process whose current folder belongs to nobody."""

    __slots__ = ("_aside", "_processors")

    def __init__(
        self, start_fd: int, environ: list[bytes], processors: Processors, aside: "Callable[[], None]"
    ) -> None:
        """`aside` is called before what takes its time (native/turns.py)."""
        super().__init__(start_fd, environ)
        self._processors = processors
        self._aside = aside

    def enter(self) -> None:
        os.stat(b".", dir_fd=self._folder_fd)

    def sync_current(self) -> None:
        self._aside()
        super().sync_current()

    def sync_other(self) -> None:
        self._aside()
        super().sync_other()

    def spawn(self, argv: list[bytes]) -> int:
        """The files are opened here: while the child did it, the interpreter would stand still, and the disk
        may not answer."""
        fds: list[int] = []
        try:
            for _, name, flags, mode in PROCESSORS_FILES:
                fds.append(self._open_above(name, flags, mode))
            numbers = [file[0] for file in PROCESSORS_FILES]
            actions = [(os.POSIX_SPAWN_DUP2, fd, number) for fd, number in zip(fds, numbers, strict=True)]
            return self._processors.start(self._folder_fd, lambda: self._start(argv, actions))
        finally:
            for fd in fds:
                os.close(fd)

    def _open_above(self, name: bytes, flags: int, mode: int) -> int:
        """Out of the way of those that are put in place one after the other."""
        fd = os.open(name, flags | os.O_CLOEXEC, mode, dir_fd=self._folder_fd)
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_PROCESSORS)
        finally:
            os.close(fd)
