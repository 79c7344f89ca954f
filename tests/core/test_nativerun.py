"""Which scripts are known in advance. That sh makes the same of them: tests/oracle/test_run_scripts.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.scripts import LOGGERS, NOT_UNDERSTOOD, UNDERSTOOD

from svpy.core.catalogue import CHAIN_LOADERS
from svpy.core.nativerun import MOST_BYTES, Chain, chain, search_path, understood

CORPUS = Path(__file__).resolve().parents[1] / "corpus"


@pytest.mark.parametrize(("text", "words", "merges_stderr"), UNDERSTOOD)
def test_understood(text: bytes, words: tuple[bytes, ...], merges_stderr: bool) -> None:
    found = understood(text)
    assert found is not None
    assert (found.words, found.merges_stderr) == (words, merges_stderr)


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_not_understood(text: bytes) -> None:
    assert understood(text) is None


@pytest.mark.parametrize(("text", "before", "script"), LOGGERS)
def test_the_loggers_of_old(text: bytes, before: str, script: str) -> None:
    found = understood(text)
    assert found is not None
    led = chain(found.words)
    assert led is not None
    assert (led.loaders, led.script) == (tuple(before.encode().split()), tuple(script.encode().split()))


def test_every_logger_of_the_corpus_is_understood() -> None:
    texts = [path.read_bytes() for path in sorted(CORPUS.glob("*/log/run"))]
    assert texts
    for text in texts:
        found = understood(text)
        assert found is not None, text
        led = chain(found.words)
        assert led is not None, text
        assert (led.account, led.is_shared) == (b"nobody", True)


@pytest.mark.parametrize("byte", [bytes([number]) for number in range(256)])
def test_every_byte_between_words_quoted_and_not(byte: bytes) -> None:
    """Where a byte is understood it is itself, or it parts words, or escapes the next."""
    plain = understood(b"exec multilog a" + byte + b"b\n")
    if plain is not None and byte != b"\\":
        allowed = [(b"multilog", b"a" + byte + b"b"), (b"multilog", b"a", b"b"), (b"multilog", b"a")]
        assert plain.words in allowed
        assert (plain.words == allowed[1]) == (byte in b" \t")
        assert (plain.words == allowed[2]) == (byte == b"\n")
    for quotation in (b"'%s'", b'"%s"', b"\\%s"):
        quoted = understood(b"exec multilog " + quotation % byte + b"x\n")
        if quoted is not None and quotation % byte not in (b"'\\'", b"\\\n"):
            assert quoted.words == (b"multilog", byte + b"x")
        assert quoted is None or byte in b"\t\n" or b" " <= byte <= b"~"


def test_a_script_may_be_so_long_and_no_longer() -> None:
    text = b"exec multilog t ./main\n"
    assert understood(text + b"#" * (MOST_BYTES - len(text))) is not None
    assert understood(text + b"#" * (MOST_BYTES - len(text) + 1)) is None


@pytest.mark.parametrize(
    "part", [b"\\\n", b" ", b"\n", b"#", b"# \n", b"a", b"'", b'"', b"''", b"\\\\", b"exec\n"]
)
def test_no_text_makes_it_slow(part: bytes) -> None:
    began_s = time.process_time()
    for start in (b"", b"exec ", b"exec multilog "):
        understood((start + part * MOST_BYTES)[: MOST_BYTES - 1] + b"$")
    assert time.process_time() - began_s < 2


CHAINS: list[tuple[str, tuple[str, str, str, str | None, bool]]] = [
    ("multilog", ("", "multilog", "", None, True)),
    ("multilog t ./main", ("", "multilog", "t ./main", None, True)),
    ("/usr/local/bin/multilog t", ("", "/usr/local/bin/multilog", "t", None, True)),
    ("setuidgid log multilog t", ("setuidgid log", "setuidgid multilog", "t", "log", True)),
    ("./setuidgid 1:2 x/multilog t", ("./setuidgid 1:2", "./setuidgid x/multilog", "t", "1:2", True)),
    ("setuidgid multilog multilog", ("setuidgid multilog", "setuidgid multilog", "", "multilog", True)),
    ("setuser log multilog t", ("setuser log", "setuser multilog", "t", None, False)),
    ("envuidgid log multilog", ("envuidgid log", "envuidgid multilog", "", None, False)),
    ("envdir env multilog t", ("envdir env", "envdir multilog", "t", None, False)),
    ("envdir -f env multilog t", ("envdir -f env", "envdir multilog", "t", None, False)),
    ("pgrphack multilog -x", ("pgrphack", "pgrphack multilog", "-x", None, False)),
    (
        "softlimit -m 3000000 -o5 setuidgid log multilog t",
        ("softlimit -m 3000000 -o5 setuidgid log", "softlimit setuidgid multilog", "t", None, False),
    ),
    ("softlimit -d 1 -- multilog", ("softlimit -d 1 --", "softlimit multilog", "", None, False)),
    ("setlock -nX lock multilog t", ("setlock -nX lock", "setlock multilog", "t", None, False)),
    (
        "pgrphack setuidgid a multilog",
        ("pgrphack setuidgid a", "pgrphack setuidgid multilog", "", None, False),
    ),
    ("multilog --help t", ("", "multilog", "--help t", None, True)),
]


@pytest.mark.parametrize(("line", "expected"), CHAINS)
def test_chain(line: str, expected: tuple[str, str, str, str | None, bool]) -> None:
    found = chain(tuple(line.encode().split()))
    assert found is not None
    assert said(found) == expected


def said(found: Chain) -> tuple[str, str, str, str | None, bool]:
    parts = [b" ".join(part).decode() for part in (found.loaders, found.programs, found.script)]
    account = None if found.account is None else found.account.decode()
    return parts[0], parts[1], parts[2], account, found.is_shared


@pytest.mark.parametrize(
    "line",
    [
        "", "sleep 1", "svscan", "multilogger t", "multilog/ t", "multilog --help",
        "setuidgid log multilog --help",
        "setuidgid log", "setuidgid multilog", "setuidgid log sleep 1", "fghack multilog t", "pgrphack",
        "softlimit -z multilog t", "softlimit -o multilog", "softlimit -o x multilog t", "setlock multilog t",
        "setlock -q lock multilog t", "envdir multilog", "envdir -f multilog t", "tai64n multilog",
        "setuidgid log fghack multilog t", "env multilog t", "exec multilog t",
    ],
)  # fmt: skip
def test_no_chain_of_ours_that_ends_in_multilog(line: str) -> None:
    assert chain(tuple(line.encode().split())) is None


def test_an_empty_word_is_a_word() -> None:
    assert chain((b"", b"multilog")) is None
    found = chain((b"multilog", b"", b"t"))
    assert found is not None
    assert found.script == (b"", b"t")


def test_every_chain_loader_but_fghack_may_lead_to_multilog() -> None:
    words = {b"softlimit": (), b"pgrphack": (), b"setlock": (b"lock",)}
    for tool in CHAIN_LOADERS:
        found = chain((tool, *words.get(tool, (b"word",)), b"multilog"))
        assert (found is None) == (tool == b"fghack")


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ([b"A=b", b"PATH=/usr/bin:/bin", b"C="], b"/usr/bin:/bin"),
        ([b"PATH=/"], b"/"),
        ([], None),
        ([b"APATH=/bin"], None),
        ([b"PATH="], None),
        ([b"PATH=/bin:"], None),
        ([b"PATH=:/bin"], None),
        ([b"PATH=/bin::/usr/bin"], None),
        ([b"PATH=bin:/usr/bin"], None),
        ([b"PATH=.:/usr/bin"], None),
        ([b"PATH=~/bin:/usr/bin"], None),
        ([b"PATH=/bin/~:/usr/bin"], None),
        ([b"PATH=/opt/50%:/usr/bin"], None),
        ([b"PATH=/bin", b"PATH=/usr/bin"], None),
    ],
)
def test_a_path_that_means_the_same_to_everyone(environ: list[bytes], path: bytes | None) -> None:
    assert search_path(environ) == path
