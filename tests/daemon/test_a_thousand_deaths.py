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
from support.services import Services, descriptors, svscan

DEATHS = 1000
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


def is_hosted(folder: Path) -> bool:
    """Whether `ok` has a reader, as svok asks."""
    try:
        os.close(os.open(folder / "supervise/ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def logged(folder: Path) -> bytes:
    main = folder / "log/main"
    names = sorted(name for name in os.listdir(main) if name.startswith("@"))
    return b"".join((main / name).read_bytes() for name in [*names, "current"])


def assert_nothing_is_lost(folder: Path) -> None:
    count = int((folder / "written").read_text())
    assert logged(folder) == b"".join(b"%d\n" % number for number in range(count))
    assert count > 100


def test_a_thousand_deaths(services: Services, tmp_path: Path) -> None:
    chance = random.Random(76)
    folder = services.make("a", run=WRITER, log=LOGGER)
    with Mortal(services.folder, tmp_path / "said") as mortal:
        pid = mortal.live()
        pids = services.up("a"), services.up("a/log")
        expected: list[str] = []
        for death in range(DEATHS):
            mortal.kill()
            if chance.random() < 0.33:
                # One more, while it takes over.
                mortal.brief(chance.uniform(0, 20))
            pid = mortal.live()
            eventually(lambda: is_hosted(folder) and is_hosted(folder / "log"))
            assert (services.pid("a"), services.pid("a/log")) == pids
            if death % 50 == 1:
                open_now = [kind.partition(":")[0] for kind in descriptors(pid)]
                expected = expected or open_now
                assert open_now == expected
        assert mortal.stop() == 0
    assert_nothing_is_lost(folder)
    said = (tmp_path / "said").read_text().splitlines()
    # The logger runs natively: its process has reported how it ended.
    assert [line.partition(" (pid")[0] for line in said] == ["svscan: warning: exit code of a"]


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
