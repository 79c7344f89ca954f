"""Processes that are not our children, as /proc shows them."""

from __future__ import annotations

import os
import subprocess

import pytest

from svpy.system import processes
from svpy.system.descriptors import pipe_identity


def test_a_process_that_opens_many_descriptors_is_not_searched_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one it was given its pipe as is looked at, whatever its number, and the lowest."""
    ends = os.pipe()
    # Whatever earlier tests have left open.
    monkeypatch.setattr(processes, "MOST_LOOKED_AT", len(os.listdir("/proc/self/fd")))
    fds = list(ends)
    try:
        fds += [os.open("/", os.O_RDONLY) for _ in range(60)]
        last = os.dup(ends[0])
        fds.append(last)
        pipe = pipe_identity(ends[0])
        for likely_fd in (0, last):
            found = processes.find_pipe(os.getpid(), pipe, likely_fd)
            assert found is not None and pipe_identity(found) == pipe
            os.close(found)
        for fd in ends:
            os.close(fd)
            fds.remove(fd)
        assert processes.find_pipe(os.getpid(), pipe, 0) is None
        found = processes.find_pipe(os.getpid(), pipe, last)
        assert found is not None
        os.close(found)
    finally:
        for fd in fds:
            os.close(fd)


def test_when_a_child_began_is_what_proc_says() -> None:
    births = processes.Births()
    for _ in range(40):
        since_ticks = processes.ticks_now()
        child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
        assert births.start_ticks(child.pid, since_ticks) == processes.look(child.pid).start_ticks
        child.communicate()


def test_a_clock_that_proc_does_not_agree_with_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another kernel's idea of either."""
    own = processes.look(os.getpid()).start_ticks
    births = processes.Births()
    for now_ticks, is_looked_up in (
        (own - 5, True),
        (own - 5, True),
        (own, True),
        (own, False),
        (own + 3, True),
    ):
        monkeypatch.setattr(processes, "ticks_now", lambda now_ticks=now_ticks: now_ticks)
        looked: list[int] = []
        monkeypatch.setattr(
            processes, "look", lambda pid, looked=looked: looked.append(pid) or processes.Seen(1, own)
        )
        assert births.start_ticks(os.getpid(), min(now_ticks, own)) == own
        assert bool(looked) == is_looked_up


def test_a_process_that_took_a_while_to_start_is_looked_up() -> None:
    births = processes.Births()
    births.start_ticks(os.getpid(), processes.look(os.getpid()).start_ticks)
    assert births._agree
    assert births.start_ticks(os.getpid(), 0) == processes.look(os.getpid()).start_ticks
