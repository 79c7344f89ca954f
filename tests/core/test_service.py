"""The supervise machine: a table of events and the exact actions, and what holds for any sequence."""

from __future__ import annotations

from dataclasses import replace
from errno import EACCES, EAGAIN, ENOENT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core import service as machine
from svpy.core.control import LETTERS
from svpy.core.exits import Exits
from svpy.core.service import (
    FORK_RETRY_S,
    LOG_FILE,
    NOTIFY,
    RUN,
    START,
    START_INTERVAL_S,
    STOP,
    Action,
    Command,
    Count,
    EndAll,
    Event,
    Exited,
    InputEnded,
    Instant,
    Leave,
    NothingToRun,
    Notify,
    Opened,
    Publish,
    ReadTimeout,
    Released,
    Resumed,
    Signal,
    Spawn,
    Started,
    StartFailed,
    TimeoutRead,
    TimeUp,
    WakeAt,
    Warn,
    Woke,
)
from svpy.core.status import decode


class Service(machine.Service):
    """Without what it counts, which has tables of its own."""

    __slots__ = ()

    def handle(self, event: Event) -> list[Action]:
        return [action for action in super().handle(event) if not isinstance(action, Count)]


def at(mono_s: float) -> Instant:
    """A moment whose TAI label says the same as its monotonic second."""
    return Instant(mono_s, int(mono_s * 10).to_bytes(12, "big"))


def published(since_s: float, pid: int, want: bytes, paused: bool = False, word: bytes = b"") -> Publish:
    return Publish(at(since_s).tai + pid.to_bytes(4, "little") + bytes([paused]) + want, word)


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


TERM, CONT, HOLD = Signal("TERM"), Signal("CONT"), Signal("STOP")
TERM_ALL, CONT_ALL = Signal("TERM", to_group=True), Signal("CONT", to_group=True)
READ = ReadTimeout()
FIRST = Spawn((b"start", b"run"))
"""Of a service that was at rest. It is Spawn() when it restarts."""

UP_TABLE: list[tuple[Event, list[Action]]] = [
    (Command(at(5), b"u"), [published(0, 7, b"u")]),
    (Command(at(5), b"d"), [TERM, CONT, published(0, 7, b"d"), READ]),
    (Command(at(5), b"o"), [published(0, 7, b"\0")]),
    (Command(at(5), b"p"), [HOLD, published(0, 7, b"u", paused=True)]),
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
    (Command(at(5), b"+=Ll"), []),
    (Command(at(5), b"+t=th\n"), [Signal("TERM", to_group=True), TERM, Signal("HUP")]),
    (Command(at(5), b"+d\nt"), [TERM_ALL, CONT_ALL, TERM, published(0, 7, b"d"), READ]),
    (Command(at(5), b"pc"), [HOLD, CONT, published(0, 7, b"u")]),
    (Command(at(5), b"up"), [HOLD, published(0, 7, b"u", paused=True)]),
    (Command(at(5), b"ud"), [TERM, CONT, published(0, 7, b"d"), READ]),
    (Command(at(5), b"tttt"), [TERM]),
    (Command(at(5), b"dx"), [TERM, CONT, published(0, 7, b"d"), READ]),
    (Command(at(5), b"du"), [TERM, CONT, published(0, 7, b"u")]),
    (Exited(at(5)), [published(5, 0, b"u"), Spawn()]),
    (Exited(at(0.5)), [published(0.5, 0, b"u"), WakeAt(START_INTERVAL_S)]),
    (Exited(at(5), 99), [published(5, 0, b"u"), Spawn()]),
    (Exited(at(5), -9), [published(5, 0, b"u"), Spawn()]),
    (Exited(at(5), 100), [published(5, 0, b"d", word=b"failed")]),
    (Woke(at(5)), []),
]

