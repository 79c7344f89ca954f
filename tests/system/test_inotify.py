"""inotify."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from svpy.system import inotify
from svpy.system.inotify import CREATE, DELETE_SELF, IGNORED, MODIFY, MOVED_TO, ONLYDIR, Watcher


def test_what_happens_is_told_with_names(tmp_path: Path) -> None:
    watcher = Watcher()
    try:
        (tmp_path / "a").touch()
        folder = watcher.add(bytes(tmp_path), CREATE | MOVED_TO | ONLYDIR)
        assert watcher.read() == []
        odd = bytes(tmp_path) + b"/" + bytes(range(128, 256)) + b"\n"
        Path(os.fsdecode(odd)).touch()
        (tmp_path / "a").rename(tmp_path / "b")
        assert watcher.read() == [(folder, CREATE, odd.rpartition(b"/")[2]), (folder, MOVED_TO, b"b")]
        file = watcher.add(bytes(tmp_path / "b"), MODIFY | DELETE_SELF)
        (tmp_path / "b").write_bytes(b"x")
        assert watcher.read() == [(file, MODIFY, b"")]
        watcher.remove(file)
        watcher.remove(file)
        assert watcher.read() == [(file, IGNORED, b"")]
    finally:
        watcher.close()
        watcher.close()


@pytest.mark.parametrize(
    ("name", "number"),
    [(b"missing", errno.ENOENT), (b"file", errno.ENOTDIR), (b"x" * 300, errno.ENAMETOOLONG)],
)
def test_what_cannot_be_watched_says_why(tmp_path: Path, name: bytes, number: int) -> None:
    (tmp_path / "file").touch()
    watcher = Watcher()
    with pytest.raises(OSError) as raised:
        watcher.add(bytes(tmp_path) + b"/" + name, CREATE | ONLYDIR)
    assert raised.value.errno == number
    watcher.close()


def test_too_many_watches_have_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, *arguments: object) -> int:
        raise OSError(errno.ENOSPC, name)

    watcher = Watcher()
    fd = watcher.fd
    monkeypatch.setattr(inotify, "call", full)
    with pytest.raises(OSError) as raised:
        watcher.add(b"/", CREATE)
    assert raised.value.errno == errno.ENOSPC
    monkeypatch.undo()
    raised.value.__traceback__ = None
    del raised, watcher
    with pytest.raises(OSError):
        os.fstat(fd)


def test_one_that_is_not_needed_is_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, *arguments: object) -> int:
        raise OSError(errno.EMFILE, name)

    with monkeypatch.context() as patched:
        patched.setattr(inotify, "call", full)
        with pytest.raises(OSError):
            Watcher()
        deaf = Watcher(is_needed=False)
    assert deaf.fd == -1 and deaf.read() == []
    with pytest.raises(OSError):
        deaf.add(b"/", CREATE)
    deaf.remove(1)
    deaf.close()
