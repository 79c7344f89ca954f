"""The supervise machine: everything that is decided about one service or logger.

Rules of this module (daemontools' supervise.c, where it does not say otherwise):

- a service is started at most once a second, counted on the monotonic clock from its last start;
  letters are obeyed meanwhile (C sleeps through that second);
- one that exits is started again if `u` is wanted, not if `d` or once (`o`) is;
- a run that cannot be executed costs one warning an attempt; a start that fails for want of processes
  or memory is tried again after a minute (C sleeps through it, then waits for the next `u`);
- `x` leaves when the service is down and no start is due (`ox`: once, then leave);
- letters are obeyed one after the other, those behind one that starts the service (`up`: up, then
  pause) when it has been started;
- the status is published when the pid or the state changes, once for letters that came together;
- signals go to the pid, or behind `+` to the process group, until `=` or the end of a message.

What neither daemontools has, for those who ask for it with a file in the folder:

- `stop-timeout`: seconds, read when a process is told to end (`d`; a logger, when its input has been given
  its end) and when `stop` has been started; one that still runs after them is sent KILL, once. `u` and `o`
  call it off, but not for `stop`, whose end they wait for;
- `essential`: when the service ends by itself, everything is to end with its code. Not by itself: it was told
  to end, by `d t k i` or `q`, since its start. What runs to its end because of `o` ends by itself, a `start`
  that fails has ended by itself, one that exits 0 or a `stop` has not;
- `needs`: who took it up says that its first start waits for others (`held`), and when it waits no longer.
  `u` and `o` start it at once, `d` and `x` are obeyed at once; what is started once waits never again;
- when time is up for everything, what runs is sent KILL, with its group if it leads one, and nothing more is
  started.

Of daemontools-encore's supervise.c, for folders that have these scripts:

- `start` runs before the first `run`, and before the next one after the service has come to rest;
  `run` follows at once when it exits 0; otherwise the service has failed: it is down and stays so;
- without a `run`, a `start` that exited 0 is all there is: the service has started;
- `run` exiting 100 has failed too, unless it was told to go down anyway;
- `stop` runs once when the service comes to rest because `d` or once was wanted, and on `d` to one that has
  failed or started; `d` does not TERM it, and `u` or `o` meanwhile wait for its end;
- `notify` is told of every process that starts or ends; nobody waits for it.

Encore looks for `stop` and `notify` when it needs them; here the one who starts `start` or `run` looks and
says so with Started, which leaves everything that has to do with them out of the life of a service without.
Encore runs no `start` before the `run` of an `o`, or of a `u` behind one, and for `d` during `stop` kills and
repeats it; neither was taken over.

Of `run`, and of a `start` that failed, it is counted how often it has ended (core/exits.py), since boot.

What a supervise left that died (Resumed) goes on as it was; of a process whose end nobody saw, or is told by
nobody, the exit code is unknown: that is no 100, and a `start` is begun again.

The machine decides and returns what is to be done; it does nothing. A logger is a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import EAGAIN, ENOMEM
from math import inf

from svpy.core.control import BY_BYTE, END, Letter
from svpy.core.errors import FAILED as FAILED_CODE
from svpy.core.errors import error_text
from svpy.core.exits import MOST_EXITS, Exits
from svpy.core.numbers import seconds
from svpy.core.status import DOWN, FAILED, ONCE, STARTED, STARTING, STOPPING, UP, Status, encode

START_INTERVAL_S = 1.0
FORK_RETRY_S = 60.0
FAILED_FOR_GOOD = 100
"""The exit code of a run that is not to be started again."""

START = b"start"
RUN = b"run"
STOP = b"stop"
LOG = b"log"
NOTIFY = b"notify"
STOP_TIMEOUT = b"stop-timeout"
ESSENTIAL = b"essential"

KILLING = b"killing "
"""What Warn says it is about when a process did not end in its time."""

_ENDING = {"TERM", "KILL", "INT", "QUIT"}
"""Signals that end a process: who sends one has told it to end."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """What is started: the first there is of `first` when a service was at rest, then always `main`."""

    first: tuple[bytes, ...]
    main: bytes


SERVICE_FOLDER = Scripts((START, RUN), RUN)
LOG_FILE = Scripts((LOG,), LOG)
"""A logger that is an executable file in its service's folder."""