DOWN_TABLE: list[tuple[Event, list[Action]]] = [
    (Command(at(5), b"u"), [published(0, 0, b"u"), FIRST]),
    (Command(at(5), b"o"), [published(0, 0, b"\0"), FIRST]),
    (Command(at(5), b"d"), [published(0, 0, b"d")]),
    (Command(at(5), b"p"), [published(0, 0, b"d")]),
    (Command(at(5), b"haitkq12w+=Ll"), []),
    (Command(at(5), b"x"), [published(0, 0, b"d"), Leave()]),
    (Command(at(5), b"ud"), [published(0, 0, b"u"), FIRST]),
    (Command(at(5), b"du"), [published(0, 0, b"u"), FIRST]),
    (Command(at(5), b"ux"), [published(0, 0, b"u"), FIRST]),
    (Command(at(5), b"xu"), [published(0, 0, b"u"), FIRST]),
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
    assert service.handle(Woke(at(1))) == [FIRST]
    assert service.handle(Started(at(1), 300)) == [published(1, 300, b"u")]
    assert service.handle(Command(at(1.25), b"p")) == [HOLD, published(1, 300, b"u", paused=True)]
    assert service.handle(Exited(at(1.5))) == [published(1.5, 0, b"u"), WakeAt(2)]
    assert service.handle(Command(at(1.6), b"h")) == []
    assert service.handle(Command(at(1.7), b"d")) == [published(1.5, 0, b"d")]
    assert service.handle(Woke(at(2))) == []
    assert service.handle(Command(at(2.1), b"o")) == [published(1.5, 0, b"\0"), FIRST]
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
    assert service.handle(Command(at(5), b"hupth")) == [published(0, 0, b"u"), FIRST]
    assert service.handle(Started(at(5), 8)) == [
        published(5, 8, b"u"),
        HOLD,
        TERM,
        Signal("HUP"),
        published(5, 8, b"u", paused=True),
    ]


def test_once_and_exit_runs_once_and_leaves() -> None:
    service = down()
    assert service.handle(Command(at(5), b"ox")) == [published(0, 0, b"\0"), FIRST]
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
    assert service.handle(Woke(at(1.5))) == [FIRST]


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
        assert service.handle(Woke(at(moment + wait_s))) == [FIRST]


def test_once_is_tried_once() -> None:
    service = down()
    assert service.handle(Command(at(1), b"o"))[-1] == FIRST
    assert service.handle(StartFailed(at(1), EACCES)) == [Warn(b"unable to start ", b"/run: access denied")]
    assert service.handle(Woke(at(9))) == []


def test_the_group_is_addressed_until_the_message_ends() -> None:
    """However the reads cut it."""
    service = up()
    assert service.handle(Command(at(2), b"+")) == []
    assert service.handle(Command(at(2), b"h")) == [Signal("HUP", to_group=True)]
    assert service.handle(Command(at(2), b"\nh")) == [Signal("HUP")]


def test_the_group_is_addressed_behind_a_start() -> None:
    service = down()
    assert service.handle(Command(at(2), b"u+h\ni")) == [published(0, 0, b"u"), FIRST]
    expected = [published(2, 8, b"u"), Signal("HUP", to_group=True), Signal("INT")]
    assert service.handle(Started(at(2), 8)) == expected


def with_scripts(*, stop: bool = True, notify: bool = False) -> Service:
    """A service whose `start` was just started as pid 7."""
    service = Service(normally_up=True)
    service.handle(Opened(at(0)))
    assert service.handle(Woke(at(0))) == [FIRST]
    started = Started(at(0), 7, START, has_stop=stop, has_notify=notify)
    assert service.handle(started)[0] == published(0, 7, b"u", word=b"starting")
    return service


IF_THERE = Spawn((b"run",), only_if_there=True)


def running(notify: bool = False) -> Service:
    """The same, its `run` up as pid 8 since 0.2."""
    service = with_scripts(notify=notify)
    assert service.handle(Exited(at(0.2)))[-1] == IF_THERE
    service.handle(Started(at(0.2), 8, RUN, has_stop=True, has_notify=notify))
    return service


STOP_SCRIPT = Spawn((b"stop",))


def test_start_then_run_then_stop() -> None:
    service = with_scripts()
    assert service.handle(Exited(at(0.2))) == [published(0.2, 0, b"u", word=b"starting"), IF_THERE]
    assert service.handle(Started(at(0.2), 8, RUN, has_stop=True)) == [published(0.2, 8, b"u")]
    assert service.handle(Exited(at(0.3))) == [published(0.3, 0, b"u"), WakeAt(1.2)]
    assert service.handle(Woke(at(1.2))) == [Spawn()]
    service.handle(Started(at(1.2), 9, RUN, has_stop=True))
    assert service.handle(Command(at(2), b"d")) == [TERM, CONT, published(1.2, 9, b"d"), READ]
    assert service.handle(Exited(at(3), -15)) == [published(3, 0, b"d"), STOP_SCRIPT]
    assert service.handle(Started(at(3), 10, STOP)) == [published(3, 10, b"d", word=b"stopping"), READ]
    assert service.handle(Exited(at(4), 1)) == [published(4, 0, b"d")]
    assert service.handle(Command(at(5), b"d")) == [published(4, 0, b"d")], "once"
    assert service.handle(Command(at(5), b"u")) == [published(4, 0, b"u"), FIRST]


def test_notify_is_told_of_every_process() -> None:
    service = with_scripts(notify=True)
    pids = [7]
    told = []
    for event in (
        Exited(at(0.2)),
        Started(at(0.2), 8, RUN, has_stop=True, has_notify=True),
        Exited(at(2), 3),
        Started(at(2), 9, RUN, has_stop=True, has_notify=True),
        Command(at(4), b"d"),
        Exited(at(5), -15),
        Started(at(5), 10, STOP),
        Exited(at(6), 1),
    ):
        told += [action for action in service.handle(event) if isinstance(action, Notify)]
        pids.append(service.pid)
    assert told == [
        Notify(b"start", b"exit", 7, 0),
        Notify(b"run", b"start", 8, 0),
        Notify(b"run", b"exit", 8, 3),
        Notify(b"run", b"start", 9, 0),
        Notify(b"run", b"killed", 9, 15),
        Notify(b"stop", b"start", 10, 0),
        Notify(b"stop", b"exit", 10, 1),
    ]


@pytest.mark.parametrize("code", [1, 100, -15])
def test_a_start_that_does_not_exit_0_has_failed(code: int) -> None:
    service = with_scripts()
    assert service.handle(Exited(at(2), code)) == [published(2, 0, b"d", word=b"failed")]
    assert service.handle(Woke(at(9))) == []
    assert service.handle(Command(at(9), b"u")) == [published(2, 0, b"u"), FIRST]


def test_a_start_that_cannot_be_executed_has_failed() -> None:
    service = Service(normally_up=True)
    service.handle(Opened(at(0)))
    service.handle(Woke(at(0)))
    assert service.handle(StartFailed(at(0), EACCES, START)) == [
        Warn(b"unable to start ", b"/start: access denied"),
        published(0, 0, b"d", word=b"failed"),
    ]


def test_a_run_that_exits_100_is_not_stopped_before_it_is_told_to() -> None:
    service = running()
    assert service.handle(Exited(at(2), 100)) == [published(2, 0, b"d", word=b"failed")]
    assert service.handle(Command(at(3), b"h")) == []
    assert service.handle(Command(at(3), b"d")) == [published(2, 0, b"d"), STOP_SCRIPT]


def test_100_of_a_run_that_was_told_down_is_an_exit_like_any_other() -> None:
    service = running()
    service.handle(Command(at(2), b"d"))
    assert service.handle(Exited(at(3), 100)) == [published(3, 0, b"d"), STOP_SCRIPT]
    service = running()
    service.handle(Command(at(2), b"du"))
    assert service.handle(Exited(at(3), 100)) == [published(3, 0, b"u"), Spawn()]


def test_a_folder_without_a_run_has_started_when_its_start_has() -> None:
    service = with_scripts()
    service.handle(Exited(at(0.2)))
    assert service.handle(NothingToRun(at(0.2))) == [published(0.2, 0, b"\0", word=b"started")]
    assert service.handle(Command(at(1), b"uo")) == [published(0.2, 0, b"\0", word=b"started")]
    assert service.handle(Command(at(2), b"d")) == [published(0.2, 0, b"d"), STOP_SCRIPT]
    service.handle(Started(at(2), 9, STOP))
    assert service.handle(Exited(at(3)))[-1] == published(3, 0, b"d")
    assert service.handle(Command(at(4), b"u"))[-1] == FIRST


def test_a_start_told_down_runs_nothing_more_but_stop() -> None:
    for code in (0, 1, -15):
        service = with_scripts()
        service.handle(Command(at(0.1), b"d"))
        assert service.handle(Exited(at(0.2), code)) == [published(0.2, 0, b"d"), STOP_SCRIPT]


def test_a_start_told_down_and_up_again_is_repeated() -> None:
    service = with_scripts()
    service.handle(Command(at(0.1), b"du"))
    assert service.handle(Exited(at(0.2), -15)) == [published(0.2, 0, b"u"), WakeAt(1)]
    assert service.handle(Woke(at(1))) == [FIRST]


def test_once_and_exit_with_scripts() -> None:
    service = with_scripts()
    service.handle(Command(at(0.1), b"ox"))
    assert service.handle(Exited(at(0.2)))[-1] == IF_THERE
    service.handle(Started(at(0.2), 8, RUN, has_stop=True))
    assert service.handle(Exited(at(0.3)))[-1] == STOP_SCRIPT
    service.handle(Started(at(0.3), 9, STOP))
    assert service.handle(Exited(at(0.4)))[-1] == Leave()


def test_down_during_stop_does_not_end_it_and_up_waits_for_it() -> None:
    service = running()
    service.handle(Command(at(2), b"d"))
    service.handle(Exited(at(2)))
    service.handle(Started(at(2), 9, STOP))
    assert service.handle(Command(at(2), b"d")) == [CONT, published(2, 9, b"d", word=b"stopping"), READ]
    assert service.handle(Command(at(2), b"t")) == [TERM]
    assert service.handle(Command(at(2), b"o")) == [published(2, 9, b"\0", word=b"stopping")]
    assert service.handle(Exited(at(3))) == [published(3, 0, b"\0"), FIRST]


def test_a_stop_that_cannot_be_executed_holds_up_nothing() -> None:
    service = running()
    service.handle(Command(at(2), b"dx"))
    assert service.handle(Exited(at(2)))[-1] == STOP_SCRIPT
    warning = Warn(b"unable to start ", b"/stop: temporary failure")
    assert service.handle(StartFailed(at(2), EAGAIN, STOP)) == [warning, Leave()]


def test_a_run_that_cannot_be_executed_behind_its_start_is_tried_again_without_it() -> None:
    service = with_scripts()
    service.handle(Exited(at(0.2)))
    warning = Warn(b"unable to start ", b"/run: access denied")
    assert service.handle(StartFailed(at(0.2), EACCES)) == [warning, WakeAt(1.2)]
    assert service.handle(Command(at(0.3), b"u")) == [published(0.2, 0, b"u", word=b"starting")]
    assert service.handle(Woke(at(1.2))) == [IF_THERE]
    service.handle(StartFailed(at(1.2), EACCES))
    assert service.handle(Command(at(1.3), b"d")) == [published(0.2, 0, b"d"), STOP_SCRIPT]


def test_a_run_that_is_wanted_once_and_cannot_be_executed_leaves_stop_to_do() -> None:
    service = with_scripts()
    service.handle(Command(at(0.1), b"o"))
    service.handle(Exited(at(0.2)))
    warning = Warn(b"unable to start ", b"/run: access denied")
    assert service.handle(StartFailed(at(0.2), EACCES)) == [warning, published(0.2, 0, b"\0"), STOP_SCRIPT]


def test_down_and_up_of_what_has_failed_stops_it_first() -> None:
    service = running()
    service.handle(Exited(at(2), 100))
    assert service.handle(Command(at(3), b"du")) == [published(2, 0, b"d"), STOP_SCRIPT]
    started = [published(3, 9, b"d", word=b"stopping"), READ, published(3, 9, b"u", word=b"stopping")]
    assert service.handle(Started(at(3), 9, STOP)) == started
    assert service.handle(Exited(at(4)))[-1] == FIRST


def test_exit_of_what_is_wanted_up_does_not_stop_it() -> None:
    """As in encore: it is to be taken up again."""
    service = running()
    service.handle(Command(at(2), b"x"))
    assert service.handle(Exited(at(3))) == [published(3, 0, b"u"), Leave()]


def test_told_down_is_forgotten_with_the_process() -> None:
    service = running()
    service.handle(Command(at(2), b"du"))
    service.handle(Exited(at(3)))
    service.handle(Started(at(3), 9, RUN, has_stop=True))
    assert service.handle(Exited(at(5), 100)) == [published(5, 0, b"d", word=b"failed")]


def test_a_logger_that_is_a_file_has_no_other_scripts() -> None:
    service = Service(normally_up=True, scripts=LOG_FILE)
    service.handle(Opened(at(0)))
    assert service.handle(Woke(at(0))) == [Spawn((b"log",))]
    assert service.handle(StartFailed(at(0), EACCES, b"log"))[0].about == b"/log: access denied"
    assert service.handle(Woke(at(1))) == [Spawn((b"log",))]
    told = service.handle(Started(at(1), 7, b"log", has_notify=True))
    assert told == [published(1, 7, b"u"), Notify(b"log", b"start", 7, 0)]
    assert service.handle(Exited(at(2)))[-1] == Spawn((b"log",))


STARTED_AT = at(3)


def left_behind(status: Publish | None, pid: int = 7, script: bytes = RUN, **more: object) -> Resumed:
    """What is found at 5 of a process that was started at 3, and the status that was published last."""
    known = None if status is None else decode(status.status)
    word = b"" if status is None else status.word
    return Resumed(at(5), pid, script, STARTED_AT, status=known, word=word, **{"running": True, **more})  # type: ignore[arg-type]


def resumed(event: Resumed, normally_up: bool = True) -> tuple[Service, list[Action]]:
    service = Service(normally_up)
    return service, service.handle(event)


UNKNOWN = Warn(b"exit code of ", b" (pid 7) is unknown: another supervise had started it")

GOES_ON: list[Publish] = [
    published(3, 7, b"u"),
    published(3, 7, b"d"),
    published(3, 7, b"\0"),
    published(3, 7, b"u", paused=True),
]


@pytest.mark.parametrize("before", GOES_ON, ids=str)
@pytest.mark.parametrize("normally_up", [True, False])
def test_what_still_runs_is_as_it_was(before: Publish, normally_up: bool) -> None:
    service, actions = resumed(left_behind(before), normally_up)
    reads = [ReadTimeout()] if before.status[17:] == b"d" else []
    assert actions == [before, *reads]
    assert service.handle(Woke(at(5))) == []
    assert service.handle(Command(at(6), b"c"))[0] == CONT


@pytest.mark.parametrize("want", [b"u", b"d", b"\0"])
@pytest.mark.parametrize("since_s", [5, 3.5])
def test_an_end_without_a_code(want: bytes, since_s: float) -> None:
    service, _ = resumed(left_behind(published(3, 7, want)))
    then = {b"u": [Spawn()] if since_s > 4 else [WakeAt(4)]}.get(want, [])
    assert service.handle(Exited(at(since_s), None)) == [published(since_s, 0, want), UNKNOWN, *then]


def test_a_start_whose_end_nobody_saw_is_begun_again() -> None:
    for want in (b"u", b"\0"):
        service, actions = resumed(left_behind(published(3, 7, want, word=b"starting"), script=START))
        assert actions == [published(3, 7, want, word=b"starting")]
        assert service.handle(Exited(at(5), None)) == [published(5, 0, want), UNKNOWN, FIRST]
    service, _ = resumed(left_behind(published(3, 7, b"d", word=b"starting"), script=START, has_stop=True))
    assert service.handle(Exited(at(5), None)) == [published(5, 0, b"d"), UNKNOWN, STOP_SCRIPT]


def test_a_child_of_our_own_has_its_code() -> None:
    service, _ = resumed(left_behind(published(3, 7, b"u")))
    assert service.handle(Exited(at(5), 100)) == [published(5, 0, b"d", word=b"failed")]


def test_a_stop_that_still_runs() -> None:
    for want, then in ((b"d", []), (b"u", [FIRST])):
        before = published(3, 7, want, word=b"stopping")
        service, actions = resumed(left_behind(before, script=STOP, has_stop=True))
        assert actions == [before, ReadTimeout()]
        assert service.handle(Exited(at(5), None)) == [published(5, 0, want), UNKNOWN, *then]


def test_a_run_that_ends_because_of_a_down_from_before_is_stopped() -> None:
    service, _ = resumed(left_behind(published(3, 7, b"d"), has_stop=True))
    assert service.handle(Exited(at(5), None)) == [published(5, 0, b"d"), UNKNOWN, STOP_SCRIPT]


def test_a_start_that_was_not_published_any_more_is_known_by_its_record() -> None:
    for before in (published(2, 0, b"u"), published(2, 6, b"u"), None):
        service, actions = resumed(left_behind(before))
        assert actions == [published(3, 7, b"u")]
        assert service.handle(Woke(at(5))) == []


DOWN_AND: list[tuple[Publish, bytes, list[Action]]] = [
    (published(4, 0, b"u"), RUN, [Spawn()]),
    (published(4, 0, b"u"), STOP, [FIRST]),
    (published(4, 0, b"u"), b"", [FIRST]),
    (published(4, 0, b"d"), RUN, []),
    (published(4, 0, b"\0"), RUN, []),
    (published(4, 0, b"u", word=b"starting"), START, [IF_THERE]),
    (published(4, 0, b"\0", word=b"starting"), START, [IF_THERE]),
    (published(4, 0, b"d", word=b"failed"), RUN, []),
    (published(4, 0, b"\0", word=b"started"), START, []),
]


@pytest.mark.parametrize(("before", "script", "then"), DOWN_AND, ids=str)
def test_what_was_down_goes_on_from_there(before: Publish, script: bytes, then: list[Action]) -> None:
    event = left_behind(before, 7 if script else 0, script, running=False)
    service, actions = resumed(event)
    assert actions == [before]
    assert service.handle(Woke(at(5))) == then


def test_the_second_since_its_last_start_is_kept() -> None:
    event = left_behind(published(4, 0, b"u"), running=False)
    service = Service(normally_up=True)
    service.handle(replace(event, at=at(3.5)))
    assert service.handle(Woke(at(3.5))) == [WakeAt(4)]
    assert service.handle(Woke(at(4))) == [Spawn()]


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forward"])
def test_a_clock_that_is_set_changes_nothing_of_that_second(hours: int) -> None:
    """Set while a service is in its throttle and its supervise is dead: the label goes along, the second
    between two starts is measured, and what was published stands."""

    def then(mono_s: float) -> Instant:
        return Instant(mono_s, at(mono_s + 36000 + 3600 * hours).tai)

    running = left_behind(published(36003, 7, b"u"))
    for is_running in (True, False):
        found = replace(running, at=then(3.5), started=then(3), running=is_running)
        service, actions = resumed(found)
        assert actions == [published(36003, 7, b"u")]
        code = service.handle(Exited(then(3.6), None))
        assert code == [published(36003.6 + 3600 * hours, 0, b"u"), UNKNOWN, WakeAt(4)]
        assert service.handle(Woke(then(3.9))) == [WakeAt(4)]
        assert service.handle(Woke(then(4))) == [Spawn()]


def test_a_start_in_the_future_is_none() -> None:
    service = Service(normally_up=True)
    service.handle(replace(left_behind(published(4, 0, b"u"), running=False), started=at(9000)))
    assert service.handle(Woke(at(5))) == [WakeAt(6)]


def test_a_stop_that_was_due_is_done_and_one_that_was_done_is_not() -> None:
    for script, then in ((RUN, [STOP_SCRIPT]), (STOP, [])):
        event = left_behind(published(4, 0, b"d"), script=script, running=False, has_stop=True)
        service, _ = resumed(event)
        assert service.handle(Woke(at(5))) == then


def test_what_was_wanted_of_one_that_was_about_to_be_left_is_over() -> None:
    for running in (True, False):
        event = left_behind(published(3, 7, b"d"), running=running, leaving=True)
        service, actions = resumed(event)
        assert actions == [published(3, 7, b"u")]
        assert service.handle(Exited(at(5), None)) == [published(5, 0, b"u"), UNKNOWN, Spawn()]
    service, actions = resumed(left_behind(published(4, 0, b"d"), running=False, leaving=True))
    assert actions == [published(4, 0, b"u")]
    assert service.handle(Woke(at(5))) == [FIRST]


def test_without_a_status_it_is_as_the_folder_says() -> None:
    for normally_up, want in ((True, b"u"), (False, b"d")):
        service, actions = resumed(left_behind(None, running=False), normally_up)
        assert actions == [published(5, 0, want)]
        assert (service.handle(Woke(at(5))) != []) == normally_up


def test_notify_is_told_that_a_code_is_unknown() -> None:
    service, _ = resumed(left_behind(published(3, 7, b"d"), has_notify=True))
    assert service.handle(Exited(at(5), None))[-1] == Notify(RUN, b"unknown", 7, 0)


def test_an_essential_one_without_a_code_has_failed() -> None:
    service, _ = resumed(left_behind(published(3, 7, b"u")))
    assert service.handle(Exited(at(5), None, essential=True))[-1] == EndAll(111)
    service, _ = resumed(left_behind(published(3, 7, b"d")))
    assert EndAll(111) not in service.handle(Exited(at(5), None, essential=True)), "it was told to"


# stop-timeout, the end of its input, time that is up for all, essential.

KILLING = [Warn(b"killing ", b": it did not end in time"), Signal("KILL")]


def test_what_does_not_end_in_time_is_killed_once() -> None:
    service = up()
    assert service.handle(Command(at(5), b"d"))[-1] == READ
    assert service.handle(TimeoutRead(at(5), b" 2.5\n")) == [WakeAt(7.5)]
    assert service.handle(Command(at(6), b"d")) == [TERM, CONT, published(0, 7, b"d")], "it counts already"
    assert service.handle(Woke(at(7.4))) == [WakeAt(7.5)]
    assert service.handle(Woke(at(7.5))) == KILLING
    assert service.handle(Woke(at(9))) == []
    assert service.handle(Command(at(9), b"d"))[-1] == published(0, 7, b"d")
    assert service.handle(Exited(at(9), -9)) == [published(9, 0, b"d")]


@pytest.mark.parametrize("letters", [b"u", b"o"])
def test_up_and_once_call_it_off(letters: bytes) -> None:
    service = up()
    service.handle(Command(at(5), b"d"))
    service.handle(TimeoutRead(at(5), b"2"))
    service.handle(Command(at(6), letters))
    assert service.handle(Woke(at(7))) == []
    assert service.handle(Command(at(8), b"d"))[-1] == READ
    assert service.handle(TimeoutRead(at(8), b"2")) == [WakeAt(10)], "and then it counts anew"


def test_a_flood_of_letters_asks_once_to_be_woken() -> None:
    service = up()
    asked = 0
    for number in range(100):
        moment = at(5 + number / 100)
        assert service.handle(Command(moment, b"ud"))[-1] == READ
        asked += len(service.handle(TimeoutRead(moment, b"60")))
        service.handle(Command(moment, b"u"))
    assert asked == 1


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        (b"soon", 0, b"not a number of seconds"),
        (b"", 0, b"not a number of seconds"),
        (b"-1", 0, b"not a number of seconds"),
        (b"", EACCES, b"access denied"),
    ],
)
def test_a_timeout_that_is_none_is_said_and_kills_nobody(text: bytes, number: int, why: bytes) -> None:
    service = up()
    service.handle(Command(at(5), b"d"))
    warning = Warn(b"unable to read ", b"/stop-timeout: " + why)
    assert service.handle(TimeoutRead(at(5), text, number)) == [warning]
    assert service.handle(Woke(at(1e9))) == []


