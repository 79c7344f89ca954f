"""svpy's supervise, C's supervise and the bare machine, given the same letters, exits and waits.

Rules of this model:

- a step is given to every lane; then each supervise is waited for until nothing is under way: what was
  written into its fifo was read (a byte that means nothing is sent behind it, which C, deaf for a second
  after a start, takes when it listens again), and its service is blocked in a read, stopped or gone;
- then the status bytes of both sides must say the same, and the time in them must have moved where
  the pid has, and nowhere else, also between two steps;
- what is a race by nature is not asked: letters behind one that may end a running service or
  starts one that is down, since C answers them a second later.

SVPY_MODEL_EXAMPLES=200 runs longer, with other sequences each time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import time
from collections import deque
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, eventually
from support.services import is_hosted, script

from svpy.core import service as machine
from svpy.core.tai import unix_s

LANES = 12
EXAMPLES = 4
STEPS = 6
LONGER = int(os.environ.get("SVPY_MODEL_EXAMPLES", "0"))

RUN = """%s
echo $$ >new && mv new ready
exec 3<>orders
while read what how <&3; do
  case $what in
    exit) exit $how ;;
    kill) kill -$how $$ ;;
  esac
done
"""
KINDS = {"plain": ":", "stubborn": "trap '' TERM HUP ALRM INT"}

ENDING = b"dtihak"
STARTING = b"uox"
NOTHING = b"\n"


def bits(*signals: signal.Signals) -> int:
    return sum(1 << (number - 1) for number in signals)


def waiting_bytes(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")


class Side:
    """One supervise on a folder of its own, and what can be seen of it."""

    def __init__(self, supervise: Path, folder: Path, kind: str, normally_up: bool) -> None:
        self._supervise = supervise
        self.folder = folder
        folder.mkdir(parents=True)
        script(folder / "run", RUN % KINDS[kind])
        if not normally_up:
            (folder / "down").touch()
        os.mkfifo(folder / "orders")
        self._orders = os.open(folder / "orders", os.O_RDWR | os.O_NONBLOCK)
        self._control = -1
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._supervise, self.folder.name],
            cwd=self.folder.parent,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(self._reach)

    def _reach(self) -> bool:
        if not is_hosted(self.folder):
            return False
        self._control = os.open(self.folder / "supervise/control", os.O_WRONLY | os.O_NONBLOCK)
        return True

    def has_left(self) -> int | None:
        """Its exit code, None while it supervises."""
        return self._process.poll()

    def status(self) -> bytes:
        return (self.folder / "supervise/status").read_bytes()

    def pid(self) -> int:
        return int.from_bytes(self.status()[12:16], "little")

    def write(self, letters: bytes) -> bool:
        """Returns whether there was someone to read them. When the last byte was taken, those before it
        have had their effect."""
        try:
            os.write(self._control, letters + NOTHING)
        except BrokenPipeError:
            return False
        return True

    def order(self, line: bytes) -> None:
        os.write(self._orders, line)

    def settled(self) -> bool:
        """Whether nothing is under way, now that all that was written into control has been read."""
        before = self.status()
        if not waiting_bytes(self._control) and not self.write(b""):
            eventually(lambda: self.has_left() is not None)
        eventually(lambda: not waiting_bytes(self._control) or self.has_left() is not None)
        if self.has_left() is not None:
            return True
        after = self.status()
        if after != before:
            return False
        pid = int.from_bytes(after[12:16], "little")
        return self._is_at_rest(pid) if pid else after[17:] != b"u"

    def _is_at_rest(self, pid: int) -> bool:
        """Whether a service is where only a signal or an order moves it, and none is on its way."""
        try:
            if int((self.folder / "ready").read_text()) != pid:
                return False
            text = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        fields = dict(line.split(":", 1) for line in text.splitlines())
        pending = int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)
        match fields["State"].split()[0]:
            case "T":
                return not pending & bits(signal.SIGKILL, signal.SIGCONT)
            case "S":
                return not pending and not waiting_bytes(self._orders)
        return False

    def forget_orders(self) -> None:
        while waiting_bytes(self._orders):
            os.read(self._orders, 4096)

    def leave(self) -> None:
        """Let go of its fifo, as it has left."""
        os.close(self._control)

    def end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self._process.wait() == -signal.SIGKILL:
            self.leave()
        os.close(self._orders)


class Bare:
    """svpy's machine alone, on a clock that is set to whatever it waits for."""

    def __init__(self, normally_up: bool) -> None:
        self._service = machine.Service(normally_up)
        self._mono_s = 0.0
        self._next_pid = 1
        self.has_left = False
        self.feed(machine.Opened(self._now()))
        self.feed(machine.Woke(self._now()))

    def command(self, letters: bytes) -> None:
        self.feed(machine.Command(self._now(), letters))

    def exited(self) -> None:
        self.feed(machine.Exited(self._now()))

    def status(self) -> bytes:
        return self._service.status()

    def _now(self) -> machine.Instant:
        return machine.Instant(self._mono_s, int(self._mono_s * 1000).to_bytes(12, "big"))

    def feed(self, event: machine.Event) -> None:
        events = deque([event])
        while events:
            for action in self._service.handle(events.popleft()):
                if isinstance(action, machine.Spawn):
                    events.append(machine.Started(self._now(), self._next_pid))
                    self._next_pid += 1
                elif isinstance(action, machine.WakeAt):
                    self._mono_s = action.mono_s
                    events.append(machine.Woke(self._now()))
                elif isinstance(action, machine.Leave):
                    self.has_left = True


