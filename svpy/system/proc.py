"""Reading /proc (proc(5)).

Rules of this module:

- a file of one process is made anew by the kernel when it is read: one read has it whole. A list of others
  comes in pages;
- the second field of `stat`, the name, may hold blanks and parentheses of its own: fields are counted from
  what stands behind its last one.
"""

import os

MOST_BYTES = 65536
PARENT = 4 - 3
"""Of stat_fields: whose child it is."""


def read(path: bytes, most_bytes: int = MOST_BYTES) -> bytes:
    """What one read gives of a file. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


def read_all(path: bytes) -> bytes:
    """All of a file of the kernel's, however long; nothing if it cannot be read."""
    parts = []
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while part := os.read(fd, MOST_BYTES):
                parts.append(part)
        finally:
            os.close(fd)
    except OSError:
        return b""
    return b"".join(parts)


def numbers(path: bytes) -> list[int]:
    """Those that a file of the kernel's lists."""
    return [int(word) for word in read_all(path).split()]


def names(folder: bytes) -> list[bytes]:
    """What is in a folder of the kernel's; nothing if that may not be read, or it is gone."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def pids() -> list[int]:
    """All that may be seen. Raises OSError if there is no /proc."""
    return [int(name) for name in os.listdir(b"/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Those of all its threads, as far as they can be read."""
    found: list[int] = []
    for task in names(b"/proc/%d/task" % pid):
        found += numbers(b"/proc/%d/task/%s/children" % (pid, task))
    return found


def name_of(pid: int) -> bytes:
    """What ps calls it; nothing if it has ended, or is hidden."""
    try:
        return read(b"/proc/%d/comm" % pid).rstrip(b"\n")
    except OSError:
        return b""


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