def test_an_answer_that_comes_too_late_is_none() -> None:
    """It is up again, or gone."""
    service = up()
    service.handle(Command(at(5), b"du"))
    assert service.handle(TimeoutRead(at(5), b"0")) == []
    service.handle(Command(at(5), b"d"))
    service.handle(Exited(at(6)))
    assert service.handle(TimeoutRead(at(6), b"0")) == []


def test_a_stop_has_its_own_time_which_nothing_calls_off() -> None:
    service = running()
    service.handle(Command(at(2), b"d"))
    service.handle(TimeoutRead(at(2), b"3"))
    service.handle(Exited(at(4)))
    assert service.handle(Started(at(4), 9, STOP))[-1] == READ
    assert service.handle(TimeoutRead(at(4), b"3")) == [], "the moment asked for before comes first"
    assert service.handle(Woke(at(5))) == [WakeAt(7)]
    service.handle(Command(at(6), b"u"))
    killing = [Warn(b"killing ", b"/stop: it did not end in time"), Signal("KILL")]
    assert service.handle(Woke(at(7))) == killing
    assert service.handle(Exited(at(7), -9))[-1] == FIRST


def test_the_end_of_its_input_counts_like_being_told_to_end() -> None:
    service = up()
    service.handle(Command(at(5), b"co"))
    assert service.handle(InputEnded(at(5))) == [READ]
    assert service.handle(TimeoutRead(at(5), b"2")) == [WakeAt(7)]
    service.handle(Exited(at(6)))
    assert service.handle(Command(at(6), b"co"))[-1] == FIRST
    assert service.handle(Started(at(6), 8))[-1] == READ, "of the next that reads it as well"
    service.handle(TimeoutRead(at(6), b"2"))
    assert service.handle(Woke(at(8))) == KILLING


