"""Reading stdin to its end, for tools that stand in a pipe."""

import os

from svpy.core.errors import FAILED
from svpy.system.dispositions import restore_defaults
from svpy.system.tell import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 65536


def consume(take: "Callable[[bytes], None]") -> int:
    """Give `take` all that stdin has, one read at a time. Returns the exit code: 0, or 111 when
    reading fails or `take` raises OSError."""
    try:
        while chunk := os.read(0, _CHUNK_BYTES):
            take(chunk)
    except OSError:
        return FAILED
    return 0


def rewrite(change: "Callable[[bytes], bytes]") -> int:
    """Write to stdout what `change` makes of each chunk of stdin, before the next is waited for.
    Returns the exit code. When nobody reads, SIGPIPE ends the process, as it does a C program."""
    restore_defaults()
    return consume(lambda chunk: write_all(1, change(chunk)))
