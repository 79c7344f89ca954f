"""The house: imports only point down, and what must start fast imports nothing slow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import svpy
from svpy.core.catalogue import CHAIN_LOADERS, COMMANDS

ROOT = Path(svpy.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
BELOW = {
    "core": {"core"},
    "system": {"core", "system"},
    "daemon": {"core", "system", "daemon"},
    "commands": {"core", "system", "daemon", "commands"},
}
OS_MODULES = {
    "os", "posix", "sys", "time", "signal", "_signal", "fcntl", "socket", "select", "subprocess",
    "resource", "pwd", "grp", "shutil", "pathlib", "tempfile", "threading", "prctl", "pyroute2",
}  # fmt: skip
DAEMONS = {"svscan", "supervise"}
SLOW = {"trio", "pyroute2", "dataclasses", "typing", "enum", "inspect", "argparse", "subprocess", "asyncio"}
"""Each costs a chain tool a good part of the bare interpreter's own start, or many times it."""


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


def test_every_command_has_its_file() -> None:
    files = {path.stem for path in (ROOT / "commands").glob("*.py")} - {"__init__", "svpy"}
    assert files == {name.decode() for name in COMMANDS}


@pytest.mark.parametrize("name", sorted(name.decode() for name in set(COMMANDS) - {b"svscan", b"supervise"}))
def test_control_commands_and_chain_tools_start_light(name: str) -> None:
    program = (
        "import sys; before = set(sys.modules); "
        f"import svpy.commands.{name}; print(*set(sys.modules) - before)"
    )
    new = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = SLOW - ({"typing", "enum"} if name == "multilog" else set())
    assert not heavy & set(new)
    assert set(COMMANDS) >= CHAIN_LOADERS