def test_time_is_up() -> None:
    service = running()
    service.handle(Command(at(2), b"d"))
    everyone = [Warn(b"killing ", b": it did not end in time"), Signal("KILL", to_group=True)]
    assert service.handle(TimeUp(at(3))) == everyone
    assert service.handle(Exited(at(3), -9)) == [published(3, 0, b"d"), Leave()], "without its stop"


@pytest.mark.parametrize("before", [b"", b"d", b"x", b"du", b"o"])
def test_nothing_is_started_when_time_is_up(before: bytes) -> None:
    service = up()
    service.handle(Exited(at(0.5)))
    service.handle(Command(at(0.6), before))
    assert service.left or service.handle(TimeUp(at(0.7)))[-1] == Leave()


@pytest.mark.parametrize("code", [0, 3, -11, 100])
def test_everything_ends_with_an_essential_service(code: int) -> None:
    service = up()
    word = b"failed" if code == 100 else b""
    assert service.handle(Exited(at(5), code, essential=True)) == [
        published(5, 0, b"d", word=word),
        EndAll(code),
    ]
    assert service.handle(Command(at(6), b"u"))[-1] == FIRST


@pytest.mark.parametrize("letter", [b"d", b"t", b"k", b"i", b"q", b"du", b"+t"])
def test_an_essential_service_that_was_told_to_end_ends_alone(letter: bytes) -> None:
    service = up()
    service.handle(Command(at(5), letter))
    told = service.handle(Exited(at(6), -15, essential=True))
    assert not any(isinstance(action, EndAll) for action in told)
    service.handle(Command(at(7), b"u"))
    service.handle(Started(at(7), 8))
    assert service.handle(Exited(at(9), essential=True))[-1] == EndAll(0), "that was the one before"


