"""Writing to a person or a log: whole lines, one write each."""

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
    """From now on `say` drops what stderr does not take at once: for a process that others wait for.

    Services write to the same stderr and can fill it. O_NONBLOCK is a property of the open file,
    which they would get as well, so a pipe or terminal is opened once more, and a socket is told for
    each message. Where it cannot be opened again (no /proc, another user's pipe) it is asked first
    whether it has room, which leaves only the race with another writer."""
    import select  # noqa: F401  no short-lived command comes here

    global _write
    try:
        kind = stat.S_IFMT(os.fstat(2).st_mode)
        if kind in (stat.S_IFIFO, stat.S_IFCHR):
            _write = _to_stderr_with_room
        if kind == stat.S_IFSOCK:
            _write = _to_socket()
        elif kind in (stat.S_IFIFO, stat.S_IFCHR):
            _write = _to_file_opened_again()
    except OSError:
        pass


def _to_stderr_with_room(data: bytes) -> int:
    import select

    poll = select.poll()
    poll.register(2, select.POLLOUT)
    return os.write(2, data) if poll.poll(0) else 0


def _to_socket() -> "Callable[[bytes], int]":
    import socket

    stderr = socket.socket(fileno=os.dup(2))

    def write(data: bytes) -> int:
        return stderr.send(data, socket.MSG_DONTWAIT)

    return write


def _to_file_opened_again() -> "Callable[[bytes], int]":
    fd = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)

    def write(data: bytes) -> int:
        return os.write(fd, data)

    return write


def because(message: bytes, error: OSError) -> bytes:
    """`message: errno text`, daemontools' form."""
    return message + b": " + error_text(error.errno)
