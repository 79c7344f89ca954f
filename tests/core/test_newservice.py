"""svpy new: its words, and the scripts that come of them, as sh reads them."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.package import TREE
from support.processes import run

from svpy.core.errors import Die
from svpy.core.nativerun import chain, understood
from svpy.core.newservice import asked, classic_log_script, log_script, run_script
from svpy.core.shellwords import line, quoted

SIGNS = some.sampled_from(b"'\"\\$`\n\t\r *?[]~#&;|<>(){}!^-=:@a1\x81\xe9\xff")
WORDS = some.lists(some.lists(SIGNS | some.integers(1, 255), max_size=10).map(bytes), max_size=8)
SHELLS = [shell for shell in ("sh", "bash", "busybox") if shutil.which(shell)]


def script(*words: str) -> bytes:
    return run_script(asked([word.encode() for word in words], b"usage"))


@settings(max_examples=60)
@given(WORDS)
def test_sh_makes_the_same_words_of_a_script(words: list[bytes]) -> None:
    text = run_script(asked([b"x", b"--", b"printf", b"%s\\0", *words], b"usage"))
    wanted = b"\0".join([*words, b""]) if words else b"\0"
    for shell in SHELLS:
        done = run(*([shell, "sh"] if shell == "busybox" else [shell]), "-c", text)
        assert (done.returncode, done.stdout) == (0, wanted), shell


@pytest.mark.parametrize(
    "word",
    ["", "a b", "'", "''", "$HOME", "`id`", "~", "~root", "*", "#", "a#b", "2>&1", "-", "=ls", "a=b", "\\",
     "\n", "!x", "{a,b}", "&", ";", "|", "(", "<", "^", "\x81'", "é"],
)  # fmt: skip
def test_a_word_is_one_word_of_its_own_bytes(word: str) -> None:
    raw = word.encode("latin-1")
    assert run("sh", "-c", b"printf '%s\\0' " + quoted(raw)).stdout == raw + b"\0"


def test_plain_words_stay_as_they_are() -> None:
    assert line([b"/usr/bin/x-y", b"--level=3", b"a@b:2,c%d+e"]) == b"/usr/bin/x-y --level=3 a@b:2,c%d+e"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "--", "prog", "a b"], "exec prog 'a b'"),
        (["--user", "u", "x", "--", "prog"], "exec setuidgid u prog"),
        (["x", "--user=u", "--limit", "memory=9000000", "--limit", "files=5", "--limit", "processes=2",
          "--", "p"],
         "exec setuidgid u softlimit -m 9000000 -o 5 -p 2 p"),
        (["x", "--limit", "files=5", "--", "p", "--limit"], "exec softlimit -o 5 p --limit"),
        (["x", "--tcp", "25", "--", "p"], "exec tcpserver -v -R -H -l 0 0 25 p"),
        (["x", "--tcp", "127.0.0.1:25", "--user", "u", "--limit", "files=5", "--", "p", "-v"],
         "exec envuidgid u softlimit -o 5 \\\n\ttcpserver -v -R -H -l 0 -U 127.0.0.1 25 p -v"),
    ],
)  # fmt: skip
def test_a_run(words: list[str], said: str) -> None:
    assert script(*words) == f"#!/bin/sh\nexec 2>&1\n{said}\n".encode()


def test_svscan_understands_all_of_it() -> None:
    found = understood(script("x", "--user", "u", "--tcp", "25", "--limit", "files=5", "--", "p", "a b"))
    assert found is not None and found.merges_stderr
    assert found.words == (
        b"envuidgid", b"u", b"softlimit", b"-o", b"5",
        b"tcpserver", b"-v", b"-R", b"-H", b"-l", b"0", b"-U", b"0", b"25", b"p", b"a b",
    )  # fmt: skip
    for user, account in ((b"l", b"l"), (None, None)):
        logger = understood(log_script(user, b"/var/multilog/a b"))
        assert logger is not None
        led = chain(logger.words)
        assert led is not None and (led.account, led.script) == (account, (b"t", b"/var/multilog/a b"))


@pytest.mark.parametrize("name", ["qmail-send", "qmail-smtpd"])
def test_the_classic_loggers_are_the_published_ones(name: str) -> None:
    text = (TREE / "service" / name / "log/run").read_bytes()
    assert classic_log_script(text, b"multilog", b"/var/multilog/" + name.encode()) == text
    other = classic_log_script(text, b"l", b"/l")
    assert other.splitlines()[1:] == [b"exec setuidgid l multilog t /l"]


@pytest.mark.parametrize(
    "words",
    [
        [], ["x"], ["x", "--"], ["x", "--", ""], ["x", "--", "-p"], ["x", "y", "--", "p"], ["--", "p"],
        [".x", "--", "p"], ["/", "--", "p"], ["..", "--", "p"], ["a/.", "--", "p"], ["x", "--user"],
        ["x", "--nonsense", "--", "p"], ["x", "-u", "u", "--", "p"],
        ["x", "--limit", "memory", "--", "p"], ["x", "--limit", "memory=", "--", "p"],
        ["x", "--limit", "memory=3M", "--", "p"], ["x", "--limit", "cpu=3", "--", "p"],
        ["x", "--tcp", "0", "--", "p"], ["x", "--tcp", "65536", "--", "p"], ["x", "--tcp", "smtp", "--", "p"],
        ["x", "--tcp", "[::1]:25", "--", "p"], ["x", "--tcp", "1.2.3:25", "--", "p"],
        ["x", "--tcp", "host:25", "--", "p"], ["a/x", "--dir", "b", "--", "p"],
        ["qmail-send", "--user", "u"], ["qmail-smtpd", "--tcp", "25"], ["qmail-queue"],
    ],
)  # fmt: skip
def test_wrong_words(words: list[str]) -> None:
    with pytest.raises(Die) as death:
        script(*words)
    assert death.value.code == 100
    assert b"\n" not in death.value.message


def test_where_it_is_to_be() -> None:
    for word, parent, name in (
        (b"x", None, b"x"),
        (b"./x", b".", b"x"),
        (b"/x//", b"/", b"x"),
        (b"a/b/x", b"a/b", b"x"),
    ):
        new = asked([word, b"--", b"p"], b"usage")
        assert (new.parent, new.name) == (parent, name)
