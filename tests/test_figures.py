"""bench/figures keeps working: README's numbers come from it. What it measures is nobody's promise here."""

from __future__ import annotations

import re
from pathlib import Path

from support.peers import as_root
from support.processes import BIN, environment, run

from svpy.core.catalogue import COMMANDS, DAEMONS

FIGURES = Path(__file__).parent.parent / "bench/figures"
ELSEWHERE = {b"readproctitle", b"svscanboot"}
"""They stay, or become another."""


@as_root
def test_the_start_of_every_short_lived_command_is_measured() -> None:
    done = run("/usr/bin/python3", FIGURES, BIN, env=environment(STARTS="1"))
    assert (done.returncode, done.stderr) == (0, b"")
    rows = re.findall(rb"\| (\S+) .*\| [\d.]+ ms \| [\d.]+ \|", done.stdout)
    assert {*rows} == {b"python3"} | COMMANDS.keys() - DAEMONS - ELSEWHERE
