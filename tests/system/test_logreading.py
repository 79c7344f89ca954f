"""Log folders, read in both directions, over files, from one moment to another."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svpy.core.logorder import EARLIEST, LATEST, label_at
from svpy.core.tai import label
from svpy.system import logreading
from svpy.system.logreading import Log, whole_lines
from svpy.system.logtail import tail

NOW_NS = 1_795_000_000_000_000_000


def stamp(number: int) -> bytes:
    return label(NOW_NS + number)


@pytest.fixture(params=[1 << 18, 64])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks that hold everything, and such as hold hardly a line."""
    monkeypatch.setattr(logreading, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(logreading, "_PROBE_BYTES", min(request.param, 8192))
    return int(request.param)


def grown(folder: Path, rng: random.Random) -> list[tuple[bytes, bytes, bytes]]:
    """A folder as a multilog would leave it, some files packed and some without labels; and its lines, with
    the labels that each counts as for --since and for --until."""
    folder.mkdir()
    found: list[tuple[bytes, bytes, bytes]] = []
    now = 0
    name = begun = over = EARLIEST
    names = rng.choice((1, 3, 6)) * [""] + ["current"] * rng.choice((0, 1))
    for current in names:
        lines = []
        has_labels = rng.random() < 0.8
        before, name = name, b""
        for _ in range(rng.choice((0, 1, 5, 40))):
            now += rng.choice((0, 0, 1, 3))
            text = rng.choice((b"", b"@", b"x" * rng.choice((1, 30, 200)))) + b"\n"
            if has_labels and rng.random() < 0.8:
                begun = over = stamp(now)
                text = begun + b" " + text
            lines.append((begun, over, text))
        now += 1
        name = LATEST if current else stamp(now)
        if lines and not any(label_at(text, 0) for *_, text in lines):
            begun, over = name, before
            lines = [(begun, over, text) for *_, text in lines]
        found += lines
        pack = bytes if current else rng.choice((bytes, bytes, gzip.compress, bz2.compress, lzma.compress))
        file = current or os.fsdecode(name + rng.choice((b".s", b".u")))
        (folder / file).write_bytes(pack(b"".join(text for *_, text in lines)))
    (folder / "lock").touch()
    (folder / "state").touch()
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Path], Log]]:
    """Opens a log folder of which nothing may be said, and leaves no descriptor."""
    before = len(os.listdir("/proc/self/fd"))
    said: list[bytes] = []
    logs: list[Log] = []

    def opened(folder: Path) -> Log:
        logs.append(Log(os.fsencode(folder), said.append))
        return logs[-1]

    yield opened
    for log in logs:
        log.close()
    assert said == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("seed", range(25))
def test_any_span_is_what_reading_every_line_gives(
    tmp_path: Path, seed: int, block_bytes: int, opened: Callable[[Path], Log]
) -> None:
    rng = random.Random(seed)
    lines = grown(tmp_path / "main", rng)
    log = opened(tmp_path / "main")
    numbers = [int(text[9:25], 16) for *_, text in lines if label_at(text, 0)] or [0]
    labels = [stamp(-1), *[text[:25] for *_, text in lines if label_at(text, 0)], stamp(max(numbers) % 1000)]
    for _ in range(12):
        since, until = rng.choice((EARLIEST, rng.choice(labels))), rng.choice((LATEST, rng.choice(labels)))
        wanted = [text for begun, over, text in lines if begun >= since and over <= until]
        told = b"".join(stretch.block for stretch in log.forward(log.files(), 0, since, until))
        assert told == b"".join(wanted)
        backwards = list(log.backward(log.files(), since, until))
        assert b"".join(reversed(backwards)) == told
        assert all(block.endswith(b"\n") for block in backwards)
        for count in (0, 1, 3, 10**9):
            assert b"".join(log.last(log.files(), count, since, until)) == cut(told, count)
            assert b"".join(log.last(log.files(), count, since, until, grep)) == cut(grep(told), count)


def cut(text: bytes, count: int) -> bytes:
    lines = re.findall(rb"[^\n]*\n", text)
    return b"".join(lines[len(lines) - min(count, len(lines)) :])


def grep(block: bytes) -> bytes:
    return b"".join(line for line in re.findall(rb"[^\n]*\n", block) if b"xx" in line)


def test_a_line_over_a_rotation_and_one_that_was_cut_off(
    tmp_path: Path, block_bytes: int, opened: Callable[[Path], Log]
) -> None:
    parts = {
        stamp(1) + b".s": stamp(0) + b" one li", stamp(2) + b".s": b"ne over", stamp(3) + b".s": b" 3\nand",
        stamp(4) + b".u": stamp(4) + b" cut o", stamp(5) + b".u": b"again", b"current": b"no label\nthe end",
    }  # fmt: skip
    for name, text in parts.items():
        (tmp_path / os.fsdecode(name)).write_bytes(text)
    wanted = stamp(0) + b" one line over 3\nand\n" + stamp(4) + b" cut o\nagain\nno label\nthe end\n"
    log = opened(tmp_path)
    assert b"".join(stretch.block for stretch in log.forward(log.files(), 0)) == wanted
    assert b"".join(reversed(list(log.backward(log.files())))) == wanted
    assert tail(os.fsencode(tmp_path), 2) == [b"no label", b"the end"]


