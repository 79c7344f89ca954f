"""A process of many loggers (native/loggers.py) without a svscan: the test is what it talks to."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import svpy
from support.processes import DEADLINE_S, Running, TooLate
from svpy.core import nativewire
from svpy.system.passing import channels

_PROGRAM = """
import os, sys
sys.path.append({root!r})
from svpy.native import loggers
from svpy.system.entry import entry

def host(words):
    socket_fd, *pipes = map(int, words)
    for fd in (socket_fd, *pipes):
        os.set_inheritable(fd, False)
    os.umask(0o022)
    os.chdir("/")
    return loggers.serve(socket_fd, (pipes[0], pipes[1]), (pipes[2], pipes[3]))

{first}
entry(b"multilog", host)
"""
SHORT_PAUSES = "loggers.PAUSE_S = 0.02"


class Log:
    """A logger as its service sees it: the writing end of its pipe."""

    def __init__(self, start: Path, writing_fd: int, name: int) -> None:
        self.start = start
        self.fd = writing_fd
        self.name = name

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.fd, data) :]

    def waiting_bytes(self) -> int:
        answer = fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(answer, "little")

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Host(Running):
    """The process, both pipes and the socket. What it says on stderr is its output (`line`, `rest`)."""

    def __init__(self, first: str = "", **options: object) -> None:
        """`first`: statements of Python's that it carries out before it serves."""
        self.channel, theirs = channels()
        # As svscan has it, what does not fit is waited for: a test asks for thousands at once.
        os.set_blocking(self.channel.fd, True)
        orders, reports = (os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) for _ in range(2))
        fds = [theirs.fd, *orders, *reports]
        program = _PROGRAM.format(root=str(Path(svpy.__file__).parent.parent), first=first)
        words = [sys.executable, "-IS", "-c", program, *map(str, fds)]
        super().__init__(*words, pass_fds=fds, **options)
        self.orders_fd, self.reports_fd = orders[1], reports[0]
        os.close(orders[0])
        os.close(reports[1])
        theirs.close()
        self.logs: list[Log] = []

    def add(
        self,
        start: Path | int,
        *words: str | bytes,
        environ: Sequence[object] = (),
        pipe: tuple[int, int] | None = None,
    ) -> Log:
        """One more logger, started in a folder. `pipe`: reading and writing end, otherwise a new one."""
        reading, writing = pipe or os.pipe()
        name = os.fstat(reading).st_ino
        folder_fd = os.dup(start) if isinstance(start, int) else os.open(start, os.O_RDONLY | os.O_DIRECTORY)
        script = [os.fsencode(word) for word in words]
        self.channel.send(nativewire.add(name, script, list(environ)), [reading, folder_fd])  # type: ignore[arg-type]
        os.close(reading)
        os.close(folder_fd)
        self.logs.append(Log(Path() if isinstance(start, int) else start, writing, name))
        return self.logs[-1]

    def tell(self, log: Log, number: int) -> None:
        """As who started it does."""
        self.channel.send(nativewire.signal(log.name, int(number)))

    def order(self, log: Log, number: int) -> None:
        """As who adopted it does."""
        os.write(self.orders_fd, nativewire.record(log.name, number))

    def reported(self, count: int = 1) -> list[tuple[int, int]]:
        """The next reports: (logger, wait status)."""
        until = time.monotonic() + DEADLINE_S
        found: list[tuple[int, int]] = []
        while len(found) < count:
            if not select.select([self.reports_fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TooLate(f"reported: {found}; said: {self.said!r}")
            wanted = (count - len(found)) * nativewire.RECORD_BYTES
            found += nativewire.records(os.read(self.reports_fd, wanted))
        return found

    def is_reported(self) -> bool:
        """Whether there is a report."""
        return bool(select.select([self.reports_fd], [], [], 0)[0])

    def status(self, log: Log) -> int:
        """How this one has ended: the next report is about it."""
        ((name, status),) = self.reported()
        assert name == log.name
        return status

    def end(self, log: Log) -> None:
        """Its input ends, and so does it, in order."""
        log.close()
        assert self.status(log) == 0

    def finish(self) -> bytes:
        """All inputs end, and no more loggers come. Returns what it has said since it was last asked."""
        for log in self.logs:
            log.close()
        self.channel.close()
        assert self.wait() == 0
        return self.rest()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def __exit__(self, *how: object) -> None:
        super().__exit__(*how)  # type: ignore[arg-type]
        for log in self.logs:
            log.close()
        self.channel.close()
        os.close(self.orders_fd)
        os.close(self.reports_fd)
