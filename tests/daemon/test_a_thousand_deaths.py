"""svscan killed again and again at any moment: no line is lost, no pid changes, nothing is left open."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest
from support.mortal import Mortal
from support.processes import eventually
from support.services import Services, alive, descriptors, is_hosted, svscan

DEATHS = {"native": 700, "executed": 300}
DEATHS_OF_THE_COMMAND = 30

WRITER = f"""#!{sys.executable} -I
import itertools, os, signal, time
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
for number in itertools.count():
    os.write(1, b"%d\\n" % number)
    time.sleep(0.0005)
    if stop:
        break
with open("written", "w") as file:
    file.write(str(number + 1))
"""
LOGGER = "exec multilog s16777215 n100 ./main"


def logged(folder: Path) -> bytes:
    main = folder / "log/main"
    names = sorted(name for name in os.listdir(main) if name.startswith("@"))
    return b"".join((main / name).read_bytes() for name in [*names, "current"])


def assert_nothing_is_lost(folder: Path) -> None:
    count = int((folder / "written").read_text())
    assert logged(folder) == b"".join(b"%d\n" % number for number in range(count))
    assert count > 100


def test_a_thousand_deaths(services: Services, tmp_path: Path, runs: str) -> None:
    chance = random.Random(76)
    folder = services.make("a", run=WRITER, log=LOGGER)
    with Mortal(services.folder, tmp_path / "said") as mortal:
        pid = mortal.live()
        pids = services.up("a"), services.up("a/log")
        assert services.how("a/log") == runs
        expected: list[str] = []
        for death in range(DEATHS[runs]):
            mortal.kill()
            if chance.random() < 0.33:
                # One more, while it takes over.
                mortal.brief(chance.uniform(0, 20))
            pid = mortal.live()
            eventually(lambda: is_hosted(folder) and is_hosted(folder / "log"))
            assert (services.pid("a"), services.pid("a/log")) == pids
            if death % 50 == 1:
                open_now = [kind.replace(str(pid), "self").partition(":")[0] for kind in descriptors(pid)]
                expected = expected or open_now
                assert open_now == expected
        assert mortal.stop() == 0
    assert_nothing_is_lost(folder)
    said = (tmp_path / "said").read_text().splitlines()
    # The process of a native logger has reported how that ended.
    unknown = {"native": ["a"], "executed": ["a", "a/log"]}
    assert [line.partition(" (pid")[0] for line in said] == [
        f"svscan: warning: exit code of {name}" for name in unknown[runs]
    ]


def test_deaths_of_the_command(services: Services, tmp_path: Path) -> None:
    folder = services.make("a", run=WRITER, log=LOGGER)
    with Mortal(services.folder, tmp_path / "said") as holder:
        holder.live()
        pids = services.up("a"), services.up("a/log")
        holder.kill()
        for _ in range(DEATHS_OF_THE_COMMAND):
            with svscan(services) as daemon:
                eventually(lambda: is_hosted(folder) and is_hosted(folder / "log"))
                assert (services.pid("a"), services.pid("a/log")) == pids
                daemon.signal(signal.SIGKILL)
                daemon.wait()
        with svscan(services) as daemon:
            eventually(lambda: is_hosted(folder) and is_hosted(folder / "log"))
            assert daemon.stop() == 0
    assert_nothing_is_lost(folder)


def in_folder(folder: Path) -> list[int]:
    """The processes in a folder."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == str(folder):
                found.append(int(name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("log", [None, "exec cat >lines"], ids=["alone", "with a logger"])
def test_deaths_while_a_service_is_started(services: Services, tmp_path: Path, log: str | None) -> None:
    """Between the start of a process and the note of it as well: there is never a second one."""
    chance = random.Random(76)
    folder = services.make("a", run="exec sleep 1000", log=log)
    folders = [folder] if log is None else [folder, folder / "log"]
    found_before = 0
    with Mortal(services.folder, tmp_path / "said") as mortal:
        for _ in range(60):
            mortal.brief(chance.uniform(2, 25))
            before = [in_folder(part) for part in folders]
            found_before += any(before)
            mortal.live()
            for part, pids in zip(folders, before, strict=True):
                eventually(lambda part=part: is_hosted(part))
                name = str(part.relative_to(services.folder))
                pid = services.up(name)
                assert in_folder(part) == [pid]
                # A logger without a service and without svscan has read to the end.
                assert pids in ([], [pid]) or (part != folder and not before[0])
            assert mortal.stop() == 0
            assert not any(in_folder(part) for part in folders)
    assert found_before, "some of them died behind a start"


def holders(pipe: str) -> list[int]:
    """The loggers that hold a pipe."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{pid}/comm").read_text() == "multilog\n" and pipe in descriptors(int(pid)):
                found.append(int(pid))
        except OSError:
            continue
    return found


def test_deaths_while_a_native_logger_is_started(services: Services, tmp_path: Path) -> None:
    """Between the fork of its process, the note of it, and the message by which it begins."""
    chance = random.Random(76)
    folder = services.make("a", run="exec sleep 1000", log=LOGGER)
    with Mortal(services.folder, tmp_path / "said") as mortal:
        mortal.live()
        services.up("a/log")
        service = services.up("a")
        pipe = os.readlink(f"/proc/{service}/fd/1")
        for number in range(8):
            mortal.kill()
            for pid in holders(pipe):
                os.kill(pid, signal.SIGKILL)
                eventually(lambda pid=pid: not alive(pid))
            if number:
                # A logger is started at most once a second.
                mortal.brief(chance.uniform(200, 1300))
            else:
                mortal.live()
                eventually(lambda: holders(pipe))
                mortal.kill()
            before = holders(pipe)
            mortal.live()
            for part in (folder, folder / "log"):
                eventually(lambda part=part: is_hosted(part))
            eventually(lambda: alive(services.pid("a/log") or -1))
            eventually(lambda: holders(pipe) == [services.pid("a/log")], f"{before} {holders(pipe)}")
            said = (tmp_path / "said").read_text()
            assert (services.how("a/log"), services.pid("a")) == ("native", service), said
        assert mortal.stop() == 0
        eventually(lambda: not holders(pipe))
