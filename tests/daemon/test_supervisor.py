"""The order of things when a folder is taken over, in this process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing
from support.services import Services, script

from svpy.core import service as machine
from svpy.core import shutdown
from svpy.core.status import decode, state_word
from svpy.daemon import svscan
from svpy.daemon.hosted import Hosted, Place, Refused
from svpy.daemon.pair import Pair, Stopper
from svpy.daemon.supervisor import Supervisor
from svpy.system import folders, signals, waiting
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


async def test_a_signal_that_is_not_allowed_is_told_and_costs_nothing_else(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EPERM: not root, and the service became another user."""
    folder = services.make("a", down=True)
    hosting = Supervisor(b"svscan", Starter([b"PATH=/bin:/usr/bin"], 100, home_fd))
    hosted = hosting.host(place(folder), nothing)
    hosting.command(hosted, b"u")
    pid = hosted.service.pid
    assert pid
    said: list[bytes] = []
    monkeypatch.setattr(hosting, "warn", said.append)

    def refused(pid: int, number: int) -> None:
        raise PermissionError(1, "EPERM")

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refused)
        hosting.command(hosted, b"tp")
    assert said == [
        b"unable to send TERM to a: permission denied",
        b"unable to send STOP to a: permission denied",
    ]
    assert decode((folder / "supervise/status").read_bytes()).paused, "what was behind it was done"
    hosting.command(hosted, b"dxk")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    hosting.reap()
    assert hosted.service.left


def ended(monkeypatch: pytest.MonkeyPatch, *children: tuple[int, int]) -> None:
    """From now on these have ended whenever it is asked: (pid, exit code) each."""

    def reap(ours: dict[int, Hosted], most: int) -> tuple[list[tuple[Hosted, int]], int]:
        return [(ours.pop(pid), code) for pid, code in children if pid in ours], len(children)

    monkeypatch.setattr("svpy.daemon.supervisor.reap", reap)