_WORD_OF = {START: STARTING, STOP: STOPPING}
"""The status' word while one of these runs."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: `mono_s` measures, `tai` (12 packed bytes of TAI64N) is shown."""

    mono_s: float
    tai: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The folder is locked and its control fifo is open. `held`: its first start waits for others."""

    at: Instant
    held: bool = False


@dataclass(frozen=True, slots=True)
class Resumed:
    """As Opened, but the supervise before this one died and left a record: the process `pid` (0: none)
    that it started as `script` at `started`. `running`: it still is that process. `status` is what was
    published last, None if that can't be read, `word` what the state file has for it; `leaving`: it was
    about to be left, and what was wanted meanwhile is over. `has_stop` and `has_notify` are as in Started,
    `exits` is what was counted last, `held` as in Opened: of what was never started that still holds."""

    at: Instant
    pid: int
    script: bytes
    started: Instant
    running: bool
    status: Status | None = None
    word: bytes = b""
    leaving: bool = False
    has_stop: bool = False
    has_notify: bool = False
    exits: Exits | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """What it waited for is ready."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Woke:
    """A moment asked for with WakeAt has come, or it is worth looking again."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Started:
    """`script` is the one of those asked for that was there. `has_stop` and `has_notify` say whether the
    folder has these; of a `stop` that was started they say nothing."""

    at: Instant
    pid: int
    script: bytes = RUN
    has_stop: bool = False
    has_notify: bool = False


@dataclass(frozen=True, slots=True)
class StartFailed:
    """`script` was not started: `errno` says why. `essential` as in Exited."""

    at: Instant
    errno: int
    script: bytes = RUN
    essential: bool = False


@dataclass(frozen=True, slots=True)
class NothingToRun:
    """The folder has no `run`; only said where Spawn asks for it."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Exited:
    """The process was reaped: its pid means nothing any more. `code` is its exit code, or minus the
    number of the signal that killed it; None if it was not our child, so that nobody told us.
    `essential`: there is a file of that name, and a host that ends everything for its sake."""

    at: Instant
    code: int | None = 0
    essential: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """Letters read from the control fifo, as many as one read gave; control.END behind a message."""

    at: Instant
    letters: bytes


@dataclass(frozen=True, slots=True)
class InputEnded:
    """What it reads has been given its end: it is to end by itself, and from now on the time counts in
    which it may."""

    at: Instant


@dataclass(frozen=True, slots=True)
class TimeoutRead:
    """What stands in `stop-timeout`, or the `errno` that kept us from reading it."""

    at: Instant
    text: bytes
    errno: int = 0


@dataclass(frozen=True, slots=True)
class TimeUp:
    """Everything had its time to end."""

    at: Instant


Event = (
    Opened
    | Resumed
    | Released
    | Woke
    | Started
    | StartFailed
    | NothingToRun
    | Exited
    | Command
    | InputEnded
    | TimeoutRead
    | TimeUp
)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the first of `scripts` that is an executable file, or the last; Started or StartFailed is
    expected as the next event. With `only_if_there`, NothingToRun if there is nothing of that name."""

    scripts: tuple[bytes, ...] = (RUN,)
    only_if_there: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal (its name without SIG) to the service's pid, or to the group if it leads one."""

    name: str
    to_group: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """Replace the status file, and before it, if there is a `word`, the state file."""

    status: bytes
    word: bytes = b""


@dataclass(frozen=True, slots=True)
class Count:
    """Note that it has ended: how often until now, and how this time (core/exits.py)."""

    exits: int
    code: int | None
    pid: int
    tai: bytes


@dataclass(frozen=True, slots=True)
class Notify:
    """Start `./notify` with these words, and forget it: which script, `start`, `exit`, `killed` or `unknown`,
    its pid, and its exit code or the signal (0 at its start, and if it is unknown)."""

    script: bytes
    notice: bytes
    pid: int
    number: int


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the log: `about` stands behind the folder's name (`unable to start DIR/run: …`)."""

    doing: bytes
    about: bytes


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send Woke at this moment of the monotonic clock, or later."""

    mono_s: float


@dataclass(frozen=True, slots=True)
class ReadTimeout:
    """Read `stop-timeout`; TimeoutRead is expected as the next event if there is one."""


@dataclass(frozen=True, slots=True)
class EndAll:
    """End everything, in order: this service is essential and has ended by itself. `code` as in Exited,
    111 if that is unknown."""

    code: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Stop supervising: unlock, close, forget."""


Action = Spawn | Signal | Publish | Count | Notify | Warn | WakeAt | ReadTimeout | EndAll | Leave


