"""The name and the command line under which a process is seen: /proc/PID/comm and cmdline.

Rules of this module:

- the command line is written over the one the process was started with, so it cannot be longer
  than that; what is too long is cut, what is left over is zeroed;
- nobody depends on a title to work: what goes wrong is ignored;
- a title is for those who stay: a command that is over in a moment is not worth the calls;
- what is held open for it stays out of the way of the numbers that programs are handed.

python-prctl's set_proctitle was tried and left: it looks for the memory through environ[0], so in
a process with an empty environment (`env -i`) it crashes; it takes text in UTF-8 only; and prctl
takes two milliseconds to import. /proc/self/mem writes the same bytes and needs none of it.
"""

import fcntl
import os

from svpy.system.proc import stat_fields

_LEAST_FDS = (512, 64)
"""Above the descriptors that fghack and setlock hand on, or those of one fghack where the limit is low."""

_comm_fd = -1
_mem_fd = -1
_place: tuple[int, int] = (0, 0)


def hold() -> None:
    """Open what `become` needs. After setuid(2) it cannot be opened any more: call this before."""
    global _comm_fd, _mem_fd, _place
    if _mem_fd >= 0:
        return
    try:
        _place = _argv_place()
        _comm_fd = _open_high(b"/proc/self/comm")
        _mem_fd = _open_high(b"/proc/self/mem")
    except (OSError, ValueError, IndexError):
        release()


def become(name: bytes, words: list[bytes]) -> None:
    """Be seen as `name` in comm (15 bytes of it), and as `name` with the arguments `words` in
    cmdline, one NUL after each as exec leaves them."""
    hold()
    if _mem_fd < 0:
        return
    start, size_bytes = _place
    line = b"\0".join([name, *words])[: size_bytes - 1]
    try:
        os.write(_comm_fd, name)
        os.pwrite(_mem_fd, line.ljust(size_bytes, b"\0"), start)
    except OSError:
        pass


def take(name: bytes, words: list[bytes]) -> None:
    """`become`, once and for all: nothing is held open after it."""
    become(name, words)
    release()


def release() -> bool:
    """Close what `hold` opened, and say whether that was anything. In a child of fork(2) it is the
    parent's memory that is open."""
    global _comm_fd, _mem_fd
    held = _mem_fd >= 0
    for fd in (_comm_fd, _mem_fd):
        if fd >= 0:
            os.close(fd)
    _comm_fd = _mem_fd = -1
    return held


def _open_high(path: bytes) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for least in _LEAST_FDS:
            try:
                return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
            except OSError:
                continue
        raise OSError
    finally:
        os.close(fd)


def _argv_place() -> tuple[int, int]:
    """Address and size of the memory that cmdline shows: arg_start and arg_end, fields 48 and 49
    of /proc/self/stat (proc(5))."""
    fields = stat_fields(b"self")
    start, end = int(fields[48 - 3]), int(fields[49 - 3])
    return start, end - start
