"""Everything that happens to supervised folders, in one process: control, exits, the clock.

Rules of this module:

- one waiter: SIGCHLD, then waitpid until nothing is left; whatever was not ours is reaped too, and however
  much of that there is, everything else has its turn;
- what the supervise before this one left when it died (daemon/adoption.py) is watched and signalled through
  pidfds, all in one set;
- before a script is started, and when it was, the lock says so, for the one after us (core/record.py);
- one set for all control fifos and one heap for all moments waited for: a service at rest
  costs no task and no timer;
- what goes wrong with one folder is said in one line and ends there.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from svpy.core import service as machine
from svpy.core.control import END
from svpy.core.exits import Exits
from svpy.core.handover import State
from svpy.core.natives import Program, Run
from svpy.core.record import NO_PIPE, Record
from svpy.core.status import encode_state
from svpy.daemon import adoption
from svpy.daemon.hosted import UNKNOWN_NOTE, Hosted, Place, Refused
from svpy.daemon.loggerprocess import LoggerProcess
from svpy.daemon.loops import Loops
from svpy.daemon.natives import Natives
from svpy.daemon.nativetemplate import Template
from svpy.system import descriptors, folders, processes, signals
from svpy.system.children import More, Starter, reap
from svpy.system.clock import tai_now
from svpy.system.parked import Parked
from svpy.system.tell import because, say
from svpy.system.waiting import Readable

if TYPE_CHECKING:
    from svpy.daemon.needs import Needs
    from svpy.daemon.readiness import Asking, Readiness

CONTROL_READ_BYTES = 4096
"""What one turn takes from one fifo; a flooded one has to wait for the others after it."""

REAPED_AT_ONCE = 5000
"""What one turn takes of a flood of children, some 15 ms."""

READY = b"ready"
"""The file that says when a service is."""

NEEDS = b"needs"
"""The file that says which others have to be before it is started."""

SPARE_DESCRIPTORS = 16
"""Below the limit, and never used for one more folder: publishing a status takes one."""


class Supervisor:
    """Holds every supervised folder of this process. `program` stands before its warnings, `news` is called
    when anything of what is shown of them changes."""

    def __init__(self, program: bytes, starter: Starter, commands: bytes | None = None) -> None:
        """`commands` is the folder of our own, None if nothing is to run natively."""
        self._program = program
        self._starter = starter
        self._controls = Readable()
        self._most_fd = descriptors.limit() - SPARE_DESCRIPTORS
        self._by_control: dict[int, Hosted] = {}
        self._by_pid: dict[int, Any] = {}
        """Our children: Hosted, LoggerProcess, Template, Watcher."""
        self._parked = Parked()
        self._ends = Readable()
        self._by_pidfd: dict[int, Hosted] = {}
        self.boot = processes.boot()
        self._births = processes.Births()
        self._wakes: list[tuple[float, int, Hosted | Callable[[], None]]] = []
        self._wake_order = itertools.count()
        self._wake_sooner = trio.Event()
        self.loops = Loops()
        self.news: Callable[[], None] = _nobody
        self.handle = _handle
        """Gives an event to a machine. Who tells of all that happens (daemon/events.py) takes its place."""
        self.told: Callable[[str, Hosted, bytes], None] = _untold
        """Is told what happens beside the machines: its name, to whom, and why."""
        self.end_all: Callable[[Hosted, int], None] | None = None
        """Ends everything for the sake of an essential service, which ended with that code."""
        self.script = b""
        """The one that this process was started as: beside it are the commands of our own."""
        self.services: Callable[[], Mapping[bytes, Hosted]] | None = None
        """Gives all services by their names, where one may wait for others."""
        self.needs: Needs | None = None
        """From the first one on that waits."""
        self._scans = False
        self.readiness: Readiness | None = None
        """From the first service on that has a file `ready`."""
        self.natives = Natives(starter, self._by_pid, self._ends, self._record_native, self.warn, commands)

    def begin_anew(self) -> None:
        """In a new run of trio: see Stopper."""
        self._wake_sooner = trio.Event()
        self.loops.begin_anew()

    def state(self) -> State:
        """What is handed over to the program that follows, beside the folders."""
        return {**self._starter.state(), **self.natives.state(), "parked": self._parked.state()}

    def recall(self, state: State) -> None:
        """Become what was handed over. Nothing is done about it before `take_over`."""
        self.natives.left.recall(state)
        if "parked" in state:
            self._parked.recall(state["parked"])

    def take_over(self, hosted: Hosted, left: Callable[[], None]) -> None:
        """Go on with a folder that was handed over: nothing is started, published or said. Raises OSError."""
        self._controls.add(hosted.control_fd)
        self._by_control[hosted.control_fd] = hosted
        hosted.left = left
        if hosted.native_id:
            self.natives.left.go_on(hosted)
        elif hosted.pidfd >= 0:
            self._ends.add(hosted.pidfd)
            self._by_pidfd[hosted.pidfd] = hosted
        elif hosted.service.pid:
            self._by_pid[hosted.service.pid] = hosted
        if hosted.asking is not None:
            self._readiness().take_over(hosted)
        elif hosted.noted == UNKNOWN_NOTE:
            hosted.noted = b""
            if hosted.service.pid:
                self._ask_again(hosted)
        if hosted.service.held:
            self._needs().add(hosted)
        if hosted.service.asked_mono_s is not None:
            self._wake_at(hosted.service.asked_mono_s, hosted)

    def host(self, place: Place, left: Callable[[], None], stdin_fd: int = 0, stdout_fd: int = 1) -> Hosted:
        """Supervise a folder from now on, starting it if it is normally up.

        `left` is called when supervising has ended. Raises hosted.Refused."""
        hosted = self.take(place, left, stdin_fd, stdout_fd)
        self.begin(hosted)
        return hosted

    def take(self, place: Place, left: Callable[[], None], stdin_fd: int = 0, stdout_fd: int = 1) -> Hosted:
        """The same, but nothing is started before `begin`."""
        hosted = Hosted(place, stdin_fd, stdout_fd)
        try:
            if hosted.control_fd > self._most_fd:
                raise OSError(errno.EMFILE, "the rest is for those that are supervised already")
            self._controls.add(hosted.control_fd)
            left_behind = adoption.look(hosted, self.boot, self.natives.left)
            if hosted.pidfd >= 0:
                self._ends.add(hosted.pidfd)
        except OSError as error:
            self.natives.leave(hosted)
            raise hosted.refused(b"unable to supervise ", b"", error) from error
        self._by_control[hosted.control_fd] = hosted
        if hosted.pidfd >= 0:
            self._by_pidfd[hosted.pidfd] = hosted
        elif left_behind is not None and left_behind.is_child:
            self._by_pid[left_behind.record.pid] = hosted
        held = self._is_to_wait(hosted)
        opened = machine.Opened(now(), held) if left_behind is None else left_behind.resumed(now(), held)
        self.tell(hosted, opened)
        try:
            hosted.open_ok(self._parked)
        except Refused:
            self.release(hosted)
            raise
        if not hosted.has_files:
            self.warn(because(b"unable to let svc control " + hosted.name, OSError(errno.EROFS, "supervise")))
        hosted.left = left
        return hosted

    def begin(self, hosted: Hosted) -> None:
        """Go on with what was taken: start it, if it is to be up."""
        pid = hosted.service.pid
        if pid and not self._holds(hosted):
            # It ended while there was nobody to see it.
            self.tell(hosted, machine.Exited(now(), None, self._is_essential(hosted)))
        elif pid:
            self._ask_again(hosted)
        self.tell(hosted, machine.Woke(now()))
        if hosted.service.held:
            self._needs().add(hosted)
        if hosted.record is None or hosted.record.boot != self.boot:
            # What is down, and how, is not to be found out again by the one after us.
            self._record(hosted, 0, 0, b"")

    def give_back(self, hosted: Hosted) -> None:
        """Supervise it no longer. It must not run, and nobody is told."""
        try:
            hosted.forget()
        except OSError as error:
            self.warn(because(b"unable to empty " + hosted.name + hosted.where + hosted.lock_name, error))
        self.release(hosted)

    def release(self, hosted: Hosted) -> None:
        """Leave it as it is, for the one who takes it next, and what runs running."""
        if hosted.asking is not None:
            self._readiness().ended(hosted)
        if self.needs is not None:
            self.needs.forget(hosted)
        if hosted.pidfd >= 0:
            self._ends.remove(hosted.pidfd)
            del self._by_pidfd[hosted.pidfd]
        if self._by_pid.get(hosted.service.pid) is hosted:
            del self._by_pid[hosted.service.pid]
        self.natives.leave(hosted)
        self._controls.remove(hosted.control_fd)
        del self._by_control[hosted.control_fd]
        try:
            self._parked.let_go(hosted.parked_ok)
        except OSError as error:
            self.warn(because(b"unable to close ok of " + hosted.name, error))
        hosted.close()
        self.news()

    def command(self, hosted: Hosted, letters: bytes) -> None:
        """The same as if `letters` had come through the control fifo, as a message of its own."""
        self.tell(hosted, machine.Command(now(), END + letters + END))

    def reap(self) -> int:
        """Take the exits of children that ended. Returns how many: until it is 0 there may be more."""
        # All are taken before anything is started: that may get the pid of one of them.
        ended, taken = reap(self._by_pid, REAPED_AT_ONCE)
        for child, code in ended:
            if isinstance(child, Hosted):
                self._tell_ends([(child, code)])
            elif isinstance(child, LoggerProcess | Template):
                self._tell_ends(self.natives.ended(child, code))
            else:
                self._readiness().watcher_ended(child)
        return taken

    def _tell_ends(self, ended: list[tuple[Hosted, int | None]]) -> None:
        for hosted, code in ended:
            self.tell(hosted, machine.Exited(now(), code, self._is_essential(hosted)))
        self.natives.settle()

    def _is_essential(self, hosted: Hosted) -> bool:
        return self.end_all is not None and folders.leads_somewhere(machine.ESSENTIAL, hosted.folder_fd)

    def _holds(self, hosted: Hosted) -> bool:
        """Whether its pid is that of its process, for certain."""
        is_child = self._by_pid.get(hosted.service.pid) is hosted
        return is_child or hosted.pidfd >= 0 or hosted.native is not None

    async def watch(self) -> None:
        """Hear of the ends of processes that are not our children, for ever. Nobody gives us their exit
        codes."""
        loop = self.loops.join(b"adopted", self._ends.nudge)
        while True:
            loop.turn()
            with trio.move_on_at(self.natives.left.look_again_mono_s):
                await trio.lowlevel.wait_readable(self._ends.fd)
            if unheard := self.natives.left.look_again():
                self._tell_ends(unheard)
            for pidfd in self._ends.ready():
                hosted = self._by_pidfd.pop(pidfd, None)
                if hosted is None:
                    self._tell_ends(self.natives.heard(pidfd))
                    continue
                self._ends.remove(pidfd)
                hosted.let_go()
                self.tell(hosted, machine.Exited(now(), None, self._is_essential(hosted)))

    def publish_late(self) -> None:
        """Try again to publish what could not be (a full disk may have room now), and what else waits for all
        folders to have been looked at."""
        self.natives.left.look_after()
        for hosted in [each for each in self._by_control.values() if each.unrecorded or each.unpublished]:
            if hosted.unrecorded and hosted.record is not None:
                self._write_record(hosted, hosted.record)
            if hosted.unpublished:
                self._try_to_publish(hosted, hosted.service.status(), hosted.service.word)
        if self.readiness is not None:
            self.readiness.note_late(self._by_control.values())

    def warn(self, message: bytes) -> None:
        say(self._program + b": warning: " + message)

    def tell(self, hosted: Hosted, event: machine.Event) -> None:
        """Give an event to a machine and do what it decides. Raises nothing."""
        events = deque([event])
        try:
            if isinstance(event, machine.Exited):
                if hosted.asking is not None:
                    self._readiness().ended(hosted)
                hosted.ended()
            while events:
                for action in self.handle(hosted, events.popleft()):
                    result = self._do(hosted, action)
                    if result is not None:
                        events.append(result)
            if hosted.asking is not None and not hosted.asking.has_begun:
                self._readiness().begin(hosted)
            if self.needs is not None and self.needs.concerns(hosted):
                self.needs.look(says_why=not self._scans)
        except Exception as error:
            self._surprised(hosted, error)

    def _surprised(self, hosted: Hosted, error: Exception) -> None:
        self.warn(b"unexpected " + repr(error).encode("utf-8", "replace") + b" in " + hosted.name)

    def _do(self, hosted: Hosted, action: machine.Action) -> machine.Event | None:
        match action:
            case machine.Publish(status, word):
                self._publish(hosted, status, word)
            case machine.Count():
                self._count(hosted, action)
            case machine.Signal(name, to_group):
                self._signal(hosted, name, to_group)
            case machine.Spawn():
                return self._spawn(hosted, action)
            case machine.Notify():
                self._notify(hosted, action)
            case machine.WakeAt(mono_s):
                self._wake_at(mono_s, hosted)
            case machine.Warn(doing, about):
                self.warn(doing + hosted.name + about)
            case machine.ReadTimeout():
                return _read_timeout(hosted)
            case machine.EndAll(code):
                assert self.end_all is not None
                self.end_all(hosted, code)
            case machine.Leave():
                self._leave(hosted)
        return None

    def _spawn(self, hosted: Hosted, spawn: machine.Spawn) -> machine.Event:
        script = spawn.scripts[-1]
        for earlier in spawn.scripts[:-1]:
            if folders.is_program(earlier, hosted.folder_fd):
                script = earlier
        if spawn.only_if_there and not _may_exist(script, hosted.folder_fd):
            return machine.NothingToRun(now())
        asking = self._ask(hosted, script)
        # What is to be heard of it is given to it alone.
        known = self.natives.plan(hosted, script) if asking is None else None
        since_ticks = processes.ticks_now() if self.boot else 0
        pid = self.natives.start(hosted, known) if isinstance(known, Run) else 0
        try:
            if not pid:
                # Should we be killed before it is known which process it is.
                self._record(hosted, 0, since_ticks, script)
                if asking is None or asking.more is None:
                    pid = self._execute(hosted, script, known if isinstance(known, Program) else None)
                else:
                    pid = self._start(hosted, script, hosted.stdin_fd, hosted.stdout_fd, more=asking.more)
                self._by_pid[pid] = hosted
                self._record_process(hosted, pid, script, since_ticks)
        except OSError as error:
            if asking is not None:
                self._readiness().drop(asking)
            self._record(hosted, 0, 0, b"")
            number = error.errno or errno.EINVAL
            return machine.StartFailed(now(), number, script, self._is_essential(hosted))
        if asking is not None:
            self._readiness().started(asking)
            hosted.asking = asking
        return machine.Started(
            now(),
            pid,
            script,
            has_stop=script in (machine.START, machine.RUN)
            and folders.is_program(machine.STOP, hosted.folder_fd),
            has_notify=script != machine.STOP and folders.is_program(machine.NOTIFY, hosted.folder_fd),
        )

    def _ask(self, hosted: Hosted, script: bytes) -> Asking | None:
        """What is asked of a process that is about to be started, to be called ready."""
        if script != machine.RUN or not folders.has(READY, hosted.folder_fd):
            return None
        return self._readiness().prepare(hosted)

    def _ask_again(self, hosted: Hosted) -> None:
        """The same of one that another supervise has started."""
        record = hosted.record
        if record is None or record.script != machine.RUN or not folders.has(READY, hosted.folder_fd):
            return
        try:
            self._readiness().adopt(hosted, record.start_ticks)
        except Exception as error:
            self._surprised(hosted, error)

    def _readiness(self) -> Readiness:
        if self.readiness is None:
            # Most have no such service.
            from svpy.daemon.readiness import Readiness

            self.readiness = Readiness(
                self._starter,
                self.script,
                self._controls,
                self._by_pid,
                self.warn,
                self._wake_at,
                self._became_ready,
            )
        return self.readiness

    def _became_ready(self, hosted: Hosted) -> None:
        self.told("ready", hosted, b"")
        if self.needs is not None and self.needs.concerns(hosted):
            self.needs.look(says_why=not self._scans)

    def _is_to_wait(self, hosted: Hosted) -> bool:
        return self.services is not None and not hosted.is_logger and folders.has(NEEDS, hosted.folder_fd)

    def _needs(self) -> Needs:
        if self.needs is None:
            # Most have no such service.
            from svpy.daemon.needs import Needs

            assert self.services is not None
            self.needs = Needs(self.services, self._release, self.warn, self.told)
        return self.needs

    def _release(self, hosted: Hosted) -> None:
        self.tell(hosted, machine.Released(now()))

    def begin_scan(self) -> None:
        """From now on services are found: why one waits for others is not known until all were."""
        self._scans = True

    def end_scan(self) -> None:
        """All that there are, are known. Those that wait may have been told to wait for others meanwhile."""
        self._scans = False
        if self.needs is not None:
            self.needs.read_again()
            self.needs.look(says_why=True)

    def _record_process(self, hosted: Hosted, pid: int, script: bytes, since_ticks: int) -> None:
        try:
            start_ticks = self._births.start_ticks(pid, since_ticks)
        except OSError:
            # Without it the pid is worth nothing. That something was started is recorded.
            return
        self._record(hosted, pid, start_ticks, script)

    def _record_native(self, hosted: Hosted, pid: int, start_ticks: int, held: tuple[int, int]) -> None:
        if start_ticks:
            self._record(hosted, pid, start_ticks, machine.RUN, held)

    def _record(
        self,
        hosted: Hosted,
        pid: int,
        start_ticks: int,
        script: bytes,
        held: tuple[int, int] | None = None,
    ) -> None:
        if self.boot is None:
            return
        leaving = hosted.stopping or hosted.service.leaving
        record = Record(self.boot, pid, start_ticks, script, _log_pipe(hosted), leaving, held)
        self._write_record(hosted, record)

    def _write_record(self, hosted: Hosted, record: Record) -> None:
        was_told = hosted.unrecorded
        try:
            hosted.write_record(record)
        except OSError as error:
            if not was_told:
                self.warn(because(b"unable to write " + hosted.name + hosted.where + hosted.lock_name, error))

    def _record_leaving(self, hosted: Hosted) -> None:
        leaving = hosted.stopping or hosted.service.leaving
        if leaving and hosted.record is not None and not hosted.record.leaving:
            self._write_record(hosted, replace(hosted.record, leaving=True))

    def _count(self, hosted: Hosted, count: machine.Count) -> None:
        """What cannot be noted now is noted with the next: nothing that is done depends on it."""
        try:
            hosted.write_exits(Exits(count.exits, count.code, count.pid, count.tai))
        except OSError:
            pass

    def _execute(self, hosted: Hosted, script: bytes, program: Program | None) -> int:
        """Returns the pid. Raises OSError."""
        if program is not None:
            try:
                return self._starter.execute(hosted.folder_fd, hosted.stdin_fd, hosted.stdout_fd, program)
            except (OSError, ValueError, MemoryError):
                pass  # sh may find another of that name, or has words for what is wrong.
        return self._start(hosted, script, hosted.stdin_fd, hosted.stdout_fd)

    def _start(
        self,
        hosted: Hosted,
        script: bytes,
        stdin_fd: int,
        stdout_fd: int,
        words: tuple[bytes, ...] = (),
        more: More | None = None,
    ) -> int:
        """Returns the pid. Raises OSError."""
        try:
            return self._starter.start(hosted.folder_fd, stdin_fd, stdout_fd, script, words, more)
        except ValueError as error:
            # What posix_spawn and setrlimit refuse before they ask the kernel.
            raise OSError(errno.EINVAL, "refused") from error
        except MemoryError as error:
            raise OSError(errno.ENOMEM, "out of memory") from error

    def _notify(self, hosted: Hosted, notify: machine.Notify) -> None:
        """Its stdin is never a log pipe, from which it could take lines; its stdout is one only where the
        service's is the logger's in `log/`, as daemontools-encore has it. It is reaped like any other
        child that is nobody's."""
        shares_folder = hosted.logger is not None or hosted.scripts is machine.LOG_FILE
        stdout_fd = 1 if shares_folder else hosted.stdout_fd
        words = (notify.script, notify.notice, b"%d" % notify.pid, b"%d" % notify.number)
        try:
            self._start(hosted, machine.NOTIFY, 0, stdout_fd, words)
        except OSError as error:
            self.warn(because(b"unable to start " + hosted.name + b"/notify", error))

    def _signal(self, hosted: Hosted, name: str, to_group: bool) -> None:
        if not self._holds(hosted):
            return
        try:
            if hosted.native is not None:
                # It leads no group: one that does has a process of its own.
                self.natives.signal(hosted, name)
            else:
                _send(hosted, name, to_group)
        except OSError as error:
            self.warn(because(b"unable to send " + name.encode() + b" to " + hosted.name, error))

    def tell_services_to_end(self) -> None:
        """Without their machines: loggers end when nobody can write to them any more."""
        for hosted in self._by_control.values():
            if hosted.service.pid and not hosted.is_logger:
                self._signal(hosted, "TERM", to_group=False)
                self._signal(hosted, "CONT", to_group=False)

    def _publish(self, hosted: Hosted, status: bytes, word: bytes) -> None:
        self.news()
        self._record_leaving(hosted)
        trouble = self._try_to_publish(hosted, status, word)
        if trouble is not None:
            self.warn(because(trouble.what + hosted.name + hosted.where + trouble.name, trouble.error))

    def _try_to_publish(self, hosted: Hosted, status: bytes, word: bytes) -> folders.NotPublished | None:
        trouble = None
        if not hosted.has_files:
            return None
        # One that is over is taken back: what follows it may have the same 18 bytes.
        if word or hosted.has_word:
            trouble = _not_replaced(hosted, hosted.state_name, encode_state(status, word))
            hosted.has_word = bool(word) or trouble is not None
        # Most letters change nothing, `svc -u` of what is up, and a file of its own costs a file system more
        # than all else that a letter does.
        name = hosted.status_name
        if status != hosted.published or not folders.is_file(name, hosted.files_fd, len(status)):
            behind = _not_replaced(hosted, name, status)
            hosted.published = b"" if behind else status
            trouble = behind or trouble
        hosted.unpublished = trouble is not None
        return trouble

    def _leave(self, hosted: Hosted) -> None:
        """With a logger in its folder it keeps the lock and the fifo, for `svc -L`, until that has left
        too: the logger's owner gives it back then."""
        if hosted.logger is None:
            self.give_back(hosted)
        hosted.left()

    def _wake_at(self, mono_s: float, hosted: Hosted | Callable[[], None]) -> None:
        if not self._wakes or mono_s < self._wakes[0][0]:
            self._wake_sooner.set()
        heapq.heappush(self._wakes, (mono_s, next(self._wake_order), hosted))

    async def obey(self) -> None:
        """Read control fifos, for ever."""
        loop = self.loops.join(b"control", self._controls.nudge)
        while True:
            loop.turn()
            await trio.lowlevel.wait_readable(self._controls.fd)
            for fd in self._controls.ready():
                hosted = self._by_control.get(fd)
                if hosted is not None:
                    try:
                        self._read_control(hosted)
                    except OSError as error:
                        self._surprised(hosted, error)
                elif self.readiness is not None:
                    self.readiness.heard(fd)

    def _read_control(self, hosted: Hosted) -> None:
        """The last byte is left in the fifo until those before it took effect and are published:
        svc ends what it writes with a byte that means nothing, and when the fifo is empty it knows."""
        fd = hosted.control_fd
        waiting = min(descriptors.waiting_bytes(fd), CONTROL_READ_BYTES)
        if waiting > 1:
            self._hand_on(hosted, folders.read_letters(fd, waiting - 1))
        # An `x` may just have closed it.
        if self._by_control.get(fd) is hosted:
            letters = folders.read_letters(fd, 1)
            if waiting < CONTROL_READ_BYTES:
                # It was all there was, and what is written at once comes at once.
                letters += END
            self._hand_on(hosted, letters)

    def _hand_on(self, hosted: Hosted, letters: bytes) -> None:
        """To the service, and to the logger that shares its folder what is addressed to it."""
        for_service, for_logger = hosted.addressing.split(letters)
        if hosted.logger is not None:
            self.tell(hosted.logger, machine.Command(now(), for_logger))
        self.tell(hosted, machine.Command(now(), for_service))

    async def wake(self) -> None:
        """Tell machines that the moment they wait for has come, for ever."""
        loop = self.loops.join(b"clock", lambda: self._wake_sooner.set())
        while True:
            loop.turn()
            self._wake_sooner = trio.Event()
            with trio.move_on_at(self._wakes[0][0] if self._wakes else math.inf):
                await self._wake_sooner.wait()
            while self._wakes and self._wakes[0][0] <= trio.current_time():
                _, _, woken = heapq.heappop(self._wakes)
                if isinstance(woken, Hosted):
                    self.tell(woken, machine.Woke(now()))
                else:
                    woken()


