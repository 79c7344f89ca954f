"""What is understood of scripts: never more than what a real shell makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.processes import run
from support.scripts import NOT_UNDERSTOOD, UNDERSTOOD

from svpy.core.shscript import MOST_BYTES, Script, read

SHELLS = [path for name in ("dash", "bash") if (path := shutil.which(name))]
DASH = shutil.which("dash") or ""
SHOW = """#!/bin/sh
printf '%s\\0' "$@"
printf '\\n'
"""


def shown(script: Script) -> list[tuple[int, bytes, list[bytes | None]]]:
    return [(each.depth, each.behind, [word.literal for word in each.words]) for each in script.commands]


@pytest.mark.parametrize(("text", "words", "merges"), UNDERSTOOD)
def test_what_is_known_in_advance_is_understood_alike(
    text: bytes, words: tuple[bytes, ...], merges: bool
) -> None:
    script = read(text)
    assert script.is_whole
    last = script.commands[-1]
    assert last.becomes_another
    assert [word.literal for word in last.words] == [b"exec", *words]
    found = any(each.fd == 2 for command in script.commands for each in command.redirections)
    assert found == merges


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_the_rest_raises_nothing(text: bytes) -> None:
    read(text)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (b"a;b;", [(0, b";", [b"a"]), (0, b";", [b"b"])]),
        (b"a&&b||c", [(0, b"&&", [b"a"]), (0, b"||", [b"b"]), (0, b";", [b"c"])]),
        (b"a |\n\n b &\nc", [(0, b"|", [b"a"]), (0, b"&", [b"b"]), (0, b";", [b"c"])]),
        (b"if a; then b; fi", [(1, b";", [b"a"]), (1, b";", [b"b"]), (0, b";", [])]),
        (b"while a\ndo (b); done &", [(1, b";", [b"a"]), (2, b";", [b"b"]), (1, b";", []), (0, b"&", [])]),
        (b"{ a; } 2>&1", [(1, b";", [b"a"]), (0, b";", [])]),
        (b"cat <<X\na; b 'c\nX\nd", [(0, b";", [b"cat"]), (0, b";", [b"d"])]),
        (b"cat <<-'X'\n\ta\n\tX\nd", [(0, b";", [b"cat"]), (0, b";", [b"d"])]),
        (b"a; exit; b (", [(0, b";", [b"a"]), (0, b";", [b"exit"])]),
        (b"x=1 a\\ b \"c'd\" 'e\"f' # g", [(0, b";", [b"a b", b"c'd", b'e"f'])]),
        (b'a $b "$c" `d` $(e "$(f)") "g`h`" i*', [(0, b";", [b"a", None, None, None, None, None, None])]),
    ],
)  # fmt: skip
def test_commands(text: bytes, commands: object) -> None:
    script = read(text)
    assert (shown(script), script.is_whole) == (commands, True)


@pytest.mark.parametrize(
    "text",
    [b"case x in x) a;; esac", b"f() { a; }", b"a=(b c)", b"a &> b", b"a <<< b", b"cat <<X\na", b"a 'b",
     b'a "b',
     b"if a; then b", b"a )", b"} a", b"fi", b"a ;; b", b"$'a'", b"`a", b"a $(b", b"a ${b", b"[[ a ]]",
     b"a\r\n",
     b"a\0", b"#" * (MOST_BYTES + 1), b"time a", b"alias a=b", b"; a", b"& a", b"a <(b)", b"(((" * 5000,
     b'"${' * 20000, b"$(" * 30000, b"{ " * 30000],
)  # fmt: skip
def test_what_is_not_understood_for_certain(text: bytes) -> None:
    assert not read(text).is_whole


def test_words_are_at_their_lines() -> None:
    script = read(b"#!/bin/sh\na \\\n b 'c\nd' e\nf\n")
    assert [[word.line for word in each.words] for each in script.commands] == [[2, 3, 3, 4], [5]]


PIECES = st.sampled_from(
    ["show", "show ", "show a", " ", "a", "b", "1", "'", '"', "\\", "\n", "\n", ";", "&&", "||", "|", "&",
     "$x",
     "${x}", "#", "`", "(", ")", "{", "}", "<a", ">a", "2>&1", "if ", "then ", "fi", "*", "=", "!", "do ",
     "done",
     "while ", "<<a", "\t", "$(", "exec "]
)  # fmt: skip


@pytest.mark.skipif(not DASH, reason="dash is not installed")
@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12))
@example(pieces=["show ", "a", "\\", "\n", "#", "b"])
@example(pieces=["show ", "{", "a", "}", "\n", "}"])
@example(pieces=["show a", "&", ">a"])
def test_a_real_shell_agrees(pieces: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is understood to its end is a script to it, and the first command has the words we have read."""
    text = "show " + "".join(pieces)
    script = read(text.encode())
    if not script.is_whole or not script.commands:
        return
    first = script.commands[0]
    if script.commands[-1].becomes_another or any(each.name == b"exit" for each in script.commands):
        return  # What stands behind is not looked at.
    for shell in SHELLS:
        assert run(shell, "-n", input=text.encode()).returncode == 0, text
    words = [word.literal for word in first.words]
    if not first.stands_alone or None in words or first.redirections:
        return
    folder = _folder(tmp_path_factory)
    done = run(DASH, input=text.encode(), cwd=folder, env={"PATH": str(folder)}, timeout=20)
    assert done.stdout.startswith(b"".join(word + b"\0" for word in words[1:] if word is not None)), text


def _folder(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "show"
    if not folder.exists():
        folder.mkdir()
        (folder / "show").write_text(SHOW)
        (folder / "show").chmod(0o755)
    return folder


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_nothing_raises(text: bytes) -> None:
    read(text)