@pytest.mark.parametrize("letter", [b"h", b"a", b"1", b"2", b"w", b"pc", b"o", b"u"])
def test_other_letters_do_not_end_it(letter: bytes) -> None:
    service = up()
    service.handle(Command(at(5), letter))
    assert service.handle(Exited(at(6), 1, essential=True))[-1] == EndAll(1)


def test_its_scripts_and_everything() -> None:
    service = with_scripts()
    assert service.handle(Exited(at(0.2), 0, essential=True))[-1] == IF_THERE
    service.handle(Started(at(0.2), 8, RUN, has_stop=True))
    assert service.handle(Exited(at(2), 1, essential=True))[1:] == [EndAll(1), STOP_SCRIPT]
    service.handle(Started(at(2), 9, STOP))
    assert service.handle(Exited(at(3), 1, essential=True)) == [published(3, 0, b"d")]
    assert with_scripts().handle(Exited(at(2), 1, essential=True))[-1] == EndAll(1)
    service = Service(normally_up=True)
    service.handle(Woke(at(0)))
    assert service.handle(StartFailed(at(0), EACCES, START, essential=True))[-2] == EndAll(111)


class World:
    """Plays daemon and kernel for a machine: whatever is decided happens at once. `has` are the scripts
    in the folder; whatever is told of processes must be so."""

    def __init__(self, normally_up: bool, has: frozenset[bytes] = frozenset((RUN,))) -> None:
        self.mono_s = 0.0
        self.has = has
        self.service = Service(normally_up)
        self.pid = 0
        self.script = b""
        self.next_pid = 100
        self.starts: list[float] = []
        self.history: list[bytes] = []
        self.prepared = False
        self.unnotified: list[Notify] = []
        self.wake: float | None = None
        self.left = False
        self.status = b""
        self.word = b""
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
            case Spawn(scripts, only_if_there):
                self.spawn(scripts, only_if_there)
            case Signal():
                assert self.pid, "a signal to no one"
            case Publish(status, word):
                self.status, self.word = status, word
            case Notify():
                assert action == self.unnotified.pop(0)
            case WakeAt(mono_s):
                assert mono_s > self.mono_s
                self.wake = mono_s
            case Leave():
                assert self.pid == 0
                self.left = True

    def spawn(self, scripts: tuple[bytes, ...], only_if_there: bool) -> None:
        assert self.pid == 0
        script = next((script for script in scripts if script in self.has), scripts[-1])
        if script not in self.has:
            assert script == RUN, "nothing else is tried where it is not"
            absent = NothingToRun(self.now())
            self.tell(absent if only_if_there else StartFailed(self.now(), ENOENT))
            return
        match script:
            case b"start":
                assert not self.prepared
            case b"run":
                assert self.prepared or START not in self.has
                self.starts.append(self.mono_s)
            case b"stop":
                assert self.history and self.history[-1] != STOP, "once, and not for nothing"
                self.prepared = False
        self.history.append(script)
        self.script = script
        self.next_pid += 1
        self.pid = self.next_pid
        self.note(b"start", 0)
        self.tell(Started(self.now(), self.pid, script, STOP in self.has, NOTIFY in self.has))

    def note(self, notice: bytes, number: int) -> None:
        if NOTIFY in self.has:
            self.unnotified.append(Notify(self.script, notice, self.pid, number))

    def pass_time(self, duration_s: float) -> None:
        until = self.mono_s + duration_s
        while self.wake is not None and self.wake <= until and not self.left:
            self.mono_s, self.wake = self.wake, None
            self.tell(Woke(self.now()))
        self.mono_s = until

    def die(self, code: int = 0) -> None:
        if self.pid:
            if self.script == START:
                self.prepared = code == 0
            self.note(b"killed" if code < 0 else b"exit", abs(code))
            self.pid = 0
            self.tell(Exited(self.now(), code))
            if not self.pid and not self.service.due:
                self.prepared = False


