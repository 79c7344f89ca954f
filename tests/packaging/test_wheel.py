"""The sdist and the wheel: all that is needed is in the one, and what pip makes of the other works."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.package import TREE
from support.processes import Running, eventually, run
from support.services import Services

import svpy

PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
NAMES = sorted(PROJECT["scripts"])
PAGES = sorted(path.name for path in (TREE / "man").glob("*.[78]"))
PYTHON = "/usr/bin/python3"
"""Debian's, as bootstrap takes it: with its setuptools no index is asked."""
MADE = ("__pycache__", ".git", ".venv", ".hypothesis", "*_cache", "*.egg-info", "build", "dist", ".debhelper")
"""Made from the tree, in a checkout that somebody works in."""
SETUPTOOLS_OWN = {"PKG-INFO", "setup.cfg"}


def tree_files() -> set[str]:
    found = set()
    for folder, below, names in os.walk(TREE):
        below[:] = [name for name in below if not any(Path(name).match(pattern) for pattern in MADE)]
        if Path(folder) == TREE / "debian":
            below[:] = [name for name in below if name != "svpy"]
        found |= {os.path.relpath(os.path.join(folder, name), TREE) for name in names}
    return found - {".git"}


def setuptools(call: str, cwd: Path) -> None:
    done = run(PYTHON, "-I", "-c", f"from setuptools.build_meta import *; {call}", cwd=cwd, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of the tree, unpacked."""
    if run(PYTHON, "-I", "-c", "import setuptools, wheel").returncode != 0:
        pytest.skip("needs python3-setuptools and python3-wheel, which are not installed")
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(TREE, folder / "tree", ignore=shutil.ignore_patterns(*MADE))
    setuptools("build_sdist('..')", folder / "tree")
    name = f"svpy-{svpy.__version__}"
    assert run("tar", "-C", folder, "-xf", folder / f"{name}.tar.gz").returncode == 0
    return folder / name


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the sdist makes."""
    copy = tmp_path_factory.mktemp("wheel") / "tree"
    shutil.copytree(sdist, copy)
    setuptools("build_wheel('..')", copy)
    return copy.parent / f"svpy-{svpy.__version__}-py3-none-any.whl"


def test_the_sdist_is_the_whole_tree(sdist: Path) -> None:
    packed = {str(path.relative_to(sdist)) for path in sdist.rglob("*") if path.is_file()}
    packed = {name for name in packed - SETUPTOOLS_OWN if ".egg-info/" not in name}
    assert packed == tree_files()


def test_in_the_sdist_everything_is_as_in_the_tree(sdist: Path) -> None:
    for name in tree_files():
        assert (sdist / name).read_bytes() == (TREE / name).read_bytes(), name
        executable = os.stat(TREE / name).st_mode & 0o100
        assert os.stat(sdist / name).st_mode & 0o100 == executable, name


def test_all_tests_are_found_in_the_sdist(sdist: Path) -> None:
    words = ("-I", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider")
    done = run(sys.executable, *words, cwd=sdist, timeout=300)
    assert done.returncode == 0, done.stdout.decode()[-2000:]
    done = run(sys.executable, *words[:3], "-q", *words[-2:], "tests/core/test_formats.py", cwd=sdist)
    assert done.returncode == 0, done.stdout.decode()[-2000:]


SHIPPED = [
    "smtp.rules", "qmail-send/run", "qmail-send/log/run", "qmail-smtpd/run", "qmail-smtpd/log/run"
]  # fmt: skip


COMPLETIONS = [
    "bash-completion/completions/svpy.bash",
    "zsh/site-functions/_svpy",
    "fish/vendor_completions.d/svpy.fish",
]


def test_the_wheel_has_the_modules_the_manual_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(TREE)) for path in (TREE / "svpy").rglob("*.py")}
    data = f"svpy-{svpy.__version__}.data/data/share"
    manual = {f"{data}/man/man{page[-1]}/{page}" for page in PAGES}
    services = {f"{data}/svpy/service/{name}" for name in SHIPPED}
    shells = {f"{data}/{name}" for name in COMPLETIONS}
    assert names == modules | manual | services | shells


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the system's packages, into which pip has installed the wheel."""
    venv = tmp_path_factory.mktemp("venv") / "v"
    pip = ("pip", "--isolated", "--disable-pip-version-check", "--python", venv / "bin/python3")
    for words in (
        ("venv", "--without-pip", "--system-site-packages", venv),
        (*pip, "install", "--no-index", wheel),
    ):
        done = run(PYTHON, "-I", "-m", *words, timeout=120)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return venv


def test_the_commands_are_pips_and_work(venv: Path) -> None:
    for name in NAMES:
        assert b"sys.exit(main())" in (venv / "bin" / name).read_bytes()
        done = run(venv / "bin" / name, "--help")
        assert (done.returncode, done.stderr) == (0, b""), name
        assert done.stdout.startswith(name.encode())


def test_the_manual_is_beside_the_commands(venv: Path) -> None:
    """man(1) looks into share/man beside every folder of PATH that is called bin."""
    for page in PAGES:
        assert (venv / f"share/man/man{page[-1]}" / page).read_bytes() == (TREE / "man" / page).read_bytes()


def test_svpy_new_has_the_classic_services_at_hand(venv: Path, tmp_path: Path) -> None:
    me = f"{os.geteuid()}:{os.getegid()}"
    words = ("new", tmp_path / "qmail-send", "--log-user", me, "--log-dir", tmp_path / "logs")
    (tmp_path / "logs").mkdir()
    done = run(venv / "bin/svpy", *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "qmail-send/run").read_bytes() == (TREE / "service/qmail-send/run").read_bytes()


def test_a_service_with_a_logger_and_a_chain(venv: Path, services: Services) -> None:
    services.make(
        "chained",
        "exec 2>&1\nexec softlimit -o 20 envdir env setlock lock sh -c 'echo got $WORD; exec sleep 1000'",
        log="exec multilog ./main",
    )
    folder = services.folder / "chained"
    (folder / "env").mkdir()
    (folder / "env/WORD").write_text("through\n")
    env = {"PATH": f"{venv}/bin:/usr/bin:/bin"}
    current = folder / "log/main/current"
    with Running("svscan", services.folder, env=env, start_new_session=True) as svscan:
        services.up("chained")
        eventually(lambda: b"got through\n" in current.read_bytes(), "a line in the log")
        assert run("svstat", folder, env=env).stdout.startswith(bytes(folder) + b": up (pid ")
        svscan.process.terminate()
        assert svscan.wait() == 0
