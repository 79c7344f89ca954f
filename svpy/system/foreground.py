"""Staying in the foreground for a program that puts itself into the background (fghack)."""

import fcntl
import os

from svpy.core.errors import FAILED, Die
from svpy.system import title
from svpy.system.tell import because

_FATAL = b"fghack: fatal: "
_COPIES = 30


def split(words: list[bytes]) -> None:
    """Returns in a child, which goes on with the chain. It holds the writing end of a pipe thirty-one
    times, inheritable, so that a daemon which closes a few descriptors keeps some.

    The parent is seen as fghack with the arguments `words`. It waits until all of them are closed, then
    ends as the child did: raises Die with its exit code, or 111 if a signal killed it."""
    try:
        read_fd, write_fd = os.pipe2(0)
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to create pipe", error)) from None
    try:
        pid = os.fork()
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"unable to fork", error)) from None
    if pid == 0:
        os.close(read_fd)
        held = title.release()
        # The copies take the lowest descriptors that are free, as in C: before anything else does.
        _multiply(write_fd)
        if held:
            title.hold()  # its own memory, while it may still be opened
        return
    os.close(write_fd)
    title.take(b"fghack", words)
    _wait_closed(read_fd)
    raise Die(_exit_code(pid))


def _multiply(fd: int) -> None:
    for _ in range(_COPIES):
        try:
            fcntl.fcntl(fd, fcntl.F_DUPFD, 0)  # inheritable at once, unlike os.dup
        except OSError:
            return


def _wait_closed(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass


def _exit_code(pid: int) -> int:
    try:
        status = os.waitpid(pid, 0)[1]
    except OSError as error:
        raise Die(FAILED, because(_FATAL + b"wait failed", error)) from None
    if os.WIFSIGNALED(status):
        raise Die(FAILED, _FATAL + b"child crashed")
    return os.WEXITSTATUS(status)
