"""What bench/ measures is nobody's promise here, but that it can be measured is: README's figures come from
it. And what is no noise is held to: how many processes, with what in them, how much a pair takes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.namespaces import missing
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, run

from svpy.core.catalogue import COMMANDS, DAEMONS

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "bench"
FIGURES = ROOT / "docs/figures.json"
ELSEWHERE = {b"readproctitle", b"svscanboot", b"svcheck"}
"""They stay, become another, or read what there is to read."""

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
    assert re.search(rb"^\| trio \| \d+ \| [\d,]+ \|$", done.stdout, re.M)
    assert len(re.findall(rb"^\|.*sh" + rb" \| [\d.,]+" * 4, done.stdout, re.M)) == 2


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("compare") / "figures.json"
    done = run("/usr/bin/python3", BENCH / "compare", "--small", "--json", found, BIN, PEERS, timeout=240)
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def compared(figures: Path) -> Any:
    return json.loads(figures.read_text())


@alone
@beside_c
class TestCompared:
    def test_every_goal_is_measured(self, compared: Any) -> None:
        assert [goal for goal, row in compared["goals"].items() if not row["met"]] == []
        assert {"svpy", "C daemontools"} <= compared["figures"]["memory of 12 pairs, MB"].keys()

    def test_twelve_pairs_take_few_processes(self, compared: Any) -> None:
        assert compared["processes"][EXECUTED] == {"svscan": 1, "multilog": 12}
        assert compared["processes"]["svpy"] == {"svscan": 1, "svpy": 1, "multilog": 1}

    def test_trio_is_in_one_of_them(self, compared: Any) -> None:
        assert {*compared["figures"]["processes with trio"]} >= {"svpy"}
        assert all(found == [1] for found in compared["figures"]["processes with trio"].values())

    def test_descriptors_and_memory_of_a_pair(self, compared: Any) -> None:
        """C's three processes for it hold 27. An interpreter for each logger takes some megabytes."""
        figures = compared["figures"]
        assert figures["descriptors for a pair"]["svpy"][0] < 27
        [few_mb], [many_mb] = (figures[f"memory of {pairs} pairs, MB"]["svpy"] for pairs in (4, 12))
        assert (many_mb - few_mb) / (12 - 4) < 0.2

    def test_pages_say_what_was_measured(self, figures: Path, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(
            "before\n<!-- goals -->\nstale\n<!-- end -->\n\n<!-- figures -->\n<!-- end -->\nafter\n"
        )
        assert table(figures, page, "--check").returncode == 1
        assert table(figures, page).returncode == 0
        said = page.read_text()
        assert said.startswith("before\n<!-- goals -->\n") and said.endswith("\n<!-- end -->\nafter\n")
        assert "stale" not in said
        for row in ("crash to executing again", "start of 12 pairs, s"):
            assert len(re.findall(rf"^\| {row} \| [\d.,]+ \| .* \|$", said, re.M)) == 1
        assert table(figures, page, "--check").returncode == 0
        page.write_text("nothing\n")
        assert table(figures, page).stderr == b"table: fatal: %b has no place for a table\n" % bytes(page)


def table(*words: Path | str) -> subprocess.CompletedProcess[bytes]:
    return run("/usr/bin/python3", BENCH / "table", *words)


@pytest.mark.skipif(not FIGURES.exists(), reason="docs/figures.json is not made yet: bench/compare --json")
def test_the_pages_and_the_figures_agree() -> None:
    pages = [ROOT / "README.md", ROOT / "docs/performance.md"]
    done = table("--check", FIGURES, *pages)
    assert (done.returncode, done.stderr) == (0, b"")
