"""Which loggers are taken for running in a process that another svscan has begun. Here it is the test itself
that holds the pipes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from svpy.core import nativewire
from svpy.core.record import Record
from svpy.daemon import nativesleft
from svpy.daemon.loggerprocess import Ears
from svpy.daemon.nativesleft import LOOK_S, Left
from svpy.system import processes
from svpy.system.descriptors import pipe_identity
from svpy.system.waiting import Readable


class Scene:
    """A process of loggers, and how records of it look. `now` is the clock."""

    def __init__(self) -> None:
        self.fds = [*os.pipe2(os.O_NONBLOCK), *os.pipe2(os.O_NONBLOCK)]
        self.now = 100.0
        self.lefts: list[tuple[Left, Ears]] = []

    def record(self, pipe_fd: int) -> Record:
        pid = os.getpid()
        ticks = processes.look(pid).start_ticks
        return Record(b"boot", pid, ticks, b"run", pipe_identity(pipe_fd), held=(self.fds[1], self.fds[2]))

    def left(self) -> tuple[Left, Ears]:
        """What a svscan that comes later has of them."""
        ears = Ears(Readable())
        self.lefts.append((Left({}, ears, print), ears))
        return self.lefts[-1]

    def report(self, pipe_fd: int, status: int) -> None:
        os.write(self.fds[3], nativewire.record(pipe_identity(pipe_fd)[1], status))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene()
    monkeypatch.setattr(nativesleft, "now_mono_s", lambda: scene.now)
    yield scene
    for left, ears in scene.lefts:
        for process in left.processes.values():
            ears.let_go(process)
    for fd in scene.fds:
        os.close(fd)


def hosted() -> Any:
    return SimpleNamespace(native=None, native_id=0)


def test_one_that_was_given_away_just_before_is_waited_for(scene: Scene) -> None:
    """The message that brings it may not have been read yet."""
    there, late, never = hosted(), hosted(), hosted()
    pipe = os.pipe()
    left, _ = scene.left()
    assert left.adopt(there, scene.record(pipe[0]))
    gone = os.pipe()
    of_gone = scene.record(gone[0])
    for fd in gone:
        os.close(fd)
    come = os.pipe()
    assert left.adopt(late, scene.record(come[0])) and left.adopt(never, of_gone)
    scene.now += LOOK_S / 2
    assert left.look_again() == []
    scene.now += LOOK_S
    assert left.look_again() == [(never, None)]
    assert left.look_again_mono_s == math.inf
    assert never.native is None and there.native is late.native is not None
    for fd in (*pipe, *come):
        os.close(fd)


def test_what_was_reported_before_anyone_took_it_is_known(scene: Scene) -> None:
    first, second = hosted(), hosted()
    pipes = os.pipe(), os.pipe()
    left, ears = scene.left()
    records = [scene.record(pipe[0]) for pipe in pipes]
    assert left.adopt(first, records[0])
    for pipe in pipes:
        scene.report(pipe[0], 111 << 8)
    assert [*ears.reported(first.native)] == [(first, 111)]
    assert not left.adopt(second, records[1])
    for fd in (*pipes[0], *pipes[1]):
        os.close(fd)


@pytest.mark.parametrize("status", [0x7F, 0x137F, 0xFFFF, 1 << 31, (1 << 32) - 1])
def test_what_cannot_be_a_wait_status_is_an_end_all_the_same(scene: Scene, status: int) -> None:
    logger, pipe = hosted(), os.pipe()
    left, ears = scene.left()
    assert left.adopt(logger, scene.record(pipe[0]))
    process = logger.native
    scene.report(pipe[0], status)
    assert [*ears.reported(process)] == [(logger, None)]
    for fd in pipe:
        os.close(fd)


def test_one_reads_what_is_reported_and_the_others_look(scene: Scene) -> None:
    first, second = hosted(), hosted()
    pipes = os.pipe(), os.pipe()
    (one, hears), (other, does_not) = scene.left(), scene.left()
    assert one.adopt(first, scene.record(pipes[0][0])) and other.adopt(second, scene.record(pipes[1][0]))
    assert first.native.reports_fd >= 0 and second.native.reports_fd == -1
    assert second.native.orders_fd >= 0, "everyone may order"
    for pipe in pipes:
        scene.report(pipe[0], 0)
        for fd in pipe:
            os.close(fd)
    assert [*does_not.reported(second.native)] == []
    assert [*hears.reported(first.native)] == [(first, 0)]
    scene.now += LOOK_S
    assert other.look_again() == [(second, None)]
    assert other.look_again_mono_s == scene.now + LOOK_S
