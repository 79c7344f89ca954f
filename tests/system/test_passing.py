"""Messages between processes of svpy's own: whole, with their descriptors, and their end."""

from __future__ import annotations

import os

import pytest

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


def test_what_is_cut_off_is_an_error_and_leaves_no_descriptor() -> None:
    ours, theirs = channels()
    before = len(os.listdir("/proc/self/fd"))
    ours.send(b"too many", [0] * 40)
    with pytest.raises(OSError, match="cut off"):
        theirs.receive()
    assert len(os.listdir("/proc/self/fd")) == before
    ours.close()
    theirs.close()
