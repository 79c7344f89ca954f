"""The supervise machine: a table of events and the exact actions, and what holds for any sequence."""

from __future__ import annotations

from errno import EACCES, EAGAIN

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.control import LETTERS
from svpy.core.service import (
    FORK_RETRY_S,
    START_INTERVAL_S,
    Action,
    Command,
    Event,
    Exited,
    Instant,
    Leave,
    Opened,
    Publish,
    Service,
    Signal,
    Spawn,
    Started,
    StartFailed,
    WakeAt,
    Warn,
    Woke,
)


def at(mono_s: float) -> Instant:
    """A moment whose TAI label says the same as its monotonic second."""
    return Instant(mono_s, int(mono_s * 10).to_bytes(12, "big"))


def published(since_s: float, pid: int, want: bytes, paused: bool = False) -> Publish:
    return Publish(at(since_s).tai + pid.to_bytes(4, "little") + bytes([paused]) + want)


def up(pid: int = 7, since_s: float = 0) -> Service:
    """A service that was started at `since_s` and is wanted up."""
    service = Service(normally_up=True)
    for event in (Opened(at(since_s)), Woke(at(since_s)), Started(at(since_s), pid)):
        service.handle(event)
    return service


def down(want: bytes = b"d") -> Service:
    service = Service(normally_up=want == b"u")
    service.handle(Opened(at(0)))
    return service


TERM, CONT, STOP = Signal("TERM"), Signal("CONT"), Signal("STOP")

UP_TABLE: list[tuple[Event, list[Action]]] = [
    (Command(at(5), b"u"), [published(0, 7, b"u")]),
    (Command(at(5), b"d"), [TERM, CONT, published(0, 7, b"d")]),
    (Command(at(5), b"o"), [published(0, 7, b"\0")]),
    (Command(at(5), b"p"), [STOP, published(0, 7, b"u", paused=True)]),
    (Command(at(5), b"c"), [CONT, published(0, 7, b"u")]),
    (Command(at(5), b"h"), [Signal("HUP")]),
    (Command(at(5), b"a"), [Signal("ALRM")]),
    (Command(at(5), b"i"), [Signal("INT")]),
    (Command(at(5), b"t"), [TERM]),
    (Command(at(5), b"k"), [Signal("KILL")]),
    (Command(at(5), b"q"), [Signal("QUIT")]),
    (Command(at(5), b"1"), [Signal("USR1")]),
    (Command(at(5), b"2"), [Signal("USR2")]),
    (Command(at(5), b"w"), [Signal("WINCH")]),
    (Command(at(5), b"x"), [published(0, 7, b"u")]),
    (Command(at(5), b"\n\xff\0Z"), []),
    (Command(at(5), b"pc"), [STOP, CONT, published(0, 7, b"u")]),
    (Command(at(5), b"up"), [STOP, published(0, 7, b"u", paused=True)]),
    (Command(at(5), b"ud"), [TERM, CONT, published(0, 7, b"d")]),
    (Command(at(5), b"tttt"), [TERM]),
    (Command(at(5), b"dx"), [TERM, CONT, published(0, 7, b"d")]),
    (Exited(at(5)), [published(5, 0, b"u"), Spawn()]),
    (Exited(at(0.5)), [published(0.5, 0, b"u"), WakeAt(START_INTERVAL_S)]),
    (Woke(at(5)), []),
]

DOWN_TABLE: list[tuple[Event, list[Action]]] = [
    (Command(at(5), b"u"), [published(0, 0, b"u"), Spawn()]),
    (Command(at(5), b"o"), [published(0, 0, b"\0"), Spawn()]),
    (Command(at(5), b"d"), [published(0, 0, b"d")]),
    (Command(at(5), b"p"), [published(0, 0, b"d")]),
    (Command(at(5), b"haitkq12w"), []),
    (Command(at(5), b"x"), [published(0, 0, b"d"), Leave()]),
    (Command(at(5), b"ud"), [published(0, 0, b"u"), Spawn()]),
    (Command(at(5), b"du"), [published(0, 0, b"u"), Spawn()]),
    (Command(at(5), b"ux"), [published(0, 0, b"u"), Spawn()]),
    (Command(at(5), b"xu"), [published(0, 0, b"u"), Spawn()]),
    (Command(at(5), b"xd"), [published(0, 0, b"d"), Leave()]),
    (Woke(at(5)), []),
]


