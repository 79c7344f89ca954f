"""Processes of loggers that a svscan before this one has begun: after its death, or after an upgrade.

Rules of this module:

- they are told signals, and heard, until their last logger has ended; they get no new ones;
- what a process reports is read by one (core/nativewire.py): who comes first. Others that took over some of
  its loggers, a supervise or a second svscan, look once a second which of them are still there;
- a logger that is not in its process may have been given to it just before: that is looked at again;
- a process that cannot be told anything reads its log pipes until somebody else holds them. Then it is ended,
  and its loggers are begun again elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from svpy.core.handover import State, recall
from svpy.core.record import Record
from svpy.daemon.hosted import Hosted
from svpy.daemon.loggerprocess import Ears, Ends, LoggerProcess
from svpy.system import descriptors, folders, processes
from svpy.system.clock import now_mono_s
from svpy.system.tell import because

LOOK_S = 1.0


class Left:
    """All of them, by pid and start. `children` is svscan's table of its children."""

    def __init__(self, children: dict[int, Any], ears: Ears, warn: Callable[[bytes], None]) -> None:
        self._children = children
        self._ears = ears
        self._warn = warn
        self.processes: dict[tuple[int, int], LoggerProcess] = {}
        self._mute: list[LoggerProcess] = []
        self._unheard: list[LoggerProcess] = []
        self._unseen: list[tuple[LoggerProcess, int]] = []
        self.look_again_mono_s = math.inf
        """When to call `look_again`."""

    def adopt(self, hosted: Hosted, record: Record) -> bool:
        """What was left of a logger: whether it still runs in the process of its record. Raises OSError."""
        process = self._known(record) or self._find(record)
        if process is None:
            return False
        name = record.pipe[1]
        if process.ended.pop(name, None) is not None:
            return False
        if process.orders_fd >= 0 and name not in process.pipes and process not in self._unheard:
            self._unseen.append((process, name))
            self._look_soon()
        process.has(name, hosted)
        return True

    def _known(self, record: Record) -> LoggerProcess | None:
        """The process of a record, if it was begun or found by us."""
        process = self.processes.get((record.pid, record.start_ticks))
        if process is None:
            child = self._children.get(record.pid)
            if isinstance(child, LoggerProcess):
                process = child
                process.pipes = processes.pipes(record.pid)
        return process

    def _find(self, record: Record) -> LoggerProcess | None:
        """The process of a record, None if it is no more. Raises OSError."""
        assert record.held is not None
        pidfd = processes.hold(record.pid, record.start_ticks)
        if pidfd is None:
            return None
        process = LoggerProcess(record.pid, record.start_ticks, record.held)
        if processes.is_child(record.pid):
            folders.close(pidfd)
            self._children[record.pid] = process
        else:
            process.pidfd = pidfd
            self._ears.hear(pidfd, process)
        self.processes[record.pid, record.start_ticks] = process
        try:
            self._connect(process)
        except OSError:
            self._mute.append(process)
        return process

    def _connect(self, process: LoggerProcess) -> None:
        """Raises OSError."""
        process.orders_fd, process.reports_fd = processes.open_pipes(process.pid, process.held)
        # First who reads reports, then which loggers there are: none ends in between.
        if not descriptors.claim(process.reports_fd):
            folders.close(process.reports_fd)
            process.reports_fd = -1
        self._listen(process)

    def _listen(self, process: LoggerProcess) -> None:
        """Raises OSError."""
        process.pipes = processes.pipes(process.pid)
        if process.reports_fd >= 0:
            self._ears.hear(process.reports_fd, process)
        elif process.orders_fd >= 0:
            self._unheard.append(process)
            self._look_soon()

    def _look_soon(self) -> None:
        """Raises OSError."""
        self.look_again_mono_s = min(self.look_again_mono_s, now_mono_s() + LOOK_S)
        self._ears.wake()

    def look_again(self) -> Ends:
        """Which loggers have ended without our having heard it: they are not where they should be."""
        if now_mono_s() < self.look_again_mono_s:
            return []
        looked_at = {process: [*process.loggers] for process in self._unheard}
        for process, name in self._unseen:
            looked_at.setdefault(process, []).append(name)
        self._unseen = []
        self.look_again_mono_s = now_mono_s() + LOOK_S if self._unheard else math.inf
        return [
            (hosted, None)
            for process, names in looked_at.items()
            for name in process.missing(names)
            if (hosted := process.has_no_more(name)) is not None
        ]

    def look_after(self) -> None:
        """From time to time, when all that can be was adopted."""
        mute, self._mute = self._mute, []
        for process in mute:
            try:
                process.send("TERM")
            except OSError as error:
                self._warn(because(b"unable to end loggers (pid %d)" % process.pid, error))

    def forget(self, process: LoggerProcess) -> None:
        """It has ended."""
        self.processes.pop((process.pid, process.start_ticks), None)
        for among in (self._mute, self._unheard):
            if process in among:
                among.remove(process)
        self._unseen = [(among, name) for among, name in self._unseen if among is not process]

    def recall(self, state: State) -> None:
        """Become what was handed over. Nothing is done about it before `take_over`."""
        for each in state.get("natives", []):
            orders, reports = each["held"]
            process = LoggerProcess(each["pid"], each["start_ticks"], (orders, reports))
            recall(process, each, ("ended", "held"))
            process.ended = dict(each["ended"])
            self.processes[process.pid, process.start_ticks] = process

    def take_over(self) -> None:
        """Raises OSError."""
        for process in self.processes.values():
            if process.pidfd >= 0:
                self._ears.hear(process.pidfd, process)
            else:
                self._children[process.pid] = process
            try:
                self._listen(process)
            except OSError:
                self._mute.append(process)

    def go_on(self, hosted: Hosted) -> None:
        """With a logger that was handed over."""
        for process in self.processes.values():
            if process.pid == hosted.service.pid:
                process.has(hosted.native_id, hosted)
