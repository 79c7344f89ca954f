"""Service folders: opening, looking, and the files of `supervise/`.

All paths are relative to an open folder, so that a folder that was renamed or unlinked goes on
being the same one. Whoever owns a service folder may have planted something in it: the last part
of a path is never followed through a symlink, and nothing opened here can block.
`supervise` itself may be a symlink to a writable place.
"""

import errno
import fcntl
import os
import stat
from _signal import SIGURG  # type: ignore[import-not-found] # see system/entry.py

LINE_BYTES = 64
"""More than that is not read of a file that has one word to say."""

_OWN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def open_folder(path: bytes, dir_fd: int | None = None) -> int:
    """A descriptor that stands for a folder; it can be entered, not read. Raises OSError."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)


def open_folder_itself(path: bytes, dir_fd: int) -> int:
    """The same of what is no symlink. Raises OSError (ENOTDIR: it is one)."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)


def entries(folder_fd: int) -> list[tuple[str, int]]:
    """What is in an open folder: its name, and the inode number that it is listed with if it is a folder
    itself, else 0. (What is mounted on it has another, and so may a folder of an overlay.) Raises OSError."""
    readable_fd = open_to_read(folder_fd)
    try:
        with os.scandir(readable_fd) as found:
            return [
                (entry.name, entry.inode() if entry.is_dir(follow_symlinks=False) else 0) for entry in found
            ]
    finally:
        os.close(readable_fd)


def identify(name: bytes, folder_fd: int) -> tuple[int, int] | None:
    """Device and inode of a folder, None if it is something else. Raises OSError."""
    return _identity(os.stat(name, dir_fd=folder_fd))


def identity_of(path: bytes) -> tuple[int, int] | None:
    """The same of what is at a path, None also if nothing is, or it may not be seen."""
    try:
        return _identity(os.stat(path))
    except OSError:
        return None


def identify_open(folder_fd: int) -> tuple[int, int] | None:
    """The same of an open folder."""
    return _identity(os.fstat(folder_fd))


def device(folder_fd: int) -> int:
    """That of an open folder. Raises OSError."""
    return os.fstat(folder_fd).st_dev


def _identity(found: os.stat_result) -> tuple[int, int] | None:
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def exists(name: bytes, folder_fd: int) -> bool:
    """Whether there is something of that name. Raises OSError but for ENOENT."""
    try:
        os.stat(name, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    return True


def folder_or_program(name: bytes, folder_fd: int) -> tuple[bool, bool]:
    """Whether there is a folder, whether there is an executable file of that name. Raises OSError but
    for ENOENT."""
    try:
        mode = os.stat(name, dir_fd=folder_fd).st_mode
    except FileNotFoundError:
        return False, False
    return stat.S_ISDIR(mode), _is_program(mode)


def is_program(name: bytes, folder_fd: int) -> bool:
    """Whether there is an executable file of that name, as far as one may look."""
    try:
        return _is_program(os.stat(name, dir_fd=folder_fd).st_mode)
    except OSError:
        return False


def _is_program(mode: int) -> bool:
    """By its owner's bit, as daemontools-encore does."""
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def leads_somewhere(name: bytes, folder_fd: int) -> bool:
    """Whether a name leads to something, as far as one may look."""
    try:
        return exists(name, folder_fd)
    except OSError:
        return False


def has(name: bytes, folder_fd: int) -> bool:
    """Whether a name leads to something, for who asks it of thousands: without a word on why not."""
    return os.access(name, os.F_OK, dir_fd=folder_fd)


def enter(folder_fd: int) -> None:
    """Go there. Raises OSError."""
    os.fchdir(folder_fd)


def close(folder_fd: int) -> None:
    os.close(folder_fd)


def make_supervise(folder_fd: int) -> None:
    """Make `supervise/`, mode 0700, or what it leads to if it is a symlink to a place that was emptied,
    as /run is by a boot (Debian's daemontools does so). What goes wrong shows when it is used, as in C."""
    try:
        os.mkdir(b"supervise", 0o700, dir_fd=folder_fd)
    except FileExistsError:
        try:
            os.mkdir(os.readlink(b"supervise", dir_fd=folder_fd), 0o700, dir_fd=folder_fd)
        except OSError:
            pass
    except OSError:
        pass


def make_folder(name: bytes, folder_fd: int) -> None:
    """Make a folder in it, mode 0700. What goes wrong shows when it is used."""
    try:
        os.mkdir(name, 0o700, dir_fd=folder_fd)
    except OSError:
        pass


def lock(name: bytes, folder_fd: int) -> int:
    """Lock a file, made if need be, against every other supervise. Raises OSError (EAGAIN: held)."""
    return _locked(os.open(name, os.O_RDWR | os.O_CREAT | _OWN, 0o600, dir_fd=folder_fd))


def lock_folder(folder_fd: int) -> int:
    """Lock the folder itself, where no file can be made in it. Raises OSError (EAGAIN: held)."""
    return _locked(open_to_read(folder_fd))


def _locked(fd: int) -> int:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def open_to_read(folder_fd: int) -> int:
    """A descriptor of an open folder that can be read. Raises OSError."""
    return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder_fd)


def is_read_only(folder_fd: int) -> bool:
    """Whether its filesystem is, or was mounted so. Raises OSError."""
    fd = open_to_read(folder_fd)
    try:
        return bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)
    finally:
        os.close(fd)


def open_lock(name: bytes, folder_fd: int) -> int:
    """Open a lock file to read, without locking it. Raises OSError."""
    return os.open(name, os.O_RDONLY | _OWN, dir_fd=folder_fd)


