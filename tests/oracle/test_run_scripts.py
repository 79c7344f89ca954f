"""What is known of a script in advance is what a shell makes of it.

Each script is run by every shell that is here and may be somebody's /bin/sh, with a program in multilog's
place that says which words it got and whether its stderr is its stdout."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shells
from support.processes import DEADLINE_S
from support.scripts import UNDERSTOOD

from svpy.core.nativerun import Literal, understood

SAYER = rb"""#!/bin/sh
if test /dev/fd/1 -ef /dev/fd/2; then printf 'merged\0'; else printf 'apart\0'; fi
test $# -eq 0 || printf '%s\0' "$@"
"""
SHELLS = {"dash": "dash", "bash": "bash", "bash in UTF-8": "bash", "busybox": "busybox"}


class Shell:
    """A shell as /bin/sh, in a folder with the program that stands for multilog."""

    def __init__(self, folder: Path, path: str, locale: str) -> None:
        self._folder = folder
        self._path = path
        # What a shell would put in place of a `~`, a `$1` or a `*`.
        self._environ = {"PATH": str(folder), "LC_ALL": locale, "HOME": "/of/somebody", "a": "b", "x": "y z"}
        sayer = folder / "multilog"
        sayer.write_bytes(SAYER)
        sayer.chmod(0o755)

    def run(self, text: bytes) -> subprocess.CompletedProcess[bytes]:
        """As svscan or the kernel would start it: what stands behind /bin/sh in the first line is passed."""
        (self._folder / "run").write_bytes(text)
        first, *_ = text.split(b"\n")
        options = first.removeprefix(b"#!").split()[1:] if first.startswith(b"#!") else []
        return subprocess.run(
            [b"/bin/sh", *options, b"./run"],
            executable=self._path, env=self._environ, cwd=self._folder, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=DEADLINE_S,
        )  # fmt: skip

    def makes(self, text: bytes) -> tuple[tuple[bytes, ...], bool]:
        """The words that came, the program's name left out, and whether stderr was stdout."""
        done = self.run(text)
        assert (done.returncode, done.stderr) == (0, b""), text
        merged, *words, end = done.stdout.split(b"\0")
        assert end == b""
        return tuple(words), merged == b"merged"


def said(literal: Literal) -> tuple[tuple[bytes, ...], bool]:
    return literal.words[1:], literal.merges_stderr


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    path = shells.shell(SHELLS[request.param])
    if path is None:
        pytest.skip(f"there is no {SHELLS[request.param]}")
    folder = Path(tempfile.mkdtemp(prefix="svpy-scripts-"))
    try:
        yield Shell(folder, path, "C.UTF-8" if "UTF-8" in request.param else "C")
    finally:
        shutil.rmtree(folder)


def test_what_is_understood(shell: Shell) -> None:
    for text, words, merges_stderr in UNDERSTOOD:
        assert shell.makes(text) == (words[1:], merges_stderr), text


