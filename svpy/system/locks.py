"""A lock that is handed on."""

import fcntl
import os


def open_lock(path: bytes) -> int:
    """Open a file to lock, made with mode 0600 if need be. Raises OSError.

    Its descriptor is inheritable: the lock lasts as long as the program it is taken for."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_CREAT
    fd = os.open(path, flags, 0o600)
    os.set_inheritable(fd, True)
    return fd


def lock(fd: int, wait: bool) -> None:
    """Lock the whole file for ourselves. Raises OSError (EAGAIN: held by another, and not `wait`)."""
    fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
