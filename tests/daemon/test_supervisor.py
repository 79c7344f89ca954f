"""The order of things when a folder is taken over, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.services import Services

from svpy.core.status import decode
from svpy.daemon.hosted import Place, Refused
from svpy.daemon.supervisor import Supervisor
from svpy.system import folders, waiting
from svpy.system.children import Starter


@pytest.fixture
def home_fd() -> Iterator[int]:
    fd = folders.open_folder(b".")
    yield fd
    os.close(fd)


def supervisor(home_fd: int) -> Supervisor:
    return Supervisor(b"svscan", Starter([], 100, home_fd))


def place(folder: Path) -> Place:
    return Place(b"a", bytes(folder))


def nothing() -> None:
    pass


async def test_the_status_is_published_before_ok_says_that_it_may_be_read(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.make("a", down=True)
    (folder / "supervise").mkdir()
    (folder / "supervise/status").write_bytes(bytes(12) + (4711).to_bytes(4, "little") + b"\0u")
    seen = {}
    original = folders.open_fifo

    def look(name: bytes, folder_fd: int, flags: int) -> int:
        seen[name] = decode((folder / "supervise/status").read_bytes()).pid
        return original(name, folder_fd, flags)

    monkeypatch.setattr(folders, "open_fifo", look)
    hosting = supervisor(home_fd)
    hosted = hosting.host(place(folder), nothing)
    assert seen[b"supervise/ok"] == 0
    hosting.command(hosted, b"x")


@pytest.mark.parametrize("failing", ["epoll", "ok"])
async def test_a_folder_that_is_refused_late_leaves_nothing_open(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    folder = services.make("a", down=True)
    hosting = supervisor(home_fd)

    def full(self: object, fd: int) -> None:
        raise OSError(28, "ENOSPC")

    with monkeypatch.context() as patch:
        if failing == "epoll":
            patch.setattr(waiting.Readable, "add", full)
        else:
            (folder / "supervise").mkdir()
            (folder / "supervise/ok").touch()
        before = os.listdir("/proc/self/fd")
        with pytest.raises(Refused):
            hosting.host(place(folder), nothing)
        assert os.listdir("/proc/self/fd") == before
    (folder / "supervise/ok").unlink(missing_ok=True)
    hosting.command(hosting.host(place(folder), nothing), b"x")