def shape(status: bytes) -> tuple[bool, int, bytes]:
    """What both sides must agree on: has it a pid, is it paused, what is wanted."""
    return (any(status[12:16]), status[16], status[17:])


class Lane:
    """The same service three times: C's, svpy's, and the machine alone."""

    def __init__(self, folder: Path, kind: str, normally_up: bool) -> None:
        self.began_unix_s = int(time.time())
        self.c = Side(PEERS / "supervise", folder / "c", kind, normally_up)
        self.ours = Side(BIN / "supervise", folder / "ours", kind, normally_up)
        self.sides = (self.c, self.ours)
        self._normally_up = normally_up
        self.bare = Bare(normally_up)
        self.left = False
        self.before = self.now = (bytes(18), bytes(18))
        self.told: list[object] = [kind, normally_up]

    def statuses(self) -> tuple[bytes, bytes]:
        return self.c.status(), self.ours.status()

    def give(self, what: str, with_what: bytes) -> None:
        """Begin a step: the same to both sides. A lane that has left is taken up again; one that is down
        or paused has no use for orders, and waits."""
        assert self.statuses() == self.now, self.told
        self.before = self.now
        self.began_unix_s = int(time.time())
        self.told.append((what, with_what))
        if what == "down file":
            self._normally_up = not self._normally_up
            for side in self.sides:
                (side.folder / "down").unlink() if self._normally_up else (side.folder / "down").touch()
        elif self.left:
            self.left = False
            self.before = (bytes(18), bytes(18))
            for side in self.sides:
                side.start()
            self.bare = Bare(self._normally_up)
        elif what == "letters":
            letters = self._without_races(with_what)
            for side in self.sides:
                side.write(letters)
            self.bare.command(letters)
        elif what == "orders" and self.c.pid() and not self.before[0][16]:
            for side in self.sides:
                side.order(with_what)

    def _without_races(self, letters: bytes) -> bytes:
        up, paused, _ = shape(self.before[0])
        last = (ENDING + b"c" if paused else ENDING) if up else STARTING
        end = next((place for place, letter in enumerate(letters) if letter in last), len(letters))
        if up and b"p" in letters[:end]:
            # What has not stopped yet may still die of what is sent behind STOP.
            return letters[:end]
        return letters[: end + 1]

    def judge(self) -> None:
        """Wait until both sides are at rest, and compare."""
        if self.left:
            return
        for side in self.sides:
            eventually(side.settled, f"{side.folder} at rest after {self.told}")
        now = self.now = self.statuses()
        gone = tuple(side.has_left() for side in self.sides)
        told = f"{self.told}\nC:    {now[0].hex()} {gone[0]}\nsvpy: {now[1].hex()} {gone[1]}"
        assert gone[0] == gone[1], told
        assert len(now[0]) == len(now[1]) == 18, told
        assert shape(now[0]) == shape(now[1]), told
        for before, after in zip(self.before, now, strict=True):
            assert (before[:12] != after[:12]) == (before[12:16] != after[12:16]) or before == bytes(18), told
            if before[:12] != after[:12]:
                assert self.began_unix_s <= unix_s(after) <= int(time.time()), told
        had_one = any(self.before[0][12:16])
        if had_one and now[0][12:16] != self.before[0][12:16]:
            self.bare.exited()
        assert shape(self.bare.status()) == shape(now[0]), f"bare {self.bare.status().hex()}\n{told}"
        assert self.bare.has_left == (gone[0] is not None), told
        if gone[0] is not None:
            self.left = True
            for side in self.sides:
                side.leave()
        if not any(now[0][12:16]):
            for side in self.sides:
                side.forget_orders()

    def end(self) -> None:
        for side in self.sides:
            side.end()


