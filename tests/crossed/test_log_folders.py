"""A log folder that one side's multilog left at any moment, continued by the other's.

The first is killed at each system call before which the folder is in a state that it was not in before, so
every state that a crash can leave is there. Both sides' multilog then continue a copy of it: they must
make the same of it, and have lost nothing that was on the disk."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.killed import killed_when
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, run

LABEL = re.compile(rb"@[0-9a-f]{24}")
MULTILOG = {"C": PEERS / "multilog", "svpy": BIN / "multilog"}
LINES = b"".join(b"line %03d %s\n" % (number, b"x" * (number % 60)) for number in range(150))
PROCESSOR = "!cat; cat <&4 >&5; echo once >&5"
"""It adds a line to the state each time: what a state lost or used twice would show."""

SCRIPTS = {
    "plain": ["s4096", "n4", "./d"],
    "selected": ["-*", "+line *1* *", "s4096", "./d", "=status"],
    "processed": ["s4096", "n9", PROCESSOR, "./d"],
}

STATES = {"plain": 10, "selected": 8, "processed": 14}
"""So many different states at least must have been met, or the kills came at the wrong moments."""


def files(folder: Path) -> list[tuple[bytes, int, int, bytes]]:
    """Names without the time in their label, in order, with modes, links and content."""
    return sorted(
        (LABEL.sub(b"@", bytes(path.relative_to(folder))), found.st_mode, found.st_nlink, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and (found := path.stat())
    )


def signature(folder: Path) -> str:
    """Which state of a log folder this is: names, whether they are safe, linked twice, empty."""
    return " ".join(
        f"{name.decode()}{'+' if mode & 0o100 else ''}{'=' if links > 1 else ''}{'' if content else '0'}"
        for name, mode, links, content in files(folder / "d")
    )


def contents(folder: Path) -> bytes:
    """All the data in a log folder, the oldest first; a file with two names, or a copy of it, once."""
    kept = sorted(path for path in (folder / "d").iterdir() if path.name.startswith("@"))
    return b"".join(path.read_bytes() for path in [*kept, folder / "d/current"])


def continued(by: str, crashed: Path, script: list[str], place: Path) -> list[tuple[bytes, int, int, bytes]]:
    """What one side's multilog makes of a copy of a folder."""
    shutil.copytree(crashed, place, symlinks=True)
    _link_again(crashed, place)
    done = run(MULTILOG[by], *script, input=b"the end\n", cwd=place)
    assert (done.returncode, done.stderr) == (0, b"")
    found = files(place)
    if "=status" not in script:
        whole = contents(place)
        assert whole.endswith(b"the end\n") and LINES.startswith(whole.removesuffix(b"the end\n")), whole
    shutil.rmtree(place)
    return found


def _link_again(crashed: Path, place: Path) -> None:
    """Two names of one file, which copying has made two files of, are one again."""
    by_inode: dict[int, Path] = {}
    for path in crashed.rglob("*"):
        if path.is_file() and path.stat().st_nlink > 1:
            twin = by_inode.setdefault(path.stat().st_ino, path)
            if twin is not path:
                copy = place / path.relative_to(crashed)
                copy.unlink()
                copy.hardlink_to(place / twin.relative_to(crashed))


class Crashes:
    """Runs of one side's multilog on the same lines, each killed at another system call."""

    def __init__(self, first: str, script: list[str], root: Path) -> None:
        self.folder = root / "crashed"
        self._argv = [MULTILOG[first], *script]
        self._lines = root / "lines"
        self._lines.write_bytes(LINES)
        self._calls = 0

    def at(self, call: int) -> None:
        """Leave in `folder` what a kill at that call of those since it has its lock leaves."""
        self._run(lambda: self._calls == call)

    def turning_points(self) -> list[int]:
        """Those at which the state of the folder is another than at all before, and some at random."""
        seen: set[str] = set()
        points = []

        def look() -> bool:
            state = signature(self.folder)
            if state not in seen:
                seen.add(state)
                points.append(self._calls)
            return False

        self._run(look)
        return points + random.Random(self._calls).sample(range(1, self._calls), 3)

    def _run(self, when: Callable[[], bool]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self._calls = 0
        killed_when(lambda: self._counts() and when(), self._argv, self.folder, environment(), self._lines)

    def _counts(self) -> bool:
        if not self._calls and not (self.folder / "d/lock").exists():
            return False
        self._calls += 1
        return True


@beside_c
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("first", MULTILOG)
def test_continues_what_a_crash_left(tmp_path: Path, first: str, name: str) -> None:
    crashes = Crashes(first, SCRIPTS[name], tmp_path)
    states = set()
    for call in crashes.turning_points():
        crashes.at(call)
        state = signature(crashes.folder)
        if state in states:
            continue
        states.add(state)
        theirs = continued("C", crashes.folder, SCRIPTS[name], tmp_path / "c")
        ours = continued("svpy", crashes.folder, SCRIPTS[name], tmp_path / "ours")
        assert ours == theirs, f"{first} was killed at {call}: {state}"
    assert len(states) >= STATES[name], sorted(states)


@beside_c
@pytest.mark.parametrize("first", MULTILOG)
def test_closed_in_order_it_goes_on_in_the_same_file(tmp_path: Path, first: str) -> None:
    order = [first, *(side for side in MULTILOG if side != first)] * 2
    for number, side in enumerate(order):
        assert run(MULTILOG[side], "t", "./d", input=b"%d\n" % number, cwd=tmp_path).returncode == 0
    assert LABEL.sub(b"@", contents(tmp_path)) == b"@ 0\n@ 1\n@ 2\n@ 3\n"
    assert signature(tmp_path) == "current+ lock0 state0"
