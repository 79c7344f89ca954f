"""A process that hosts loggers, as svscan sees it: what it is told, and how it is heard."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import trio

from svpy.core import nativewire
from svpy.core.handover import State, memory
from svpy.core.natives import Key
from svpy.system import descriptors, processes, signals
from svpy.system.passing import Channel
from svpy.system.waiting import Readable, is_writable

if TYPE_CHECKING:
    from svpy.daemon.hosted import Hosted

Ends = list[tuple["Hosted", int | None]]
"""Which loggers have ended, and with which code each (core/service.py, Exited)."""

REPORTS_AT_ONCE = 256

READS_WITHIN_S = 0.5
"""How long a process that has not read all it was told is waited for, until it is found not to read."""

LOOK_S = 0.01
"""For so long one that was not stopped is taken not to be."""

_NOT_HANDED_OVER = ("_looked_mono_s", "channel", "ended", "is_late", "key", "loggers", "pipes")


class LoggerProcess:
    """One of them; `loggers` are those that it hosts, by the id of each (core/nativewire.py).

    `key` is what they share, `channel` is there as long as it takes more of them. `orders_fd` and
    `reports_fd` are our ends of its pipes, -1 where they could not be had; `held` are the numbers it holds
    them under. `pidfd` is that of a process that is not our child, else -1. Of one that was left behind,
    `pipes` says which log pipes it had, and under which number; `ended` is what it has reported of loggers
    that nobody has taken yet. It is not heard where somebody else reads what it reports. `is_late`: it did
    not read what it was told."""

    __slots__ = (
        "_looked_mono_s",
        "channel",
        "ended",
        "held",
        "is_late",
        "key",
        "loggers",
        "orders_fd",
        "pid",
        "pidfd",
        "pipes",
        "reports_fd",
        "start_ticks",
    )

    def __init__(self, pid: int, start_ticks: int, held: tuple[int, int]) -> None:
        self.pid = pid
        self.start_ticks = start_ticks
        self.held = held
        self.key: Key | None = None
        self.channel: Channel | None = None
        self.orders_fd = self.reports_fd = self.pidfd = -1
        self.is_late = False
        self.loggers: dict[int, Hosted] = {}
        self.pipes: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self._looked_mono_s = -math.inf

    def state(self) -> State:
        """What is handed over of it."""
        return {**memory(self, _NOT_HANDED_OVER), "ended": [*self.ended.items()]}

    def has(self, name: int, hosted: Hosted) -> None:
        """That logger runs in it."""
        self.loggers[name] = hosted
        hosted.native, hosted.native_id = self, name

    def has_no_more(self, name: int) -> Hosted | None:
        """It does not any more. Returns which one that was, if it was anyone's."""
        hosted = self.loggers.pop(name, None)
        if hosted is not None:
            hosted.native, hosted.native_id = None, 0
        return hosted

    def missing(self, names: list[int]) -> list[int]:
        """Which of these it does not host, as far as can be seen from outside; none if it can't be."""
        try:
            if any(name not in self.pipes for name in names):
                self.pipes = processes.pipes(self.pid)
        except OSError:
            return []
        return [name for name in names if not processes.has_pipe(self.pid, self.pipes.get(name, 0), name)]

    def tell(self, name: int, number: int) -> None:
        """Have a logger take a signal as if it were a process. Raises OSError (EAGAIN: it does not read)."""
        if self.channel is not None:
            self.send_message(nativewire.signal(name, number))
        elif self.orders_fd >= 0:
            order = nativewire.record(name, number)
            self._when_it_reads(self.orders_fd, lambda: os.write(self.orders_fd, order))

    def is_stopped(self) -> bool:
        """Whether somebody has stopped it, as it was a moment ago: five hundred may be added in one."""
        mono_s = trio.current_time()
        if mono_s < self._looked_mono_s + LOOK_S:
            return False
        if processes.is_stopped(self.pid):
            return True
        self._looked_mono_s = mono_s
        return False

    def send_message(self, message: bytes, fds: tuple[int, ...] = ()) -> None:
        """It must still take messages. Raises OSError (EAGAIN: it does not read)."""
        channel = self.channel
        assert channel is not None
        self._when_it_reads(channel.fd, lambda: channel.send(message, fds))

    def _when_it_reads(self, fd: int, write: Callable[[], object]) -> None:
        """A hundred messages that come at once may be more than there is room for. One that did not read
        them in time is not waited for again before it does."""
        try:
            write()
        except BlockingIOError:
            if self.is_late or processes.is_stopped(self.pid) or not is_writable(fd, READS_WITHIN_S):
                self.is_late = True
                raise
            write()
        self.is_late = False

    def send(self, name: str) -> None:
        """A signal to the process itself. Raises OSError."""
        if self.pidfd >= 0:
            signals.send_through(self.pidfd, name)
        else:
            signals.send(self.pid, name)

    def takes_no_more(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class Ears:
    """Hears processes of loggers: what they report, and the ends of those that are not our children. `ends`
    can be read when there is something."""

    def __init__(self, ends: Readable) -> None:
        self._ends = ends
        self._by_fd: dict[int, LoggerProcess] = {}

    def hear(self, fd: int, process: LoggerProcess) -> None:
        """Raises OSError."""
        self._ends.add(fd)
        self._by_fd[fd] = process

    def wake(self) -> None:
        """Whoever waits. Raises OSError."""
        self._ends.nudge()

    def whose(self, fd: int) -> LoggerProcess | None:
        return self._by_fd.get(fd)

    def reported(self, process: LoggerProcess) -> Iterator[tuple[Hosted, int | None]]:
        """Those whose end it has reported, and the exit code of each, or minus the signal; None if what it
        has reported is neither."""
        while data := self._read(process):
            for name, status in nativewire.records(data):
                hosted = process.has_no_more(name)
                if hosted is None:
                    process.ended[name] = status
                else:
                    yield hosted, processes.exit_code(status)

    def _read(self, process: LoggerProcess) -> bytes:
        """What there is now. At its end nothing more will come."""
        if process.reports_fd < 0:
            return b""
        data = descriptors.read_now(process.reports_fd, REPORTS_AT_ONCE * nativewire.RECORD_BYTES)
        if data == b"":
            self._hear_no_more(process.reports_fd)
        return data or b""

    def let_go(self, process: LoggerProcess) -> None:
        """Of one that has ended."""
        for fd in (process.reports_fd, process.orders_fd, process.pidfd):
            if fd >= 0:
                self._hear_no_more(fd)
                os.close(fd)
        process.reports_fd = process.orders_fd = process.pidfd = -1

    def _hear_no_more(self, fd: int) -> None:
        if self._by_fd.pop(fd, None) is not None:
            self._ends.remove(fd)
