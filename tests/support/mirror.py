"""Debian's packages that the pages in docs/ install, served to apt in a root apart as its mirror, and svpy's
own beside them. `./bootstrap test` has downloaded them into SVPY_ARCHIVES."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from support.booted import Booted
from support.minimal import Minimal
from support.processes import run

ARCHIVES = Path(os.environ.get("SVPY_ARCHIVES", "/var/cache/svpy/archives"))
PLACE = "srv/mirror"


def missing(*packages: str) -> str:
    """Why apt cannot have `packages` from there, or nothing."""
    for package in packages:
        if not any(ARCHIVES.glob(f"{package}_*.deb")):
            return f"needs {package} in {ARCHIVES}: ./bootstrap test"
    return ""


def serve(host: Booted | Minimal, *more: Path) -> None:
    """Make it the only source of apt inside, with the .debs of `more` in it."""
    with tempfile.TemporaryDirectory() as name:
        mirror = Path(name, "mirror")
        shutil.copytree(ARCHIVES, mirror, ignore=shutil.ignore_patterns("lock", "partial", ".packages"))
        for deb in more:
            shutil.copy(deb, mirror)
        done = run("dpkg-scanpackages", ".", cwd=mirror)  # it finds nothing below /proc
        assert done.returncode == 0, done
        (mirror / "Packages").write_bytes(done.stdout)
        shutil.copytree(mirror, host.root / PLACE)
    sources = host.root / "etc/apt/sources.list.d"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir()
    (host.root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:/{PLACE} ./\n")
