from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import minimal, package
from support.minimal import Minimal


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Minimal]:
    why = minimal.missing()
    if why:
        pytest.skip(why)
    layer = tmp_path / "layer"
    layer.mkdir()
    with Minimal(layer) as host:
        yield host


@pytest.fixture
def install(host: Minimal, built: Callable[[str], Path]) -> Callable[[str], str]:
    """`install(VERSION)` installs or upgrades to that version in `host`, and returns what was said."""

    def do(version: str) -> str:
        deb = built(version)
        shutil.copy(deb, host.root / "tmp")
        return package.dpkg(host, "--install", f"/tmp/{deb.name}")

    return do