class Mortal(World):
    """The same, whose supervise can be killed: another goes on with what it recorded and published."""

    def __init__(self, normally_up: bool) -> None:
        self.normally_up = normally_up
        super().__init__(normally_up)

    def succeed(self, unseen: bool) -> None:
        """`unseen`: the process ended as well, while there was no supervise."""
        if unseen:
            self.pid = 0
        before = self.status, self.word
        leaving = self.service.leaving
        event = Resumed(
            self.now(),
            self.next_pid if self.starts else 0,
            self.script,
            at(self.starts[-1] if self.starts else 0),
            running=self.pid != 0,
            status=decode(self.status),
            word=self.word,
            leaving=leaving,
        )
        self.service = Service(self.normally_up)
        self.wake = None
        self.tell(event)
        assert leaving or (self.status, self.word) == before
        if self.service.pid and not self.pid:
            self.tell(Exited(self.now(), None))
        self.tell(Woke(self.now()))


LETTERS_GIVEN = st.one_of(
    st.binary(min_size=1, max_size=6),
    st.text("udopchaitkxq12w+=Ll\n", min_size=1, max_size=4).map(str.encode),
)
WAITS = st.sampled_from([0.1, 0.5, 0.9, 1.0, 3.0])


@given(
    normally_up=st.booleans(),
    steps=st.lists(st.one_of(LETTERS_GIVEN, st.sampled_from([0, 1, -9]), WAITS), max_size=40),
)
def test_whatever_comes(normally_up: bool, steps: list[bytes | int | float]) -> None:
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
            world.die(step)
        if world.left:
            return
        assert (world.status, world.word) == (world.service.status(), b""), "what is published is what is"
        assert world.status[17:18] == want
        assert int.from_bytes(world.status[12:16], "little") == world.pid
        if want == b"u" and not world.pid:
            assert world.wake is not None, "a service that is wanted up is up or about to be"
    assert_once_a_second(world)
    world.pass_time(2)
    if want == b"u":
        assert world.pid
    if want == b"d":
        world.die()
        world.pass_time(5)
        assert not world.pid


