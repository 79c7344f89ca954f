"""What svwait hears, at moments that a real svscan hits too seldom."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from svpy.core.awaiting import DOWN, GONE, UP
from svpy.core.status import UP as WANT_UP
from svpy.core.status import Status, encode
from svpy.core.tai import pack
from svpy.system import awaiting
from svpy.system.awaiting import Awaited, _Hearing, wait
from svpy.system.inotify import Watcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service that is up by its status, and that no supervise runs for."""
    new = tmp_path / "from/a"
    (new / "supervise").mkdir(parents=True)
    os.mkfifo(new / "supervise/ok")
    status = Status(pack(time.time_ns()), 1, False, WANT_UP)
    (new / "supervise/status").write_bytes(encode(status))
    return new


def read_ok(folder: Path) -> int:
    """What a supervise does last at its start."""
    return os.open(folder / "supervise/ok", os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("at_the_last_moment", [False, True])
def test_a_supervise_that_opens_its_ok_is_heard(
    folder: Path, at_the_last_moment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens then: the status is what it was."""
    fds = os.listdir("/proc/self/fd")
    one = Awaited(bytes(folder), UP)
    opened = []

    def just_before(watcher: Watcher, path: bytes, mask: int) -> int:
        if path.endswith(b"/ok") and not opened:
            opened.append(read_ok(folder))
        return add(watcher, path, mask)

    add = Watcher.add
    if at_the_last_moment:
        monkeypatch.setattr(Watcher, "add", just_before)

    def tell(missing: list[Awaited]) -> None:
        if missing and not opened:
            opened.append(read_ok(folder))

    try:
        assert wait([one], lambda number: number == 1, time.monotonic() + 60, tell)
    finally:
        os.close(opened[0])
    assert os.listdir("/proc/self/fd") == fds


def test_what_comes_while_its_place_is_looked_for_is_heard(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is made between the look for it and the watch on the one above it."""
    far = tmp_path / "to/x/y/a"
    (tmp_path / "to").mkdir()
    came: list[bytes] = []

    def just_before(watcher: Watcher, path: bytes, mask: int) -> int:
        if path == bytes(tmp_path / "to") and not came:
            came.append(path)
            far.parent.mkdir(parents=True)
        return add(watcher, path, mask)

    add = Watcher.add
    monkeypatch.setattr(Watcher, "add", just_before)
    reader = read_ok(folder)
    try:
        one = Awaited(bytes(far), UP)
        tell = lambda missing: folder.rename(far) if missing else None  # noqa: E731
        assert wait([one], lambda number: number == 1, time.monotonic() + 60, tell)
    finally:
        os.close(reader)
    assert came


def test_what_is_none_of_ours_is_not_looked_at(folder: Path) -> None:
    reader = read_ok(folder)
    one = Awaited(bytes(folder), DOWN)
    assert not one.look()
    hearing = _Hearing()
    try:
        hearing.listen_to(one)
        (folder / "file").touch()
        (folder / "supervise/status.new").touch()
        (folder.parent / "b").touch()
        assert hearing.changed(0, [one]) == set()
        (folder / "supervise/status.new").rename(folder / "supervise/status")
        assert hearing.changed(0, [one]) == {one}
    finally:
        hearing.close()
        one.close()
        os.close(reader)


def test_when_too_much_has_happened_all_are_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IN_Q_OVERFLOW: what is lost may have been ours."""
    one = Awaited(bytes(folder), GONE)
    hearing = _Hearing()
    try:
        monkeypatch.setattr(Watcher, "read", lambda watcher: [(-1, 0x4000, b"")])
        assert hearing._told([one]) == {one}
    finally:
        hearing.close()
    assert one.look()


def test_what_was_not_heard_is_seen_when_the_time_is_over(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link far above is moved, which nothing tells."""
    (tmp_path / "elsewhere/from").mkdir(parents=True)
    far = tmp_path / "far"
    far.symlink_to("elsewhere")
    now_mono_s = [0.0]
    monkeypatch.setattr(awaiting, "time", SimpleNamespace(monotonic=lambda: now_mono_s[0]))

    def move(_: list[Awaited]) -> None:
        far.unlink()
        far.symlink_to(tmp_path)
        now_mono_s[0] = 1.0

    reading = read_ok(folder)
    try:
        assert wait([Awaited(bytes(far / "from/a"), UP)], lambda number: number == 1, 1.0, move)
    finally:
        os.close(reading)