@pytest.mark.parametrize(("event", "actions"), UP_TABLE, ids=str)
def test_an_event_while_it_is_up(event: Event, actions: list[Action]) -> None:
    assert up().handle(event) == actions


@pytest.mark.parametrize(("event", "actions"), DOWN_TABLE, ids=str)
def test_an_event_while_it_is_down(event: Event, actions: list[Action]) -> None:
    assert down().handle(event) == actions


def test_every_letter_stands_in_both_tables() -> None:
    for table in (UP_TABLE, DOWN_TABLE):
        seen = b"".join(event.letters for event, _ in table if isinstance(event, Command))
        assert {row.letter[0] for row in LETTERS} - set(seen) <= {ord("c")}


def test_a_life() -> None:
    service = Service(normally_up=True)
    assert service.handle(Opened(at(1))) == [published(1, 0, b"u")]
    assert service.handle(Woke(at(1))) == [Spawn()]
    assert service.handle(Started(at(1), 300)) == [published(1, 300, b"u")]
    assert service.handle(Command(at(1.25), b"p")) == [STOP, published(1, 300, b"u", paused=True)]
    assert service.handle(Exited(at(1.5))) == [published(1.5, 0, b"u"), WakeAt(2)]
    assert service.handle(Command(at(1.6), b"h")) == []
    assert service.handle(Command(at(1.7), b"d")) == [published(1.5, 0, b"d")]
    assert service.handle(Woke(at(2))) == []
    assert service.handle(Command(at(2.1), b"o")) == [published(1.5, 0, b"\0"), Spawn()]
    assert service.handle(Started(at(2.1), 301)) == [published(2.1, 301, b"\0")]
    assert service.handle(Exited(at(9))) == [published(9, 0, b"\0")]
    assert service.handle(Command(at(9), b"x")) == [published(9, 0, b"\0"), Leave()]
    assert service.handle(Woke(at(20))) == []


def test_exit_leaves_when_the_service_is_down_and_not_before() -> None:
    service = up()
    assert service.handle(Command(at(2), b"x")) == [published(0, 7, b"u")]
    assert service.handle(Exited(at(3))) == [published(3, 0, b"u"), Leave()]


def test_letters_behind_a_start_reach_what_was_started() -> None:
    service = down()
    assert service.handle(Command(at(5), b"hupth")) == [published(0, 0, b"u"), Spawn()]
    assert service.handle(Started(at(5), 8)) == [
        published(5, 8, b"u"),
        STOP,
        TERM,
        Signal("HUP"),
        published(5, 8, b"u", paused=True),
    ]


def test_once_and_exit_runs_once_and_leaves() -> None:
    service = down()
    assert service.handle(Command(at(5), b"ox")) == [published(0, 0, b"\0"), Spawn()]
    assert service.handle(Started(at(5), 8)) == [published(5, 8, b"\0"), published(5, 8, b"\0")]
    assert service.handle(Exited(at(6))) == [published(6, 0, b"\0"), Leave()]


def test_exit_waits_for_a_start_that_is_due() -> None:
    service = up()
    assert service.handle(Exited(at(0.5)))[-1] == WakeAt(1)
    assert service.handle(Command(at(0.6), b"x")) == [published(0.5, 0, b"u")]
    assert service.handle(Woke(at(1))) == [Spawn()]
    assert service.handle(StartFailed(at(1), EACCES))[-1] == Leave()


def test_a_pause_does_not_outlive_the_process() -> None:
    service = up()
    service.handle(Command(at(2), b"p"))
    assert service.handle(Exited(at(3))) == [published(3, 0, b"u"), Spawn()]
    assert service.handle(Started(at(3), 8)) == [published(3, 8, b"u")]


def test_what_was_started_once_is_not_started_again() -> None:
    service = up()
    service.handle(Command(at(2), b"o"))
    assert service.handle(Exited(at(3))) == [published(3, 0, b"\0")]


def test_nothing_is_decided_once_it_has_left() -> None:
    service = down()
    assert service.handle(Command(at(1), b"x"))[-1] == Leave()
    for event in (Command(at(2), b"udtx"), Woke(at(3)), Exited(at(4))):
        assert service.handle(event) == []


def test_a_start_before_counts_for_one_who_comes_later() -> None:
    service = Service(normally_up=True, earliest_mono_s=1.5)
    service.handle(Opened(at(1)))
    assert service.handle(Woke(at(1))) == [WakeAt(1.5)]
    assert service.handle(Woke(at(1.5))) == [Spawn()]


