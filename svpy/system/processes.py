"""Processes that are not our children: who they are, whether they live, and the pipes they hold.

All of it is asked of /proc, which must be that of our own pid namespace.
"""

import errno
import itertools
import os
import stat
import time

from svpy.system.proc import read, stat_fields

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

MOST_LOOKED_AT = 1000
"""A process that opens half a million descriptors would hold up everything else for seconds."""


class Seen:
    """What /proc/PID/stat says of a process: its parent, and its start in clock ticks since boot."""

    __slots__ = ("parent", "start_ticks")

    def __init__(self, parent: int, start_ticks: int) -> None:
        self.parent = parent
        self.start_ticks = start_ticks


def look(pid: int) -> Seen:
    """Raises OSError (ENOENT, ESRCH: there is none; or it is hidden)."""
    fields = stat_fields(b"%d" % pid)
    try:
        return Seen(int(fields[1]), int(fields[19]))
    except (IndexError, ValueError) as error:
        raise OSError(errno.ESRCH, "no such process") from error


def boot() -> bytes | None:
    """What tells this boot, and this pid namespace, from every other. None where that can't be known or
    processes can't be held: /proc is missing, hidden, or another namespace's, or pidfd_open(2) is refused."""
    try:
        if os.readlink(b"/proc/self") != b"%d" % os.getpid():
            return None
        os.close(os.pidfd_open(os.getpid()))
        boot_id = read(b"/proc/sys/kernel/random/boot_id", 64).strip()
        return b"%s/%d" % (boot_id, look(1).start_ticks) if boot_id else None
    except OSError:
        return None


def ticks_now() -> int:
    """Now, as /proc/PID/stat would have it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * TICKS_PER_S // 1_000_000_000


class Births:
    """When processes were started that are known to have been just now. /proc/PID/stat is asked only where
    the clock leaves a choice, and until the two have agreed: of a process that is becoming another program
    at that moment it takes a tenth of all that a start does in this one."""

    __slots__ = ("_agree",)

    def __init__(self) -> None:
        self._agree = False

    def start_ticks(self, pid: int, since_ticks: int) -> int:
        """Of a process that was not there at `since_ticks`. Raises OSError, as `look`."""
        until_ticks = ticks_now()
        if self._agree and since_ticks == until_ticks:
            return since_ticks
        found = look(pid).start_ticks
        self._agree = since_ticks <= found <= until_ticks
        return found


def seconds_since(ticks: int) -> float:
    """How long ago that was; not more than it was, although ticks are cut off."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - (ticks + 1) / TICKS_PER_S)


