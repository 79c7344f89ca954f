"""The table of chain loaders, and which file a word leads to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from svpy.core.catalogue import CHAIN_LOADERS
from svpy.system import execplan


def test_every_chain_loader_has_its_step() -> None:
    assert set(execplan._STEPS) == CHAIN_LOADERS


def identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").touch(0o755)
    return b"%b/one:%b/missing:%b/two" % ((os.fsencode(tmp_path),) * 3)


def test_the_first_on_path_counts(path: bytes, tmp_path: Path) -> None:
    one, two = identity(tmp_path / "one/tool"), identity(tmp_path / "two/tool")
    assert execplan.leads_to(one, b"tool", path)
    assert not execplan.leads_to(two, b"tool", path)
    (tmp_path / "one/tool").chmod(0o644)
    assert not execplan.leads_to(one, b"tool", path)
    assert execplan.leads_to(two, b"tool", path)
    (tmp_path / "one/tool").unlink()
    (tmp_path / "one/tool").symlink_to("../two/tool")
    assert execplan.leads_to(two, b"tool", path)
    assert execplan.leads_to(two, os.fsencode(tmp_path / "one/tool"), b"")
    assert not execplan.leads_to(two, b"other", path)


def test_an_error_that_ends_the_search_ends_it_here_too(path: bytes, tmp_path: Path) -> None:
    (tmp_path / "one/tool").unlink()
    (tmp_path / "one/tool").symlink_to("tool")
    assert not execplan.leads_to(identity(tmp_path / "two/tool"), b"tool", path)
