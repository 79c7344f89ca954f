"""Making folders that were not there, whole or not at all.

Rules of this module:

- a folder is made under a name with a dot, which svscan passes over, beside the place where it is to be,
  and renamed when it is complete and on the disk; what has the name already is never replaced;
- while that is done no signal ends this process, so nothing half made stays behind;
- modes are as asked, whatever the umask.
"""

import errno
import os
from _signal import (  # type: ignore[import-not-found] # see system/entry.py
    SIG_BLOCK,
    SIG_SETMASK,
    pthread_sigmask,
)

from svpy.system.signals import ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Entries = Sequence[tuple[bytes, bytes | None]]
    """What is to be in a folder: paths in it, a folder before what is in it, and the text of each program;
    None for a folder."""

_MODE = 0o755
_LOG_MODE = 0o700
"""As multilog makes its folders."""
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL)


class Uninterrupted:
    """Meanwhile signals wait."""

    def __enter__(self) -> None:
        self._before = pthread_sigmask(SIG_BLOCK, ALL)

    def __exit__(self, *raised: object) -> None:
        pthread_sigmask(SIG_SETMASK, self._before)


def make_parent(path: bytes) -> bool:
    """Make a folder for others, if it is not there. Returns whether it was made. Raises OSError."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return False
    os.chmod(path, _MODE)
    return True


def make_log_folder(path: bytes, ids: tuple[int, ...]) -> bool:
    """Make a folder that belongs to an account (uid, gid …), if there is none. Returns whether it was made.
    Raises OSError (EEXIST: what is there is not a folder of that account's)."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if found.st_mode & 0o170000 != 0o040000 or found.st_uid != ids[0]:
            raise
        return False
    # Its parent may be the account's own, who may have put something else there by now.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_uid != os.geteuid() or os.listdir(fd):
            raise OSError(errno.EEXIST, "not the folder that was made")
        if ids[0] != os.geteuid():
            os.fchown(fd, ids[0], ids[1])
        os.fchmod(fd, _LOG_MODE)
    except OSError:
        remove_folder(path)
        raise
    finally:
        os.close(fd)
    return True


def remove_folder(path: bytes) -> None:
    """Take back a folder that was made and is empty."""
    try:
        os.rmdir(path)
    except OSError:
        pass


def make_whole(parent: bytes, name: bytes, entries: "Entries") -> None:
    """Make the folder `name` in `parent` with these entries. Raises OSError (EEXIST: there is something)."""
    parent_fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    new = b".new-" + os.urandom(6).hex().encode()
    try:
        os.mkdir(new, 0o700, dir_fd=parent_fd)
        try:
            for path, text in entries:
                _make(new + b"/" + path, text, parent_fd)
            os.chmod(new, _MODE, dir_fd=parent_fd)
            _rename(new, name, parent_fd)
        except OSError:
            _remove(new, entries, parent_fd)
            raise
        os.fsync(parent_fd)
    finally:
        os.close(parent_fd)


def _make(path: bytes, text: bytes | None, parent_fd: int) -> None:
    if text is None:
        os.mkdir(path, 0o700, dir_fd=parent_fd)
        os.chmod(path, _MODE, dir_fd=parent_fd)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600, dir_fd=parent_fd)
    try:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchmod(fd, _MODE)
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(new: bytes, entries: "Entries", parent_fd: int) -> None:
    for path, text in reversed(entries):
        _try_remove(new + b"/" + path, text is None, parent_fd)
    _try_remove(new, True, parent_fd)


def _try_remove(path: bytes, is_folder: bool, parent_fd: int) -> None:
    try:
        (os.rmdir if is_folder else os.unlink)(path, dir_fd=parent_fd)
    except OSError:
        pass


def _rename(old: bytes, new: bytes, folder_fd: int) -> None:
    """rename(2) that replaces nothing. Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    number = errno.ENOSYS
    if hasattr(libc, "renameat2"):
        if libc.renameat2(folder_fd, old, folder_fd, new, _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
    if number not in _NOT_SUPPORTED:
        raise OSError(number, os.strerror(number))
    # A kernel or a file system that can't: only an empty folder that comes this very moment is replaced.
    if is_there(new, folder_fd):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old, new, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)


def is_there(path: bytes, folder_fd: int | None = None) -> bool:
    """Whether a name is taken, be it by a link that leads nowhere. Raises OSError but for ENOENT."""
    try:
        os.lstat(path, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    return True
