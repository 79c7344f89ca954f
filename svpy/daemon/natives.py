"""Loggers that are known in advance, and run without being executed: many of them in one process.

Rules of this module:

- decided afresh at each start, from what is there then (daemon/nativeplan.py, core/natives.py); what is not
  known, and whatever goes wrong here, is executed as always;
- a process is forked by the template (daemon/nativetemplate.py). Neither that nor a process that does not
  read holds up anything for longer than a moment;
- what a process is told and what it reports stands in core/nativewire.py. A logger with a process of its own
  is to svscan as any that was executed;
- before a logger is given to a process, or one with a process of its own begins, its record says so: whoever
  comes after us finds it there or nowhere;
- a process that is not ours any more to give loggers to is kept as daemon/nativesleft.py says;
- a process without loggers is let go at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import trio

from svpy.core import natives, nativewire
from svpy.core.errors import error_text
from svpy.core.handover import WITH_NATIVES, State
from svpy.core.natives import Doubts, Key, Program, Run
from svpy.core.record import ALONE
from svpy.daemon.hosted import Hosted
from svpy.daemon.loggerprocess import Ears, Ends, LoggerProcess
from svpy.daemon.nativeplan import NotKnown, Planner
from svpy.daemon.nativesleft import Left
from svpy.daemon.nativetemplate import OUR_FAULT, NoTemplate, NotReady, Template, Templates
from svpy.system import descriptors, folders, processes, signals
from svpy.system.children import Starter
from svpy.system.passing import channels
from svpy.system.waiting import Readable

END_S = 1.0
"""How long what is not needed any more has to end when svscan does."""

END_LOOK_S = 0.005
_REACHES_STOPPED = ("KILL", "CONT")


class Natives:
    """All that run natively, and what is needed for it.

    `children` is svscan's table of its children, `ends` what it hears of ends through. `commands` is the
    folder of our own commands, None if nothing is to be begun natively. `record` notes which process runs a
    logger (pid, start in ticks, `held` of core/record.py), before that is told to. `left` are the processes
    of a svscan before this one."""

    def __init__(
        self,
        starter: Starter,
        children: dict[int, Any],
        ends: Readable,
        record: Callable[[Hosted, int, int, tuple[int, int]], None],
        warn: Callable[[bytes], None],
        commands: bytes | None = None,
    ) -> None:
        self._children = children
        self._record = record
        self._warn = warn
        self._ears = Ears(ends)
        self.left = Left(children, self._ears, warn)
        self._planner = Planner(commands, starter.environ) if commands is not None else None
        self._templates = Templates(starter, children, commands or b"")
        self._open: dict[Key, list[LoggerProcess]] = {}
        self._doubts = Doubts()
        self._most = natives.capacity(descriptors.hard_limit())

    def plan(self, hosted: Hosted, script: bytes) -> Run | Program | None:
        """What is known in advance of it: that it may run natively, or which program sh would execute."""
        if self._planner is None:
            return None
        try:
            return self._planner.plan(hosted, script, trio.current_time())
        except NotKnown:
            if hosted.is_logger:
                self._complain(b"what /bin/sh makes of the environment is not known")
            return None

    def start(self, hosted: Hosted, run: Run) -> int:
        """Start it natively. Returns the pid, 0 if it is to be executed."""
        now_mono_s = trio.current_time()
        if not (self._doubts.any_may_be_tried(now_mono_s) and self._doubts.may_be_tried(run.key, now_mono_s)):
            return 0
        try:
            pid = self._join(hosted, run) if run.wanted.is_shared else self._alone(hosted, run)
        except NotReady:
            return 0
        except OSError as error:
            if isinstance(error, NoTemplate):
                self._doubts.put_off(now_mono_s)
            self._complain(error_text(error.errno))
            return 0
        self._doubts.worked()
        return pid

    def _complain(self, why: bytes) -> None:
        complaint = self._doubts.complaint(why)
        if complaint is not None:
            self._warn(complaint)

    def _alone(self, hosted: Hosted, run: Run) -> int:
        """Raises NotReady, OSError."""
        hears_fd, go_fd = os.pipe()
        try:
            forked = self._templates.ask(run.wanted, [hosted.stdin_fd, hosted.folder_fd, hears_fd])
            self._children[forked.pid] = hosted
            self._record(hosted, forked.pid, _start_ticks(forked.pid), ALONE)
            descriptors.write_now(go_fd, b"\n")
        finally:
            os.close(hears_fd)
            os.close(go_fd)
        return forked.pid

    def _join(self, hosted: Hosted, run: Run) -> int:
        """Give it to a process that takes such loggers. Returns the pid; raises NotReady, OSError."""
        name = descriptors.pipe_identity(hosted.stdin_fd)[1]
        folder_fd = folders.open_to_read(hosted.folder_fd)
        try:
            for process in self._with_room(run.key, name):
                try:
                    return self._add(hosted, run, process, name, folder_fd)
                except OSError as error:
                    if error.errno in OUR_FAULT:
                        raise
                    # It has ended, or does not read.
                    self._close(process)
            process = self._new(run, hosted)
            try:
                return self._add(hosted, run, process, name, folder_fd)
            except ConnectionError as error:
                self._close(process)
                raise NotReady from error
            except OSError:
                self._close(process)
                raise
        finally:
            folders.close(folder_fd)

    def _with_room(self, key: Key, name: int) -> list[LoggerProcess]:
        """Those that take another one of that kind. One that somebody has stopped does not."""
        return [
            process
            for process in self._open.get(key, [])
            if natives.takes(process.loggers, name, self._most) and not process.is_stopped()
        ]

    def _add(self, hosted: Hosted, run: Run, process: LoggerProcess, name: int, folder_fd: int) -> int:
        """Raises OSError."""
        self._record(hosted, process.pid, process.start_ticks, process.held)
        added = nativewire.add(name, list(run.wanted.script), run.wanted.environ)
        process.send_message(added, (hosted.stdin_fd, folder_fd))
        process.has(name, hosted)
        return process.pid

    def _new(self, run: Run, hosted: Hosted) -> LoggerProcess:
        """A process for loggers of that key. Raises NotReady, OSError."""
        ours, theirs = channels()
        fds: list[int] = []
        try:
            for _ in range(2):
                fds += descriptors.pipe_that_does_not_block()
            forked = self._templates.ask(run.wanted, [hosted.stdin_fd, hosted.folder_fd, theirs.fd, *fds])
        except (NotReady, OSError):
            ours.close()
            for fd in fds:
                os.close(fd)
            raise
        finally:
            theirs.close()
        orders_read_fd, orders_fd, reports_fd, reports_write_fd = fds
        os.close(orders_read_fd)
        os.close(reports_write_fd)
        process = LoggerProcess(forked.pid, _start_ticks(forked.pid), (forked.orders_fd, forked.reports_fd))
        process.channel, process.key = ours, run.key
        process.orders_fd, process.reports_fd = orders_fd, descriptors.claimed(reports_fd)
        self._children[forked.pid] = process
        self._open.setdefault(run.key, []).append(process)
        try:
            self._ears.hear(process.reports_fd, process)
        except OSError:
            self._close(process)
            raise
        return process

    def heard(self, fd: int) -> Ends:
        """Who has ended when one of our descriptors can be read."""
        process = self._ears.whose(fd)
        if process is None:
            return []
        if fd == process.pidfd:
            return self.ended(process, None)
        return [*self._ears.reported(process)]

    def ended(self, child: LoggerProcess | Template, code: int | None) -> Ends:
        """A process has ended, with that code: so have all that were in it, some of them before it did."""
        if isinstance(child, Template):
            self._templates.ended(child)
            return []
        gone: Ends = [*self._ears.reported(child)]
        if child.key is not None:
            self._doubts.ended(child.key, code, trio.current_time())
        for name, hosted in tuple(child.loggers.items()):
            child.has_no_more(name)
            gone.append((hosted, natives.told(code)))
        self._close(child)
        self.left.forget(child)
        self._ears.let_go(child)
        return gone

    def _close(self, process: LoggerProcess) -> None:
        """It takes no more loggers, and ends when it has none."""
        process.takes_no_more()
        of_its_kind = [] if process.key is None else self._open.get(process.key, [])
        if process.key is not None and process in of_its_kind:
            of_its_kind.remove(process)
            if not of_its_kind:
                del self._open[process.key]

    def settle(self) -> None:
        """After ends were dealt with: nobody keeps a process for loggers that may come."""
        for process in [each for of_a_kind in self._open.values() for each in of_a_kind if not each.loggers]:
            self._close(process)

    def leave(self, hosted: Hosted) -> None:
        """It is not ours any more, wherever it runs."""
        if hosted.native is not None:
            hosted.native.has_no_more(hosted.native_id)
            self.settle()

    def signal(self, hosted: Hosted, name: str) -> None:
        """Raises OSError."""
        process = hosted.native
        assert process is not None
        try:
            # One that somebody has stopped does not read what it is told.
            if name in _REACHES_STOPPED and processes.is_stopped(process.pid):
                process.send(name)
            process.tell(hosted.native_id, signals.number(name))
        except ConnectionError:
            pass  # It is just ending.

    def pipe_number(self, hosted: Hosted) -> int:
        """The number under which the process of an adopted logger had its log pipe."""
        return 0 if hosted.native is None else hosted.native.pipes.get(hosted.native_id, 0)

    def state(self) -> State:
        """What is handed over of them. A program that follows gives them no more loggers; one that knows
        nothing of them must not follow."""
        children = [child for child in self._children.values() if isinstance(child, LoggerProcess)]
        all_of_them = {*self.left.processes.values(), *children}
        if not all_of_them:
            return {}
        return {"format": WITH_NATIVES, "natives": [process.state() for process in all_of_them]}

    async def end(self) -> None:
        """Let everything go that nobody needs any more, and wait until it is gone, which does not take long.
        What hosts loggers that could not be stopped stays."""
        self._templates.let_go()
        self.settle()
        for name in ("", "KILL"):
            for child in self._unneeded():
                if name:
                    signals.send(child.pid, name)
            with trio.move_on_after(END_S):
                while self._unneeded():
                    await trio.sleep(END_LOOK_S)

    def _unneeded(self) -> list[Template | LoggerProcess]:
        return [
            child
            for child in self._children.values()
            if isinstance(child, Template) or (isinstance(child, LoggerProcess) and not child.loggers)
        ]


def _start_ticks(pid: int) -> int:
    """0 where that cannot be known: then nothing is recorded."""
    try:
        return processes.look(pid).start_ticks
    except OSError:
        return 0
