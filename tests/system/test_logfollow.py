"""Following a log folder that changes at the worst moments: between any two things that are asked of it."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from svpy.core.tai import label
from svpy.system import logreading
from svpy.system.logfollow import Follower, Hearing
from svpy.system.logreading import File, Log


class Writer:
    """What multilog does to a folder, step by step."""

    def __init__(self, folder: Path, rng: random.Random, packs: bool, keep: int) -> None:
        self.folder = folder
        self._rng = rng
        self._packs = packs
        self._keep = keep
        self._number = 0
        self.lines: list[bytes] = []
        (folder / "current").touch()

    def write(self) -> None:
        with (self.folder / "current").open("ab") as file:
            for _ in range(self._rng.choice((0, 1, 1, 3))):
                self.lines.append(b"line %d\n" % len(self.lines))
                file.write(self.lines[-1])

    def rotate(self) -> None:
        self._number += 1
        current, previous = self.folder / "current", self.folder / "previous"
        kept = self.folder / os.fsdecode(label(10**18 + self._number) + b".s")
        current.rename(previous)
        current.touch()
        if self._packs:
            processed = self.folder / "processed"
            processed.write_bytes(gzip.compress(previous.read_bytes()))
            processed.chmod(0o744)
            previous.unlink()
            kept.hardlink_to(processed)
            processed.unlink()
        else:
            kept.hardlink_to(previous)
            previous.unlink()
        for surplus in sorted(self.folder.glob("@*"))[: -self._keep]:
            surplus.unlink()

    def crash(self) -> None:
        """And begin again."""
        self._number += 1
        kept = self.folder / os.fsdecode(label(10**18 + self._number) + b".u")
        kept.hardlink_to(self.folder / "current")
        (self.folder / "current").unlink()
        (self.folder / "current").touch()

    def act(self) -> None:
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            what: Callable[[], None] = self._rng.choice((self.write, self.write, self.rotate, self.crash))
            what()


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_every_line_once_whatever_happens_between_two_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, packs: bool
) -> None:
    rng = random.Random(seed)
    writer = Writer(tmp_path, rng, packs, keep=10**6)
    acts = 0

    def disturb() -> None:
        nonlocal acts
        if acts < 60 and rng.random() < 0.3:
            acts += 1
            writer.act()

    opens, names, drains = Log.open, Log._names, Hearing.drain

    def opening(log: Log, file: File) -> None:
        disturb()
        opens(log, file)
        disturb()

    def listing(log: Log) -> set[bytes]:
        disturb()
        found = names(log)
        disturb()
        return found

    def draining(hearing: Hearing) -> None:
        disturb()
        drains(hearing)
        disturb()

    for _ in range(5):
        writer.act()
    monkeypatch.setattr(Log, "open", opening)
    monkeypatch.setattr(Log, "_names", listing)
    monkeypatch.setattr(Hearing, "drain", draining)
    said: list[bytes] = []
    hearing = Hearing()
    follower = Follower(os.fsencode(tmp_path), 0, hearing, said.append)
    before = len(os.listdir("/proc/self/fd"))
    log, files = follower.begin()
    told = [stretch.block for stretch in log.forward(files, 0)]
    while acts < 60 or b"".join(told) != b"".join(writer.lines):
        hearing.drain()
        if rng.random() < 0.1:
            follower.is_unsure = rng.random() < 0.5 and not packs
        new = [stretch.block for stretch in follower.lines()]
        told += new
        assert b"".join(writer.lines).startswith(b"".join(told))
        disturb()
        if acts >= 60 and not new:
            hearing.drain()
            told += [stretch.block for stretch in follower.lines()]
            break
    assert b"".join(told) == b"".join(writer.lines)
    assert said == []
    follower.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_is_not_taken_by_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logreading, "MOST_LINE_BYTES", 4096)
    monkeypatch.setattr(logreading, "BLOCK_BYTES", 1024)
    (tmp_path / "current").write_bytes(b"")
    follower = Follower(os.fsencode(tmp_path), 0, Hearing(), lambda trouble: None)
    follower.begin()
    with (tmp_path / "current").open("ab", buffering=0) as file:
        file.write(b"x" * 3000)
        assert [*follower.lines()] == []
        file.write(b"y" * 7000)
        found = [stretch.block for stretch in follower.lines()]
        assert [len(block) for block in found] == [4097, 4097]
        file.write(b"\n")
        assert [len(stretch.block) for stretch in follower.lines()] == [10000 - 8192 + 1]
    with (tmp_path / "current").open("wb") as file:
        file.write(b"emptied\n")
    assert [stretch.block for stretch in follower.lines()] == [b"emptied\n"]
    follower.close()
