"""Descriptors: how many there may be, the standard three, and pipes."""

import fcntl
import math
import os
import resource
import select
import stat
import termios

_MANY = 1 << 20
"""No limit, as a number of descriptors that nobody needs."""


def raise_limit() -> int:
    """Raise our own soft RLIMIT_NOFILE to the hard one, if that can be had. Returns the old soft
    limit, which is what the services are to get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # The hard limit may be above fs.nr_open, up to which the kernel lets it be raised.
        pass
    return soft


def lower_limit(soft: int) -> None:
    """The reverse, for as long as a program is being started."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):
        pass  # The hard one was lowered below it: the program gets that.


def soft_limit() -> int:
    """Our own soft RLIMIT_NOFILE as the kernel has it."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hard_limit() -> int:
    """The hard RLIMIT_NOFILE of services, as of any process of ours."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else _MANY


def limit() -> float:
    """The same as a number to compare with, infinite if there is none."""
    soft = soft_limit()
    return math.inf if soft == resource.RLIM_INFINITY else soft


def reserve_standard() -> None:
    """Keep closed standard descriptors from being taken by a pipe or a fifo of ours.

    What is put there can be neither read nor written, as if it were still closed, and the services
    find it closed, as they would under C. (/dev/null would take both, and may be missing.)"""
    fd = hold_place()
    while fd <= 2:
        fd = hold_place()
    os.close(fd)


def hold_place() -> int:
    """A descriptor that can be neither read nor written. Raises OSError."""
    return os.open(b"/", os.O_PATH | os.O_CLOEXEC)


def waiting_bytes(pipe_fd: int) -> int:
    """How many bytes are in a pipe or fifo, asked at either end. Raises OSError."""
    answer = fcntl.ioctl(pipe_fd, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(answer, "little")


def set_blocking(fd: int, blocking: bool) -> None:
    """Of an open file that nobody shares."""
    os.set_blocking(fd, blocking)


def read_now(fd: int, most_bytes: int) -> bytes | None:
    """What is in a descriptor that does not block; nothing at its end, None if there is nothing yet."""
    try:
        return os.read(fd, most_bytes)
    except BlockingIOError:
        return None


def write_now(fd: int, data: bytes) -> None:
    """So few bytes that there is room for them, into a pipe, whether or not anyone still reads it."""
    try:
        os.write(fd, data)
    except BrokenPipeError:
        pass


def pipe_that_does_not_block() -> tuple[int, int]:
    """Its reading and its writing end, close-on-exec. Raises OSError."""
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


def claim(fd: int) -> bool:
    """Whether nobody else has claimed what this descriptor leads to (flock(2)). We have then, until all that
    was made from it by dup, fork or SCM_RIGHTS is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def claimed(reading_fd: int) -> int:
    """A reading end of a pipe, opened anew and claimed, in the place of one that others may have, too; that
    itself where that can't be done."""
    try:
        fd = os.open(b"/proc/self/fd/%d" % reading_fd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return reading_fd
    os.close(reading_fd)
    claim(fd)
    return fd


def has_reader(writing_fd: int) -> bool:
    """Whether anyone still has the reading end of a pipe or fifo open."""
    return not _polled(writing_fd) & select.POLLERR


def _polled(fd: int) -> int:
    poll = select.poll()
    poll.register(fd, 0)
    return sum(events for _, events in poll.poll(0))


def pipe_identity(fd: int) -> tuple[int, int]:
    """Device and inode of a pipe, (0, 0) if it is none. Raises OSError."""
    found = os.fstat(fd)
    return (found.st_dev, found.st_ino) if stat.S_ISFIFO(found.st_mode) else (0, 0)


def reading_end(path_fd: int) -> int:
    """Of the pipe that an O_PATH descriptor stands for; it does not block. Raises OSError."""
    return os.open(b"/proc/self/fd/%d" % path_fd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


class Pipe:
    """Both ends of a log pipe, blocking and close-on-exec. A closed end is -1."""

    __slots__ = ("read_fd", "write_fd")

    def __init__(self, path_fd: int | None = None) -> None:
        """A new one, or the one that an O_PATH descriptor stands for. Raises OSError."""
        if path_fd is None:
            self.read_fd, self.write_fd = os.pipe()
            return
        # A pipe without a name does not wait for its other end, as a fifo would.
        self.read_fd = os.open(b"/proc/self/fd/%d" % path_fd, os.O_RDONLY | os.O_CLOEXEC)
        self.write_fd = -1
        try:
            self.open_writing_end()
        except OSError:
            os.close(self.read_fd)
            raise

    @classmethod
    def of(cls, read_fd: int, write_fd: int) -> "Pipe":
        """One whose ends are open."""
        pipe = cls.__new__(cls)
        pipe.read_fd, pipe.write_fd = read_fd, write_fd
        return pipe

    def waiting_bytes(self) -> int:
        return waiting_bytes(self.read_fd)

    def has_writer(self) -> bool:
        """Whether anyone, we included, may still write to it."""
        return not _polled(self.read_fd) & select.POLLHUP

    def open_writing_end(self) -> None:
        """Open a closed writing end again, for what is still in the pipe. Raises OSError."""
        if self.write_fd < 0:
            path = b"/proc/self/fd/%d" % self.read_fd
            self.write_fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def survive_us(self) -> None:
        """From now on who is given the writing end reads as well: were we, the only reader, killed, nobody
        would get SIGPIPE, and the next of us finds in it what was not read. Raises OSError."""
        fd = os.open(b"/proc/self/fd/%d" % self.write_fd, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(fd, self.write_fd, inheritable=False)
        os.close(fd)

    def close_writing_end(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        self.close_writing_end()
        os.close(self.read_fd)