def test_the_kernel_starts_it_so(tmp_path: Path) -> None:
    """The first line, by which the kernel and nobody else finds the interpreter."""
    Shell(tmp_path, "/bin/sh", "C")
    for number, (text, words, merges_stderr) in enumerate(UNDERSTOOD):
        if text.startswith(b"#!"):
            script = tmp_path / f"run-{number}"
            script.write_bytes(text)
            script.chmod(0o755)
            done = subprocess.run(
                [script], env={"PATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, timeout=DEADLINE_S
            )
            merged = b"merged" if merges_stderr else b"apart"
            assert done.stdout == b"".join(word + b"\0" for word in (merged, *words[1:])), text


PIECES = [
    b"a",
    b"t",
    b"./main",
    b"=s",
    b"!x",
    b"+*",
    b"#",
    b"2>&1",
    b"2",
    b"1",
    b"-",
    b"%",
    b"^",
    b"]",
    b"exec",
    b"\\\n",
    b"\\\\",
    b"\\ ",
    b"\\#",
    b"\\'",
    b'\\"',
    b"\\$",
    b"\\a",
    b"\\\t",
    b"\\~",
    b"''",
    b'""',
    b"'",
    b'"',
    b"'a b'",
    b'"a b"',
    b"'\\'",
    b'"\\\\"',
    b'"\\a\\$"',
    b'"\\\n"',
    b"'\\\n'",
    b"'\n'",
    b'"\n#"',
    b"'#'",
    b"'$x'",
    b"'\xe4'",
    b'"\'"',
    b"'\"'",
    b"~",
    b"*",
    b"$",
    b"`",
    b";",
    b"&",
    b">",
    b"{",
    b"[",
    b"=~",
    b"\xc3\xb6",
    b"\x01",
]
SIGNS = [bytes([sign]) for sign in b"\n\\'\"# \t$!&1-/e\r~*?[{=;<|"]
SIGNS += [
    b" " + word + b" " for word in (b"~", b"~/x", b"a=~", b"*", b"./m*", b"$a", b"{a,b}", b"2>&1", b"!")
]
GAPS = [b" ", b"\t", b"  ", b" \\\n", b"\\\n ", b"\\\n", b" # ", b"\n", b" \\\n\\\n\t"]
BEGINNINGS = [
    b"",
    b"#!/bin/sh\n",
    b"#!/bin/sh -e\n",
    b"#! /bin/sh -eu \n",
    b"#!/bin/sh",
    b"\n",
    b"# a\n",
    b" \\\n",
    b"#\xe4 \\\n",
    b"exec 2>&1\n",
    b"exec\n",
    b"exec 2>&1 # b\n",
    b"\texec 2>&1 \\\n\n",
    b"exec # \n",
    b"\\\n#c\n",
]
ENDINGS = [
    b"\n",
    b"",
    b" ",
    b" \n",
    b" # '\n",
    b"\\\n",
    b" \\\n",
    b" 2>&1",
    b"\n)`'",
    b"\nfi\n\xff",
    b"\n<<a",
]
word = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(b"".join)
scripts = st.tuples(
    st.lists(st.sampled_from(BEGINNINGS), max_size=3).map(b"".join),
    st.sampled_from(
        [
            b"exec multilog",
            b"exec multilog",
            b" exec\tmultilog",
            b"exec \\\nmulti'log'",
            b"exec 2>&1 multilog",
        ]
    ),
    st.lists(st.tuples(st.sampled_from(GAPS), word).map(b"".join), max_size=4).map(b"".join),
    st.sampled_from(ENDINGS),
).map(b"".join)


@given(scripts)
@settings(max_examples=600)
def test_what_is_understood_of_any_script(shell: Shell, text: bytes) -> None:
    literal = understood(text)
    if literal is not None and literal.words[0] == b"multilog":
        assert shell.makes(text) == said(literal), text


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A script that is understood, with some bytes put in, left out, or written over by any others."""
    text = draw(st.sampled_from(UNDERSTOOD))[0]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        more = draw(st.one_of(st.sampled_from(SIGNS), st.binary(max_size=2), st.sampled_from(PIECES)))
        text = text[:at] + more + text[at + draw(st.integers(0, 2)) :]
    return text


@given(changed())
@settings(max_examples=800)
def test_what_is_understood_of_any_change(shell: Shell, text: bytes) -> None:
    literal = understood(text)
    if literal is not None and literal.words[0] == b"multilog":
        assert shell.makes(text) == said(literal), text


def test_enough_of_any_scripts_is_understood() -> None:
    """Else the test above is one of nothing."""
    found = []

    @given(scripts)
    @settings(max_examples=600)
    def count(text: bytes) -> None:
        literal = understood(text)
        found.append(literal is not None and literal.words[0] == b"multilog")

    count()
    assert sum(found) > len(found) / 10