Drawn = TypeVar("Drawn")
SIGNALS = ("KILL", "TERM", "HUP", "USR1", "ALRM")
letters = st.one_of(
    st.sampled_from([b"u", b"d", b"o", b"p", b"c", b"x", b"t", b"k", b"h", b"a", b"i", b"dx", b"ox"]),
    st.lists(st.sampled_from(b"udopchaitkxuopc\n\0Z"), min_size=2, max_size=8).map(bytes),
)
one_order = st.one_of(
    st.sampled_from([0, 1, 99, 111]).map(lambda code: b"exit %d\n" % code),
    st.sampled_from(SIGNALS).map(lambda name: b"kill %s\n" % name.encode()),
)
# Two: the second life ends in its first second, and the third waits for it. Seldom, as it costs C two.
orders = st.sampled_from(range(10)).flatmap(
    lambda seldom: st.tuples(one_order, one_order).map(b"".join) if seldom == 9 else one_order
)
steps = st.one_of(
    st.tuples(st.just("letters"), letters),
    st.tuples(st.just("letters"), letters),
    st.tuples(st.just("orders"), one_order),
    st.tuples(st.just("letters"), letters),
    st.tuples(st.just("orders"), orders),
    st.tuples(st.just("down file"), st.just(b"")),
)
kinds = st.tuples(st.sampled_from(sorted(KINDS)), st.booleans())


def all_lanes(one: st.SearchStrategy[Drawn]) -> st.SearchStrategy[list[Drawn]]:
    return st.lists(one, min_size=LANES, max_size=LANES)


class BesideC(RuleBasedStateMachine):
    """LANES services at a time, so that one wait for C's second serves them all."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._lanes: list[Lane] = []

    @initialize(chosen=all_lanes(kinds))
    def start(self, chosen: list[tuple[str, bool]]) -> None:
        folder = self._root / str(len(list(self._root.iterdir())))
        for number, (kind, normally_up) in enumerate(chosen):
            self._lanes.append(Lane(folder / str(number), kind, normally_up))
        for lane in self._lanes:
            lane.judge()

    @rule(chosen=all_lanes(steps))
    def step(self, chosen: list[tuple[str, bytes]]) -> None:
        for lane, (what, with_what) in zip(self._lanes, chosen, strict=True):
            lane.give(what, with_what)
        for lane in self._lanes:
            lane.judge()

    def teardown(self) -> None:
        for lane in self._lanes:
            lane.end()


@beside_c
def test_svpy_and_c_publish_the_same(tmp_path: Path) -> None:
    chosen = settings(
        max_examples=LONGER or EXAMPLES,
        stateful_step_count=STEPS,
        derandomize=not LONGER,
        database=None,
        deadline=None,
        # Each step takes a second: a failure is shown as it came, with what its lane was told.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: BesideC(tmp_path), settings=chosen)
