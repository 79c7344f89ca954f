"""The Debian package of this tree: built as it is, or under a later version."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from support.minimal import Minimal
from support.processes import run

TREE = Path(__file__).resolve().parent.parent.parent
OURS = ("svpy", "debian", "packaging", "units", "man", "service", "README.md", "CHANGELOG.md", "LICENSE")
"""What the package is made of."""
NOT_OURS = ("__pycache__", "svpy.debhelper.log", "debhelper-build-stamp", "files")
_BUILD_S = 300


def missing() -> str:
    """Why it cannot be built here, or nothing."""
    for program in ("dpkg-buildpackage", "dh", "dh_python3"):
        if shutil.which(program) is None:
            return f"needs {program}, which is not installed"
    return ""


def version() -> str:
    """The tree's, as debian/changelog has it."""
    return re.match(r"svpy \((.*?)\) ", (TREE / "debian/changelog").read_text())[1]  # type: ignore[index]


def build(folder: Path, wanted: str) -> Path:
    """Build in an empty folder; a version that is not the tree's is written into a copy. Returns the .deb."""
    tree = folder / "svpy"
    tree.mkdir()
    for name in OURS:
        if (TREE / name).is_dir():
            # Links as they are: some lead to others of these.
            ignore = shutil.ignore_patterns(*NOT_OURS)
            shutil.copytree(TREE / name, tree / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy2(TREE / name, tree)
    if wanted != version():
        _raise_version(tree, wanted)
    # Without gcc and make, which Debian takes for granted: there is nothing to compile.
    for argv in (
        ("dpkg-checkbuilddeps", "-I"),
        ("dpkg-buildpackage", "-us", "-uc", "-b", "-d"),
    ):
        env = {"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        done = run(*argv, cwd=tree, env=env, timeout=_BUILD_S)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return folder / f"svpy_{wanted}_all.deb"


def _raise_version(tree: Path, wanted: str) -> None:
    entry = (
        f"svpy ({wanted}) unstable; urgency=medium\n\n  * One version more.\n\n"
        " -- The svpy authors <svpy@example.org>  Thu, 31 Dec 2026 00:00:00 +0000\n\n"
    )
    changelog = tree / "debian/changelog"
    changelog.write_text(entry + changelog.read_text())
    module = tree / "svpy/__init__.py"
    module.write_text(re.sub('__version__ = ".*"', f'__version__ = "{wanted}"', module.read_text()))


def dpkg(host: Minimal, *words: str) -> str:
    """dpkg in a minimal root, which must succeed. Returns what was said."""
    done = host.run("dpkg", "--force-confdef", *words, timeout=120)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
