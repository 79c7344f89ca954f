"""Descriptors: how many there may be, the standard three, and pipes."""

import fcntl
import os
import resource
import select
import termios


def raise_limit() -> int:
    """Raise our own soft RLIMIT_NOFILE to the hard one. Returns the old soft limit, which is what
    the services are to get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft


def reserve_standard() -> None:
    """Keep closed standard descriptors from being taken by a pipe or a fifo of ours.

    What is put there is close-on-exec: the services find them closed, as they would under C."""
    fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    while fd <= 2:
        fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.close(fd)


def waiting_bytes(pipe_fd: int) -> int:
    """How many bytes are in a pipe or fifo, asked at either end. Raises OSError."""
    answer = fcntl.ioctl(pipe_fd, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(answer, "little")


def has_reader(writing_fd: int) -> bool:
    """Whether anyone still has the other end of a pipe or fifo open."""
    poll = select.poll()
    poll.register(writing_fd, 0)
    return not any(events & select.POLLERR for _, events in poll.poll(0))