@given(
    normally_up=st.booleans(),
    steps=st.lists(
        st.one_of(
            LETTERS_GIVEN, st.sampled_from([0, 1, -9]), WAITS, st.sampled_from(["killed", "all killed"])
        ),
        max_size=40,
    ),
)
def test_whatever_comes_and_whoever_is_killed(
    normally_up: bool, steps: list[bytes | int | float | str]
) -> None:
    world = Mortal(normally_up)
    wants = {ord("u"): b"u", ord("d"): b"d", ord("o"): b"\0"}
    want = b"u" if normally_up else b"d"
    for step in steps:
        if isinstance(step, bytes):
            world.tell(Command(world.now(), step))
            for byte in step:
                want = wants.get(byte, want)
        elif isinstance(step, str):
            if world.service.leaving:
                want = b"u" if normally_up else b"d"
            world.succeed(unseen=step == "all killed")
        elif isinstance(step, float):
            world.pass_time(step)
        else:
            world.die(step)
        if world.left:
            return
        assert (world.status, world.word) == (world.service.status(), b""), "what is published is what is"
        assert world.status[17:18] == want
        assert int.from_bytes(world.status[12:16], "little") == world.pid
        if want == b"u" and not world.pid:
            assert world.wake is not None, "a service that is wanted up is up or about to be"
    assert_once_a_second(world)


def assert_once_a_second(world: World) -> None:
    assert all(
        later - earlier >= START_INTERVAL_S - 1e-9
        for earlier, later in zip(world.starts, world.starts[1:], strict=False)
    )


WORD_OF = {b"start": b"starting", b"run": b"", b"stop": b"stopping"}


@given(
    normally_up=st.booleans(),
    has=st.frozensets(st.sampled_from([START, RUN, STOP, NOTIFY])),
    steps=st.lists(st.one_of(LETTERS_GIVEN, st.sampled_from([0, 1, 100, -9]), WAITS), max_size=40),
)
def test_whatever_comes_with_scripts(
    normally_up: bool, has: frozenset[bytes], steps: list[bytes | int | float]
) -> None:
    """World asserts the order of the scripts; here is what they have in common, and how it ends."""
    world = World(normally_up, has)
    for step in [*steps, b"=\nc", 3.0]:
        if isinstance(step, bytes):
            world.tell(Command(world.now(), step))
        elif isinstance(step, float):
            world.pass_time(step)
        else:
            world.die(step)
        if world.left:
            break
        assert (world.status, world.word) == (world.service.status(), world.service.word)
        assert int.from_bytes(world.status[12:16], "little") == world.pid
        assert not world.unnotified
        assert world.service.stopping == (world.pid != 0 and world.script == STOP)
        if world.pid:
            assert world.word == WORD_OF[world.script]
        elif not world.service.due:
            assert world.word in (b"", b"failed", b"started")
    assert_once_a_second(world)
    if world.left:
        return
    world.tell(Command(world.now(), b"dx"))
    for _ in range(3):
        if not world.left:
            world.die(-15)
    assert world.left, "down and exit end it, whatever went before"
    if STOP in has and world.history:
        assert world.history[-1] == STOP


