"""Becoming another program, as daemontools' pathexec_run does.

Rules of this module:

- a word without `/` is looked for along PATH: what is not there is passed over, so is what may not
  be executed, any other error ends the search;
- there is no `sh` for files without `#!`: ENOEXEC is an error, as in C;
- the program gets exactly the environment it is given, and default SIGPIPE and SIGXFSZ.
"""

import errno
import os

from svpy.core.environment import candidates
from svpy.system.dispositions import restore_defaults
from svpy.system.environment import expressible, mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PASSED_OVER = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR)
"""Errors of one part of PATH after which the next is tried."""


def executor(entries: list[bytes]) -> "Callable[[bytes, list[bytes]], None]":
    """A function execve(path, argv) with this environment. It returns by OSError only."""
    if not expressible(entries):
        return _raw_executor(entries)
    environ = mapping(entries)
    return lambda path, argv: os.execve(path, argv, environ)


def _raw_executor(entries: list[bytes]) -> "Callable[[bytes, list[bytes]], None]":
    """For entries without `=` or without a name, which os.execve refuses: libc's own. ctypes is
    slow to import, and hardly ever is there such an entry."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def vector(words: list[bytes]) -> "ctypes.Array[ctypes.c_char_p]":
        return (ctypes.c_char_p * (len(words) + 1))(*words, None)

    environ = vector(entries)

    def execve(path: bytes, argv: list[bytes]) -> None:
        libc.execve(path, vector(argv), environ)
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

    return execve


def search_and_execute(argv: list[bytes], path: bytes, run: "Callable[[bytes, list[bytes]], None]") -> None:
    """Execute `argv` along `path` with an `executor`. Raises OSError, the one pathexec_run reports."""
    restore_defaults()
    # An empty word names each folder of PATH itself. os.execve would refuse the empty argv[0]
    # before the kernel can refuse the folder.
    passed_argv = argv if argv[0] else [b".", *argv[1:]]
    reported: OSError | None = None
    for candidate in candidates(argv[0], path):
        try:
            run(candidate, passed_argv)
        except OSError as error:
            if error.errno not in PASSED_OVER or b"/" in argv[0]:
                raise
            if reported is None or error.errno != errno.ENOENT:
                reported = error
    assert reported is not None
    raise reported
