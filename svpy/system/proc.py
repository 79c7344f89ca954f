"""Reading /proc (proc(5)).

Rules of this module:

- a file of one process is made anew by the kernel when it is read: one read has it whole;
- the second field of `stat`, the name, may hold blanks and parentheses of its own: fields are counted from
  what stands behind its last one.
"""

import os

MOST_BYTES = 65536


def read(path: bytes, most_bytes: int = MOST_BYTES) -> bytes:
    """What one read gives of a file. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


def stat_fields(pid: bytes) -> list[bytes]:
    """Those of /proc/PID/stat from the third on; `pid` may be `self`. Raises OSError (ENOENT, ESRCH: there is
    no such process, or it is hidden)."""
    return read(b"/proc/" + pid + b"/stat", 4096).rpartition(b")")[2].split()
