"""svpy, and what holds for every command."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.processes import BIN, environment, run

from svpy import __version__
from svpy.commands import own
from svpy.core.catalogue import COMMANDS, DAEMONS, OWN

OF_SVPY = {path.stem.encode() for path in Path(own.__file__).parent.glob("*.py")} - {b"__init__"}
"""What svpy does itself has a module each."""
NAMES = sorted(name.decode() for name in COMMANDS)


def test_svpy_lists_every_command() -> None:
    done = run("svpy")
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.splitlines()
    assert said[0].startswith(f"svpy {__version__}".encode())
    assert [line.split()[0] for line in said[2 : -len(OWN)]] == list(COMMANDS)
    assert [line.split()[:2] for line in said[-len(OWN) :]] == [[b"svpy", name] for name in OWN]
    assert set(OWN) == OF_SVPY


def test_svpy_knows_its_commands_by_their_first_word() -> None:
    done = run("svpy", "start")
    assert (done.returncode, done.stdout) == (100, b"")
    assert done.stderr.startswith(b"svpy: usage: svpy\n")
    forms = run("svpy", "--help").stdout.splitlines()
    assert [line.split()[1:2] for line in forms] == [[], *([name] for name in OWN)]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_installed(name: str) -> None:
    """Beside the interpreter, under its own name, with an absolute interpreter and isolated from PYTHON*.

    Only what imports Debian's packages has them looked up."""
    first = (BIN / name).read_bytes().splitlines()[0]
    options = b"-I" if name.encode() in DAEMONS else b"-IS"
    assert first.startswith(b"#!/") and first.endswith(b"/python3 " + options)


ENDS_BY = {"svpy-exporter": ["--no-such-option"]}
"""Words for those that would run on without any."""


@pytest.mark.parametrize("name", sorted({*NAMES} - {"svscanboot"}))
def test_no_word_makes_a_traceback(name: str, tmp_path: object) -> None:
    """Words that mean nothing: at most a line for each, and an exit code of the field."""
    done = run(name, "/nonexistent/\udcff", "--", "-\udcfe", cwd=str(tmp_path))
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") <= 3, done.stderr
    assert done.returncode in (0, 100, 111)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"svscanboot", "svscan"}))
def test_a_hostile_environment_changes_nothing(name: str, tmp_path: object) -> None:
    """A service's environment may hold what would lead another interpreter astray."""
    astray = environment(
        PYTHONHOME="/nonexistent", PYTHONPATH="/nonexistent", PYTHONWARNINGS="error", PYTHONINSPECT="1"
    )
    words = ENDS_BY.get(name, [])
    usual, led = (run(name, *words, env=env, cwd=str(tmp_path)) for env in (environment(), astray))
    assert (led.returncode, led.stdout, led.stderr) == (usual.returncode, usual.stdout, usual.stderr)
