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


def status_fields(status: bytes) -> dict[bytes, bytes]:
    """What /proc/PID/status says, by name."""
    pairs = [line.partition(b":") for line in status.split(b"\n")]
    return {name: value.strip() for name, _, value in pairs}


def signal_set(status: dict[bytes, bytes], name: bytes) -> int:
    """One of its sets of signals (SigCgt and others): bit N-1 is signal N."""
    return int(status.get(name, b"0"), 16)


def survives(pid: int, number: int) -> bool:
    """Whether a process catches, ignores or blocks a signal, by whose default action it would end. One that
    is not there, or hidden, does not."""
    try:
        status = status_fields(read(b"/proc/%d/status" % pid))
    except OSError:
        return False
    return bool(sum(signal_set(status, name) & 1 << number - 1 for name in _SETS))


_SETS = (b"SigCgt", b"SigIgn", b"SigBlk")
