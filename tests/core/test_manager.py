"""What the service manager says and is told, as text."""

from __future__ import annotations

import pytest

from svpy.core import manager
from svpy.core.service import SERVICE_FOLDER, Service
from svpy.core.status import FAILED, STARTED, STARTING, STOPPING

OURS = [
    b"NOTIFY_SOCKET=/run/systemd/notify", b"WATCHDOG_USEC=3000000", b"WATCHDOG_PID=7", b"LISTEN_PID=7",
    b"LISTEN_FDS=1", b"LISTEN_FDNAMES=x", b"FDSTORE=3", b"INVOCATION_ID=0f", b"SYSTEMD_EXEC_PID=7",
]  # fmt: skip


def test_what_is_svscans_own_does_not_reach_services() -> None:
    theirs = [
        b"PATH=/bin", b"", b"A=1", b"A=2", b"NOTIFY_SOCKETS=1", b"JOURNAL_STREAM=8:1", b"MANAGERPID=1",
        b"MEMORY_PRESSURE_WATCH=/sys", b"LISTEN=1", b"X=NOTIFY_SOCKET=1",
    ]  # fmt: skip
    assert manager.for_services([*theirs[:3], *OURS, *theirs[3:], b"WATCHDOG_PID"]) == theirs
    assert manager.for_services(theirs) == theirs


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], None),
        ([b"WATCHDOG_USEC=3000000"], 1.5),
        ([b"WATCHDOG_USEC=3000000", b"WATCHDOG_PID=7"], 1.5),
        ([b"WATCHDOG_USEC=3000000", b"WATCHDOG_PID="], 1.5),
        ([b"WATCHDOG_USEC=3000000", b"WATCHDOG_PID=8"], None),
        ([b"WATCHDOG_USEC=3000000", b"WATCHDOG_PID=x"], None),
        ([b"WATCHDOG_USEC=2000000", b"WATCHDOG_USEC=4000000"], 1.0),
        ([b"WATCHDOG_USEC=0"], None),
        ([b"WATCHDOG_USEC="], None),
        ([b"WATCHDOG_USEC=-1"], None),
        ([b"WATCHDOG_USEC=1s"], None),
    ],
)
def test_the_watchdog_is_answered_twice_in_its_time(entries: list[bytes], expected: float | None) -> None:
    assert manager.answer_interval_s(entries, 7) == expected


def machine(pid: int = 0, word: bytes = b"", due: bool = False, paused: bool = False) -> Service:
    one = Service(normally_up=False, scripts=SERVICE_FOLDER)
    one.pid, one.word, one.due, one.paused = pid, word, due, paused
    return one


def test_everything_is_counted_by_what_it_does_now() -> None:
    up, down = machine(pid=5), machine()
    every = [
        up, up, up, down, machine(word=FAILED), machine(due=True), machine(pid=6, paused=True),
        machine(pid=7, word=STARTING), machine(pid=8, word=STOPPING), machine(word=STARTED),
    ]  # fmt: skip
    assert manager.status([], [], stopping=False) == b"STATUS=no services"
    assert manager.status([up], [], stopping=False) == b"STATUS=1 service, 1 up"
    assert manager.status([up, down], [up], stopping=False) == (
        b"STATUS=2 services, 1 up, 1 down; 1 logger, 1 up"
    )
    assert manager.status(every, [], stopping=False) == (
        b"STATUS=10 services, 4 up, 1 paused, 1 starting, 1 stopping, 1 restarting, 1 failed, 1 down"
    )
    assert manager.status([], [down, down], stopping=False) == b"STATUS=no services; 2 loggers, 2 down"


def test_what_is_left_is_counted_down() -> None:
    up = machine(pid=5)
    assert manager.status([up, up], [up], stopping=True) == (
        b"STATUS=stopping: 2 services, 2 up; 1 logger, 1 up"
    )
    assert manager.status([], [up], stopping=True) == b"STATUS=stopping: 1 logger, 1 up"
    assert manager.status([], [], stopping=True) == b"STATUS=stopping: nothing left"


@pytest.mark.parametrize(("own", "services"), [(-1000, 0), (-1, 0), (0, None), (1, None), (1000, None)])
def test_only_a_spared_svscan_starts_services_with_another_score(own: int, services: int | None) -> None:
    assert manager.oom_score_of_services(own) == services
