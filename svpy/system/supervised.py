"""What a client sees of the folder it is in: is it supervised, and by fifo and file, how is it.

Whoever owns the folder may have planted a symlink or a device: what is opened here is never
followed, must be a fifo where one is meant, and cannot block.
"""

import errno
import os
import stat

from svpy.core.status import SIZE_BYTES

_CAREFUL = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def is_supervised() -> bool:
    """Whether `supervise/ok` has a reader. Raises OSError, FileNotFoundError if there is no such fifo."""
    try:
        os.close(open_fifo_to_write(b"supervise/ok"))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    return True


def open_fifo_to_write(path: bytes) -> int:
    """A fifo that has a reader, not blocking. Raises OSError (ENXIO: no reader; ENOSTR: no fifo)."""
    fd = os.open(path, os.O_WRONLY | _CAREFUL)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ENOSTR, "not a fifo")
    return fd


def read_status() -> bytes:
    """`supervise/status`, as much of it as a status can have. Raises OSError."""
    fd = os.open(b"supervise/status", os.O_RDONLY | _CAREFUL)
    try:
        return os.read(fd, SIZE_BYTES)
    finally:
        os.close(fd)
