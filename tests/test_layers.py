"""The house: imports only point down, and what must start fast imports nothing slow."""

import ast
import sys
from pathlib import Path

import pytest
from support.processes import run

import svpy
from svpy.core.catalogue import CHAIN_LOADERS, COMMANDS, DAEMONS

QUICK_WORDS = {
    "multilog": ["t", "s4096", "./log"],
    "svstat": ["."],
    "svc": ["-u", "."],
    "svok": ["."],
    "svwait": ["-r", "-t", "0.001", "."],
    "svlog": ["--since", "2h", "."],
    "svcheck": ["."],
}
READ_SCRIPTS = {"svcheck"}
"""Whose work patterns are: they may import `re` and what it imports."""
ROOT = Path(svpy.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
BELOW = {
    "core": {"core"},
    "system": {"core", "system"},
    "native": {"core", "system", "native"},
    "daemon": {"core", "system", "native", "daemon"},
    "view": {"core", "system", "view"},
    "commands": {"core", "system", "native", "daemon", "view", "commands"},
}
OS_MODULES = {
    "os", "posix", "sys", "time", "signal", "_signal", "fcntl", "socket", "select", "subprocess",
    "resource", "pwd", "grp", "shutil", "pathlib", "tempfile", "threading", "prctl", "pyroute2",
}  # fmt: skip
LIGHT = {
    "os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc",
    "_ctypes", "errno", "fcntl", "itertools", "math", "pwd", "resource", "select", "termios",
}  # fmt: skip
"""What a command that must start fast may import. Of `os` an interpreter has a ready copy in itself, and the
last row is C. Modules that many a program has anyway cost more than all of ours: `re`, `enum` and what
they need half of a bare interpreter's start, `typing` and `dataclasses` as much again."""
FOR_SOFTLIMIT = {"resource", "select"}
"""C as well, but for most chain loaders these would be a fortieth of the start for nothing."""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names.add(node.module)
    return names


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    if path == ROOT / "__init__.py":
        assert not imported(path)
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "svpy" and len(parts) > 1:
            assert parts[1] in BELOW[layer(path)], f"{path} imports {name}"
        if layer(path) == "core":
            assert parts[0] not in OS_MODULES | {"trio"}, f"core does not ask the OS: {path} imports {name}"
        if layer(path) != "daemon":
            assert parts[0] != "trio", f"trio is daemon's alone: {path}"
        if layer(path) != "view" and path != ROOT / "commands/svtop.py":
            assert parts[0] not in {"textual", "rich"}, f"what draws is view's alone: {path}"


def test_every_command_has_its_file() -> None:
    files = {path.stem for path in (ROOT / "commands").glob("*.py")} - {"__init__", "svpy"}
    assert files == {name.decode().replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", sorted(name.decode() for name in set(COMMANDS) - DAEMONS))
def test_control_commands_and_chain_tools_start_light(name: str, tmp_path: Path) -> None:
    """All that is imported from the launcher's first line to the exit code, of wrong words or work done."""
    folder = tmp_path / "folder"
    folder.mkdir()
    words = QUICK_WORDS.get(name, ["no", "such", "words"])
    module = f"svpy.commands.{name.replace('-', '_')}"
    program = f"""
import sys, os

def tell_and_leave(code):
    os.write(2, b"\\n" + " ".join(sys.modules).encode())
    leave(code)

leave, os._exit = os._exit, tell_and_leave
sys.path.append({str(ROOT.parent)!r})
sys.argv[1:] = {words!r}
from {module} import main
main()
"""
    done = run(sys.executable, "-IS", "-c", program, cwd=folder)
    assert b"Traceback" not in done.stderr
    usual = "bisect, re, sys" if name in READ_SCRIPTS else "sys"
    before = run(sys.executable, "-IS", "-c", f"import {usual}; print(*sys.modules)").stdout
    new = set(done.stderr.splitlines()[-1].decode().split()) - set(before.decode().split())
    ours = {module for module in new if module.partition(".")[0] == "svpy"}
    assert module in ours
    spare = FOR_SOFTLIMIT if name.encode() in CHAIN_LOADERS - {b"softlimit"} else set()
    assert new - ours <= LIGHT - spare
    assert not [module for module in ours if module.startswith("svpy.daemon")]


def test_chain_loaders_are_commands() -> None:
    assert set(COMMANDS) >= CHAIN_LOADERS | DAEMONS


def test_what_a_daemon_imports_starts_no_process() -> None:
    """Newer trios look for a library, through programs that a container may not have."""
    program = f"""
import subprocess, sys, tempfile

def refuse(*words, **options):
    raise RuntimeError(words)

subprocess.Popen = tempfile.NamedTemporaryFile = refuse
sys.path.append({str(ROOT.parent)!r})
import svpy.daemon.main
import ctypes.util
print(ctypes.util.find_library.__module__)
"""
    done = run(sys.executable, "-I", "-c", program)
    assert (done.returncode, done.stdout) == (0, b"ctypes.util\n"), done.stderr