def test_it_asks_once_to_be_woken() -> None:
    service = up()
    assert service.handle(Exited(at(0.1))) == [published(0.1, 0, b"u"), WakeAt(1)]
    assert service.handle(Command(at(0.2), b"u")) == [published(0.1, 0, b"u")]
    assert service.handle(Woke(at(0.9))) == [WakeAt(1)]
    assert service.handle(Woke(at(1))) == [Spawn()]


@pytest.mark.parametrize(
    ("number", "warning", "wait_s"),
    [
        (EACCES, Warn(b"unable to start ", b"/run: access denied"), START_INTERVAL_S),
        (EAGAIN, Warn(b"unable to fork for ", b", sleeping 60 seconds: temporary failure"), FORK_RETRY_S),
    ],
)
def test_a_failed_start_costs_one_warning_and_a_wait(number: int, warning: Warn, wait_s: float) -> None:
    service = Service(normally_up=True)
    service.handle(Opened(at(0)))
    service.handle(Woke(at(0)))
    for attempt in range(3):
        moment = attempt * wait_s
        assert service.handle(StartFailed(at(moment), number)) == [warning, WakeAt(moment + wait_s)]
        assert service.handle(Woke(at(moment + wait_s))) == [Spawn()]


def test_once_is_tried_once() -> None:
    service = down()
    assert service.handle(Command(at(1), b"o"))[-1] == Spawn()
    assert service.handle(StartFailed(at(1), EACCES)) == [Warn(b"unable to start ", b"/run: access denied")]
    assert service.handle(Woke(at(9))) == []


class World:
    """Plays daemon and kernel for a machine: whatever is decided happens at once."""

    def __init__(self, normally_up: bool) -> None:
        self.mono_s = 0.0
        self.service = Service(normally_up)
        self.pid = 0
        self.next_pid = 100
        self.starts: list[float] = []
        self.wake: float | None = None
        self.left = False
        self.status = b""
        self.tell(Opened(self.now()))
        self.tell(Woke(self.now()))

    def now(self) -> Instant:
        return at(self.mono_s)

    def tell(self, event: Event) -> None:
        assert not self.left, "nothing may be told to a machine that left"
        for action in self.service.handle(event):
            self.do(action)

    def do(self, action: Action) -> None:
        assert not self.left
        match action:
            case Spawn():
                assert self.pid == 0
                self.starts.append(self.mono_s)
                self.next_pid += 1
                self.pid = self.next_pid
                self.tell(Started(self.now(), self.pid))
            case Signal():
                assert self.pid, "a signal to no one"
            case Publish(status):
                self.status = status
            case WakeAt(mono_s):
                assert mono_s > self.mono_s
                self.wake = mono_s
            case Leave():
                assert self.pid == 0
                self.left = True

    def pass_time(self, duration_s: float) -> None:
        until = self.mono_s + duration_s
        while self.wake is not None and self.wake <= until and not self.left:
            self.mono_s, self.wake = self.wake, None
            self.tell(Woke(self.now()))
        self.mono_s = until

    def die(self) -> None:
        if self.pid:
            self.pid = 0
            self.tell(Exited(self.now()))


STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=6),
        st.text("udopchaitkxq12w", min_size=1, max_size=4).map(str.encode),
        st.just("die"),
        st.sampled_from([0.1, 0.5, 0.9, 1.0, 3.0]),
    ),
    max_size=40,
)


@given(normally_up=st.booleans(), steps=STEPS)
def test_whatever_comes(normally_up: bool, steps: list[bytes | str | float]) -> None:
    world = World(normally_up)
    want = b"u" if normally_up else b"d"
    for step in steps:
        if isinstance(step, bytes):
            world.tell(Command(world.now(), step))
            for byte in step:
                want = {ord("u"): b"u", ord("d"): b"d", ord("o"): b"\0"}.get(byte, want)
        elif isinstance(step, float):
            world.pass_time(step)
        else:
            world.die()
        if world.left:
            return
        assert world.status == world.service.status(), "what is published is what is"
        assert world.status[17:18] == want
        assert int.from_bytes(world.status[12:16], "little") == world.pid
        if want == b"u" and not world.pid:
            assert world.wake is not None, "a service that is wanted up is up or about to be"
    assert all(
        later - earlier >= START_INTERVAL_S - 1e-9
        for earlier, later in zip(world.starts, world.starts[1:], strict=False)
    )
    world.pass_time(2)
    if want == b"u":
        assert world.pid
    if want == b"d":
        world.die()
        world.pass_time(5)
        assert not world.pid
