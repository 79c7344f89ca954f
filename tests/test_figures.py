"""What bench/ measures is nobody's promise here, but that it can be measured is: README's figures come from
it. And what is no noise is held to: how many processes, with what in them, how much a pair takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.namespaces import missing
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, run

from svpy.core.catalogue import COMMANDS, DAEMONS
from svpy.core.svscanwords import PLAIN

BENCH = Path(__file__).parent.parent / "bench"
ELSEWHERE = {b"readproctitle", b"svscanboot"}
"""They stay, or become another."""

FLOOR = rb"\| (\S.*) \| ([\d,]+) \|\n"
EXECUTED = "svpy --no-native"

alone = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@alone
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


@alone
def test_what_a_process_costs_is_measured() -> None:
    done = run("/usr/bin/python3", BENCH / "floors", BIN, env=environment(RUNS="1", STARTS="3"))
    assert (done.returncode, done.stderr) == (0, b"")
    kb = {name: float(found.replace(b",", b"")) for name, found in re.findall(FLOOR, done.stdout)}
    assert kb[b"sleep"] < kb[b"interpreter"] < kb[b"interpreter with multilog"]
    assert kb[b"interpreter with multilog"] + 2000 < kb[b"interpreter with svscan"]
    assert len(re.findall(rb"^\|.*sh" + rb" \| [\d.,]+" * 4, done.stdout, re.M)) == 2


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = tmp_path_factory.mktemp("compare") / "figures.json"
    done = run("/usr/bin/python3", BENCH / "compare", "--small", "--json", found, BIN, PEERS, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(found.read_text())


@alone
@beside_c
class TestCompared:
    def test_every_goal_is_measured(self, compared: Any) -> None:
        assert [goal for goal, row in compared["goals"].items() if not row["met"]] == []
        assert {"svpy", "C daemontools"} <= compared["figures"]["memory of 12 pairs, MB"].keys()

    def test_twelve_pairs_take_few_processes(self, compared: Any) -> None:
        executed, native = {"svscan": 1, "multilog": 12}, {"svscan": 1, "svpy": 1, "multilog": 1}
        assert compared["processes"][EXECUTED] == executed
        assert compared["processes"]["svpy"] == (native if PLAIN.native else executed)

    def test_trio_is_in_one_of_them(self, compared: Any) -> None:
        assert {*compared["figures"]["processes with trio"]} >= {"svpy"}
        assert all(found == [1] for found in compared["figures"]["processes with trio"].values())

    def test_descriptors_and_memory_of_a_pair(self, compared: Any) -> None:
        """C's three processes for it hold 27. An interpreter for each logger takes some megabytes."""
        figures = compared["figures"]
        assert figures["descriptors for a pair"]["svpy"][0] < 27
        [few_mb], [many_mb] = (figures[f"memory of {pairs} pairs, MB"]["svpy"] for pairs in (4, 12))
        assert (many_mb - few_mb) / (12 - 4) < (0.2 if PLAIN.native else 6)