class Service:
    """One service or logger.

    `pid` is 0 while it is down; `want` is UP, DOWN or ONCE; `due` says that a start is wanted and
    only waits for its second to pass, or for the end of a `stop`; `word` is the status file's; `exits`
    is how often it has ended; `held` that its first start waits for others."""

    __slots__ = (
        "_at_rest",
        "_input_ended",
        "_kill_mono_s",
        "_letters",
        "_notifies",
        "_script",
        "_scripts",
        "_stop_due",
        "_to_group",
        "_told_down",
        "_told_to_end",
        "asked_mono_s",
        "due",
        "earliest_mono_s",
        "exits",
        "held",
        "leaving",
        "left",
        "paused",
        "pid",
        "since",
        "starting",
        "want",
        "word",
    )

    def __init__(
        self,
        normally_up: bool,
        earliest_mono_s: float = float("-inf"),
        scripts: Scripts = SERVICE_FOLDER,
    ) -> None:
        """`earliest_mono_s`: not to be started before, because of a start before it was left."""
        self._scripts = scripts
        self.want = UP if normally_up else DOWN
        self.pid = 0
        self.since = bytes(12)
        self.paused = False
        self.word = b""
        self.exits = 0
        self.held = False
        self.due = normally_up
        self.starting = False
        self.leaving = False
        self.left = False
        self.earliest_mono_s = earliest_mono_s
        self.asked_mono_s: float | None = None
        self._letters = b""
        self._to_group = False
        self._told_down = False
        self._told_to_end = False
        self._input_ended = False
        # None: its time to end is not counted; infinite: it was sent KILL.
        self._kill_mono_s: float | None = None
        self._script = b""
        self._at_rest = True
        self._stop_due = False
        self._notifies = False

    @property
    def stopping(self) -> bool:
        """Whether its process is its `stop`."""
        return self.word == STOPPING

    @property
    def script(self) -> bytes:
        """That which runs, or ran last."""
        return self._script

    @property
    def started_mono_s(self) -> float | None:
        """When what runs was started; not kept of a `stop`, behind which no second has to pass."""
        return None if self._script == STOP else self.earliest_mono_s - START_INTERVAL_S

    def status(self) -> bytes:
        """The 18 bytes of the status file."""
        return encode(Status(self.since, self.pid, self.paused, self.want))

    def handle(self, event: Event) -> list[Action]:
        """What has happened in, what is to be done out, in order. Nothing once it has left."""
        actions: list[Action] = []
        if self.left:
            return actions
        match event:
            case Command():
                self._letters += event.letters
            case Exited():
                self._exited(event, actions)
            case Started():
                self._started(event, actions)
            case StartFailed():
                self._start_failed(event, actions)
            case NothingToRun():
                self.starting = False
                self._stay_down(ONCE, STARTED)
                self._publish(actions)
            case Opened():
                self.since = event.at.tai
                self.held = event.held and self.due
                return [Publish(self.status())]
            case Resumed():
                self._resumed(event)
                self._publish(actions)
                if event.running and (self.want == DOWN or self.stopping):
                    self._read_timeout(actions)
                return actions
            case Released():
                self.held = False
            case Woke():
                self.asked_mono_s = None
            case InputEnded():
                self._input_ended = True
                self._read_timeout(actions)
            case TimeoutRead():
                self._timeout_read(event, actions)
            case TimeUp():
                self._time_up(actions)
        if self._letters:
            self._obey(event.at, actions)
        self._kill_if_late(event.at, actions)
        self._go_on(event.at, actions)
        self._ask_to_be_woken(actions)
        return actions

    def _obey(self, at: Instant, actions: list[Action]) -> None:
        """Letters up to the first that starts something now; the rest waits for Started."""
        letters, self._letters = self._letters, b""
        publish = told_down = False
        for place, byte in enumerate(letters):
            row = BY_BYTE.get(byte)
            if row is None:
                self._to_group = self._to_group and byte != END[0]
                continue
            publish |= row.publishes
            told_down |= row.want == DOWN
            self._apply(row, actions)
            if row.want is not None and self._next(at) is not None:
                self._letters = letters[place + 1 :]
                break
        if publish:
            self._publish(actions)
        if told_down and self.want == DOWN:
            self._read_timeout(actions)

    def _apply(self, row: Letter, actions: list[Action]) -> None:
        if row.want is not None:
            self._want(row.want, row.starts)
        if row.paused is not None:
            self.paused = row.paused
        if row.group is not None:
            self._to_group = row.group
        self.leaving |= row.leaves
        if row.leaves and self.held:
            self.held = self.due = False
        if self.pid:
            self._told_to_end |= not _ENDING.isdisjoint(row.signals)
            for name in row.signals:
                # It is going down already; to end its `stop` before its work is done, there is `t`.
                if row.want == DOWN and self.stopping and name == "TERM":
                    continue
                signal = Signal(name, self._to_group)
                # The same letter many times is one signal, as the kernel would make of it anyway.
                if not actions or actions[-1] != signal:
                    actions.append(signal)

    def _want(self, want: bytes, starts: bool) -> None:
        self.held = False
        if self.word == STARTED and starts:
            # It is up, as far as there is anything to run.
            return
        self.want = want
        if want != DOWN and not self.stopping:
            self._kill_mono_s = None
            self._input_ended &= want != UP
        self._told_down |= want == DOWN and self.pid != 0
        self.due = starts and (not self.pid or self.stopping)
        if not self.pid and not (self.due and self.word == STARTING):
            self.word = b""

    def _resumed(self, event: Resumed) -> None:
        """What cannot be read from what was left: that a process was told down and then up again, and
        whether one that is about to be started comes from rest: it is taken for a restart."""
        status = event.status
        if status is not None and status.want in (UP, DOWN, ONCE) and not event.leaving:
            self.want = status.want
        self.earliest_mono_s = min(event.started.mono_s, event.at.mono_s) + START_INTERVAL_S
        self._script = event.script
        self._stop_due = event.has_stop and (event.script in (START, RUN) or not event.pid)
        self._notifies = event.has_notify
        # One whose end was published is over; one whose start was not was started nevertheless.
        is_last = status is not None and status.pid == event.pid
        if event.exits is not None:
            # What was counted, but not published as ended, is told once more that it has.
            is_counted = is_last and not event.running and event.exits.pid == event.pid
            self.exits = event.exits.exits - is_counted
        if event.pid and (event.running or is_last):
            self._resume_process(event, status if is_last else None)
        else:
            self._resume_down(event)

    def _resume_process(self, event: Resumed, status: Status | None) -> None:
        self.pid = event.pid
        self.since = event.started.tai if status is None else status.since
        self.paused = status is not None and status.paused
        self.word = _WORD_OF.get(event.script, b"")
        self.due = self.stopping and self.want == UP
        self._at_rest = False
        self._told_down = self._told_to_end = self.want == DOWN

    def _resume_down(self, event: Resumed) -> None:
        self.since = event.at.tai if event.status is None else event.status.since
        self.word = b"" if event.leaving else event.word
        starting = self.word == STARTING
        self.due = starting or (self.want == UP and self.word not in (FAILED, STARTED))
        self.held = event.held and self.due and not event.script
        restarts = starting or (event.script == self._scripts.main and not event.leaving)
        self._at_rest = not (self.due and restarts)

    def _started(self, event: Started, actions: list[Action]) -> None:
        self.starting = False
        self.due = False
        self.paused = False
        self.pid = event.pid
        self.since = event.at.tai
        self._script = event.script
        self._told_down = False
        self._told_to_end = False
        self._kill_mono_s = None
        self._at_rest = False
        if event.script == STOP:
            self._stop_due = False
            self.word = STOPPING
        else:
            self._stop_due = event.has_stop
            self._notifies = event.has_notify
            self.word = STARTING if event.script == START else b""
            self.earliest_mono_s = event.at.mono_s + START_INTERVAL_S
        self._publish(actions)
        self._notify(b"start", event.pid, 0, actions)
        if event.script == STOP or self._input_ended:
            self._read_timeout(actions)

    def _start_failed(self, event: StartFailed, actions: list[Action]) -> None:
        self.starting = False
        why = error_text(event.errno)
        cannot_start = Warn(b"unable to start ", b"/" + event.script + b": " + why)
        if event.script == STOP:
            self._stop_due = False
            self._at_rest = True
            actions.append(cannot_start)
            return
        word = self.word
        self.due = self.want == UP and not self.leaving
        if not self.due:
            self.word = b""
        if event.errno in (EAGAIN, ENOMEM):
            self.earliest_mono_s = event.at.mono_s + FORK_RETRY_S
            actions.append(Warn(b"unable to fork for ", b", sleeping 60 seconds: " + why))
        else:
            self.earliest_mono_s = event.at.mono_s + START_INTERVAL_S
            actions.append(cannot_start)
            if event.script == START:
                self._stay_down(DOWN, FAILED)
                if event.essential:
                    actions.append(EndAll(FAILED_CODE))
        if self.word != word:
            self._publish(actions)

    def _exited(self, event: Exited, actions: list[Action]) -> None:
        pid, code = self.pid, event.code
        self.pid = 0
        self.since = event.at.tai
        if self._script != STOP and not (self._script == START and code in (0, None)):
            self.exits = min(self.exits + 1, MOST_EXITS)
            actions.append(Count(self.exits, code, pid, event.at.tai))
        if self._script == STOP:
            self._at_rest = True
            self.word = b""
        elif self._told_down:
            self._at_rest = self._script == START
            self._end_run()
        elif self._script == START and code is None:
            self._at_rest = True
            self.word = b""
            self.due = True
        elif self._script == START and code == 0:
            # The second between two starts was kept by `start`.
            self.earliest_mono_s = event.at.mono_s
            self.due = True
        elif self._script == START or code == FAILED_FOR_GOOD:
            self._stay_down(DOWN, FAILED)
        else:
            self._end_run()
        end_all = event.essential and self._ended_by_itself(code)
        if end_all:
            self._stay_down(DOWN, self.word)
        self._publish(actions)
        if code is None:
            about = b" (pid %d) is unknown: another supervise had started it" % pid
            actions.append(Warn(b"exit code of ", about))
            self._notify(b"unknown", pid, 0, actions)
        elif code < 0:
            self._notify(b"killed", pid, -code, actions)
        else:
            self._notify(b"exit", pid, code, actions)
        if end_all:
            actions.append(EndAll(FAILED_CODE if code is None else code))

    def _ended_by_itself(self, code: int | None) -> bool:
        if self._told_to_end:
            return False
        return self._script == RUN or (self._script == START and code != 0)

    def _end_run(self) -> None:
        self.word = b""
        self.due = self.want == UP and not self.leaving

    def _stay_down(self, want: bytes, word: bytes) -> None:
        self.want = want
        self.word = word
        self.due = False

    def _read_timeout(self, actions: list[Action]) -> None:
        if self.pid and self._kill_mono_s is None and ReadTimeout() not in actions:
            actions.append(ReadTimeout())

    def _timeout_read(self, event: TimeoutRead, actions: list[Action]) -> None:
        told = self.want == DOWN or self.stopping or self._input_ended
        if not self.pid or not told or self._kill_mono_s is not None:
            return
        timeout_s = None if event.errno else seconds(event.text.strip())
        if timeout_s is None:
            why = error_text(event.errno) if event.errno else b"not a number of seconds"
            actions.append(Warn(b"unable to read ", b"/" + STOP_TIMEOUT + b": " + why))
            return
        self._kill_mono_s = event.at.mono_s + timeout_s

    def _kill_if_late(self, at: Instant, actions: list[Action]) -> None:
        if self.pid and self._kill_mono_s is not None and at.mono_s >= self._kill_mono_s:
            self._kill(actions, to_group=False)

    def _kill(self, actions: list[Action], to_group: bool) -> None:
        self._kill_mono_s = inf
        self._told_to_end = True
        script = b"" if self._script == RUN else b"/" + self._script
        actions += [Warn(KILLING, script + b": it did not end in time"), Signal("KILL", to_group)]

    def _time_up(self, actions: list[Action]) -> None:
        self._letters = b""
        self.held = False
        self._stop_due = False
        self._told_down = True
        self.leaving = True
        if self.want != DOWN or self.due:
            self._stay_down(DOWN, self.word)
            self._publish(actions)
        if self.pid:
            self._kill(actions, to_group=True)

    def _publish(self, actions: list[Action]) -> None:
        actions.append(Publish(self.status(), self.word))

    def _notify(self, notice: bytes, pid: int, number: int, actions: list[Action]) -> None:
        if self._notifies:
            actions.append(Notify(self._script, notice, pid, number))

    def _next(self, at: Instant) -> Spawn | None:
        """What is to be started now."""
        if self.pid or self.starting or self.left:
            return None
        if self.due:
            if self.held or at.mono_s < self.earliest_mono_s:
                return None
            scripts = self._scripts.first if self._at_rest else (self._scripts.main,)
            return Spawn(scripts, only_if_there=self.word == STARTING)
        if self._stop_due and self.want != UP and self.word not in (FAILED, STARTED):
            return Spawn((STOP,))
        return None

    def _go_on(self, at: Instant, actions: list[Action]) -> None:
        if self.pid or self.starting:
            return
        spawn = self._next(at)
        if spawn is not None:
            self.starting = True
            actions.append(spawn)
        elif not self.due:
            self._at_rest = True
            if self.leaving:
                self.left = True
                actions.append(Leave())

    def _ask_to_be_woken(self, actions: list[Action]) -> None:
        """For what is to be done next if nothing happens before. What was asked for once will come."""
        mono_s = None
        if self.pid:
            mono_s = self._kill_mono_s
        elif self.due and not self.starting and not self.held:
            mono_s = self.earliest_mono_s
        if mono_s is None or mono_s == inf:
            return
        if self.asked_mono_s is None or mono_s < self.asked_mono_s:
            self.asked_mono_s = mono_s
            actions.append(WakeAt(mono_s))
