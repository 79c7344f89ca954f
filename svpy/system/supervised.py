"""What a client does with a folder: is it supervised, how is it, and telling its supervise something.

Whoever owns the folder may have planted a symlink or a device: what is opened here is never
followed, must be a fifo where one is meant, and cannot block.
"""

import errno
import os
import stat
import time

from svpy.core.status import SIZE_BYTES, STATE_BYTES, state_word
from svpy.system.descriptors import has_reader, waiting_bytes
from svpy.system.tell import because, write_all

SERVICE = b"supervise"
LOGGER = b"supervise/log"
"""Where the files of a service are in its folder, and those of a logger that is a file in it."""

_LOOK_EVERY_S = 0.0003
_CAREFUL = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def is_supervised(where: bytes = SERVICE, dir_fd: "int | None" = None) -> bool:
    """Whether `ok` has a reader. Raises OSError, FileNotFoundError if there is no such fifo."""
    try:
        os.close(open_fifo_to_write(where + b"/ok", dir_fd))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    return True


def open_fifo_to_write(path: bytes, dir_fd: "int | None" = None) -> int:
    """A fifo that has a reader, not blocking. Raises OSError (ENXIO: no reader; ENOSTR: no fifo)."""
    fd = os.open(path, os.O_WRONLY | _CAREFUL, dir_fd=dir_fd)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ENOSTR, "not a fifo")
    return fd


def has_logger_of_its_own(dir_fd: "int | None" = None) -> bool:
    """Whether a logger that is a file in this folder is supervised."""
    try:
        return is_supervised(LOGGER, dir_fd)
    except OSError:
        return False


def read_status(where: bytes = SERVICE, dir_fd: "int | None" = None) -> bytes:
    """`status`, as much of it as a status can have. Raises OSError."""
    return read(where + b"/status", SIZE_BYTES, dir_fd)


def read_word(status: bytes, where: bytes = SERVICE, dir_fd: "int | None" = None) -> bytes:
    """The word that `state` has for this status, if there is one."""
    try:
        return state_word(status, read(where + b"/state", STATE_BYTES, dir_fd))
    except OSError:
        return b""


def read_record(most_bytes: int, where: bytes = SERVICE, dir_fd: "int | None" = None) -> bytes:
    """What `lock` says of the process (core/recordline.py) and of those before it (core/exits.py). Raises
    OSError (EACCES: it is its owner's)."""
    return read(where + b"/lock", most_bytes, dir_fd)


def read(name: bytes, most_bytes: int, dir_fd: "int | None" = None) -> bytes:
    """The beginning of a file of a folder. Raises OSError."""
    fd = os.open(name, os.O_RDONLY | _CAREFUL, dir_fd=dir_fd)
    try:
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


class NotTold(Exception):
    """Why a folder's supervise could not be told something, in svc's words."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message)
        self.message = message


def tell(folder: bytes, message: bytes, may_wait: bool = True) -> int:
    """Go into a folder and write into its control fifo. Returns the fifo, still open.

    Raises NotTold."""
    doing = b"unable to chdir to "
    try:
        os.chdir(folder)
        doing = b"unable to control "
        fd = open_fifo_to_write(b"supervise/control")
        doing = b"error writing commands to "
        try:
            os.set_blocking(fd, may_wait)
            write_all(fd, message)
        except OSError:
            os.close(fd)
            raise
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise NotTold(b"unable to control " + folder + b": supervise not running") from error
        raise NotTold(because(doing + folder, error)) from error
    return fd


def wait_until_taken(fifos: list[int], within_s: float) -> None:
    """Wait until all that was written was read, and close the fifos. As long as one after the other is
    emptied, all are waited for; those that are not cost `within_s` all together."""
    until = time.monotonic() + within_s
    for fd in fifos:
        while waiting_bytes(fd) and has_reader(fd) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        if not waiting_bytes(fd):
            until = time.monotonic() + within_s
        os.close(fd)
