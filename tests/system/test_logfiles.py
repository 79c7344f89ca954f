"""A log folder on a real file system: crashes and failures at every step, and what is in its way."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svpy.core.errors import Die
from svpy.core.logfolder import LogFolder
from svpy.core.logscript import Folder
from svpy.core.tai import label
from svpy.system import logfiles
from svpy.system.logfiles import LogFiles, Pauses, StatusFile, carry_out
from svpy.system.multilog import drive

if TYPE_CHECKING:
    from svpy.core.logfolder import Steps

ENVIRON = [b"PATH=/bin:/usr/bin"]
MODES = {"current": 0o644, "lock": 0o600, "state": 0o644}


@pytest.fixture(autouse=True)
def back_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a log folder is in it afterwards."""
    monkeypatch.chdir("/")


class Crash(Exception):
    pass


def carried_out(steps: Steps, files: object, pauses: Pauses) -> None:
    drive(carry_out(steps, files), pauses)  # type: ignore[arg-type]


class Disk:
    """A log folder that can be crashed before any step, and whose steps can be made to fail."""

    def __init__(self, path: Path, processor: bytes | None, keep: int = 1000) -> None:
        self.path = path
        self.plan = Folder(b"./d", 0, 4096, keep, processor)
        self.start_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.clock = iter(range(1_700_000_000 * 10**9, 1 << 62))
        self.written = b""
        self.steps_left = -1
        self.failing: Iterator[bool] = iter(())
        self.open()

    def open(self) -> None:
        self.folder = LogFolder(self.plan)
        self.files = LogFiles(self.start_fd, ENVIRON, lambda: next(self.clock))
        self.carry_out(self.folder.open())

    def carry_out(self, steps: Steps) -> None:
        carried_out(self._watched(steps), _Failing(self), Pauses(lambda _: None))

    def _watched(self, steps: Steps) -> Steps:
        result = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration:
                return
            if self.steps_left == 0:
                raise Crash
            self.steps_left -= 1
            result = yield step
            if step[0] == "write":
                self.written += bytes(step[1][0][:result])

    def crash(self) -> None:
        """What the kernel does to a process that ends at once."""
        self.files.release()

    def content(self) -> bytes:
        folder = self.path / "d"
        kept = sorted(path for path in folder.iterdir() if path.name.startswith("@"))
        return b"".join(path.read_bytes() for path in [*kept, folder / "current"])

    def end(self) -> None:
        self.crash()
        os.close(self.start_fd)


