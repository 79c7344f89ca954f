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
- the status is published when the pid or the state changes, once for letters that came together.

The machine decides and returns what is to be done; it does nothing. A logger is a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import EAGAIN, ENOMEM

from svpy.core.control import BY_BYTE, Letter
from svpy.core.errors import error_text
from svpy.core.status import DOWN, UP, Status, encode

START_INTERVAL_S = 1.0
FORK_RETRY_S = 60.0


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
    at: Instant
    pid: int


@dataclass(frozen=True, slots=True)
class StartFailed:
    """Nothing was started: `errno` says why."""

    at: Instant
    errno: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The process was reaped: its pid means nothing any more."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Command:
    """Letters read from the control fifo, as many as one read gave."""

    at: Instant
    letters: bytes


Event = Opened | Woke | Started | StartFailed | Exited | Command


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start `./run`; Started or StartFailed is expected as the next event."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal (its name without SIG) to the service's pid."""

    name: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Replace the status file."""

    status: bytes


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


Action = Spawn | Signal | Publish | Warn | WakeAt | Leave


class Service:
    """One service or logger.

    `pid` is 0 while it is down; `want` is UP, DOWN or ONCE; `due` says that a start is wanted and
    only waits for its second to pass."""

    __slots__ = (
        "_letters",
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
    )

    def __init__(self, normally_up: bool, earliest_mono_s: float = float("-inf")) -> None:
        """`earliest_mono_s`: not to be started before, because of a start before it was left."""
        self.want = UP if normally_up else DOWN
        self.pid = 0
        self.since = bytes(12)
        self.paused = False
        self.due = normally_up
        self.starting = False
        self.leaving = False
        self.left = False
        self.earliest_mono_s = earliest_mono_s
        self.asked_mono_s: float | None = None
        self._letters = b""

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
                self._exited(event.at, actions)
            case Started():
                self._started(event, actions)
            case StartFailed():
                self._start_failed(event, actions)
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
        """Letters up to the first that starts the service now; the rest waits for Started."""
        letters, self._letters = self._letters, b""
        publish = False
        for place, byte in enumerate(letters):
            row = BY_BYTE.get(byte)
            if row is None:
                continue
            publish |= row.publishes
            self._apply(row, actions)
            if row.starts and self.due and at.mono_s >= self.earliest_mono_s:
                self._letters = letters[place + 1 :]
                break
        if publish:
            actions.append(Publish(self.status()))

    def _apply(self, row: Letter, actions: list[Action]) -> None:
        if row.want is not None:
            self.want = row.want
            self.due = row.starts and not self.pid
        if row.paused is not None:
            self.paused = row.paused
        self.leaving |= row.leaves
        if self.pid:
            for name in row.signals:
                # The same letter many times is one signal, as the kernel would make of it anyway.
                if not actions or actions[-1] != Signal(name):
                    actions.append(Signal(name))

    def _started(self, event: Started, actions: list[Action]) -> None:
        self.starting = False
        self.due = False
        self.paused = False
        self.pid = event.pid
        self.since = event.at.tai
        self.earliest_mono_s = event.at.mono_s + START_INTERVAL_S
        actions.append(Publish(self.status()))

    def _start_failed(self, event: StartFailed, actions: list[Action]) -> None:
        self.starting = False
        self.due = self.want == UP and not self.leaving
        why = error_text(event.errno)
        if event.errno in (EAGAIN, ENOMEM):
            self.earliest_mono_s = event.at.mono_s + FORK_RETRY_S
            actions.append(Warn(b"unable to fork for ", b", sleeping 60 seconds: " + why))
        else:
            self.earliest_mono_s = event.at.mono_s + START_INTERVAL_S
            actions.append(Warn(b"unable to start ", b"/run: " + why))

    def _exited(self, at: Instant, actions: list[Action]) -> None:
        self.pid = 0
        self.since = at.tai
        self.due = self.want == UP and not self.leaving
        actions.append(Publish(self.status()))

    def _go_on(self, at: Instant, actions: list[Action]) -> None:
        if self.pid or self.starting or self.left:
            return
        if not self.due:
            if self.leaving:
                self.left = True
                actions.append(Leave())
        elif at.mono_s >= self.earliest_mono_s:
            self.starting = True
            actions.append(Spawn())
        elif self.asked_mono_s != self.earliest_mono_s:
            self.asked_mono_s = self.earliest_mono_s
            actions.append(WakeAt(self.earliest_mono_s))
