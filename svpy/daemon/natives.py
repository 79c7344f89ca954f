"""Loggers that are known in advance, and run without being executed: many of them in one process.

Rules of this module:

- decided afresh at each start, from what is there then: only a log/run that is understood (core/nativerun.py)
  and all of whose words lead to svpy's own commands; everything else, and whatever goes wrong here, is
  executed as always;
- a process is forked by the template (native/template.py). That is never waited for longer than a moment, a
  process that does not read not at all;
- loggers share a process if the same words, read by the same commands, under the same accounts, led to it.
  An account that does not stand in /etc/passwd may be another tomorrow without our seeing that. What a
  process is told and what it reports stands in core/nativewire.py. A logger with a process of its own is to
  svscan as any that was executed;
- before a logger is given to a process, its record says so: whoever comes after us finds it there or nowhere;
- a process that is not ours any more to give loggers to (svscan was replaced, or died) is told signals, and
  heard, until its last logger has ended;
- what a process reports is read by one (core/nativewire.py): who began it, or who comes first after that
  one's death. Others that took over some of its loggers, a supervise or a second svscan, look once a second
  which of them are still there;
- a process without loggers is let go at once.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import trio

from svpy import __version__
from svpy.core import nativerun, nativewire, templatewire
from svpy.core.environment import candidates
from svpy.core.errors import FAILED, error_text
from svpy.core.handover import WITH_NATIVES, State, memory, recall
from svpy.core.record import Record
from svpy.core.service import RUN, SERVICE_FOLDER
from svpy.core.templatewire import Forked, Wanted
from svpy.daemon.hosted import Hosted
from svpy.system import descriptors, execplan, folders, identity, processes, shellenv, signals
from svpy.system.children import Starter
from svpy.system.passing import Channel, channels
from svpy.system.tell import because
from svpy.system.waiting import Readable, is_readable

ANSWER_S = 1.0
"""What a template may take to answer. One that has been stopped is found out sooner."""

BEGIN_S = 5.0
"""The same for its first answer: it imports what it needs, on a machine that may be starting up."""

LOOK_S = 0.1
"""After that it is looked at whether it was stopped."""

TRY_AGAIN_S = 60.0
"""After a template that did not do its work, everything is executed for so long."""

END_S = 1.0
"""How long what is not needed any more has to end when svscan does."""

FDS_FOR_ONE = 6
FDS_FOR_ITSELF = 64
"""Of a process' hard limit: what each logger may take with one folder and one status file, and a reserve."""

END_LOOK_S = 0.005
REPORTS_AT_ONCE = 256

ELSEWHERE_S = 60.0
"""How long loggers whose chain leads elsewhere are executed without asking again."""

LOOK_AT_UNHEARD_S = 1.0
"""How often it is looked at which loggers still run in a process that somebody else hears."""

_ACCOUNTS = "/etc/passwd"
_REACHES_STOPPED = ("KILL", "CONT")


class Template:
    """The running one."""

    __slots__ = ("channel", "has_answered", "pid")

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel
        self.has_answered = False

    def ask(self, wanted: Wanted, fds: list[int]) -> Forked:
        """Raises OSError (ETIMEDOUT; ConnectionError: it has ended)."""
        self.channel.send(templatewire.encode(wanted), fds)
        if not is_readable(self.channel.fd, LOOK_S):
            longest_s = ANSWER_S if self.has_answered else BEGIN_S
            if processes.is_stopped(self.pid) or not is_readable(self.channel.fd, longest_s - LOOK_S):
                raise TimeoutError(errno.ETIMEDOUT, "the template does not answer")
        said = self.channel.receive()[0]
        if not said:
            raise ConnectionResetError(errno.ECONNRESET, "the template has ended")
        self.has_answered = True
        return templatewire.decode_answer(said)

    def end(self) -> None:
        """It need not do anything any more, and is not our child only when it was reaped."""
        self.channel.close()
        signals.send(self.pid, "KILL")


