"""The Debian package of this tree: built as it is, or under a later version."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from support.booted import Booted
from support.minimal import ENVIRONMENT, Minimal
from support.processes import eventually, run
from support.services import script

TREE = Path(__file__).resolve().parent.parent.parent
OURS = (
    "svpy",
    "debian",
    "docs",
    "packaging",
    "units",
    "man",
    "service",
    "completions",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
)
"""What the package is made of."""
NOT_OURS = ("__pycache__", "svpy.debhelper.log", "debhelper-build-stamp", "files")
_BUILD_S = 300


RUN = "#!/bin/sh\necho started\nexec 2>&1\ni=0\nwhile :; do i=$((i + 1)); echo $i; sleep 0.05; done\n"


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


def dpkg(host: Minimal | Booted, *words: str) -> str:
    """dpkg in a root apart, which must succeed. Returns what was said."""
    done = host.command("dpkg", "--force-confdef", *words, env=ENVIRONMENT, timeout=120)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def files(host: Minimal | Booted) -> set[str]:
    """All there is in the root, but for what the kernel makes, and dpkg's own notes."""
    others = ("/proc", "/sys", "/dev", "/tmp", "/run", "/var/lib/dpkg", "/var/log")
    skip = " -o ".join(f"-path {folder}" for folder in others)
    done = host.command("sh", "-c", f"find / \\( {skip} \\) -prune -o -print", timeout=120)
    return set(done.stdout.decode().splitlines())


class Lines:
    """A service `lines` in a root's /service that numbers its lines, and its logger."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "srv/lines"
        (self.folder / "log").mkdir(parents=True)
        script(self.folder / "run", RUN)
        script(self.folder / "log/run", "#!/bin/sh\nexec multilog t ./main\n")
        (root / "etc/service/lines").symlink_to("/srv/lines")

    def pids(self) -> list[int]:
        """Those of the service and its logger, 0 for one that is down."""
        status = (path / "supervise/status" for path in (self.folder, self.folder / "log"))
        return [int.from_bytes(path.read_bytes()[12:16], "little") for path in status]

    def logged(self) -> list[bytes]:
        """The lines logged so far, without their labels."""
        lines = (self.folder / "log/main/current").read_bytes().split(b"\n")[:-1]
        return [line[26:] for line in lines]

    def last(self) -> int:
        """The last number."""
        return int(self.logged()[-1])

    def wait_up(self) -> None:
        eventually(lambda: all(self.pids()) and len(self.logged()) > 1, "the service and its logger up")