def counting(scripts: machine.Scripts = machine.SERVICE_FOLDER) -> machine.Service:
    service = machine.Service(normally_up=True, scripts=scripts)
    for event in (Opened(at(0)), Woke(at(0))):
        service.handle(event)
    return service


def counts(service: machine.Service, event: Event) -> list[Action]:
    """What is counted because of an event, which stands before all else that is done."""
    actions = service.handle(event)
    counted = [action for action in actions if isinstance(action, Count)]
    assert actions[: len(counted)] == counted
    return counted


@pytest.mark.parametrize(
    "script, code, is_counted",
    [
        (RUN, 0, True),
        (RUN, 100, True),
        (RUN, -9, True),
        (RUN, None, True),
        (machine.LOG, 1, True),
        (START, 0, False),
        (START, None, False),
        (START, 1, True),
        (STOP, 0, False),
        (STOP, -9, False),
    ],
)
def test_what_counts_as_an_end(script: bytes, code: int | None, is_counted: bool) -> None:
    service = counting()
    service.handle(Started(at(0), 7, script))
    assert counts(service, Exited(at(3), code)) == [Count(1, code, 7, at(3).tai)] * is_counted


def test_ends_are_counted_on_whatever_is_wanted() -> None:
    service = counting()
    for number in range(1, 5):
        service.handle(Started(at(2 * number), number))
        if number == 3:
            service.handle(Command(at(2 * number), b"d"))
        expected = Count(number, 3, number, at(2 * number + 1).tai)
        assert counts(service, Exited(at(2 * number + 1), 3)) == [expected]
        service.handle(Command(at(2 * number + 1), b"u"))
    assert counts(service, StartFailed(at(9), EACCES)) == []


def test_what_was_counted_is_gone_on_with_and_no_end_is_counted_twice() -> None:
    for running, pid, expected in ((True, 7, 6), (True, 6, 6), (False, 6, 6), (False, 7, 5)):
        service = machine.Service(normally_up=True)
        known = machine.Status(at(1).tai, 7, False, b"u")
        counted = Exits(5, 0, pid, at(4).tai)
        service.handle(Resumed(at(5), 7, RUN, at(1), running=running, status=known, exits=counted))
        assert counts(service, Exited(at(6), None)) == [Count(expected, None, 7, at(6).tai)]


def test_an_end_that_was_published_stays_counted() -> None:
    service = machine.Service(normally_up=True)
    known = machine.Status(at(4).tai, 0, False, b"u")
    counted = Exits(5, 0, 7, at(4).tai)
    service.handle(Resumed(at(5), 7, RUN, at(1), running=False, status=known, exits=counted))
    service.handle(Started(at(5), 8))
    assert counts(service, Exited(at(6), 1)) == [Count(6, 1, 8, at(6).tai)]


def held() -> Service:
    service = Service(normally_up=True)
    assert service.handle(Opened(at(0), held=True)) == [published(0, 0, b"u")]
    assert service.handle(Woke(at(0))) == []
    return service


HELD_TABLE: list[tuple[Event, list[Action], bool]] = [
    (Released(at(5)), [FIRST], False),
    (Woke(at(5)), [], True),
    (Command(at(5), b"u"), [published(0, 0, b"u"), FIRST], False),
    (Command(at(5), b"o"), [published(0, 0, b"\0"), FIRST], False),
    (Command(at(5), b"d"), [published(0, 0, b"d")], False),
    (Command(at(5), b"x"), [published(0, 0, b"u"), Leave()], False),
    (Command(at(5), b"dx"), [published(0, 0, b"d"), Leave()], False),
    (Command(at(5), b"pcthkq12wai\n"), [published(0, 0, b"u")], True),
    (TimeUp(at(5)), [published(0, 0, b"d"), Leave()], False),
]


@pytest.mark.parametrize(("event", "actions", "waits"), HELD_TABLE, ids=repr)
def test_what_a_waiting_one_does(event: Event, actions: list[Action], waits: bool) -> None:
    service = held()
    assert service.handle(event) == actions
    assert service.held is waits


def test_only_a_first_start_waits() -> None:
    service = held()
    service.handle(Released(at(1)))
    service.handle(Started(at(1), 7))
    assert service.handle(Exited(at(3))) == [published(3, 0, b"u"), Spawn()]
    assert service.handle(Released(at(3))) == []
    down_at_first = Service(normally_up=False)
    down_at_first.handle(Opened(at(0), held=True))
    assert not down_at_first.held
    assert down_at_first.handle(Command(at(1), b"u")) == [published(0, 0, b"u"), FIRST]


@pytest.mark.parametrize(
    "script, pid, want, waits",
    [(b"", 0, b"u", True), (b"", 0, b"d", False), (RUN, 0, b"u", False), (RUN, 7, b"u", False)],
)
def test_after_a_death_what_never_ran_waits_on(script: bytes, pid: int, want: bytes, waits: bool) -> None:
    service = Service(normally_up=True)
    known = machine.Status(at(1).tai, pid, False, want)
    service.handle(Resumed(at(5), pid, script, at(1), running=pid != 0, status=known, held=True))
    assert service.held is waits
    assert (service.handle(Woke(at(9))) == []) is (waits or want == b"d" or pid != 0)
