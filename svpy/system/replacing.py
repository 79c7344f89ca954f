"""What one program of a process hands on to the next: a file in memory, descriptors, blocked signals."""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import os
import time
from collections.abc import Iterable
from typing import NoReturn

from svpy.system.environment import inherited, mapping
from svpy.system.execute import executor
from svpy.system.signals import ALL

_OUTPUT_BYTES = 65536


def memory_file(name: bytes, data: bytes = b"") -> int:
    """A file that has no name but its descriptor, close-on-exec. Raises OSError."""
    fd = os.memfd_create(os.fsdecode(name), os.MFD_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError:
        os.close(fd)
        raise
    return fd


def rewrite(fd: int, data: bytes) -> None:
    """Put `data` at the beginning of a file in memory. Raises OSError."""
    os.pwrite(fd, data, 0)


def read(fd: int) -> bytes:
    """All of a file in memory. Raises OSError."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def close(fds: Iterable[int]) -> None:
    """Close what is open of these."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def close_all() -> None:
    """Close all but the standard ones: for who cannot know which are his."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def hand_on(fds: Iterable[int]) -> None:
    """The next program gets these. Raises OSError."""
    for fd in fds:
        os.set_inheritable(fd, True)


def keep(fds: Iterable[int]) -> None:
    """Nobody gets what is open of these any more."""
    for fd in fds:
        try:
            os.set_inheritable(fd, False)
        except OSError:
            pass


def hold_back_all() -> set[int]:
    """Block every signal, so that none is lost between two programs. Returns those blocked before."""
    before: set[int] = signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
    return before


def blocked(numbers: Iterable[int]) -> None:
    """Block these and no others."""
    signal.pthread_sigmask(signal.SIG_SETMASK, numbers)


def execute(argv: list[bytes]) -> None:
    """Become this program, in the environment this one was given. Returns by OSError only."""
    executor(inherited())(argv[0], argv)


def execute_again(argv: list[bytes]) -> NoReturn:
    """The same, a second later, and until it can be: a program that holds everything and cannot begin,
    because what is installed is being exchanged at this moment, must not end. Signals stay blocked."""
    while True:
        time.sleep(1)
        try:
            execute(argv)
        except OSError:
            pass


class Trial:
    """A program that is started to see what it says, and then ends.

    `pid_fd` is readable when it has ended; it is reaped by whoever reaps all children."""

    __slots__ = ("_output_fd", "pid_fd")

    def __init__(self, argv: list[bytes], handed_on_fd: int) -> None:
        """Raises OSError."""
        self._output_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(self._output_fd, False)
            # A program that says more than a pipe holds waits, and is killed in the end.
            moves = [(os.POSIX_SPAWN_DUP2, write_fd, place) for place in (1, 2)]
            hand_on([handed_on_fd])
            pid = os.posix_spawn(
                argv[0], argv, mapping(inherited()), file_actions=moves, setsigmask=(), setsigdef=ALL
            )
            self.pid_fd = os.pidfd_open(pid)
        except OSError:
            os.close(self._output_fd)
            raise
        finally:
            keep([handed_on_fd])
            os.close(write_fd)

    def kill(self) -> None:
        try:
            signal.pidfd_send_signal(self.pid_fd, signal.SIGKILL)
        except OSError:
            pass

    def last_line(self) -> bytes:
        """The last that it has said."""
        try:
            lines = os.read(self._output_fd, _OUTPUT_BYTES).strip().split(b"\n")
        except BlockingIOError:
            return b""
        return lines[-1]

    def close(self) -> None:
        os.close(self.pid_fd)
        os.close(self._output_fd)
