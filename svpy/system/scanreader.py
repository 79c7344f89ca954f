"""What the svscan of a folder says of its scans (core/scans.py), from outside of it.

Rules of this module:

- it is the process that hosts, whose current folder that is; only who may look into it finds that: its user,
  or who may trace it (CAP_SYS_PTRACE);
- once found, its file stays open: as long as the process has the same one under the same number, nothing is
  searched.
"""

import os

from svpy.core.scans import NAME, SIZE_BYTES, Scans, decode
from svpy.system.folders import identity_of
from svpy.system.hosts import find_memory, scanning

_ATTEMPTS = 3


class ScanReader:
    """Of the folder `path`."""

    __slots__ = ("_fd", "_link", "_path", "_pid")

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._pid = 0
        self._fd = -1
        self._link = b""

    def read(self) -> "Scans | None":
        """None if there is no such svscan, it is an older one, or not ours to look into. Raises nothing."""
        if not self._holds():
            self._let_go()
            self._find()
        try:
            # Where a scan ends in this moment, the next look is after it.
            for _ in range(_ATTEMPTS if self._fd >= 0 else 0):
                scans = decode(os.pread(self._fd, SIZE_BYTES, 0))
                if scans is not None:
                    return scans
        except OSError:
            pass
        return None

    def _holds(self) -> bool:
        if self._fd < 0 or identity_of(b"/proc/%d/cwd" % self._pid) != identity_of(self._path):
            return False
        try:
            return os.path.samestat(os.stat(self._link), os.fstat(self._fd))
        except OSError:
            return False

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _find(self) -> None:
        wanted = identity_of(self._path)
        try:
            found = [pid for pid, scanned in scanning() if scanned == wanted is not None]
        except OSError:
            return
        for pid in found:
            link = find_memory(pid, NAME)
            try:
                self._fd = os.open(link, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if link else -1
            except OSError:
                continue
            if self._fd >= 0:
                self._pid, self._link = pid, link
                return
