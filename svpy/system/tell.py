"""Writing to a person or a log: whole lines, one write each."""

import os

from svpy.core.errors import error_text


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` to a blocking descriptor. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def say(line: bytes) -> None:
    """One line to stderr, in one write so that it is not mixed with another process's.

    A closed or full stderr is nobody's business: there is no one left to tell."""
    try:
        os.write(2, line + b"\n")
    except OSError:
        pass


def because(message: bytes, error: OSError) -> bytes:
    """`message: errno text`, daemontools' form."""
    return message + b": " + error_text(error.errno)