class _Failing:
    """LogFiles whose methods fail as `failing` says."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __getattr__(self, what: str) -> object:
        do = getattr(self._disk.files, what)

        def may_fail(*arguments: object) -> object:
            if next(self._disk.failing, False):
                raise OSError(errno.ENOSPC, "injected")
            return do(*arguments)

        return do if what in ("open", "lock", "now_ns") else may_fail


def is_in_order(folder: Path) -> None:
    """The names and modes of a folder in use."""
    for path in folder.iterdir():
        found = path.stat()
        mode = found.st_mode & 0o777
        assert found.st_nlink == 1
        if path.name.startswith("@"):
            assert len(path.name) == 27
            assert (path.suffix, mode) in ((".s", 0o744), (".u", 0o744), (".u", 0o644), (".u", 0o600))
        else:
            assert mode == MODES[path.name]


block = st.integers(0, 5).map(lambda n: b"x" * 900 * n + b"\n")
work = st.lists(st.one_of(block, block, st.sampled_from(["rotate", "close"])), min_size=1, max_size=8)


def do(disk: Disk, task: bytes | str) -> None:
    if isinstance(task, bytes):
        disk.carry_out(disk.folder.append(task))
    elif task == "rotate":
        disk.carry_out(disk.folder.rotate())
    else:
        disk.carry_out(disk.folder.close())
        disk.crash()
        disk.open()


def reopen(disk: Disk, crashes: Iterator[int]) -> None:
    """Open the folder again, as often as that is crashed."""
    while True:
        disk.crash()
        disk.steps_left = next(crashes, -1)
        try:
            return disk.open()
        except Crash:
            pass


@pytest.mark.parametrize("processor", [None, b"cat; echo >&5"])
@settings(deadline=None)
@given(work, st.lists(st.integers(0, 40), max_size=8))
def test_a_crash_at_any_step_loses_nothing(
    processor: bytes | None,
    tmp_path_factory: pytest.TempPathFactory,
    work: list[bytes | str],
    crashes: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("log")
    disk = Disk(folder, processor)
    left = iter(crashes)
    disk.steps_left = next(left, -1)
    for task in work:
        try:
            do(disk, task)
        except Crash:
            reopen(disk, left)
            disk.steps_left = next(left, -1)
            is_in_order(folder / "d")
            assert disk.content() == disk.written
    disk.steps_left = -1
    reopen(disk, left)
    is_in_order(folder / "d")
    assert disk.content() == disk.written
    disk.end()


@pytest.mark.parametrize("processor", [None, b"cat; echo >&5"])
def test_a_crash_at_each_step_of_one_rotation(processor: bytes | None, tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = Disk(folder, processor)
        do(disk, b"one\n")
        disk.steps_left = at
        try:
            do(disk, "rotate")
        except Crash:
            pass
        else:
            break
        disk.steps_left = -1
        reopen(disk, iter(()))
        is_in_order(folder / "d")
        assert disk.content() == b"one\n"
        disk.end()
        at += 1
    disk.end()
    assert at == (21 if processor else 10)


@pytest.mark.parametrize("processor", [None, b"cat"])
@settings(deadline=None)
@given(work, st.integers(0, 2**32))
def test_every_step_is_tried_again_where_it_failed(
    processor: bytes | None, tmp_path_factory: pytest.TempPathFactory, work: list[bytes | str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    disk = Disk(folder, processor)
    for task in work:
        if task == "close":
            continue
        chance = random.Random(seed)
        disk.failing = iter(lambda chance=chance: chance.random() < 0.4, None)
        do(disk, task)
    is_in_order(folder / "d")
    assert disk.content() == b"".join(task for task in work if isinstance(task, bytes)) == disk.written
    disk.end()


def test_what_fails_is_said_and_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    disk = Disk(tmp_path, None)
    waited = []
    disk.failing = iter([True, True, False, True])
    carried_out(disk.folder.rotate(), _Failing(disk), Pauses(waited.append))
    assert capfd.readouterr().err == (
        "multilog: warning: unable to write ./d/current to disk, pausing: out of disk space\n"
        * 2
        + "multilog: warning: unable to rename current to previous in directory ./d, pausing: "
        "out of disk space\n"
    )
    assert waited == [5.0] * 3
    disk.end()


def test_surplus_files_go(tmp_path: Path) -> None:
    disk = Disk(tmp_path, None, keep=3)
    for number in range(6):
        do(disk, b"%d\n" % number)
        do(disk, "rotate")
    assert disk.content() == b"4\n5\n"
    disk.end()


def test_names_of_one_nanosecond(tmp_path: Path) -> None:
    disk = Disk(tmp_path, None)
    disk.files.now_ns = lambda: 1_700_000_000_999_999_998
    for number in range(5):
        do(disk, b"%d\n" % number)
        do(disk, "rotate")
    assert disk.content() == b"0\n1\n2\n3\n4\n"
    names = sorted(path.name for path in (tmp_path / "d").iterdir() if path.name.startswith("@"))
    assert names == [label(1_700_000_000_999_999_998 + more).decode() + ".s" for more in range(5)]
    disk.end()


def test_what_comes_fast_is_begun_to_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes slowly Linux has written by itself: to be told to would drop it from the cache."""
    disk, told = Disk(tmp_path, None), []
    advise = os.posix_fadvise

    def listening(fd: int, begin: int, length: int, advice: int) -> None:
        told.append((begin, length))
        advise(fd, begin, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", listening)
    disk.folder = LogFolder(Folder(b"./d", 0, 1 << 24, 10, None))
    for at in (1000, 1001, 1002, 1007.1, 1008):
        monkeypatch.setattr(time, "monotonic", lambda at=at: at)
        do(disk, b"x" * (1 << 20))
    assert told == [(number << 20, 1 << 20) for number in (1, 2, 4)]
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: os.close(-1))
    do(disk, b"x" * (1 << 20))
    assert disk.content() == b"x" * (6 << 20)
    disk.end()


def test_a_folder_is_locked(tmp_path: Path) -> None:
    disk = Disk(tmp_path, None)
    with pytest.raises(Die) as death:
        Disk(tmp_path, None)
    assert death.value.code == 111
    assert death.value.message == b"multilog: fatal: unable to lock directory ./d: temporary failure"
    disk.end()


