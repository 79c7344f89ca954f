"""The Debian package on a system that systemd runs: what its scripts do to the units and what these host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import booted, minimal, package
from support.booted import Booted, CannotBoot
from support.package import Lines
from support.processes import eventually

import svpy

NOW, NEXT = svpy.__version__, svpy.__version__ + "+next"
WANTED = "etc/systemd/system/multi-user.target.wants/svpy.service"


@pytest.fixture
def machine() -> Iterator[Booted]:
    why = minimal.missing() or booted.why_not(minimal.ROOT)
    if why:
        pytest.skip(why)
    try:
        booting = Booted(minimal.ROOT)
    except CannotBoot as error:
        pytest.skip(str(error))
    with booting as machine:
        yield machine


@pytest.fixture
def install(machine: Booted, built: Callable[[str], Path]) -> Callable[[str], str]:
    """`install(VERSION)` installs or upgrades to that version, and returns what was said."""

    def do(version: str) -> str:
        deb = built(version)
        shutil.copy(deb, machine.root / "tmp")
        return package.dpkg(machine, "--install", f"/tmp/{deb.name}")

    return do


def shown(machine: Booted, name: str, unit: str = "svpy.service") -> str:
    return machine.systemctl("show", "-P", name, unit).rstrip("\n")


def test_installed_upgraded_removed_and_purged(machine: Booted, install: Callable[[str], str]) -> None:
    before = package.files(machine)
    install(NOW)
    assert shown(machine, "ActiveState") == "active"
    assert shown(machine, "UnitFileState") == "enabled"
    assert (machine.root / WANTED).is_symlink()
    lines = Lines(machine.root)
    machine.path("/srv/more").mkdir()
    machine.systemctl("start", "svpy@srv-more.service")
    lines.wait_up()
    pids, mark = lines.pids(), lines.last()
    mains = {unit: shown(machine, "MainPID", unit) for unit in ("svpy.service", "svpy@srv-more.service")}

    said = install(NEXT)
    assert "warning" not in said.lower(), said
    eventually(lambda: lines.last() > mark + 20, "lines after the upgrade")
    assert lines.pids() == pids
    for unit, pid in mains.items():
        assert (shown(machine, "ActiveState", unit), shown(machine, "NRestarts", unit)) == ("active", "0")
        assert shown(machine, "MainPID", unit) == pid

    package.dpkg(machine, "--remove", "svpy")
    assert not any(machine.alive(int(pid)) for pid in (*mains.values(), *pids))
    assert lines.logged() == [b"started", *(b"%d" % number for number in range(1, lines.last() + 1))]

    package.dpkg(machine, "--purge", "svpy")
    left = package.files(machine) - before
    assert {path for path in left if not path.startswith(("/srv/", "/etc/service"))} == set()
    assert os.readlink(machine.root / "etc/service/lines") == "/srv/lines"


def test_what_an_administrator_has_disabled_stays_so(machine: Booted, install: Callable[[str], str]) -> None:
    install(NOW)
    machine.systemctl("disable", "--now", "svpy.service")
    install(NEXT)
    assert not (machine.root / WANTED).is_symlink()
    assert shown(machine, "ActiveState") == "inactive"
