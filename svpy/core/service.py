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

The machine decides and returns what is to be done; it does nothing. A logger is a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import EAGAIN, ENOMEM

from svpy.core.control import BY_BYTE, END, Letter
from svpy.core.errors import error_text
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


@dataclass(frozen=True, slots=True)
class Scripts:
    """What is started: the first there is of `first` when a service was at rest, then always `main`."""

    first: tuple[bytes, ...]
    main: bytes


SERVICE_FOLDER = Scripts((START, RUN), RUN)
LOG_FILE = Scripts((LOG,), LOG)
"""A logger that is an executable file in its service's folder."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: `mono_s` measures, `tai` (12 packed bytes of TAI64N) is shown."""

    mono_s: float
    tai: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The folder is locked and its control fifo is open."""

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
    """`script` was not started: `errno` says why."""

    at: Instant
    errno: int
    script: bytes = RUN


@dataclass(frozen=True, slots=True)
class NothingToRun:
    """The folder has no `run`; only said where Spawn asks for it."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Exited:
    """The process was reaped: its pid means nothing any more. `code` is its exit code, or minus the
    number of the signal that killed it."""

    at: Instant
    code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """Letters read from the control fifo, as many as one read gave; control.END behind a message."""

    at: Instant
    letters: bytes


Event = Opened | Woke | Started | StartFailed | NothingToRun | Exited | Command


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
class Notify:
    """Start `./notify` with these words, and forget it: which script, `start`, `exit` or `killed`, its pid,
    and its exit code or the signal (0 at its start)."""

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
class Leave:
    """Stop supervising: unlock, close, forget."""


Action = Spawn | Signal | Publish | Notify | Warn | WakeAt | Leave


class Service:
    """One service or logger.

    `pid` is 0 while it is down; `want` is UP, DOWN or ONCE; `due` says that a start is wanted and
    only waits for its second to pass, or for the end of a `stop`; `word` is the status file's."""

    __slots__ = (
        "_at_rest",
        "_letters",
        "_notifies",
        "_script",
        "_scripts",
        "_stop_due",
        "_to_group",
        "_told_down",
        "asked_mono_s",
        "due",
        "earliest_mono_s",
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
        self.due = normally_up
        self.starting = False
        self.leaving = False
        self.left = False
        self.earliest_mono_s = earliest_mono_s
        self.asked_mono_s: float | None = None
        self._letters = b""
        self._to_group = False
        self._told_down = False
        self._script = b""
        self._at_rest = True
        self._stop_due = False
        self._notifies = False

    @property
    def stopping(self) -> bool:
        """Whether its process is its `stop`."""
        return self.word == STOPPING

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
                return [Publish(self.status())]
            case Woke():
                self.asked_mono_s = None
        if self._letters:
            self._obey(event.at, actions)
        self._go_on(event.at, actions)
        return actions

    def _obey(self, at: Instant, actions: list[Action]) -> None:
        """Letters up to the first that starts something now; the rest waits for Started."""
        letters, self._letters = self._letters, b""
        publish = False
        for place, byte in enumerate(letters):
            row = BY_BYTE.get(byte)
            if row is None:
                self._to_group = self._to_group and byte != END[0]
                continue
            publish |= row.publishes
            self._apply(row, actions)
            if row.want is not None and self._next(at) is not None:
                self._letters = letters[place + 1 :]
                break
        if publish:
            self._publish(actions)

    def _apply(self, row: Letter, actions: list[Action]) -> None:
        if row.want is not None:
            self._want(row.want, row.starts)
        if row.paused is not None:
            self.paused = row.paused
        if row.group is not None:
            self._to_group = row.group
        self.leaving |= row.leaves
        if self.pid:
            for name in row.signals:
                # It is going down already; to end its `stop` before its work is done, there is `t`.
                if row.want == DOWN and self.stopping and name == "TERM":
                    continue
                signal = Signal(name, self._to_group)
                # The same letter many times is one signal, as the kernel would make of it anyway.
                if not actions or actions[-1] != signal:
                    actions.append(signal)

    def _want(self, want: bytes, starts: bool) -> None:
        if self.word == STARTED and starts:
            # It is up, as far as there is anything to run.
            return
        self.want = want
        self._told_down |= want == DOWN and self.pid != 0
        self.due = starts and (not self.pid or self.stopping)
        if not self.pid and not (self.due and self.word == STARTING):
            self.word = b""

    def _started(self, event: Started, actions: list[Action]) -> None:
        self.starting = False
        self.due = False
        self.paused = False
        self.pid = event.pid
        self.since = event.at.tai
        self._script = event.script
        self._told_down = False
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
        if self.word != word:
            self._publish(actions)

    def _exited(self, event: Exited, actions: list[Action]) -> None:
        pid, code = self.pid, event.code
        self.pid = 0
        self.since = event.at.tai
        if self._script == STOP:
            self._at_rest = True
            self.word = b""
        elif self._told_down:
            self._at_rest = self._script == START
            self._end_run()
        elif self._script == START and code == 0:
            # The second between two starts was kept by `start`.
            self.earliest_mono_s = event.at.mono_s
            self.due = True
        elif self._script == START or code == FAILED_FOR_GOOD:
            self._stay_down(DOWN, FAILED)
        else:
            self._end_run()
        self._publish(actions)
        if code < 0:
            self._notify(b"killed", pid, -code, actions)
        else:
            self._notify(b"exit", pid, code, actions)

    def _end_run(self) -> None:
        self.word = b""
        self.due = self.want == UP and not self.leaving

    def _stay_down(self, want: bytes, word: bytes) -> None:
        self.want = want
        self.word = word
        self.due = False

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
            if at.mono_s < self.earliest_mono_s:
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
        elif self.asked_mono_s != self.earliest_mono_s:
            self.asked_mono_s = self.earliest_mono_s
            actions.append(WakeAt(self.earliest_mono_s))
