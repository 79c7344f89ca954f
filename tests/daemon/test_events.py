"""svscan --events, and what scans cost, as others see them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.processes import Running, eventually, run
from support.services import Daemon, Services, descriptors, svscan

from svpy.core import service as machine
from svpy.core.scans import Scans, decode
from svpy.core.svscanwords import STDERR
from svpy.daemon.events import Events
from svpy.daemon.hosted import Hosted
from svpy.system.clock import tai_now
from svpy.system.hosts import open_memory

Event = dict[str, Any]
DEAF = "trap '' TERM; echo deaf >deaf; while :; do sleep 0.1; done"
WHOLE = 65536
"""What a pipe holds."""


class Told:
    """The events in a file so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Event]:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def of(self, name: str, **fields: object) -> list[Event]:
        return [
            event
            for event in self.all()
            if event["event"] == name and all(event.get(key) == value for key, value in fields.items())
        ]

    def one(self, name: str, **fields: object) -> Event:
        """The first such event, when it has come."""
        eventually(lambda: self.of(name, **fields), f"{name} {fields}; {self.path.name}")
        return self.of(name, **fields)[0]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "events")


def telling(services: Services, where: object, **options: object) -> Daemon:
    return Daemon("svscan", "--events", str(where), services.folder, **options)


def test_a_day_of_a_svscan_is_told(services: Services, told: Told) -> None:
    """Beginnings and ends, what had to be killed, a death of svscan, an upgrade, a file that is moved."""
    services.make("ends", run="exit 3")
    services.make("logged", log="exec cat >/dev/null")
    stubborn = services.make("stubborn", run=DEAF)
    (stubborn / "stop-timeout").write_text("0.1\n")
    services.make("given-up", run="exit 100")
    services.prepare("bare").joinpath("run").write_text("#!/nowhere\n")
    (services.folder.parent / "making/bare").rename(services.folder / "bare")
    with telling(services, told.path) as first:
        ended = told.one("exited", service="ends")
        assert (ended["code"], ended["logger"], ended["script"]) == (3, False, "run")
        assert ended["ran_s"] >= 0 and "signal" not in ended
        started = told.one("started", service="ends", pid=ended["pid"])
        assert started["monotonic_s"] <= ended["monotonic_s"] and started["time"] < ended["time"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", ended["time"])
        assert told.one("failed", service="given-up")
        assert told.one("unstartable", service="bare")["error"] == "file does not exist"
        logger = told.one("started", service="logged", logger=True)
        assert logger["pid"] == services.up("logged/log")
        eventually(lambda: (stubborn / "deaf").exists())
        services.svc("-d", "stubborn")
        assert told.one("killed", service="stubborn")["script"] == "run"
        assert told.one("exited", service="stubborn")["signal"] == signal.SIGKILL
        assert stat.S_IMODE(told.path.stat().st_mode) == 0o644
        first.process.kill()
        first.wait()
        old = Told(told.path.rename(told.path.with_name("old")))
        with telling(services, told.path) as second:
            adopted = told.one("adopted", service="logged", logger=True)
            assert adopted["pid"] == logger["pid"]
            done = run("svpy", "upgrade", services.folder)
            assert (done.returncode, done.stderr) == (0, b"")
            before = told.one("started", service="ends")
            eventually(
                lambda: told.of("started", service="ends")[-1]["monotonic_s"] > before["monotonic_s"] + 1
            )
            held = [link for link in descriptors(second.pid) if link.startswith(str(told.path.parent))]
            assert held.count(str(told.path)) == 1
            told.path.rename(told.path.with_name("older"))
            second.signal(signal.SIGHUP)
            assert told.one("started", service="ends")
            assert str(told.path.with_name("older")) not in descriptors(second.pid)
            # Nothing is followed, and what is open stays open.
            told.path.rename(told.path.with_name("moved"))
            told.path.symlink_to("old")
            second.signal(signal.SIGHUP)
            second.line(b"svscan: warning: unable to open " + bytes(told.path) + b": symbolic link loop")
            moved = Told(told.path.with_name("moved"))
            count = len(moved.all())
            eventually(lambda: len(moved.all()) > count)
            assert len(old.of("adopted")) == 0
            assert second.stop() == 0
        assert not any("dropped" in event for event in moved.all())


def test_what_waits_and_what_is_ready(services: Services, told: Told) -> None:
    late = services.prepare("late")
    (late / "needs").write_text("first\n")
    late.rename(services.folder / "late")
    with telling(services, told.path):
        assert told.one("waits", service="late")["reason"] == "first: no such service"
        first = services.prepare("first")
        (first / "ready").write_text("file is-there\n")
        first.rename(services.folder / "first")
        pid = services.up("first")
        assert told.one("waits", service="late", reason="first: not ready")
        assert not told.of("ready") and not told.of("started", service="late")
        (services.folder / "first/is-there").touch()
        assert told.one("ready", service="first")["pid"] == pid
        assert told.one("started", service="late")["monotonic_s"] >= told.one("ready")["monotonic_s"]
        assert len(told.of("ready")) == 1


def test_a_reason_is_told_once_where_it_cannot_be_noted(services: Services, told: Told) -> None:
    folder = services.prepare("a")
    (folder / "needs").write_text("nowhere")
    (folder / "supervise/ready").mkdir(parents=True)
    folder.rename(services.folder / "a")
    with telling(services, told.path) as daemon:
        daemon.line(b"unable to write a/supervise/ready: is a directory")
        for _ in range(2):
            before = scans(daemon.pid).count
            daemon.signal(signal.SIGHUP)
            eventually(lambda before=before: scans(daemon.pid).count > before)
        assert [event["reason"] for event in told.of("waits")] == ["nowhere: no such service"]


def test_lines_that_nobody_takes_are_counted_and_hold_up_nothing(services: Services, told: Told) -> None:
    os.mkfifo(told.path)
    services.make("quick", run="exit 0")
    weird = services.prepare("weird")
    os.rename(weird, os.fsencode(services.folder) + b"/caf\xc3\xa9\xff")
    with telling(services, told.path) as daemon:
        # It is there without a reader, and what was written is kept for one.
        services.up("caf\u00e9\udcff")
        reader = os.open(told.path, os.O_RDWR | os.O_NONBLOCK)
        try:
            filled = b"x" * 4096
            while True:
                try:
                    os.write(reader, filled)
                except BlockingIOError:
                    break
            first = services.pid("quick")
            services.svc("-t", "caf\u00e9\udcff")
            services.up("quick", since=first)
            services.up("quick", since=services.pid("quick"))
            data = drained(reader)
            assert rb'"service":"caf\u00e9?"' in data
            lines: list[Event] = []
            eventually(lambda: lines.extend(whole(drained(reader))) or lines)
            assert lines[0]["dropped"] >= 2 and not any("dropped" in line for line in lines[1:])
        finally:
            os.close(reader)
        assert daemon.stop() == 0


def drained(fd: int) -> bytes:
    try:
        return os.read(fd, WHOLE)
    except BlockingIOError:
        return b""


def whole(data: bytes) -> list[Event]:
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("where", ["-", "stderr"])
def test_standard_output_and_standard_error(services: Services, where: str) -> None:
    services.make("plain")
    with telling(services, where) as daemon:
        told = json.loads(daemon.line(b'"event"'))
        assert (told["event"], told["service"]) == ("started", "plain")


@pytest.mark.parametrize("where", ["relative", ""])
def test_where_is_a_path_from_the_root(where: str) -> None:
    done = run("svscan", "--events", where, "/nowhere")
    assert (done.returncode, done.stdout) == (100, b"")
    assert done.stderr.startswith(b"svscan: usage: svscan [--events where] ")


def test_a_place_that_cannot_be_opened_keeps_no_service_down(services: Services, told: Told) -> None:
    services.make("plain")
    told.path.mkdir()
    with telling(services, told.path) as daemon:
        daemon.line(b"svscan: warning: unable to open " + bytes(told.path) + b": is a directory")
        services.up("plain")
        told.path.rmdir()
        daemon.signal(signal.SIGHUP)
        eventually(told.path.exists)
        services.svc("-t", "plain")
        assert told.one("exited", service="plain")["dropped"] == 1


@pytest.fixture
def hosted(services: Services) -> Iterator[Running]:
    services.make("plain")
    with svscan(services) as daemon:
        services.up("plain")
        yield daemon


def scans(pid: int) -> Scans:
    fd = open_memory(pid, b"svpy-scans")
    assert fd >= 0
    try:
        # Before the first one there is nothing in it.
        return decode(os.pread(fd, 4096, 0)) or Scans()
    finally:
        os.close(fd)


def test_scans_are_counted_over_an_upgrade(services: Services, hosted: Running) -> None:
    eventually(lambda: scans(hosted.pid).count)
    before = scans(hosted.pid)
    hosted.signal(signal.SIGHUP)
    eventually(lambda: scans(hosted.pid).count > before.count)
    now = scans(hosted.pid)
    assert now.began_mono_s > before.began_mono_s
    assert 0 < now.last_s <= now.longest_s <= now.total_s < 60
    done = run("svpy", "upgrade", services.folder)
    assert (done.returncode, done.stderr) == (0, b"")
    eventually(lambda: scans(hosted.pid).count > now.count)
    assert scans(hosted.pid).total_s > now.total_s
    assert descriptors(hosted.pid).count("/memfd:svpy-scans (deleted)") == 1
    child = services.pid("plain")
    assert not [link for link in descriptors(child) if "memfd" in link]


def test_who_asks_for_nothing_gets_nothing(hosted: Running) -> None:
    """A file in memory is all there is; what makes lines is not even loaded."""
    links = [link for link in descriptors(hosted.pid) if link.startswith("/memfd:")]
    assert links == ["/memfd:svpy-scans (deleted)"]
    program = """
import sys, trio, prctl
before = set(sys.modules)
import svpy.daemon.main
print({"json", "datetime", "prometheus_client"} & (set(sys.modules) - before))
"""
    done = run(sys.executable, "-c", program)
    assert (done.returncode, done.stdout) == (0, b"set()\n"), done.stderr


def test_what_cannot_be_told_is_done() -> None:
    """A clock that no calendar has a date for: what the machine decides is done all the same."""
    warned: list[bytes] = []
    events = Events(STDERR, warned.append)
    service = machine.Service(normally_up=True)
    hosted = cast(Hosted, SimpleNamespace(service=service, name=b"a", is_logger=False))
    never = machine.Instant(1.0, b"\xff" * 12)
    service.handle(machine.Opened(never))
    service.handle(machine.Started(never, 7))
    assert events.handle(hosted, machine.Exited(never, 0))
    assert len(warned) == 1 and b"telling an event" in warned[0]


def test_after_a_line_that_was_cut_comes_a_whole_one(told: Told) -> None:
    """By a full disk, say: before there was this svscan, and before it was to open its file anew."""
    warned: list[bytes] = []
    events = Events(bytes(told.path), warned.append)
    service = machine.Service(normally_up=True)
    hosted = cast(Hosted, SimpleNamespace(service=service, name=b"a", is_logger=False))
    now = machine.Instant(1.0, tai_now())
    service.handle(machine.Opened(now))
    cut = b'{"time":"20'
    told.path.write_bytes(cut)
    for begin in (events.open, events.reopen):
        begin()
        events.handle(hosted, machine.Started(now, 7))
        with told.path.open("ab") as file:
            file.write(cut)
    try:
        lines = told.path.read_bytes().split(b"\n")
        assert warned == []
        assert [line for line in lines if not line.endswith(b"}")] == [cut] * 3
        assert [json.loads(line)["event"] for line in lines if line.endswith(b"}")] == ["started"] * 2
    finally:
        os.close(events.state()["fd"])
