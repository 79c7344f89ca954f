"""Messages between processes of svpy's own: whole, with their descriptors, and their end."""

from __future__ import annotations

import os
import resource

import pytest

from svpy.system import passing
from svpy.system.passing import channels


def test_a_message_is_whole_and_its_descriptors_are_close_on_exec() -> None:
    ours, theirs = channels()
    reading, writing = os.pipe()
    ours.send(b"first", [reading, writing])
    ours.send(b"second")
    data, fds = theirs.receive()
    assert data == b"first" and len(fds) == 2
    assert not any(map(os.get_inheritable, fds))
    os.write(fds[1], b"through")
    assert os.read(reading, 100) == b"through"
    assert theirs.receive() == (b"second", [])
    ours.close()
    ours.close()
    assert theirs.receive() == (b"", [])
    theirs.close()
    for fd in (reading, writing, *fds):
        os.close(fd)


def test_ours_never_waits_and_is_told_when_nobody_is_there() -> None:
    ours, theirs = channels()
    with pytest.raises(BlockingIOError):
        ours.receive()
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            ours.send(b"x" * 1000)
    with pytest.raises(OSError, match="too long"):
        ours.send(b"x" * (1 << 20))
    theirs.close()
    with pytest.raises(ConnectionError):
        ours.send(b"x")
    ours.close()


def test_a_message_that_is_too_long_is_an_error_and_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = channels()
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(passing, "MOST_BYTES", 4)
    ours.send(b"12345", [0])
    with pytest.raises(OSError, match="cut off"):
        theirs.receive()
    assert len(os.listdir("/proc/self/fd")) == before
    ours.close()
    theirs.close()


@pytest.mark.parametrize("room", [0, 1, 2])
def test_what_cannot_have_all_its_descriptors_comes_without_any(room: int) -> None:
    """Then whoever asked can be answered that it cannot be done."""
    ours, theirs = channels()
    held = [os.dup(0) for _ in range(room)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours.send(b"three", [0, 0, 0])
    ours.send(b"none")
    highest = max(map(int, os.listdir("/proc/self/fd")))
    filled = [os.dup(0) for _ in range(highest)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(filled) + 1, hard))
    try:
        for fd in held:
            os.close(fd)
        assert theirs.receive() == (b"three", [])
        for _ in held:
            assert os.dup(0) in held, "they are free"
        assert theirs.receive() == (b"none", [])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in (*held, *filled):
            os.close(fd)
        ours.close()
        theirs.close()
