"""What services at rest cost: what a scan looks at, how often svscan wakes, what it holds for each."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from support.namespaces import missing
from support.processes import eventually
from support.services import Services, alive, descriptors, svscan

from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import SCAN_INTERVAL_S, Svscan
from svpy.system import changes, folders
from svpy.system.children import Starter

DESCRIPTORS_FOR_A_PAIR = 8
"""The folder, the logger's; a lock and a fifo each; both ends of the pipe."""

OK_OF_THIRTY = 24
"""Sockets in which `ok` of sixty halves lies, and fifteen that are not enough for another."""

TASKS = 16
"""More than svscan's own loops."""


class Scanner:
    """A scan in this process, of services that are all normally down."""

    def __init__(self, services: Services) -> None:
        self.home_fd = folders.open_folder(b".")
        self.starter = Starter([], 100, self.home_fd)
        self.supervisor = Supervisor(b"svscan", self.starter)
        self.svscan = Svscan(self.supervisor, folders.open_folder(bytes(services.folder)))

    async def looks_at(self, patch: pytest.MonkeyPatch, changed: bool = False) -> list[bytes]:
        """What a scan looks at more closely than by listing it."""
        looked_at = []
        identify = folders.identify

        def look(name: bytes, folder_fd: int) -> tuple[int, int] | None:
            looked_at.append(name)
            return identify(name, folder_fd)

        with patch.context() as patched:
            patched.setattr(folders, "identify", look)
            await self.svscan._scan(changed)
        return looked_at

    def hosted(self) -> list[tuple[bool, bool]]:
        return [(pair.service is not None, pair.logger is not None) for pair in self.svscan._pairs.values()]

    def close(self) -> None:
        for pair in self.svscan._pairs.values():
            pair.stop()
            pair.go_on_stopping(ticked=False)
            pair.go_on_stopping(ticked=False)
            pair.close()
        for fd in (self.svscan._folder_fd, self.home_fd, *self.starter._places):
            os.close(fd)


@pytest.fixture
async def scanner(services: Services) -> Scanner:
    for name, log in (("alone", None), ("logged", "exec cat")):
        folder = services.make(name, log=log, down=True)
        if log:
            (folder / "log/down").touch()
    return Scanner(services)


