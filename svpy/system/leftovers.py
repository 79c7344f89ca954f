"""What is left of all that we started, and of all that these started: found and killed.

Rules of this module:

- our own are our descendants (orphans become our children, see system/orphans.py), and whoever else is in our
  cgroup, if that is our own;
- a descendant in a cgroup that is neither ours nor below ours was moved there by someone who looks after it
  now: the session of a login through a hosted sshd, a container of a hosted engine;
- a cgroup is our own if nobody else was in it when we began, or if the service manager says that it is: it
  has delegated it to the unit of which we are the main process;
- a process is held by a pidfd, and then looked at again, before it is killed: its pid may be someone else's
  by now;
- as PID 1 all others are ours, and the kernel kills them at once: none of them can fork and escape.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

from svpy.system import environment, proc

_STATE, _THREADS = 0, 17
_MOUNTED_ROOT, _MOUNT_POINT = 3, 4
_HERE = b"0::"
_DELEGATED = "user.delegate"
_MAIN_PROCESS = b"SYSTEMD_EXEC_PID=%d"


def kill(cgroup: bytes | None, killed: set[int]) -> bool:
    """KILL to all that is left, once; who lived is put into `killed`. Returns whether there was anyone, dead
    or alive: one that ended while it was looked at may have forked before, and what was killed takes a
    moment to die."""
    left = _proc_is_ours() and _kill_descendants(killed)
    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if cgroup is not None:
        left |= _kill_in(cgroup, killed)
    return left


def _proc_is_ours() -> bool:
    """In a namespace of ours there may be the /proc of another: its pids are not ours."""
    try:
        return os.readlink(b"/proc/self") == b"%d" % os.getpid()
    except OSError:
        return False


def _kill_descendants(killed: set[int]) -> bool:
    """Children before their parents, so that each still has the one by which it is known to be ours."""
    here = _path()
    descendants = _descendants()
    ours = {os.getpid(), *descendants}
    found = [pid for pid in descendants if _is_within(pid, here)]
    killed |= {pid for pid in reversed(found) if _kill_if(pid, lambda pid: _is_child_of(pid, ours))}
    return bool(found)


def _descendants() -> list[int]:
    """All of them, dead or alive, parents first."""
    found: dict[int, None] = {}
    parents = [os.getpid()]
    while parents:
        for pid in proc.children(parents.pop()):
            if pid not in found:
                found[pid] = None
                parents.append(pid)
    return list(found)


def _kill_if(pid: int, ours: Callable[[int], bool]) -> bool:
    """KILL to a process if it lives and is ours. Returns whether that was done."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not ours(pid):
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        # EPERM: it has become another user, as whom we may not kill.
        return False
    finally:
        os.close(pidfd)
    return True


def _is_child_of(pid: int, parents: set[int]) -> bool:
    """Whether it lives, and one of these is its parent."""
    fields = _stat(pid)
    return _lives(fields) and int(fields[proc.PARENT]) in parents


def _stat(pid: int) -> list[bytes]:
    """/proc/PID/stat from its third field on, proc(5); nothing if there is no such process."""
    try:
        return proc.stat_fields(b"%d" % pid)
    except OSError:
        return []


def _lives(fields: list[bytes]) -> bool:
    """A process whose first thread has ended before the others is called a zombie, too."""
    return bool(fields) and (fields[_STATE] not in b"ZX" or int(fields[_THREADS]) > 1)


def own_cgroup() -> bytes | None:
    """The folder of the cgroup we are in, if it is our own. To be asked before anything is started."""
    folder = _cgroup()
    if folder is None or not (_is_alone_in(folder) or _is_delegated(folder)):
        return None
    return folder


def _is_alone_in(cgroup: bytes) -> bool:
    others = [number for below in _below(cgroup) for number in proc.numbers(below + b"/cgroup.procs")]
    return proc.numbers(cgroup + b"/cgroup.procs") == [os.getpid()] and not others


def _is_delegated(cgroup: bytes) -> bool:
    if _MAIN_PROCESS % os.getpid() not in environment.inherited():
        return False
    try:
        return os.getxattr(cgroup, _DELEGATED) == b"1"
    except OSError:
        return False


def _cgroup() -> bytes | None:
    """Where the cgroup that we are in is mounted; only cgroup2, in which there is but one."""
    path = _path()
    for line in proc.read_all(b"/proc/self/mountinfo").splitlines():
        mounted, _, kind = line.partition(b" - ")
        fields = mounted.split()
        if path and kind.startswith(b"cgroup2 ") and len(fields) > _MOUNT_POINT:
            folder = fields[_MOUNT_POINT] + path.removeprefix(fields[_MOUNTED_ROOT].rstrip(b"/"))
            # However a namespace shows it: it is ours if we are in it.
            if os.getpid() in proc.numbers(folder + b"/cgroup.procs"):
                return folder.rstrip(b"/")
    return None


def _kill_in(cgroup: bytes, killed: set[int]) -> bool:
    """Everyone but us in it, and below it; nobody if we have been moved out of it since."""
    line = _HERE + _path()
    others = set(proc.numbers(cgroup + b"/cgroup.procs"))
    if os.getpid() not in others:
        return False
    others -= {0, os.getpid()}
    killed |= {pid for pid in others if _kill_if(pid, lambda pid: _is_in(pid, line))}
    for below in _below(cgroup):
        in_it = set(proc.numbers(below + b"/cgroup.procs"))
        if in_it:
            _write(below + b"/cgroup.kill", b"1")
        killed |= in_it
        others |= in_it
    return bool(others)


def _path(of: bytes = b"self") -> bytes:
    """The path of a process' cgroup in the hierarchy of cgroup2, as we see it; empty if there is none."""
    lines = proc.read_all(b"/proc/" + of + b"/cgroup").splitlines()
    return next((line[len(_HERE) :] for line in lines if line.startswith(_HERE)), b"")


def _is_within(pid: int, cgroup: bytes) -> bool:
    """Whether it is in that cgroup or below. One that cannot be asked is dead, or is in the only one."""
    path = _path(b"%d" % pid)
    if path in (b"", cgroup):
        return True
    # What is outside of a cgroup namespace is shown as /../NAME there.
    outside = path.startswith(b"/../") and not cgroup.startswith(b"/../")
    return path.startswith(cgroup.rstrip(b"/") + b"/") and not outside


def _is_in(pid: int, line: bytes) -> bool:
    return _lives(_stat(pid)) and line in proc.read_all(b"/proc/%d/cgroup" % pid).splitlines()


def _below(cgroup: bytes) -> Iterator[bytes]:
    """All cgroups below it, however deep: a service may make as many in each other as it likes."""
    look_into = [cgroup]
    while look_into:
        folder = look_into.pop()
        for name in proc.names(folder):
            below = folder + b"/" + name
            if os.path.isdir(below):
                yield below
                look_into.append(below)


def _write(path: bytes, data: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
    except OSError:
        pass
