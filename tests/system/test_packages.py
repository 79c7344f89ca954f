"""Packages in reach of a command that starts without them."""

from __future__ import annotations

import sys
from pathlib import Path

from support.processes import run

import svpy

ROOT = Path(svpy.__file__).parent.parent
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
before = list(sys.path)
from svpy.system.packages import let_in
try:
    import pyroute2
except ImportError:
    print("none")
let_in()
let_in()
import pyroute2
print(sys.path[: len(before)] == before, len(sys.path) == len(set(sys.path)))
print(pyroute2.__file__)
"""


def test_they_are_found_where_site_finds_them() -> None:
    with_site = run(sys.executable, "-I", "-c", "import pyroute2; print(pyroute2.__file__)").stdout
    said = run(sys.executable, "-IS", "-c", PROGRAM)
    assert (said.stdout, said.stderr) == (b"none\nTrue True\n" + with_site, b"")


def test_where_they_are_in_reach_nothing_is_done() -> None:
    program = f"import sys; sys.path.append({str(ROOT)!r}); before = list(sys.path)\n"
    program += "from svpy.system.packages import let_in\nlet_in()\nprint(sys.path == before)"
    assert run(sys.executable, "-I", "-c", program).stdout == b"True\n"
