"""bench/figures and bench/boot keep working: README's numbers come from them. What they measure is nobody's
promise here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.namespaces import missing
from support.peers import PEERS, as_root, beside_c
from support.processes import BIN, environment, run

from svpy.core.catalogue import COMMANDS, DAEMONS

BENCH = Path(__file__).parent.parent / "bench"
ELSEWHERE = {b"readproctitle", b"svscanboot"}
"""They stay, or become another."""


@as_root
def test_the_start_of_every_short_lived_command_is_measured() -> None:
    done = run("/usr/bin/python3", BENCH / "figures", BIN, env=environment(STARTS="1"))
    assert (done.returncode, done.stderr) == (0, b"")
    rows = re.findall(rb"\| (\S+) .*\| [\d.]+ ms \| [\d.]+ \|", done.stdout)
    assert {*rows} == {b"python3"} | COMMANDS.keys() - DAEMONS - ELSEWHERE


@beside_c
@pytest.mark.skipif(bool(missing("bash")), reason=missing("bash") or "all is there")
def test_each_as_pid_1_is_measured() -> None:
    small = environment(RUNS="1", STARTS="1", ORPHANS="300", MOST_S="0.2", SERVICES="5")
    done = run("/usr/bin/python3", BENCH / "boot", BIN, PEERS, env=small)
    assert done.returncode == 0, done.stderr
    row = rb"^\| ([^|]+) \|" + rb" [\d.,]+ \|" * 5 + rb"$"
    rows = re.findall(row, done.stdout, re.M)
    assert {b"svpy", b"C svscan"} <= {*rows}
    assert re.search(rb"^\| 5 \| [\d.,]+ \| [\d.,]+ \| [\d.,]+ \|$", done.stdout, re.M)
