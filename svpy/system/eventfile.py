"""The file or fifo that svscan tells events in."""

import errno
import os
import stat

_FLAGS = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
)  # fmt: skip
_KINDS = (stat.S_IFREG, stat.S_IFIFO, stat.S_IFCHR)


def open_events(path: bytes) -> int:
    """Open a file, made if need be, a fifo or a terminal. Raises OSError.

    For both: a fifo is then there without a reader, and keeps what is written until there is one, who may
    come and go."""
    fd = os.open(path, _FLAGS, 0o644)
    if stat.S_IFMT(os.fstat(fd).st_mode) not in _KINDS:
        os.close(fd)
        raise OSError(errno.EINVAL, "neither a file nor a fifo")
    return fd


def is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)


def ends_cut(fd: int) -> bool:
    """Whether it is a file whose last line has no end, as far as it can be read."""
    try:
        return is_regular(fd) and os.pread(fd, 1, max(0, os.fstat(fd).st_size - 1)) not in (b"", b"\n")
    except OSError:
        return False
