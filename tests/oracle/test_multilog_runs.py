"""Whole runs of C's multilog and ours on random scripts, with the same bytes in the same reads."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.peers import PEERS, beside_c
from support.processes import BIN, DEADLINE_S, environment

READ_BYTES = 1024
"""What C asks for. A pipe with O_DIRECT gives each write to a read of its own (pipe(2))."""

LABEL = re.compile(rb"@[0-9a-f]{24}")

# No digits and no letters up to f: what matches a label would go by the time.
pattern = st.one_of(
    st.text("xy *@", max_size=6),
    st.sampled_from(["*", "* *", "*x*", "@*", "@4* x*", "* y*", "*\N{LATIN SMALL LETTER Y WITH DIAERESIS}*"]),
    st.integers(970, 1003).map(lambda size: "x" * size + "*"),
)
selecting = st.builds(lambda sign, text: sign + text, st.sampled_from("+-"), pattern)
action = st.one_of(
    selecting, selecting, st.sampled_from(["e", "=s", "=s2", "./a", "./b", "./c", "?", "s", "s5000", "n9999"])
)
script = st.builds(
    lambda stamped, first, actions, last: [*stamped, *first, "n1000000", *_once(actions), *last],
    st.sampled_from([[], ["t"]]),
    st.sampled_from([["s16777215"], ["s4096"], ["s4096", "!cat"], ["s9000"]]),
    st.lists(action, max_size=10),
    st.sampled_from([[], ["./last"], ["-*", "+*x*", "./last", "=last"]]),
)
line = st.one_of(
    st.text("xy @*", max_size=12).map(str.encode),
    st.sampled_from([b"\0", b"x\0y", b"\xff", b"x\ry", b"@4000"]),
    st.builds(
        lambda start, size: start + b"x" * size, st.sampled_from([b"", b"y", b" x"]), st.integers(195, 205)
    ),
    st.builds(lambda start, size: start + b"x" * size, st.sampled_from([b"", b"y"]), st.integers(970, 1003)),
    st.builds(lambda start, size: start + b"y" * size, st.sampled_from([b"", b"x"]), st.integers(0, 9000)),
)
stream = st.builds(
    lambda lines, end: b"\n".join(lines) + end,
    st.lists(line, min_size=1, max_size=15),
    st.sampled_from([b"", b"\n"]),
)


def _once(actions: Sequence[str]) -> list[str]:
    """A folder can be locked once only, and what a status file holds must not go by who wrote last."""
    return [word for place, word in enumerate(actions) if word[:1] not in ".=" or word not in actions[:place]]


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut at these places, and where a read would end."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[a:b] for a, b in pairwise(places)]
    return [part[at : at + READ_BYTES] for part in parts for at in range(0, len(part), READ_BYTES)]


class Run:
    """One side, started in a folder of its own; `give` it what a read is to return."""

    def __init__(self, program: Path, words: list[str], folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        reader, self._writer = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        with (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [program, *words], cwd=folder, stdin=reader, stderr=stderr, env=environment()
            )
        os.close(reader)

    def give(self, part: bytes) -> None:
        try:
            os.write(self._writer, part)
        except BrokenPipeError:
            pass  # `end` says how it ended

    def end(self) -> dict[str, object]:
        """What it has left: labels normalised, the files of a log one behind the other."""
        os.close(self._writer)
        try:
            left: dict[str, object] = {"code": self._process.wait(DEADLINE_S)}
        finally:
            self._process.kill()
            self._process.wait()
        for path in self.folder.iterdir():
            if path.is_file():
                left[path.name] = (path.stat().st_mode, LABEL.sub(b"@", path.read_bytes()))
                continue
            files = sorted(file for file in path.iterdir() if file.name.startswith("@"))
            left[path.name] = (
                {(LABEL.sub(b"@", os.fsencode(file.name)), file.stat().st_mode) for file in path.iterdir()}
                - ROTATED,
                LABEL.sub(b"@", b"".join(file.read_bytes() for file in [*files, path / "current"])),
            )
        return left


ROTATED = {(b"@.s", 0o100744)}
"""C may need one file more or less."""


@beside_c
@settings(max_examples=100, deadline=None)
@given(script, stream, st.lists(st.integers(0, 12000), max_size=8))
def test_the_same_is_left(words: list[str], data: bytes, cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as base:
        sides = [
            Run(tools / "multilog", words, Path(base, name)) for name, tools in (("C", PEERS), ("svpy", BIN))
        ]
        for part in split(data, cuts):
            for side in sides:
                side.give(part)
        theirs, ours = [side.end() for side in sides]
    assert ours == theirs
