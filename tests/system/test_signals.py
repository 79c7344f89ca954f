"""Hearing signals, one, many, and a flood."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator

import pytest
from support.processes import Running

from svpy.system.signals import Heard


@pytest.fixture
def heard() -> Iterator[Heard]:
    hearing = Heard(signal.SIGUSR1, signal.SIGUSR2)
    yield hearing
    hearing.close()


def readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_each_is_taken_once(heard: Heard) -> None:
    assert list(heard.take()) == []
    assert not readable(heard.fd)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        signal.raise_signal(number)
    assert readable(heard.fd)
    assert sorted(heard.take()) == [signal.SIGUSR1, signal.SIGUSR2]
    assert not readable(heard.fd)
    assert list(heard.take()) == []


def test_one_that_comes_while_others_are_taken_is_not_lost(heard: Heard) -> None:
    signal.raise_signal(signal.SIGUSR1)
    taking = heard.take()
    assert next(taking) == signal.SIGUSR1
    signal.raise_signal(signal.SIGUSR1)
    assert readable(heard.fd)
    assert [*taking, *heard.take()] == [signal.SIGUSR1]


def test_a_full_pipe_loses_nothing(heard: Heard) -> None:
    for _ in range(70_000):
        signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR2)
    assert sorted(heard.take()) == [signal.SIGUSR1, signal.SIGUSR2]
    assert not readable(heard.fd)


def test_afterwards_all_is_as_before() -> None:
    before = (signal.getsignal(signal.SIGUSR1), len(os.listdir("/proc/self/fd")))
    Heard(signal.SIGUSR1).close()
    assert (signal.getsignal(signal.SIGUSR1), len(os.listdir("/proc/self/fd"))) == before


FLOODED = """
import os, select, signal
from svpy.system.signals import Heard, hold_back
heard = Heard(signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
print("ready", flush=True)
while signal.SIGTERM not in heard.take():
    select.select([heard.fd], [], [])
print("ended", flush=True)
hold_back(signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
os._exit(0)
"""


def test_a_flood_neither_ends_nor_hangs_it() -> None:
    """Signals as fast as they can be sent, by two at once, from before it could take the first."""
    with Running(sys.executable, "-I", "-c", FLOODED) as flooded:
        flooded.line(b"ready")
        send = f"import os\nwhile True: os.kill({flooded.pid}, %d)"
        numbers = (signal.SIGUSR1, signal.SIGUSR2)
        floods = [Running(sys.executable, "-c", send % number) for number in numbers]
        try:
            for _ in range(200_000):
                os.kill(flooded.pid, signal.SIGUSR1)
            os.kill(flooded.pid, signal.SIGTERM)
            assert flooded.line() == b"ended"
        finally:
            for flood in floods:
                flood.__exit__(None, None, None)
        assert flooded.wait() == 0
