"""The two halves of a service folder for who wants them gone, or waits for them to be there.

The folder is opened once: what is asked and told goes to that one, whatever becomes of its name."""

import os
import stat

from svpy.core.leaving import Present
from svpy.core.status import decode
from svpy.system.descriptors import pipe_identity, waiting_bytes
from svpy.system.supervised import (
    LOGGER,
    SERVICE,
    is_supervised,
    open_fifo_to_write,
    read_record,
    read_status,
)
from svpy.system.tell import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.record import Record

LOG_FOLDER = b"log/supervise"
"""Where the files of a logger are that has a folder, `log`, in its service's."""


class Halves:
    """`logger_at`: where the logger's files are, empty if it has none."""

    def __init__(self, folder: bytes) -> None:
        """Raises OSError."""
        self._fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._pipe_fd = -1
        try:
            self._enter()
            self.logger_at = _logger_at()
        except OSError:
            os.close(self._fd)
            raise

    def _enter(self) -> None:
        os.fchdir(self._fd)

    def seen(self) -> Present:
        """Raises OSError."""
        self._enter()
        service = _is_there(SERVICE)
        logger = bool(self.logger_at) and _is_there(self.logger_at)
        return Present(service, logger, waiting_bytes(self._pipe_fd) if self._pipe_fd >= 0 else 0)

    def running_alone(self) -> int:
        """The pid of a service or logger that runs though nobody supervises it, as after the death of its
        svscan; 0 if there is none, or nothing is noted of it. Raises OSError."""
        from svpy.system.processes import boot, is_running

        self._enter()
        for where in filter(None, (SERVICE, self.logger_at)):
            record = None if _is_there(where) else _record(where)
            if record is None or not record.pid or record.boot != boot():
                continue
            if is_running(record.pid, record.start_ticks):
                return record.pid
        return 0

    def pids(self) -> tuple[int, int]:
        """Those of the service and the logger, 0 for none."""
        self._enter()
        return _pid(SERVICE), _pid(self.logger_at) if self.logger_at else 0

    def find_pipe(self) -> None:
        """Find the log pipe while there is a process that has it: by what is noted of it, or where C's
        supervise started it, by where a service and a logger have it."""
        self._enter()
        if self.logger_at != LOG_FOLDER:
            return
        service, logger = _pid(SERVICE), _pid(LOG_FOLDER)
        wanted = _noted_pipe(SERVICE) or _noted_pipe(LOG_FOLDER)
        places = [(service, b"1"), (logger, b"0")]
        if wanted is not None:
            places += [(pid, fd) for pid in (service, logger) for fd in _descriptors(pid)]
        for pid, fd in places:
            self._pipe_fd = _open_pipe(pid, fd, wanted)
            if self._pipe_fd >= 0:
                return

    def tell_service(self, letters: bytes) -> None:
        """Raises OSError."""
        self._tell(SERVICE, letters)

    def tell_logger(self, letters: bytes) -> None:
        """Raises OSError."""
        self._tell(self.logger_at, letters)

    def _tell(self, where: bytes, letters: bytes) -> None:
        self._enter()
        fd = open_fifo_to_write(where + b"/control")
        try:
            write_all(fd, letters)
        finally:
            os.close(fd)

    def close(self) -> None:
        os.close(self._fd)
        if self._pipe_fd >= 0:
            os.close(self._pipe_fd)


def _logger_at() -> bytes:
    try:
        mode = os.stat(b"log").st_mode
    except OSError:
        # The logger of a `log` that was removed goes on.
        return next((where for where in (LOG_FOLDER, LOGGER) if _is_there(where)), b"")
    if stat.S_ISDIR(mode):
        return LOG_FOLDER
    return LOGGER if stat.S_ISREG(mode) and mode & stat.S_IXUSR else b""


def _is_there(where: bytes) -> bool:
    """Whether it is supervised. Raises OSError."""
    try:
        return is_supervised(where)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _pid(where: bytes) -> int:
    try:
        return decode(read_status(where)).pid
    except (OSError, ValueError):
        return 0


def _record(where: bytes) -> "Record | None":
    from svpy.core.record import decode
    from svpy.core.recordline import SIZE_BYTES

    try:
        return decode(read_record(SIZE_BYTES, where))
    except OSError:
        return None


def _noted_pipe(where: bytes) -> tuple[int, int] | None:
    record = _record(where)
    # Nothing has that identity.
    return record.pipe if record is not None and any(record.pipe) else None


def _descriptors(pid: int) -> list[bytes]:
    try:
        return os.listdir(b"/proc/%d/fd" % pid)
    except OSError:
        return []


def _open_pipe(pid: int, fd: bytes, wanted: tuple[int, int] | None) -> int:
    """A pipe that a process has, -1 if it has it not. Nothing but a pipe is opened."""
    path = b"/proc/%d/fd/%s" % (pid, fd)
    try:
        if not pid or not stat.S_ISFIFO(os.stat(path).st_mode):
            return -1
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
    if pipe_identity(opened) != (wanted or pipe_identity(opened)):
        os.close(opened)
        return -1
    return opened
