"""The Debian package on a system that systemd runs: what its scripts do to the units and what these host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import booted, minimal, package
from support.booted import Booted, CannotBoot

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


def test_what_an_administrator_has_disabled_stays_so(machine: Booted, install: Callable[[str], str]) -> None:
    install(NOW)
    machine.systemctl("disable", "--now", "svpy.service")
    install(NEXT)
    assert not (machine.root / WANTED).is_symlink()
    assert shown(machine, "ActiveState") == "inactive"
