"""Writing to a person or a log: whole lines, one write each."""

import errno
import os
import stat

from svpy.core.errors import error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` to a blocking descriptor. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def say(line: bytes) -> None:
    """One line to stderr, in one write so that it is not mixed with another process's.

    A closed or full stderr is nobody's business: there is no one left to tell."""
    try:
        _write(line + b"\n")
    except OSError:
        pass


def _to_stderr(data: bytes) -> int:
    return os.write(2, data)


_write: "Callable[[bytes], int]" = _to_stderr


def never_block() -> None:
    """From now on `say` drops what stderr does not take at once: for a process that others wait for."""
    global _write
    _write = non_blocking(2)


def non_blocking(fd: int) -> "Callable[[bytes], int]":
    """How to write to a descriptor that is everyone's without ever waiting: a function that returns how many
    bytes were taken and raises OSError, BlockingIOError where there is no room.

    Services write to the same file and can fill it. O_NONBLOCK is a property of the open file,
    which they would get as well, so a pipe or terminal is opened once more, and a socket is told for
    each message. Where it cannot be opened again (no /proc, another user's pipe) it is asked first
    whether it has room, which leaves only the race with another writer."""
    import select  # noqa: F401  no short-lived command comes here

    try:
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        kind = 0
    if kind == stat.S_IFSOCK:
        return _to_socket(fd)
    if kind in (stat.S_IFIFO, stat.S_IFCHR):
        try:
            return _to_file_opened_again(fd)
        except OSError:
            return _to_file_with_room(fd)
    return to_descriptor(fd)


def to_descriptor(fd: int) -> "Callable[[bytes], int]":
    """Write to one that does not block, or cannot."""
    return lambda data: os.write(fd, data)


def _to_file_with_room(fd: int) -> "Callable[[bytes], int]":
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)

    def write(data: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError(errno.EAGAIN, "no room")
        # A pipe that has room has room for so much.
        return os.write(fd, data[: select.PIPE_BUF])

    return write


def _to_socket(fd: int) -> "Callable[[bytes], int]":
    import socket

    again = socket.socket(fileno=os.dup(fd))

    def write(data: bytes) -> int:
        return again.send(data, socket.MSG_DONTWAIT)

    return write


def _to_file_opened_again(fd: int) -> "Callable[[bytes], int]":
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return to_descriptor(os.open(b"/proc/self/fd/%d" % fd, flags))


def because(message: bytes, error: OSError) -> bytes:
    """`message: errno text`, daemontools' form."""
    return message + b": " + error_text(error.errno)