def _nobody() -> None:
    """Stands where no one wants to know."""


def _untold(name: str, hosted: Hosted, why: bytes) -> None:
    """The same of what happens beside the machines."""


def _handle(hosted: Hosted, event: machine.Event) -> list[machine.Action]:
    return hosted.service.handle(event)


def _send(hosted: Hosted, name: str, to_group: bool) -> None:
    """Raises OSError."""
    pid = hosted.service.pid
    if hosted.pidfd >= 0 and to_group:
        signals.send_to_group_through(hosted.pidfd, pid, name)
    elif hosted.pidfd >= 0:
        signals.send_through(hosted.pidfd, name)
    elif to_group:
        signals.send_to_group(pid, name)
    else:
        signals.send(pid, name)


def _log_pipe(hosted: Hosted) -> tuple[int, int]:
    """The log pipe that it is started with."""
    for fd, standard in ((hosted.stdin_fd, 0), (hosted.stdout_fd, 1)):
        if fd != standard:
            try:
                return descriptors.pipe_identity(fd)
            except OSError:
                pass
    return NO_PIPE


def _not_replaced(hosted: Hosted, name: bytes, data: bytes) -> folders.NotPublished | None:
    """Replace one of its files. Returns what kept us from it."""
    try:
        folders.replace(name, data, hosted.files_fd)
    except folders.NotPublished as not_published:
        return not_published
    return None


def _read_timeout(hosted: Hosted) -> machine.TimeoutRead | None:
    try:
        return machine.TimeoutRead(now(), folders.read_line(machine.STOP_TIMEOUT, hosted.folder_fd))
    except FileNotFoundError:
        return None
    except OSError as error:
        return machine.TimeoutRead(now(), b"", error.errno or errno.EINVAL)


def _may_exist(name: bytes, folder_fd: int) -> bool:
    try:
        return folders.exists(name, folder_fd)
    except OSError:
        return True


def now() -> machine.Instant:
    return machine.Instant(trio.current_time(), tai_now())
