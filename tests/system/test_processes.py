"""Processes that are not our children, as /proc shows them."""

from __future__ import annotations

import os

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
