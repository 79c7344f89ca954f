"""Finding the processes that host services, and having them replaced.

Rules of this module:

- a host is a process called svscan or svpy-init that catches the signal for it; Bernstein's svscan would
  die of it;
- one that blocks it has not decided what it is: a host that begins or is being replaced, or a host's child
  that is about to execute a run script and would die of it. It is looked at again until it has;
- only those of this process's user, or of all for root, and of this pid namespace and root: what is in a
  container or a chroot was installed there and is replaced from there;
- nothing is sent but through a pidfd that was opened before the process was looked at.
"""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import os
import select
import time

from svpy.core.replacement import MOST_BYTES, NAME, Report, decode
from svpy.system.folders import identity_of
from svpy.system.proc import name_of, pids, read_all, signal_set, status_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (b"svscan", b"svpy-init")
_LOOK_EVERY_S = 0.01


class Host:
    """One such process. `folder` is the device and inode of the folder it hosts, None if not to be seen."""

    __slots__ = ("_before", "_pid_fd", "_report_fd", "folder", "name", "pid")

    def __init__(self, pid: int, pid_fd: int, name: bytes, folder: tuple[int, int] | None) -> None:
        self.pid = pid
        self.name = name
        self.folder = folder
        self._pid_fd = pid_fd
        self._report_fd = -1
        self._before = 0

    def ask(self, number: int) -> None:
        """Send it the signal that replaces it. Raises OSError."""
        self._before = self._report().count
        self.send(number)

    def send(self, number: int) -> None:
        """Raises OSError."""
        signal.pidfd_send_signal(self._pid_fd, number)

    def ended(self, until_mono_s: float) -> bool:
        """Wait for its end. Returns whether it came in time."""
        poll = select.poll()
        poll.register(self._pid_fd, select.POLLIN)
        return bool(poll.poll(1000 * max(0.0, until_mono_s - time.monotonic())))

    def wait(self, until_mono_s: float) -> bytes | None:
        """Wait for its answer. Returns what kept it from being replaced, None if nothing did."""
        poll = select.poll()
        poll.register(self._pid_fd, select.POLLIN)
        while (report := self._report()).count == self._before:
            left_s = until_mono_s - time.monotonic()
            if left_s <= 0:
                return b"timed out"
            if poll.poll(1000 * min(left_s, _LOOK_EVERY_S)):
                return b"it ended"
        return report.why

    def _report(self) -> Report:
        if self._report_fd < 0:
            self._report_fd = open_memory(self.pid, NAME)
        if self._report_fd < 0:
            return Report()
        try:
            return decode(os.pread(self._report_fd, MOST_BYTES, 0))
        except OSError:
            return Report()  # Whatever it is that is called so.


def hosts(number: int, until_mono_s: float) -> "Iterator[Host]":
    """All there are that heed the signal of this number, of those that have decided by then."""
    undecided = pids()
    while undecided:
        for pid in tuple(undecided):
            decided, host = _look_at(pid, number)
            if host is not None:
                yield host
            if decided or time.monotonic() >= until_mono_s:
                undecided.remove(pid)
        if undecided:
            time.sleep(_LOOK_EVERY_S)


def scanning() -> "Iterator[tuple[int, tuple[int, int] | None]]":
    """All that are called as one, Bernstein's too: pid, and device and inode of the folder it is in, None if
    that is not to be seen. Raises OSError if there is no /proc."""
    for pid in pids():
        if name_of(pid) in NAMES:
            yield pid, identity_of(b"/proc/%d/cwd" % pid)


def _look_at(pid: int, number: int) -> "tuple[bool, Host | None]":
    """Whether it has decided what it is, and if that is a host, the host."""
    if name_of(pid) not in NAMES:
        return True, None
    try:
        pid_fd = os.pidfd_open(pid)
    except OSError:
        return True, None
    name, status, bit = name_of(pid), status_fields(read_all(b"/proc/%d/status" % pid)), 1 << number - 1
    decided = True
    if name in NAMES and _may_be_asked(pid, status):
        decided = not signal_set(status, b"SigBlk") & bit
        if decided and signal_set(status, b"SigCgt") & bit:
            return True, Host(pid, pid_fd, name, identity_of(b"/proc/%d/cwd" % pid))
    os.close(pid_fd)
    return decided, None


def _may_be_asked(pid: int, status: dict[bytes, bytes]) -> bool:
    ours = os.geteuid() in (0, int(status.get(b"Uid", b"-1").split()[0]))
    lives = status.get(b"State", b"Z")[:1] not in b"ZX"
    here = _link(b"/proc/%d/ns/pid" % pid) in (None, _link(b"/proc/self/ns/pid"))
    return lives and ours and here and identity_of(b"/proc/%d/root" % pid) in (None, identity_of(b"/"))


def find_memory(pid: int, name: bytes) -> bytes:
    """Where the file in memory is that a process has under this name; nothing if there is none, or we may not
    look."""
    base = b"/proc/%d/fd/" % pid
    try:
        found = sorted(os.listdir(base), key=int)
    except OSError:
        return b""
    link = b"/memfd:" + name + b" (deleted)"
    return next((base + fd for fd in found if _link(base + fd) == link), b"")


def open_memory(pid: int, name: bytes) -> int:
    """Open it; -1 if there is none yet, or not to be had."""
    try:
        path = find_memory(pid, name)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if path else -1
    except OSError:
        return -1


def _link(path: bytes) -> bytes | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