async def test_services_at_rest_are_listed_and_not_looked_at(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        assert await scanner.looks_at(monkeypatch) == [b"alone", b"logged"]
        assert sorted(scanner.hosted()) == [(True, False), (True, True)]
        for _ in range(3):
            assert await scanner.looks_at(monkeypatch) == []
    finally:
        scanner.close()


@pytest.mark.parametrize("change", ["log", "link", "mount", "left", "HUP", "complaint", "a minute", "other"])
async def test_what_changed_is_looked_at(
    services: Services, scanner: Scanner, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    try:
        await scanner.looks_at(monkeypatch)
        everything = [b"alone", b"logged"]
        expected = everything
        if change == "log":
            services.add_log(services.folder / "alone", "exec cat")
            (services.folder / "alone/log/down").touch()
            assert await scanner.looks_at(monkeypatch, changed=True) == []
            expected = [b"alone"]
        elif change == "link":
            for name in ("one", "two"):
                services.prepare(name, down=True).rename(services.folder.parent / name)
            (services.folder / "link").symlink_to("../one")
            assert await scanner.looks_at(monkeypatch) == [b"link"]
            (services.folder.parent / "one").rename(services.folder.parent / "was")
            (services.folder.parent / "two").rename(services.folder.parent / "one")
            expected = [b"link"]
        elif change == "mount":
            monkeypatch.setattr(changes.Mounts, "have_changed", lambda mounts: True)
        elif change == "left":
            (pair,) = (pair for pair in scanner.svscan._pairs.values() if pair.name == b"alone")
            assert pair.service is not None
            scanner.supervisor.command(pair.service, b"x")
            expected = [b"alone"]
        elif change == "HUP":
            scanner.svscan._heard(1)
        elif change == "complaint":
            (services.folder / "logged/supervise").rename(services.folder.parent / "supervise")
            bad = services.prepare("bad", down=True)
            (bad / "supervise").touch()
            bad.rename(services.folder / "bad")
            expected = [b"bad"]
            assert await scanner.looks_at(monkeypatch) == expected
            expected = [b"alone", b"bad", b"logged"]
        elif change == "a minute":
            seen = [len(await scanner.looks_at(monkeypatch)) for _ in range(2 * 13)]
            assert seen.count(2) == 2 and seen.count(0) == 24, seen
            return
        else:
            (services.folder / "alone").rename(services.folder.parent / "alone")
            services.make("alone", down=True)
            expected = [b"alone"]
        before = len(scanner.hosted())
        assert await scanner.looks_at(monkeypatch) == expected
        assert len(scanner.hosted()) == before + (change in ("link", "other"))
        assert (True, False) in scanner.hosted() or change == "log"
    finally:
        scanner.close()


MOUNTS = """
import os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from svpy.system.changes import Mounts
mounts = Mounts()
print(mounts.have_changed())
subprocess.run(["mount", "-t", "tmpfs", "none", sys.argv[2]], check=True)
print(mounts.have_changed(), mounts.have_changed())
mounts.close()
print(mounts.have_changed())
"""


@pytest.mark.skipif(bool(missing("mount")), reason=missing("mount"))
def test_a_mount_is_heard_of_once(tmp_path: Path) -> None:
    here = str(Path(folders.__file__).parents[2])
    alone = ["unshare", "--mount", "--propagation", "private"]
    words = [*alone, sys.executable, "-c", MOUNTS, here, str(tmp_path)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout.split() == [b"False", b"True", b"False", b"True"]


@pytest.fixture
def pairs(services: Services) -> Iterator[Services]:
    """More than are held one by one."""
    for number in range(30):
        services.make(f"pair-{number}", log="exec cat >/dev/null")
    yield services


def test_a_pair_has_few_descriptors(pairs: Services) -> None:
    with svscan(pairs) as daemon:
        all_up(pairs, "pair")
        few = settled(daemon.pid)
        for number in range(30):
            pairs.make(f"more-{number}", log="exec cat >/dev/null")
        all_up(pairs, "more")
        more = settled(daemon.pid) - few
        assert more <= 30 * DESCRIPTORS_FOR_A_PAIR + OK_OF_THIRTY, f"{more / 30} for a pair"
        for number in range(30):
            shutil.move(pairs.folder / f"more-{number}", pairs.folder.parent / f"more-{number}")
            pairs.svc("-dx", str(pairs.folder.parent / f"more-{number}"))
            pairs.svc("-dx", str(pairs.folder.parent / f"more-{number}/log"))
        eventually(lambda: len(descriptors(daemon.pid)) <= few + 16, "what is left is closed")


def all_up(pairs: Services, name: str) -> None:
    for number in range(30):
        pairs.up(f"{name}-{number}")
        pairs.up(f"{name}-{number}/log")


def settled(pid: int) -> int:
    """How many there are when nothing is being done."""
    return min(len(descriptors(pid)) for _ in range(50))


def wakeups(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.M)
    assert found
    return int(found[1])


def test_at_rest_it_wakes_to_scan_and_for_nothing_else(pairs: Services) -> None:
    with svscan(pairs) as daemon:
        all_up(pairs, "pair")
        # A scan that changes asked for, or that had to wait for the processor, may still be due.
        eventually(lambda: at_rest(daemon.pid))
        assert alive(daemon.pid)


def at_rest(pid: int) -> bool:
    """For one interval. A scan waits for nothing else than a page or two of a file."""
    began, before = time.monotonic(), wakeups(pid)
    trio.run(trio.sleep, SCAN_INTERVAL_S)
    scans = (time.monotonic() - began) / SCAN_INTERVAL_S + 1
    return wakeups(pid) - before <= 4 * scans


@pytest.fixture
def same_signal_mask() -> Iterator[None]:
    """svscan ends with its signals blocked, which a process that goes on must undo."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.mark.usefixtures("same_signal_mask")
async def test_no_task_for_a_service(services: Services, autojump_clock: object) -> None:
    for number in range(40):
        services.make(str(number), down=True)
    scanner = Scanner(services)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scanner.svscan.run)
        while len(scanner.hosted()) < 40:
            await trio.lowlevel.checkpoint()
        assert trio.lowlevel.current_statistics().tasks_living < TASKS
        nursery.cancel_scope.cancel()
    scanner.close()