class LoggerProcess:
    """A process that hosts loggers, by the id of each (core/nativewire.py).

    `key` is what they share, `channel` is there as long as it takes more of them. `orders_fd` and
    `reports_fd` are our ends of its pipes, -1 where they could not be had; `held` are the numbers it holds
    them under. `pidfd` is that of a process that is not our child, else -1. Of one that was left behind,
    `pipes` says which log pipes it had, and under which number; `ended` is what it has reported of loggers
    that nobody has taken yet. It is not heard where somebody else reads what it reports."""

    __slots__ = (
        "channel",
        "ended",
        "held",
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
        self.key: object = None
        self.channel: Channel | None = None
        self.orders_fd = self.reports_fd = self.pidfd = -1
        self.loggers: dict[int, Hosted] = {}
        self.pipes: dict[int, int] = {}
        self.ended: dict[int, int] = {}

    def tell(self, name: int, number: int) -> None:
        """Have a logger take a signal as if it were a process. Raises OSError (EAGAIN: it does not read)."""
        if self.channel is not None:
            self.channel.send(nativewire.signal(name, number))
        elif self.orders_fd >= 0:
            os.write(self.orders_fd, nativewire.record(name, number))

    def send(self, name: str) -> None:
        """A signal to the process itself. Raises OSError."""
        if self.pidfd >= 0:
            signals.send_through(self.pidfd, name)
        else:
            signals.send(self.pid, name)

    def still_has(self, name: int) -> bool:
        """Whether a logger runs in it, as far as can be seen from outside."""
        return processes.has_pipe(self.pid, self.pipes.get(name, 0), name)

    def takes_no_more(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class Run:
    """How a script is to be run natively: `key` is what those that may share its process have in common."""

    __slots__ = ("key", "wanted")

    def __init__(self, wanted: Wanted, key: object) -> None:
        self.wanted = wanted
        self.key = key


class Natives:
    """All that run natively, and what is needed for it.

    `children` is svscan's table of its children, `ends` what it hears of ends through. `commands` is the
    folder of our own commands, None if nothing is to be begun natively. `record` notes who runs a logger,
    before that is told to."""

    def __init__(
        self,
        starter: Starter,
        children: dict[int, Any],
        ends: Readable,
        record: Callable[[Hosted, LoggerProcess], None],
        warn: Callable[[bytes], None],
        commands: bytes | None = None,
    ) -> None:
        self._starter = starter
        self._children = children
        self._ends = ends
        self._record = record
        self._warn = warn
        self._commands = commands
        self._template: Template | None = None
        self._open: dict[object, list[LoggerProcess]] = {}
        self._by_fd: dict[int, LoggerProcess] = {}
        self._left_behind: dict[tuple[int, int], LoggerProcess] = {}
        self._not_before = float("-inf")
        self._elsewhere: dict[object, float] = {}
        self._most = max(0, (descriptors.hard_limit() - FDS_FOR_ITSELF) // FDS_FOR_ONE)
        self._accounts: tuple[tuple[int, int, int], dict[bytes, bool]] = ((0, 0, 0), {})
        self._mute: list[LoggerProcess] = []
        self._unheard: list[LoggerProcess] = []
        self.look_again_mono_s = math.inf
        """When to call `look_at_unheard`."""
        self._said = b""
        self._shell: shellenv.Shell | None = None

    def start(self, hosted: Hosted, script: bytes) -> int:
        """Start it natively. Returns the pid, 0 if it is to be executed."""
        run = self._run(hosted, script)
        if run is None:
            return 0
        try:
            pid = self._join(hosted, run) if run.wanted.is_shared else self._alone(hosted, run)
        except OSError as error:
            self._complain(error_text(error.errno))
            return 0
        self._said = b""
        return pid

    def _complain(self, why: bytes) -> None:
        """Once, until it is possible again."""
        message = b"unable to run loggers natively: " + why + b"; they are executed"
        if message != self._said:
            self._said = message
            self._warn(message)

    def _run(self, hosted: Hosted, script: bytes) -> Run | None:
        """What is known of its script, None if it is to be executed."""
        if self._commands is None or script != RUN or trio.current_time() < self._not_before:
            return None
        if (
            not hosted.is_logger
            or hosted.scripts != SERVICE_FOLDER
            or not hosted.stdin_fd
            or hosted.stdout_fd != 1
        ):
            return None
        text = folders.read_program(script, hosted.folder_fd, nativerun.MOST_BYTES)
        literal = None if text is None else nativerun.understood(text)
        chain = None if literal is None else nativerun.chain(literal.words)
        environ = None if chain is None else self._environ_of(hosted.folder_fd)
        if literal is None or chain is None or environ is None:
            return None
        path = nativerun.search_path(environ)
        own = None if path is None else _own(chain.programs, self._commands, path)
        if own is None or (literal.merges_stderr and not os.get_inheritable(1)):
            return None
        key = (chain.account, _identity(_ACCOUNTS), literal.merges_stderr, own)
        if self._elsewhere.get(key, 0.0) > trio.current_time():
            return None
        is_shared = chain.is_shared and (chain.account is None or self._is_known(chain.account, key[1]))
        wanted = Wanted(
            chain.loaders, chain.programs[-1], chain.script, environ, literal.merges_stderr, is_shared
        )
        return Run(wanted, key)

    def _is_known(self, account: bytes, which: tuple[int, int, int]) -> bool:
        """Whether an account stands in the file of accounts, asked once of each such file."""
        if self._accounts[0] != which:
            self._accounts = which, {}
        known = self._accounts[1]
        if account not in known:
            known[account] = identity.stands_in(_ACCOUNTS, account)
        return known[account]

    def _join(self, hosted: Hosted, run: Run) -> int:
        """Give it to a process that takes such loggers. Returns the pid; raises OSError."""
        name = descriptors.pipe_identity(hosted.stdin_fd)[1]
        for process in self._open.get(run.key, [])[:]:
            has_room = len(process.loggers) < self._most and name not in process.loggers
            if has_room and not processes.is_stopped(process.pid):
                try:
                    return self._add(hosted, run, process, name)
                except OSError:
                    # It has ended, or does not read.
                    self._close(process)
        process = self._new(run, hosted)
        try:
            return self._add(hosted, run, process, name)
        except OSError:
            self._close(process)
            raise

    def _add(self, hosted: Hosted, run: Run, process: LoggerProcess, name: int) -> int:
        """Raises OSError."""
        assert process.channel is not None
        folder_fd = folders.open_to_read(hosted.folder_fd)
        try:
            self._record(hosted, process)
            added = nativewire.add(name, list(run.wanted.script), run.wanted.environ)
            process.channel.send(added, (hosted.stdin_fd, folder_fd))
        finally:
            folders.close(folder_fd)
        process.loggers[name] = hosted
        hosted.native = process
        hosted.native_id = name
        return process.pid

    def _environ_of(self, folder_fd: int) -> list[bytes] | None:
        """What sh would leave of the environment there, None if that is not certain."""
        try:
            which = shellenv.identity()
        except OSError:
            return None
        if self._shell is None or self._shell.identity != which:
            self._shell = shellenv.learn(self._starter.environ)
            if self._shell is None:
                self._not_before = trio.current_time() + TRY_AGAIN_S
                self._complain(b"what /bin/sh makes of the environment is not known")
                return None
        return self._shell.environment(folder_fd)

    def _alone(self, hosted: Hosted, run: Run) -> int:
        """Raises OSError."""
        pid = self._ask(run.wanted, [hosted.stdin_fd, hosted.folder_fd]).pid
        self._children[pid] = hosted
        return pid

    def _new(self, run: Run, hosted: Hosted) -> LoggerProcess:
        """A process for loggers of that key. Raises OSError."""
        ours, theirs = channels()
        fds: list[int] = []
        try:
            for _ in range(2):
                fds += descriptors.pipe_that_does_not_block()
            forked = self._ask(run.wanted, [hosted.stdin_fd, hosted.folder_fd, theirs.fd, *fds])
        except OSError:
            ours.close()
            for fd in fds:
                os.close(fd)
            raise
        finally:
            theirs.close()
        orders_read_fd, orders_fd, reports_fd, reports_write_fd = fds
        os.close(orders_read_fd)
        os.close(reports_write_fd)
        reports_fd = descriptors.claimed(reports_fd)
        process = LoggerProcess(forked.pid, _start_ticks(forked.pid), (forked.orders_fd, forked.reports_fd))
        process.channel, process.key = ours, run.key
        process.orders_fd, process.reports_fd = orders_fd, reports_fd
        self._children[forked.pid] = process
        self._open.setdefault(run.key, []).append(process)
        try:
            self._hear(reports_fd, process)
        except OSError:
            self._close(process)
            raise
        return process

    def _ask(self, wanted: Wanted, fds: list[int]) -> Forked:
        """Raises OSError."""
        for attempt in range(2):
            template = self._template or self._begin()
            try:
                forked = template.ask(wanted, fds)
                break
            except OSError as error:
                if error.errno in (errno.EMSGSIZE, errno.ETOOMANYREFS):
                    raise
                self._give_up(template)
                # One that had ended meanwhile has done no wrong.
                if attempt or not template.has_answered or not isinstance(error, ConnectionError):
                    self._not_before = trio.current_time() + TRY_AGAIN_S
                    raise
        if not forked.pid:
            raise OSError(forked.errno, "not forked")
        return forked

    def _begin(self) -> Template:
        """Raises OSError."""
        assert self._commands is not None
        ours, theirs = channels()
        try:
            argv = [self._commands + b"/svpy", templatewire.COMMAND, b"%d" % theirs.fd]
            pid = self._starter.start_program(
                [*argv, __version__.encode(), templatewire.ROOM_FOR_TITLES], theirs.fd
            )
        except OSError:
            ours.close()
            self._not_before = trio.current_time() + TRY_AGAIN_S
            raise
        finally:
            theirs.close()
        self._template = self._children[pid] = Template(pid, ours)
        return self._template

    def _give_up(self, template: Template) -> None:
        if self._template is template:
            self._template = None
            template.end()

    def _hear(self, fd: int, process: LoggerProcess) -> None:
        """Of its reports, or of its end. Raises OSError."""
        self._ends.add(fd)
        self._by_fd[fd] = process

    def _hear_no_more(self, fd: int) -> None:
        if self._by_fd.pop(fd, None) is not None:
            self._ends.remove(fd)

    def heard(self, fd: int) -> list[tuple[Hosted, int | None]]:
        """Who has ended, and how (service.Exited), when one of our descriptors can be read."""
        process = self._by_fd.get(fd)
        if process is None:
            return []
        if fd == process.pidfd:
            return self.ended(process, None)
        return [*self._reported(process)]

    def _reported(self, process: LoggerProcess) -> Iterator[tuple[Hosted, int | None]]:
        """Those whose end it has reported."""
        while data := self._read(process):
            for name, status in nativewire.records(data):
                hosted = process.loggers.pop(name, None)
                if hosted is None:
                    process.ended[name] = status
                else:
                    hosted.native, hosted.native_id = None, 0
                    yield hosted, processes.exit_code(status)

    def _read(self, process: LoggerProcess) -> bytes:
        """What there is now. At its end nothing more will come."""
        if process.reports_fd < 0:
            return b""
        data = descriptors.read_now(process.reports_fd, REPORTS_AT_ONCE * nativewire.RECORD_BYTES)
        if data == b"":
            self._hear_no_more(process.reports_fd)
        return data or b""

    def ended(self, child: LoggerProcess | Template, code: int | None) -> list[tuple[Hosted, int | None]]:
        """A process has ended, with that code: so have all that were in it, some of them before it did."""
        if isinstance(child, Template):
            if self._template is child:
                self._template = None
            child.channel.close()
            return []
        gone = [*self._reported(child)]
        if code == templatewire.ELSEWHERE:
            self._elsewhere = {child.key: trio.current_time() + ELSEWHERE_S}
            code = FAILED
        for hosted in child.loggers.values():
            hosted.native, hosted.native_id = None, 0
            gone.append((hosted, code))
        child.loggers.clear()
        self._let_go(child)
        return gone

    def _let_go(self, process: LoggerProcess) -> None:
        """Of a process that has ended."""
        self._close(process)
        self._left_behind.pop((process.pid, process.start_ticks), None)
        if process in self._unheard:
            self._unheard.remove(process)
        for fd in (process.reports_fd, process.orders_fd, process.pidfd):
            if fd >= 0:
                self._hear_no_more(fd)
                os.close(fd)
        process.reports_fd = process.orders_fd = process.pidfd = -1

    def _close(self, process: LoggerProcess) -> None:
        """It takes no more loggers, and ends when it has none."""
        process.takes_no_more()
        of_its_kind = self._open.get(process.key, [])
        if process in of_its_kind:
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
            hosted.native.loggers.pop(hosted.native_id, None)
            hosted.native, hosted.native_id = None, 0
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

    def adopt(self, hosted: Hosted, record: Record) -> bool:
        """What a svscan before us left of a logger: whether it still runs in the process of its record.
        Raises OSError."""
        assert record.held is not None
        process = self._known(record) or self._find(record)
        name = record.pipe[1]
        if process is None:
            return False
        is_there = name in process.pipes if process not in self._unheard else process.still_has(name)
        if process.orders_fd >= 0 and (not is_there or name in process.ended):
            process.ended.pop(name, None)
            return False
        process.loggers[name] = hosted
        hosted.native, hosted.native_id = process, name
        return True

    def _known(self, record: Record) -> LoggerProcess | None:
        """The process of a record, if it was begun or found by us."""
        process = self._left_behind.get((record.pid, record.start_ticks))
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
            self._hear(pidfd, process)
        self._left_behind[record.pid, record.start_ticks] = process
        try:
            process.orders_fd, process.reports_fd = processes.open_pipes(record.pid, record.held)
            # First who reads reports, then which loggers there are: none ends in between.
            if not descriptors.claim(process.reports_fd):
                folders.close(process.reports_fd)
                process.reports_fd = -1
                self._look_at(process)
            process.pipes = processes.pipes(record.pid)
            if process.reports_fd >= 0:
                self._hear(process.reports_fd, process)
        except OSError:
            # Nobody hears its reports, nor can tell it anything: see `look_after`.
            self._mute.append(process)
        return process

    def _look_at(self, process: LoggerProcess) -> None:
        """Somebody else hears it. Raises OSError."""
        self._unheard.append(process)
        # At once: there may be no clock yet (`take_over`).
        self.look_again_mono_s = -math.inf
        self._ends.nudge()

    def look_at_unheard(self) -> list[tuple[Hosted, int | None]]:
        """Whose end somebody else has heard: they are no longer where they were."""
        now_mono_s = trio.current_time()
        if now_mono_s < self.look_again_mono_s:
            return []
        gone: list[tuple[Hosted, int | None]] = []
        for process in self._unheard:
            for name in [name for name in process.loggers if not process.still_has(name)]:
                hosted = process.loggers.pop(name)
                hosted.native, hosted.native_id = None, 0
                gone.append((hosted, None))
        self.look_again_mono_s = now_mono_s + LOOK_AT_UNHEARD_S if self._unheard else math.inf
        return gone

    def look_after(self) -> None:
        """From time to time, when all that can be was adopted: until somebody else holds their log pipes, who
        hosts loggers must read them. Then those whose process is out of reach are begun again elsewhere."""
        mute, self._mute = self._mute, []
        for process in mute:
            try:
                process.send("TERM")
            except OSError as error:
                self._warn(because(b"unable to end loggers (pid %d)" % process.pid, error))

    def pipe_number(self, hosted: Hosted) -> int:
        """The number under which the process of an adopted logger had its log pipe."""
        return 0 if hosted.native is None else hosted.native.pipes.get(hosted.native_id, 0)

    def _all(self) -> set[LoggerProcess]:
        """Every process of loggers."""
        children = [child for child in self._children.values() if isinstance(child, LoggerProcess)]
        return {*self._left_behind.values(), *children}

    def state(self) -> State:
        """What is handed over of them. A program that follows gives them no more loggers; one that knows
        nothing of them must not follow."""
        all_of_them = [
            {
                **memory(process, ("channel", "ended", "key", "loggers", "pipes")),
                "ended": [*process.ended.items()],
            }
            for process in self._all()
        ]
        return {"format": WITH_NATIVES, "natives": all_of_them} if all_of_them else {}

    def recall(self, state: State) -> None:
        """Become what was handed over. Nothing is done about it before `take_over`."""
        for each in state.get("natives", []):
            orders, reports = each["held"]
            process = LoggerProcess(each["pid"], each["start_ticks"], (orders, reports))
            recall(process, each, ("ended", "held"))
            process.ended = dict(each["ended"])
            self._left_behind[process.pid, process.start_ticks] = process

    def take_over(self) -> None:
        """Raises OSError."""
        for process in self._left_behind.values():
            if process.pidfd >= 0:
                self._hear(process.pidfd, process)
            else:
                self._children[process.pid] = process
            if process.reports_fd >= 0:
                self._hear(process.reports_fd, process)
            elif process.orders_fd >= 0:
                process.pipes = processes.pipes(process.pid)
                self._look_at(process)

    def go_on(self, hosted: Hosted) -> None:
        """With a logger that was handed over."""
        for process in self._left_behind.values():
            if process.pid == hosted.service.pid:
                process.loggers[hosted.native_id] = hosted
                hosted.native = process

    async def end(self) -> None:
        """Let everything go that nobody needs any more, and wait until it is gone, which does not take long.
        What hosts loggers that could not be stopped stays."""
        if self._template is not None:
            self._template.channel.close()
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


def _own(programs: tuple[bytes, ...], commands: bytes, path: bytes) -> tuple[object, ...] | None:
    """What tells the commands that these words lead to from any other, None if one of them is not ours."""
    own = execplan.own_commands(programs, commands)
    for program in programs:
        name = program[program.rfind(b"/") + 1 :]
        # From where a relative path leads is not looked at here.
        if not all(candidate.startswith(b"/") for candidate in candidates(program, path)):
            return None
        if name not in own or not execplan.leads_to(own[name], program, path):
            return None
    return tuple(sorted(own.items()))


def _identity(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _start_ticks(pid: int) -> int:
    """0 where that cannot be known: then nothing is recorded."""
    try:
        return processes.look(pid).start_ticks
    except OSError:
        return 0
