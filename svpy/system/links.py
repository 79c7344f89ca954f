"""Links of services in the folder that svscan scans."""

import os
import stat

from svpy.system.folders import identity_of
from svpy.system.hosts import scanning


def names_of(parent: bytes, key: tuple[int, int]) -> list[bytes]:
    """The names under which svscan finds a folder (device, inode) in another. Raises OSError."""
    listed = [name for name in os.listdir(parent) if not name.startswith(b".")]
    return sorted(name for name in listed if identity_of(parent + b"/" + name) == key)


def absolute(path: bytes) -> bytes:
    """The same place seen from anywhere. What `..` leads to only the file system knows. Raises OSError."""
    if b".." in path.split(b"/"):
        return os.path.realpath(path)
    return os.path.normpath(os.path.join(os.getcwdb(), path))


def is_link(path: bytes) -> bool:
    """Raises OSError if there is nothing."""
    return stat.S_ISLNK(os.lstat(path).st_mode)


def is_scanned(folder: bytes) -> bool | None:
    """Whether a svscan runs on a folder, Bernstein's too; None if there is one of which that can't be
    seen."""
    key, unseen = identity_of(folder), False
    for _, scanned in scanning():
        if scanned == key is not None:
            return True
        unseen |= scanned is None
    return None if unseen else False
