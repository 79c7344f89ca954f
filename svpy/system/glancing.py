"""What daemontools' svstat tells of a folder: whether it is supervised, and its status.

Rules of this module:

- a folder is opened once and everything else is opened from there: it may be moved meanwhile, and the current
  folder stays what it is;
- nothing is followed that a service's user could have planted, and nothing blocks (system/supervised.py);
- what keeps us from the status is trouble, in the words of daemontools' svstat.

It stands apart from system/seeing.py, which tells more, because svstat is to start as fast as can be.
"""

import errno
import os

from svpy.core import status
from svpy.core.errors import error_text
from svpy.core.seen import NOT_RUNNING, Seen
from svpy.system.supervised import (
    LOGGER,
    SERVICE,
    has_logger_of_its_own,
    is_supervised,
    read_status,
    read_word,
)


def glance(folder: bytes) -> "list[Seen]":
    """A service, and its logger if that is a file in its folder and is supervised. Raises nothing."""
    service = Seen(folder)
    fd = entered(service, folder)
    if fd < 0:
        return [service]
    found = [service]
    try:
        look(service, fd, SERVICE)
        if service.is_supervised and has_logger_of_its_own(fd):
            found.append(logger := Seen(folder + b"/log", is_logger=True, is_file=True))
            look(logger, fd, LOGGER)
    finally:
        os.close(fd)
    return found


def entered(seen: Seen, folder: bytes, dir_fd: "int | None" = None) -> int:
    """The folder of what is looked at, open; -1 if we may not go there, which is its trouble then."""
    try:
        return open_folder(folder, dir_fd)
    except OSError as error:
        failed(seen, b"unable to chdir: ", error)
        return -1


def open_folder(folder: bytes, dir_fd: "int | None" = None) -> int:
    """A folder that we may go to. Raises OSError."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.stat(b".", dir_fd=fd)  # Opening asks for no right to go there.
    except OSError:
        os.close(fd)
        raise
    return fd


def look(seen: Seen, fd: int, where: bytes) -> None:
    """Of a service or logger whose folder is open. Raises nothing."""
    name = where + b"/status"
    doing = b"unable to stat down: "
    try:
        seen.normally_up = not _exists(b"down", fd)
        doing = b"unable to open " + where + b"/ok: "
        seen.is_supervised = is_supervised(where, fd)
        if not seen.is_supervised:
            seen.trouble = NOT_RUNNING
            return
    except OSError as error:
        failed(seen, doing, error)
        return
    try:
        seen.raw = read_status(where, fd)
        seen.status = status.decode(seen.raw)
    except OSError as error:
        doing = b"unable to read " if error.errno == errno.EISDIR else b"unable to open "
        failed(seen, doing + name + b": ", error)
        return
    except ValueError:
        seen.trouble = b"unable to read " + name + b": bad format"
        return
    seen.word = read_word(seen.raw, where, fd)


def failed(seen: Seen, doing: bytes, error: OSError) -> None:
    """Nothing else is known of it."""
    seen.trouble = doing + error_text(error.errno)
    seen.error = error.errno or 0


def _exists(name: bytes, fd: int) -> bool:
    try:
        os.stat(name, dir_fd=fd)
    except FileNotFoundError:
        return False
    return True