def hold(pid: int, start_ticks: int) -> int | None:
    """A pidfd of the process with this pid that was started then, None if there is none any more.
    Raises OSError.

    It is opened first and asked about afterwards: if that pid still is the process of then, it was when
    the descriptor was opened."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: the number is a thread's now, or none at all.
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    try:
        same = look(pid).start_ticks == start_ticks
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise
    if same:
        return fd
    os.close(fd)
    return None


def is_running(pid: int, start_ticks: int) -> bool:
    """Whether that process is there, if only as a zombie. Raises OSError (EACCES: it can't be known)."""
    try:
        return look(pid).start_ticks == start_ticks
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return False
        raise


def is_stopped(pid: int) -> bool:
    """Whether it is stopped, by a signal or a debugger; not where that cannot be known."""
    try:
        return stat_fields(b"%d" % pid)[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def exit_code(status: int) -> int | None:
    """Of a wait status: the exit code, or minus the number of the signal; None if it is none of a process
    that has ended."""
    try:
        return os.waitstatus_to_exitcode(status)
    except (ValueError, OverflowError):
        return None


def is_child(pid: int) -> bool:
    """Whether it is a child of this process. Raises OSError."""
    return look(pid).parent == os.getpid()


def find_orphan(
    start_ticks: int, folder: tuple[int, int] | None, pipe: tuple[int, int], standard_fd: int
) -> tuple[int, int] | None:
    """(pid, start) of the one orphan that was started within a second from then and has this pipe as its
    stdin or stdout, or is in this folder without having the pipe's other end. None if there is none, or
    more than one."""
    reapers = _reapers()
    found = []
    for name in os.listdir(b"/proc"):
        try:
            seen = look(int(name))
            in_time = 0 <= seen.start_ticks - start_ticks <= TICKS_PER_S
            if in_time and seen.parent in reapers and _is_there(name, folder, pipe, standard_fd):
                found.append((int(name), seen.start_ticks))
        except (OSError, ValueError):
            continue
    return found[0] if len(found) == 1 else None


def _reapers() -> set[int]:
    """Who may have got a dead process' children: PID 1, and whoever stands above us."""
    above = {1}
    pid = os.getpid()
    try:
        while pid > 0:
            above.add(pid)
            pid = look(pid).parent
    except OSError:
        pass
    return above


def _is_there(name: bytes, folder: tuple[int, int] | None, pipe: tuple[int, int], standard_fd: int) -> bool:
    """Raises OSError."""
    if b"./notify" in read(b"/proc/" + name + b"/cmdline", 4096).split(b"\0"):
        return False
    if _has_as(name, standard_fd, pipe):
        return True
    at = os.stat(b"/proc/" + name + b"/cwd")
    return (at.st_dev, at.st_ino) == folder and not _has_as(name, 1 - standard_fd, pipe)


def _has_as(name: bytes, fd: int, pipe: tuple[int, int]) -> bool:
    try:
        found = os.stat(b"/proc/%s/fd/%d" % (name, fd))
    except FileNotFoundError:
        return False
    return stat.S_ISFIFO(found.st_mode) and (found.st_dev, found.st_ino) == pipe


def find_pipe(pid: int, identity: tuple[int, int], likely_fd: int) -> int | None:
    """An O_PATH descriptor of that pipe if the process has it open, looked for at `likely_fd` first, then
    among the MOST_LOOKED_AT lowest. Raises OSError (EACCES: it is not ours to look at).

    O_PATH opens nothing: a device or a named fifo that is found there is left in peace."""
    folder = b"/proc/%d/fd/" % pid
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, MOST_LOOKED_AT)]
    for name in [b"%d" % likely_fd, *names]:
        try:
            fd = os.open(folder + name, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        found = os.fstat(fd)
        if stat.S_ISFIFO(found.st_mode) and (found.st_dev, found.st_ino) == identity:
            return fd
        os.close(fd)
    return None


def pipes(pid: int) -> dict[int, int]:
    """The inode numbers of all pipes that a process has open, with the number of one descriptor each.
    Raises OSError (EACCES: it is not ours to look at)."""
    folder = b"/proc/%d/fd/" % pid
    found = {}
    for name in os.listdir(folder):
        try:
            kind, _, inode = os.readlink(folder + name).partition(b":")
        except FileNotFoundError:
            continue
        if kind == b"pipe":
            found[int(inode[1:-1])] = int(name)
    return found


def has_pipe(pid: int, number: int, inode: int) -> bool:
    """Whether a process has that pipe open under that number; also where that cannot be known."""
    try:
        return os.readlink(b"/proc/%d/fd/%d" % (pid, number)) == b"pipe:[%d]" % inode
    except FileNotFoundError:
        return False
    except OSError:
        return True


def open_pipes(pid: int, held: tuple[int, int]) -> tuple[int, int]:
    """Our own ends of two pipes that a process holds under these numbers: one to write to, one to read from.
    They do not block. Raises OSError (ENXIO: it has something else there)."""
    fds: list[int] = []
    try:
        for number, flags in zip(held, (os.O_WRONLY, os.O_RDONLY), strict=True):
            path = b"/proc/%d/fd/%d" % (pid, number)
            if not os.readlink(path).startswith(b"pipe:"):
                raise OSError(errno.ENXIO, "no pipe")
            fds.append(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    return fds[0], fds[1]