async def test_a_pid_that_is_used_again_at_once(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ended, and what follows the first gets the pid of the second, which was reaped with it."""
    first, second = services.make("a"), services.make("b")
    script(first / "start", "exit 0")
    hosting = supervisor(home_fd)
    pids = iter((11, 12, 12))
    monkeypatch.setattr(Starter, "start", lambda *words: next(pids))
    monkeypatch.setattr(signals, "send", lambda pid, name: None)
    a, b = (hosting.host(place(folder), nothing) for folder in (first, second))
    assert (a.service.pid, b.service.pid) == (11, 12)
    ended(monkeypatch, (11, 0), (12, 0))
    hosting.reap()
    assert (a.service.pid, b.service.pid) == (12, 0)
    ended(monkeypatch, (12, 0))
    for hosted in (a, b):
        hosting.command(hosted, b"x")
    hosting.reap()
    assert a.service.left


def starts_with(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, int, int]]:
    """Nothing is started or signalled for real: (script, stdin, stdout) of each start, the first with
    pid 101."""
    started: list[tuple[bytes, int, int]] = []

    def start(starter: Starter, folder_fd: int, stdin_fd: int, stdout_fd: int, *what: object) -> int:
        assert isinstance(what[0], bytes)
        started.append((what[0], stdin_fd, stdout_fd))
        return 100 + len(started)

    monkeypatch.setattr(Starter, "start", start)
    # These pids may be anyone's.
    monkeypatch.setattr(signals, "send", lambda pid, name: None)
    return started


@pytest.mark.parametrize("is_file", [True, False], ids=["log is a file", "log is a folder"])
async def test_what_is_started_with_which_descriptors(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    """notify takes no line out of a log pipe, and one in the logger's own folder puts none into it; a
    logger in its service's folder has nothing to do with its stop."""
    folder = services.make("a", log=None if is_file else "exec cat")
    for name in ("stop", "notify", "log") if is_file else ("stop", "notify", "log/notify"):
        script(folder / name, "exit 0")
    started = starts_with(monkeypatch)
    monkeypatch.setattr(machine, "START_INTERVAL_S", 1000.0)
    hosting = supervisor(home_fd)
    pair = Pair(hosting, b"a", folders.open_folder(bytes(folder)), lambda pair: None)
    if is_file:
        pair.host_service_with_log_file()
    else:
        pair.host_logger(is_file=False)
        pair.host_service()
    assert pair.pipe is not None and pair.logger is not None and pair.service is not None
    reading, writing = pair.pipe.read_fd, pair.pipe.write_fd
    logger, notify = (b"log" if is_file else b"run", reading, 1), (b"notify", 0, 1)
    of_service = notify if is_file else (b"notify", 0, writing)
    assert started == [logger, notify, (b"run", 0, writing), of_service]
    del started[:]
    hosting.command(pair.logger, b"d")
    hosting.command(pair.service, b"d")
    ended(monkeypatch, (101, 0), (103, 0))
    hosting.reap()
    assert started == [notify, of_service, (b"stop", 0, writing), of_service]
    assert (folder / "supervise").stat().st_mode & 0o777 == 0o700
    if is_file:
        assert (folder / "supervise/log").stat().st_mode & 0o777 == 0o700
    hosting.command(pair.logger, b"x")
    hosting.command(pair.service, b"x")
    ended(monkeypatch, (103, 0))
    hosting.reap()
    assert pair.is_gone()
    del started[:]
    if is_file:
        pair.host_service_with_log_file()
    else:
        pair.host_logger(is_file=False)
        pair.host_service()
    assert started == [], "who left is not started sooner by being taken up again"
    hosting.command(pair.logger, b"dx")
    hosting.command(pair.service, b"dx")
    pair.close()


async def test_a_word_stands_there_before_its_status_and_is_published_late_with_it(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.make("a")
    starts_with(monkeypatch)
    hosting = supervisor(home_fd)
    hosted = hosting.host(place(folder), nothing)
    monkeypatch.setattr(hosting, "warn", lambda message: None)
    tried: list[bytes] = []

    def full(name: bytes, data: bytes, folder_fd: int) -> None:
        tried.append(name)
        raise folders.NotPublished(b"unable to write ", name, OSError(28, "ENOSPC"))

    with monkeypatch.context() as patch:
        patch.setattr(folders, "replace", full)
        ended(patch, (101, 100))
        hosting.reap()
    assert tried == [b"supervise/state", b"supervise/status"]
    hosting.publish_late()
    status = (folder / "supervise/status").read_bytes()
    assert state_word(status, (folder / "supervise/state").read_bytes()) == b"failed"
    hosting.command(hosted, b"x")
    assert hosted.service.left


async def test_a_logger_in_its_services_folder_is_not_begun_when_that_has_left(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that begins many lets others have their turn between its look and this."""
    folder = services.make("a", down=True)
    script(folder / "log", "exec cat")
    (folder / "log").rename(services.folder.parent / "log")
    hosting = supervisor(home_fd)
    scanner = svscan.Svscan(hosting, folders.open_folder(bytes(services.folder)))
    await scanner._scan_once(changed=False)
    (pair,) = scanner._pairs.values()
    assert pair.service is not None and pair.logger is None
    (services.folder.parent / "log").rename(folder / "log")

    act = scanner._act

    def after_it_left(action: object) -> None:
        assert pair.service is not None
        hosting.command(pair.service, b"x")
        act(action)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(scanner, "_act", after_it_left)
        await scanner._scan_once(changed=False)
    assert pair.is_gone()
    await scanner._scan_once(changed=False)
    assert pair.service is not None and pair.service.logger is pair.logger is not None
    pair.stop()
    pair.go_on_stopping(ticked=False)
    assert pair.is_gone()
    pair.close()
    os.close(scanner._folder_fd)


async def test_changes_without_end_leave_a_rest_between_two_scans(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svscan, "REST_S", 0.05)
    scans: list[float] = []
    scanner = svscan.Svscan(supervisor(home_fd), folders.open_folder(bytes(services.folder)))

    def scan(changed: bool) -> dict[bytes, bytes]:
        scans.append(trio.current_time())
        return {}

    monkeypatch.setattr(scanner, "_scan_once", scan)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scanner._scan_always)
            while len(scans) < 6:
                scanner._look.set()
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(scans)), scans
    os.close(scanner._folder_fd)


async def test_a_scan_that_begins_many_gives_everything_else_its_turn(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        services.make(str(number))
    scanner = svscan.Svscan(supervisor(home_fd), folders.open_folder(bytes(services.folder)))
    order: list[str] = []

    def act(action: object) -> None:
        order.append("began")

    async def others() -> None:
        while True:
            order.append("others")
            await trio.lowlevel.checkpoint()

    monkeypatch.setattr(scanner, "_act", act)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await scanner._scan_once(changed=False)
        nursery.cancel_scope.cancel()
    os.close(scanner._folder_fd)
    assert order.count("began") == 20
    # trio takes those that wait for their turn in any order, each once.
    assert "began began began" not in " ".join(order)


async def test_what_even_kill_does_not_end_is_given_up(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hangs in the kernel: here, no signal reaches any."""
    folder = services.make("a", log="exec cat")
    starts_with(monkeypatch)
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(signals, "send_to_group", lambda pid, name: sent.append((pid, name)))
    monkeypatch.setattr(shutdown, "LATER_S", (0.0, 0.05, 0.1))
    hosting = supervisor(home_fd)
    said: list[bytes] = []
    monkeypatch.setattr(hosting, "warn", said.append)
    stopper = Stopper(hosting.loops)
    pair = Pair(hosting, b"a", folders.open_folder(bytes(folder)), stopper.wake)
    pair.host_logger(is_file=False)
    pair.host_service()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stopper.work, lambda: [pair])
            began = trio.current_time()
            await stopper.stop([pair], shutdown.Deadline(began + 0.1))
            assert trio.current_time() >= began + 0.2
            nursery.cancel_scope.cancel()
    assert sent == [(102, "KILL"), (101, "KILL")], "the service, then its logger, once each"
    assert said == [b"killing a: it did not end in time", b"killing a/log: it did not end in time"]
    assert pair.service is not None and pair.logger is not None
    for hosted in (pair.service, pair.logger):
        hosting.give_back(hosted)
    pair.close()


async def test_a_stop_looks_at_those_that_changed(
    services: Services, home_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at all of them whenever one has ended: that would be five hundred times five hundred."""
    count = 40
    started = starts_with(monkeypatch)
    hosting = supervisor(home_fd)
    stopper = Stopper(hosting.loops)
    pairs = []
    for number in range(count):
        folder = services.make(str(number))
        pairs.append(Pair(hosting, b"a", folders.open_folder(bytes(folder)), stopper.wake))
        pairs[-1].host_service()
    looks = 0
    look = Pair.go_on_stopping

    def counted(pair: Pair, *words: object) -> None:
        nonlocal looks
        looks += 1
        look(pair, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Pair, "go_on_stopping", counted)
    monkeypatch.setattr("svpy.daemon.pair.STOP_LOOK_S", 1000.0)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stopper.work, lambda: pairs)
            nursery.start_soon(stopper.stop, pairs, shutdown.Deadline())
            for number in range(len(started)):
                await trio.testing.wait_all_tasks_blocked()
                ended(monkeypatch, (101 + number, 0))
                hosting.reap()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert all(pair.is_gone() for pair in pairs)
    assert count <= looks <= 4 * count
    for pair in pairs:
        pair.close()
