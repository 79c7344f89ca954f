"""envdir's folder, one file per variable, and its file with one variable a line."""

import errno
import os

from svpy.core.envfile import BadFile, file_changes
from svpy.core.environment import file_change
from svpy.core.errors import FAILED, Die
from svpy.system.tell import because

_FATAL = b"envdir: fatal: "
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 65536
FILE_MOST_BYTES = 1 << 20
"""Of a file of variables: half of what a program can be given with the usual stack (execve(2))."""


def read_changes(folder: bytes) -> list[bytes]:
    """The changes (core/environment.py) that the files of `folder` ask for, in the order in which
    the folder lists them. Names that begin with a dot are skipped. Raises Die.

    The folder is entered and left again, as in C: that asks for a current folder we may read, and
    finds the same errors."""
    try:
        home_fd = os.open(b".", _READ)
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to switch to current directory", error)) from None
    try:
        os.chdir(folder)
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to switch to directory " + folder, error)) from None
    try:
        names = os.listdir(b".")
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to read directory " + folder, error)) from None
    changes = [_change(folder, name) for name in names if not name.startswith(b".")]
    try:
        os.fchdir(home_fd)
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to switch to starting directory", error)) from None
    os.close(home_fd)
    return changes


def read_file(path: bytes) -> list[bytes]:
    """The changes that a file of variables asks for (core/envfile.py). Raises Die.

    It may be a pipe, as a shell's `<(…)`: it is read to its end, however long that takes."""
    try:
        content = _content_of(os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC), FILE_MOST_BYTES)
        return file_changes(content)
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to read " + path, error)) from None
    except BadFile as bad:
        where = path + b": line %d: " % bad.line
        raise Die(FAILED, _FATAL + b"unable to read " + where + bad.reason) from None


def _change(folder: bytes, name: bytes) -> bytes:
    try:
        return file_change(name, _content(name))
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to read " + folder + b"/" + name, error)) from None


def _content(name: bytes) -> bytes:
    """All of a file. One that is not there any more counts as empty; C then takes the content of
    the file before it, which nobody can want."""
    try:
        fd = os.open(name, _READ)
    except FileNotFoundError:
        return b""
    return _content_of(fd)


def _content_of(fd: int, most_bytes: int | None = None) -> bytes:
    """All there is to read; closes the descriptor. Raises OSError (EFBIG: more than `most_bytes`)."""
    try:
        parts = []
        length = 0
        while part := os.read(fd, _CHUNK_BYTES):
            parts.append(part)
            length += len(part)
            if most_bytes is not None and length > most_bytes:
                raise OSError(errno.EFBIG, "too long")
        return b"".join(parts)
    finally:
        os.close(fd)
