"""What a process of loggers is told when it does not read at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from svpy.core import nativewire
from svpy.daemon import loggerprocess
from svpy.daemon.loggerprocess import LoggerProcess
from svpy.system.descriptors import pipe_that_does_not_block
from svpy.system.passing import Channel, channels

TERM = 15
MANY = 5000
"""More than there is room for."""


@pytest.fixture
def ends() -> Iterator[tuple[LoggerProcess, Channel]]:
    """svscan's end is the process', its own end is the test's."""
    process = LoggerProcess(os.getpid(), 0, (0, 0))
    process.channel, theirs = channels()
    yield process, theirs
    process.takes_no_more()
    theirs.close()


def test_who_reads_is_waited_for(ends: tuple[LoggerProcess, Channel]) -> None:
    process, theirs = ends
    told: list[object] = []

    def read() -> None:
        while data := theirs.receive()[0]:
            told.append(nativewire.decode(data))

    reader = threading.Thread(target=read)
    reader.start()
    for name in range(MANY):
        process.tell(name, TERM)
    process.takes_no_more()
    reader.join()
    assert told == [(nativewire.SIGNAL, name, TERM) for name in range(MANY)]


def fill(process: LoggerProcess) -> int:
    """Tell it so much that there is no room any more. Returns how many messages that were."""
    for count in range(MANY):
        try:
            process.tell(count, TERM)
        except BlockingIOError:
            return count
    raise AssertionError("there was room for all")


@pytest.mark.parametrize("by", ["messages", "orders"])
def test_who_does_not_read_is_waited_for_once(
    ends: tuple[LoggerProcess, Channel], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, theirs = ends
    waits: list[int] = []
    monkeypatch.setattr(loggerprocess, "is_writable", lambda fd, within_s: bool(waits.append(fd)))
    reading_fd, writing_fd = pipe_that_does_not_block()
    if by == "orders":
        process.takes_no_more()
        process.orders_fd = writing_fd
    told = fill(process)
    assert told > 50 and fill(process) == 0
    assert len(waits) == 1
    # When it has read it is as any other.
    if by == "orders":
        os.read(reading_fd, 1 << 20)
    else:
        for _ in range(told):
            theirs.receive()
    assert fill(process) > 50
    assert len(waits) == 2
    for fd in (reading_fd, writing_fd):
        os.close(fd)
