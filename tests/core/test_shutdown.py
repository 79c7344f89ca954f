"""The order in which one folder stops, look by look."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from svpy.core import service as machine
from svpy.core.shutdown import (
    EMPTY_LOOKS,
    LATER_S,
    NOTHING,
    Deadline,
    Half,
    Late,
    Order,
    Orders,
    Pipe,
    Stopping,
    orders,
)

GONE = Half(supervised=False)
UP = Half(supervised=True, running=True)
DOWN = Half(supervised=True)
DUE = Half(supervised=True, due=True)


def pipe(waiting_bytes: int = 0, has_writer: bool = False) -> Pipe:
    return Pipe(waiting_bytes, has_writer)


def test_a_service_is_told_once_and_waited_for() -> None:
    memory = Stopping()
    assert orders(memory, UP, UP, pipe(5, True), True) == Orders(service=Order(b"dx"))
    for _ in range(9):
        assert orders(memory, UP, UP, pipe(5, True), True) == Orders()


def test_a_logger_reads_to_the_end_without_a_signal() -> None:
    memory = Stopping(service_told=True)
    told = Orders(logger=Order(b"co", input_ended=True), close_pipe=True)
    assert orders(memory, GONE, UP, pipe(5, True), False) == told
    for _ in range(9):
        assert orders(memory, GONE, UP, pipe(5), True) == Orders(close_pipe=True)
    assert orders(memory, GONE, DOWN, pipe(), False) == Orders(logger=Order(b"dx"), close_pipe=True)
    assert orders(memory, GONE, GONE, pipe(), False) == Orders(close_pipe=True)


def test_a_logger_that_has_its_end_takes_its_time() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert {orders(memory, GONE, UP, pipe(), True).logger.letters for _ in range(99)} == {b""}


def test_a_logger_that_died_early_is_started_again_while_that_helps() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert orders(memory, GONE, DOWN, pipe(900), False).logger.letters == b"co"
    assert orders(memory, GONE, DUE, pipe(900), True).logger.letters == b""
    assert orders(memory, GONE, UP, pipe(900), True).logger.letters == b""
    assert orders(memory, GONE, DOWN, pipe(400), False).logger.letters == b"co"
    assert orders(memory, GONE, DOWN, pipe(400), False).logger.letters == b"dx"


def test_a_logger_that_is_about_to_start_is_not_started_for_nothing() -> None:
    """`d` calls the start off; `x` alone would wait for it."""
    assert orders(Stopping(service_told=True), GONE, DUE, pipe(), False).logger.letters == b"dx"
    assert (
        orders(Stopping(service_told=True, logger_told=True), GONE, DUE, pipe(), False).logger.letters
        == b"dx"
    )


def test_a_logger_that_is_down_on_purpose_stays_down() -> None:
    assert orders(Stopping(), GONE, Half(True, wanted_up=False), pipe(900), False).logger.letters == b"dx"


def test_a_stop_script_of_a_logger_is_waited_for() -> None:
    """And `co` during it, or `dx`, would start it again or leave it."""
    memory = Stopping(service_told=True)
    in_its_stop = Half(True, running=True, wanted_up=False, stopping=True)
    assert orders(memory, GONE, UP, pipe(5, True), True).logger.letters == b"co"
    assert {
        orders(memory, GONE, in_its_stop, pipe(n, True), True).logger.letters for n in (0, 0, 0, 0, 0, 5)
    } == {b""}
    assert orders(memory, GONE, DOWN, pipe(), False).logger.letters == b"dx"


def test_an_empty_pipe_that_has_no_end_ends_with_term() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    looks = [
        orders(memory, GONE, UP, pipe(waiting, True), True).logger.letters for waiting in (0, 0, 7, *[0] * 9)
    ]
    assert looks == [b""] * (3 + EMPTY_LOOKS - 1) + [b"dx"] + [b""] * (9 - EMPTY_LOOKS)


def test_looks_between_ticks_do_not_count() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert {orders(memory, GONE, UP, pipe(0, True), False).logger.letters for _ in range(99)} == {b""}


HALVES = st.builds(Half, st.just(True), *[st.booleans()] * 4)


@given(
    memory=st.builds(Stopping, st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(0, 9)),
    service=st.just(GONE) | HALVES,
    logger=HALVES,
    waiting_bytes=st.integers(0, 9),
    has_writer=st.booleans(),
)
def test_asking_again_about_the_same_gives_nothing_new_but_what_makes_it_leave(
    memory: Stopping, service: Half, logger: Half, waiting_bytes: int, has_writer: bool
) -> None:
    """svscan asks until no order comes: one that changes nothing must not come for ever."""
    state = pipe(waiting_bytes, has_writer)
    given = [orders(memory, service, logger, state, False) for _ in range(4)]
    assert all(not order.service for order in given[1:])
    running = [order.logger.letters for order in given if logger.running]
    assert all(not letters for letters in running[1:])
    # One that does not run leaves with `dx` at once, and is asked about no more.
    assert all(order.logger.letters in (b"", b"dx") for order in given[2:])


def test_a_deadline_has_three_moments() -> None:
    deadline = Deadline(10)
    looks = (0, 9.9, 10, 10.9, 11, 11.9, 12, 99)
    late = [deadline.late(moment) for moment in looks]
    assert late == [Late(number) for number in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert [deadline.next_mono_s(moment) for moment in looks] == [10, 10, 11, 11, 12, 12, inf, inf]
    assert Deadline().late(1e9) is Late.NOT and Deadline().next_mono_s(1e9) == inf


def test_time_is_up_for_a_service_then_for_its_logger_once_each() -> None:
    memory = Stopping()
    up = Order(time_up=True)
    assert orders(memory, UP, UP, pipe(5, True), False, Late.SERVICES) == Orders(service=up)
    assert orders(memory, UP, UP, pipe(5, True), False, Late.SERVICES) == Orders()
    assert orders(memory, GONE, UP, pipe(5), False, Late.SERVICES).logger == Order(b"co", input_ended=True)
    assert orders(memory, GONE, UP, pipe(5), False, Late.LOGGERS).logger == up
    for late in (Late.LOGGERS, Late.GIVE_UP):
        assert orders(memory, GONE, UP, pipe(5), True, late).logger == NOTHING
    memory = Stopping(service_told=True, logger_timed_out=True)
    assert orders(memory, GONE, UP, pipe(5), True, Late.GIVE_UP).logger == NOTHING, "its service went later"


def test_a_service_that_even_kill_does_not_end_does_not_keep_its_logger() -> None:
    memory = Stopping(service_told=True)
    up = Order(time_up=True)
    assert orders(memory, UP, UP, pipe(5, True), True, Late.LOGGERS).service == up
    assert orders(memory, UP, UP, pipe(5, True), False, Late.LOGGERS).logger == up
    assert orders(memory, UP, UP, pipe(5, True), True, Late.GIVE_UP) == Orders()


STEP_S = 0.25
LONG = 120


@dataclass(frozen=True)
class Nature:
    """What the processes of a half are like. A time that is infinite never comes; `reads_bytes` of a logger
    in one step."""

    timeout: bytes | None
    has_stop: bool
    after_term_s: float
    stop_takes_s: float
    after_end_s: float
    reads_bytes: int
    dies_of_kill: bool = True


class Played:
    """A half as the daemon and the kernel have it: its machine, and its process."""

    def __init__(self, nature: Nature) -> None:
        self.nature = nature
        self.service = machine.Service(normally_up=True)
        self.now_s = 0.0
        self.ends_s = inf
        self.told_s = inf
        self.wakes: list[float] = []
        self.left = False
        self.kills: list[tuple[float, float]] = []
        """When it was sent KILL, and when it had been told to end."""
        self.tell(machine.Opened(self.at()))

    def at(self) -> machine.Instant:
        return machine.Instant(self.now_s, bytes(12))

    def half(self) -> Half:
        service = self.service
        if self.left:
            return GONE
        due = service.due or service.starting
        return Half(True, service.pid != 0, due, service.want != b"d", service.stopping)

    def tell(self, event: machine.Event) -> None:
        events = deque([event])
        while events:
            for action in self.service.handle(events.popleft()):
                match action:
                    case machine.Spawn(scripts):
                        events.append(self.start(scripts[-1]))
                    case machine.Signal(name):
                        self.signal(name)
                    case machine.WakeAt(mono_s):
                        self.wakes.append(mono_s)
                    case machine.ReadTimeout() if self.nature.timeout is not None:
                        events.append(machine.TimeoutRead(self.at(), self.nature.timeout))
                    case machine.Leave():
                        self.left = True

    def start(self, script: bytes) -> machine.Started:
        is_stop = script == machine.STOP
        self.ends_s = self.now_s + self.nature.stop_takes_s if is_stop else inf
        self.told_s = self.now_s if is_stop else self.told_s
        return machine.Started(self.at(), 7, script, has_stop=self.nature.has_stop and not is_stop)

    def signal(self, name: str) -> None:
        assert self.service.pid
        if name == "KILL":
            self.kills.append((self.now_s, self.told_s))
            self.ends_s = self.now_s if self.nature.dies_of_kill else self.ends_s
        elif name == "TERM" and not self.service.stopping:
            self.told_s = min(self.told_s, self.now_s)
            self.ends_s = min(self.ends_s, self.now_s + self.nature.after_term_s)

    def obey(self, order: Order) -> None:
        if order.letters:
            self.tell(machine.Command(self.at(), order.letters))
        if order.input_ended:
            self.told_s = min(self.told_s, self.now_s)
            self.tell(machine.InputEnded(self.at()))
        if order.time_up:
            self.tell(machine.TimeUp(self.at()))

    def step(self, now_s: float) -> None:
        self.now_s = now_s
        due, self.wakes = [w for w in self.wakes if w <= now_s], [w for w in self.wakes if w > now_s]
        for _ in due:
            self.tell(machine.Woke(self.at()))
        if self.service.pid and self.ends_s <= now_s:
            self.ends_s = inf
            self.tell(machine.Exited(self.at(), -15))


@dataclass
class End:
    """How it went: when both were gone, or infinity."""

    gone_s: float
    service: Played
    logger: Played


def played(service: Nature, logger: Nature, waiting_bytes: int, background: bool, deadline: Deadline) -> End:
    """One folder, stopped from second 2 on; looked at as pair.Stopper does."""
    halves = (Played(service), Played(logger))
    for half in halves:
        half.tell(machine.Woke(half.at()))
    memory = Stopping()
    in_pipe, closed = waiting_bytes, False
    for steps in range(8, LONG):
        now_s = steps * STEP_S
        for half in halves:
            half.step(now_s)
        if halves[1].service.pid and not halves[1].service.stopping:
            in_pipe = max(0, in_pipe - logger.reads_bytes)
            if closed and not (in_pipe or background or halves[0].service.pid):
                halves[1].ends_s = min(halves[1].ends_s, now_s + logger.after_end_s)
        for _ in range(9):
            writes = background or not closed or halves[0].service.pid != 0
            order = orders(
                memory,
                halves[0].half(),
                halves[1].half(),
                pipe(in_pipe, writes),
                steps % 4 == 0,
                deadline.late(now_s),
            )
            assert not (order.logger.input_ended and not halves[0].left)
            closed |= order.close_pipe
            killed = len(halves[1].kills)
            halves[0].obey(order.service)
            halves[1].obey(order.logger)
            if len(halves[1].kills) > killed and not halves[0].left:
                assert deadline.late(now_s) >= Late.LOGGERS, "not before its service is gone"
            if not (order.service or order.logger):
                break
        else:
            raise AssertionError("orders without end")
        if halves[0].left and halves[1].left:
            return End(now_s, *halves)
    return End(inf, *halves)


TIMES = st.sampled_from([0.0, 0.5, 3.0, inf])
TIMEOUTS = st.sampled_from([b"0", b"1", b"2.5"])


def natures(timeout: st.SearchStrategy[bytes | None]) -> st.SearchStrategy[Nature]:
    reads_bytes = st.sampled_from([0, 1, 5])
    return st.builds(Nature, timeout, st.booleans(), TIMES, TIMES, TIMES, reads_bytes)


def in_order(end: End, deadline: Deadline) -> None:
    """Nobody is killed before its time, and only where that was asked for."""
    for half, later_s in ((end.service, LATER_S[0]), (end.logger, LATER_S[1])):
        timeout = half.nature.timeout
        for killed_s, told_s in half.kills:
            own_s = inf if timeout is None else told_s + float(timeout)
            assert killed_s >= min(own_s, deadline.mono_s + later_s)


@given(service=natures(st.none()), logger=natures(st.none()), waiting=st.integers(0, 9), rest=st.booleans())
def test_nothing_is_killed_that_nobody_asked_for(
    service: Nature, logger: Nature, waiting: int, rest: bool
) -> None:
    end = played(service, logger, waiting, rest, Deadline())
    assert not end.service.kills and not end.logger.kills


@given(service=natures(TIMEOUTS), logger=natures(TIMEOUTS), waiting=st.integers(0, 9), rest=st.booleans())
def test_with_a_timeout_in_both_folders_it_ends(
    service: Nature, logger: Nature, waiting: int, rest: bool
) -> None:
    end = played(service, logger, waiting, rest, Deadline())
    assert end.gone_s < inf
    in_order(end, Deadline())


@given(
    service=natures(st.none() | TIMEOUTS),
    logger=natures(st.none() | TIMEOUTS),
    waiting=st.integers(0, 9),
    rest=st.booleans(),
    deadline_s=st.sampled_from([2.0, 2.5, 4.0, 9.0]),
)
def test_with_a_deadline_for_all_it_ends_in_time(
    service: Nature, logger: Nature, waiting: int, rest: bool, deadline_s: float
) -> None:
    deadline = Deadline(deadline_s)
    end = played(service, logger, waiting, rest, deadline)
    assert end.gone_s <= deadline_s + LATER_S[1] + 2 * STEP_S
    in_order(end, deadline)