@pytest.mark.parametrize("name", ["lock", "current", "state"])
def test_no_link_is_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "d" / name).symlink_to(tmp_path / "victim")
    try:
        disk = Disk(tmp_path, None)
    except Die as death:
        assert name == "lock"
        assert death.message == b"multilog: fatal: unable to lock directory ./d: symbolic link loop"
    else:
        do(disk, b"line\n")
        disk.end()
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "victim").stat().st_mode & 0o777 == 0o644


def test_a_fifo_in_the_way_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "lock")
    with pytest.raises(Die) as death:
        Disk(tmp_path, None)
    assert death.value.message == b"multilog: fatal: unable to lock directory ./d: device not configured"


def test_descriptors_are_ours_alone(tmp_path: Path) -> None:
    disk = Disk(tmp_path, b"cat")
    do(disk, b"line\n")
    do(disk, "rotate")
    links = {int(fd): f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")}
    ours = {
        fd: os.readlink(link).removeprefix(str(tmp_path))
        for fd, link in links.items()
        if os.path.lexists(link) and os.readlink(link).startswith(str(tmp_path))
    }
    assert sorted(ours.values()) == ["", "/d", "/d/current", "/d/lock"]
    assert not any(os.get_inheritable(fd) for fd in ours)
    disk.end()


def test_a_processor_gets_its_files_and_the_environment(tmp_path: Path) -> None:
    command = b"""
        ls -l /proc/$$/fd | sed -n 's/.* \\([0-9]*\\) -> .*\\/\\([^/]*\\)$/\\1 \\2/p'
        pwd; env; grep Sig /proc/self/status; cat; cat <&4; echo new >&5"""
    disk = Disk(tmp_path, command)
    (tmp_path / "d" / "state").write_text("old\n")
    do(disk, b"line\n")
    do(disk, "rotate")
    said = disk.content().decode().splitlines()
    assert {"0 previous", "1 processed", "4 state", "5 newstate", f"{tmp_path}/d", "line", "old"} <= set(said)
    assert not [line for line in said if line.endswith((" lock", " current"))]
    assert "PATH=/bin:/usr/bin" in said
    masks = dict(line.split(":\t") for line in said if line.startswith("Sig"))
    assert masks["SigBlk"].strip("0") == ""
    python_ignores = (1 << 12) | (1 << 24)  # SIGPIPE and SIGXFSZ
    assert not int(masks["SigIgn"], 16) & python_ignores
    assert (tmp_path / "d" / "state").read_text() == "new\n"
    disk.end()


def test_a_processor_whose_files_cannot_be_opened(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    disk = Disk(tmp_path, b"cat")
    do(disk, b"line\n")
    (tmp_path / "d" / "state").unlink()

    def mend(delay_s: float) -> None:
        (tmp_path / "d" / "state").touch()

    carried_out(disk.folder.rotate(), disk.files, Pauses(mend))
    assert capfd.readouterr().err == (
        "multilog: fatal: unable to run cat: file does not exist\n"
        "multilog: warning: processor failed in ./d, pausing\n"
    )
    assert disk.content() == b"line\n"
    disk.end()


def test_a_status_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start_fd = os.open(tmp_path, os.O_RDONLY)
    status = StatusFile(b"status", start_fd)
    assert (tmp_path / "status").stat().st_mode & 0o777 == 0o600
    assert status.put(b"one".ljust(1001, b"\n")) == b""
    assert status.put(b"longer".ljust(1001, b"\n")) == b""
    assert (tmp_path / "status").read_bytes() == b"longer".ljust(1001, b"\n")
    with pytest.raises(Die) as death:
        StatusFile(b"no/status", start_fd)
    assert death.value.message == b"multilog: fatal: unable to create no/status: file does not exist"
    os.close(start_fd)


def test_a_status_file_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_fd = os.open(tmp_path, os.O_RDONLY)
    status = StatusFile(b"status", start_fd)
    results = iter([OSError(errno.EIO, "injected"), 500, None])
    pwrite = os.pwrite

    def failing(fd: int, data: bytes, offset: int) -> int:
        result = next(results)
        if isinstance(result, OSError):
            raise result
        return pwrite(fd, data[:result], offset)

    monkeypatch.setattr(logfiles.os, "pwrite", failing)
    said = [status.put(b"x" * 1001) for _ in range(3)]
    assert said == [
        b"multilog: warning: unable to write status, pausing: input/output error",
        b"multilog: warning: unable to write status, pausing: out of disk space",
        b"",
    ]
    assert (tmp_path / "status").read_bytes() == b"x" * 1001
    os.close(start_fd)