def test_a_line_that_is_too_long(
    tmp_path: Path, opened: Callable[[Path], Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logreading, "BLOCK_BYTES", 100)
    monkeypatch.setattr(logreading, "MOST_LINE_BYTES", 1000)
    (tmp_path / "current").write_bytes(b"a\n" + 5000 * b"x" + b"\nb\n")
    log = opened(tmp_path)
    for blocks in ([each.block for each in log.forward(log.files(), 0)], [*log.backward(log.files())]):
        assert max(map(len, blocks)) < 1500
        assert sum(block.count(b"x") for block in blocks) == 5000
        assert {b"a\n", b"b\n"} <= {line for block in blocks for line in re.findall(rb"[^\n]*\n", block)}


def test_a_file_without_an_end_costs_no_more_than_a_line(
    tmp_path: Path, opened: Callable[[Path], Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write into the folder may make it of any size, of nothing."""
    monkeypatch.setattr(logreading, "MOST_LINE_BYTES", 1 << 20)
    size = 1 << 42
    with (tmp_path / "current").open("wb") as file:
        file.truncate(size)
    log = opened(tmp_path)
    assert len(log.last(log.files(), 1, stamp(1))) == 1
    log.is_followed = True
    assert len(log.last(log.files(), 1)) == 1
    assert len(log.joint.half) <= 1 << 20
    with (tmp_path / "current").open("rb") as file:
        assert whole_lines(file.fileno(), size) == size


def test_what_is_between_two_names_is_read_once(tmp_path: Path, opened: Callable[[Path], Log]) -> None:
    """As multilog leaves it from one step to the next."""
    log = opened(tmp_path)
    (tmp_path / "previous").write_bytes(b"a\n")
    (tmp_path / "current").write_bytes(b"b\n")
    assert [each.block for each in log.forward(log.files(), 0)] == [b"a\n", b"b\n"]
    (tmp_path / os.fsdecode(stamp(1) + b".s")).hardlink_to(tmp_path / "previous")
    assert [each.block for each in log.forward(log.files(), 0)] == [b"a\n", b"b\n"]
    (tmp_path / "processed").write_bytes(b"A\n")
    (tmp_path / "previous").unlink()
    assert [each.block for each in log.forward(log.files(), 0)] == [b"a\n", b"b\n"]
    (tmp_path / os.fsdecode(stamp(1) + b".s")).unlink()
    (tmp_path / "processed").chmod(0o744)
    assert [each.block for each in log.forward(log.files(), 0)] == [b"A\n", b"b\n"]
    (tmp_path / "current").rename(tmp_path / os.fsdecode(stamp(2) + b".u"))
    files = log.files()
    (tmp_path / os.fsdecode(stamp(2) + b".u")).unlink()
    assert [each.block for each in log.forward(files, 0)] == [b"A\n"]


def test_a_rotation_while_it_is_listed(
    tmp_path: Path, opened: Callable[[Path], Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "current").write_bytes(b"a\n")
    kept = tmp_path / os.fsdecode(stamp(1) + b".s")
    held = Log._held

    def rotating(log: Log, name: bytes) -> logreading.File:
        if not kept.exists():
            (tmp_path / "current").rename(kept)
            (tmp_path / "current").write_bytes(b"b\n")
        return held(log, name)

    monkeypatch.setattr(Log, "_held", rotating)
    log = opened(tmp_path)
    assert [each.block for each in log.forward(log.files(), 0)] == [b"a\n", b"b\n"]


def test_what_cannot_be_read_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    names = [os.fsdecode(stamp(number) + b".s") for number in range(8)]
    whole = gzip.compress(os.urandom(300000))
    (tmp_path / names[0]).write_bytes(whole[:1000])
    (tmp_path / names[1]).write_bytes(gzip.compress(b"x\n" * 300000)[:-30])
    (tmp_path / names[2]).write_bytes(lzma.compress(b"y\n")[:20] + b"zzzz" * 20)
    (tmp_path / names[3]).write_bytes(b"\x28\xb5\x2f\xfd" + b"z" * 30)
    (tmp_path / names[4]).symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / names[5])
    (tmp_path / names[6]).mkdir()
    (tmp_path / names[7]).write_bytes(bz2.compress(b"a\n") + bz2.compress(b"b\n"))
    (tmp_path / "current").symlink_to("/dev/zero")
    said: list[bytes] = []
    log = Log(os.fsencode(tmp_path), said.append)
    before = len(os.listdir("/proc/self/fd"))
    text = b"".join(each.block for each in log.forward(log.files(), 0))
    assert text.endswith(b"a\nb\n")
    assert text.count(b"x\n") > 1000
    assert [line.rpartition(b": ")[2] for line in said if b"current" in line] == [b"not a regular file"]
    reasons = [
        line.partition(os.fsencode(tmp_path) + b"/@")[2][24:] for line in said if b"current" not in line
    ]
    assert reasons[:3] == [
        b".s: gzip data ends too early", b".s: gzip data ends too early", b".s: xz data is damaged"
    ]  # fmt: skip
    assert reasons[3] in (b".s: this Python cannot read zstd", b".s: zstd data is damaged")
    assert reasons[4:] == 3 * [b".s: not a regular file"]
    assert len(os.listdir("/proc/self/fd")) == before
    log.close()


def test_the_tail_is_in_local_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "current").write_bytes(b"x\n" + label(1) + b" a\n" + label(2) + b" b")
    assert tail(os.fsencode(tmp_path), 2) == [
        b"1970-01-01 00:00:00.000000001 a", b"1970-01-01 00:00:00.000000002 b"
    ]  # fmt: skip
    assert tail(os.fsencode(tmp_path), 0) == []
    (tmp_path / "current").unlink()
    assert tail(os.fsencode(tmp_path), 9) == []
    with pytest.raises(FileNotFoundError):
        tail(os.fsencode(tmp_path / "gone"), 9)
