"""What `./bootstrap test` tests is the svpy that a wheel installed, not the checkout beside the tests."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import pytest
from support.package import TREE
from support.processes import BIN, run

from svpy.core.catalogue import COMMANDS

if "SVPY_INSTALLED" not in os.environ:
    pytest.skip("only ./bootstrap test has svpy installed for the tests", allow_module_level=True)
MODULES = Path(sysconfig.get_path("purelib"))
NAMES = sorted(name.decode() for name in (*COMMANDS, b"svpy"))


def test_the_interpreter_is_that_of_the_installation() -> None:
    assert Path(sys.prefix) == Path(os.environ["SVPY_INSTALLED"])
    assert not MODULES.is_relative_to(TREE) and not TREE.is_relative_to(MODULES)


def test_what_the_tests_import_is_installed() -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "svpy":
            assert Path(str(module.__file__)).is_relative_to(MODULES / "svpy"), name


def test_what_a_python_started_in_the_checkout_imports_is_installed() -> None:
    done = run(sys.executable, "-I", "-c", "import svpy; print(svpy.__file__)", cwd=TREE)
    assert done.stdout.decode() == f"{MODULES}/svpy/__init__.py\n"


def test_what_a_command_imports_is_installed() -> None:
    for name in NAMES:
        launcher = (BIN / name).read_text()
        assert re.findall(r'^sys\.path\.insert\(0, "(.*)"\)$', launcher, re.M) == [str(MODULES)], name


def test_it_is_the_tree_that_was_installed_and_nothing_older() -> None:
    def sources(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}

    assert sources(MODULES / "svpy") == sources(TREE / "svpy")


def test_a_wheel_installed_it() -> None:
    files = distribution("svpy").files
    assert files is not None
    placed = {str(file) for file in files if file.suffix == ".py"}
    assert placed == {f"svpy/{path.relative_to(TREE / 'svpy')}" for path in (TREE / "svpy").rglob("*.py")}