def is_ours_alone(fd: int) -> bool:
    """Whether an open file can have been written by nobody but this user, as `lock` makes it: its owner, no
    second name for it, and nobody else may read or write. (Files that others may read, logs among them,
    hold what others say; who may rename could put one here.)"""
    found = os.fstat(fd)
    ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return ours and found.st_nlink == 1 and stat.S_ISREG(found.st_mode)


def read_at_once(fd: int, most_bytes: int, offset_bytes: int = 0) -> bytes:
    """The beginning of an open file, or what stands there behind it. Raises OSError."""
    return os.pread(fd, most_bytes, offset_bytes)


def overwrite(fd: int, data: bytes, offset_bytes: int = 0) -> None:
    """The beginning of an open file, or what stands there behind it, in one write. Raises OSError."""
    if os.pwrite(fd, data, offset_bytes) != len(data):
        raise OSError(errno.ENOSPC, "partial write")


def empty(fd: int) -> None:
    """Raises OSError."""
    os.ftruncate(fd, 0)


def read(name: bytes, most_bytes: int, folder_fd: int) -> bytes:
    """The beginning of a small file. Raises OSError."""
    fd = os.open(name, os.O_RDONLY | _OWN, dir_fd=folder_fd)
    try:
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


def open_fifo(name: bytes, folder_fd: int, flags: int) -> int:
    """A fifo, made with mode 0600 if there is nothing. Raises OSError (ENOSTR if it is no fifo)."""
    try:
        os.mkfifo(name, 0o600, dir_fd=folder_fd)
    except OSError:
        pass
    return open_existing_fifo(name, flags, folder_fd)


def open_existing_fifo(name: bytes, flags: int, folder_fd: int | None = None) -> int:
    """A fifo that is there. Raises OSError (ENXIO: no reader; ENOSTR: it is something else)."""
    fd = os.open(name, flags | _OWN, dir_fd=folder_fd)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ENOSTR, "not a fifo")
    return fd


def read_letters(control_fd: int, most_bytes: int) -> bytes:
    """What is in a control fifo; nothing if a stranger, who may have opened it too, was quicker."""
    try:
        return os.read(control_fd, most_bytes)
    except BlockingIOError:
        return b""


def read_line(name: bytes, folder_fd: int) -> bytes:
    """The first LINE_BYTES of a regular file. Raises OSError (EINVAL: it is something else)."""
    return _read_regular(os.open(name, os.O_RDONLY | _OWN, dir_fd=folder_fd), LINE_BYTES)


def read_text(name: bytes, folder_fd: int, most_bytes: int) -> bytes:
    """The beginning of a regular file, which may be a link. Raises OSError (EINVAL: it is something else)."""
    fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder_fd)
    return _read_regular(fd, most_bytes)


def _read_regular(fd: int, most_bytes: int) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return os.read(fd, most_bytes)
    finally:
        os.close(fd)


def version(path: str | bytes) -> tuple[int, int, int]:
    """Which file that is, links followed, and since when it is as it is: device, inode, moment of its last
    change in nanoseconds. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns


def read_program(name: bytes, folder_fd: int, most_bytes: int) -> bytes | None:
    """All of an executable file, None if it is none, is longer, or cannot be read, or if somebody is still
    writing to it. It may be a link."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError:
        return None
    try:
        # Asked of the open file: what the name leads to may be another one by now.
        may_be_executed = os.access(b"/proc/self/fd/%d" % fd, os.X_OK, effective_ids=True)
        if not may_be_executed or not stat.S_ISREG(os.fstat(fd).st_mode) or _is_being_written(fd):
            return None
        text = os.read(fd, most_bytes + 1)
    except OSError:
        return None
    finally:
        os.close(fd)
    return text if len(text) <= most_bytes else None


def _is_being_written(fd: int) -> bool:
    """Whether somebody has that file open to write, which keeps exec from it (ETXTBSY): a lease is refused
    then. Not where there are none, or none for us. One that was given lasts until `fd` is closed, and till
    then a writer waits."""
    try:
        # Who waits is told to us by this signal, which does nothing. SIGIO, if nothing is said, kills.
        fcntl.fcntl(fd, fcntl.F_SETSIG, SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def is_file(name: bytes, folder_fd: int, size_bytes: int) -> bool:
    """Whether there is a regular file of that name and size; not if that cannot be known."""
    try:
        found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes


def remove(name: bytes, folder_fd: int) -> None:
    """Remove a file, if it is there. Raises OSError."""
    try:
        os.unlink(name, dir_fd=folder_fd)
    except FileNotFoundError:
        pass


class NotPublished(Exception):
    """A file could not be replaced: `what` was tried (`unable to open `) at `name`."""

    def __init__(self, what: bytes, name: bytes, error: OSError) -> None:
        super().__init__(what, name, error)
        self.what = what
        self.name = name
        self.error = error


def replace(name: bytes, data: bytes, folder_fd: int) -> None:
    """Replace a small file as a whole, by rename, mode 0644. Raises NotPublished."""
    new = name + b".new"
    what, where = b"unable to open ", new
    try:
        fd = _create(new, folder_fd)
        what = b"unable to write "
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, "partial write")
        finally:
            os.close(fd)
        what, where = b"unable to rename ", new + b" to " + name.rpartition(b"/")[2]
        os.rename(new, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    except OSError as error:
        raise NotPublished(what, where, error) from error


def _create(name: bytes, folder_fd: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OWN
    try:
        return os.open(name, flags, 0o644, dir_fd=folder_fd)
    except FileExistsError:
        # Left by a crash or planted: neither is worth keeping.
        os.unlink(name, dir_fd=folder_fd)
        return os.open(name, flags, 0o644, dir_fd=folder_fd)
