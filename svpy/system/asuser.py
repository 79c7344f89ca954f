"""What another user may do, as the kernel sees it: modes, access control lists, mounts.

A child becomes that user and asks; nothing is executed and nothing is written."""

import os
import stat

from svpy.core.errors import error_text
from svpy.system.identity import take_groups, take_user

_MOST_BYTES = 65536
_FILES = (b"current", b"lock", b"state")
_OK = b""


def log_troubles(folder_fd: int, uid: int, gids: "tuple[int, ...]", paths: "list[bytes]") -> "list[bytes]":
    """Of each log folder why multilog could not write it, if it was started in the folder of `folder_fd`,
    with that uid and these groups, the first one its own; empty if it could. Raises OSError (EPERM: we may
    not become that user)."""
    if uid == os.geteuid():
        return _asked(folder_fd, uid, paths)
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read_fd)
            # As root goes there: what is closed to the user may stand above.
            os.fchdir(folder_fd)
            take_groups(gids[0], gids[1:])
            take_user(uid)
            os.write(write_fd, b"\0" + b"\0".join(_why(path, uid) for path in paths))
        finally:
            os._exit(0)
    os.close(write_fd)
    said = b""
    try:
        while data := os.read(read_fd, _MOST_BYTES):
            said += data
    finally:
        os.close(read_fd)
        os.waitpid(pid, 0)
    answers = said.split(b"\0")[1:]
    if len(answers) != len(paths):
        raise PermissionError(1, "not asked")
    return answers


def _asked(folder_fd: int, uid: int, paths: "list[bytes]") -> "list[bytes]":
    home_fd = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(folder_fd)
        return [_why(path, uid) for path in paths]
    finally:
        os.fchdir(home_fd)
        os.close(home_fd)


def _why(path: bytes, uid: int) -> bytes:
    """multilog makes the folder if it is not there, writes its files, and changes the mode of `current`."""
    try:
        return _folder(path, uid)
    except OSError as error:
        return error_text(error.errno)


def _folder(path: bytes, uid: int) -> bytes:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return _parent(os.path.dirname(path.rstrip(b"/")) or b".")
    if not stat.S_ISDIR(mode):
        return b"it is no folder"
    if not _may(path, os.W_OK | os.X_OK):
        return b"it may not write there"
    for name in _FILES:
        file = path + b"/" + name
        try:
            found = os.stat(file, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            continue  # It is moved away.
        if not _may(file, os.W_OK):
            return b"it may not write " + name
        if name == b"current" and found.st_uid != uid and uid != 0:
            return b"current belongs to uid %d" % found.st_uid
    return _OK


def _parent(parent: bytes) -> bytes:
    try:
        mode = os.stat(parent).st_mode
    except FileNotFoundError:
        return b"there is no " + parent
    if not stat.S_ISDIR(mode):
        return parent + b" is no folder"
    return _OK if _may(parent, os.W_OK | os.X_OK) else b"it may not make it there"


def _may(path: bytes, how: int) -> bool:
    return os.access(path, how, effective_ids=True)
