"""The words of each chain loader: what they ask for, or the line that refuses them."""

from __future__ import annotations

import pytest

from svpy.core import chain
from svpy.core.errors import Die

SOFTLIMIT = chain.usage(b"softlimit")
SETLOCK = chain.usage(b"setlock")

ASKED = [
    (chain.setuidgid, [b"u", b"p", b"-x"], (b"u",), [b"p", b"-x"]),
    (chain.envuidgid, [b"u", b""], (b"u",), [b""]),
    (chain.setuser, [b"u", b"p", b"-x"], (b"u",), [b"p", b"-x"]),
    (chain.envdir, [b"-d", b"p"], (b"-d", False), [b"p"]),
    (chain.envdir, [b"--", b"-f", b"p"], (b"--", False), [b"-f", b"p"]),
    (chain.envdir, [b"-fx", b"p"], (b"-fx", False), [b"p"]),
    (chain.envdir, [b"./-f", b"p"], (b"./-f", False), [b"p"]),
    (chain.envdir, [b"d", b"-f", b"p"], (b"d", False), [b"-f", b"p"]),
    (chain.envdir, [b"-f", b"x", b"p", b"-f"], (b"x", True), [b"p", b"-f"]),
    (chain.pgrphack, [b"p", b"a"], (), [b"p", b"a"]),
    (chain.fghack, [b"--"], (), [b"--"]),
    (chain.softlimit, [b"p"], ([],), [b"p"]),
    (chain.softlimit, [b"-o5", b"-t", b"=", b"p", b"-c1"], ([("NOFILE", 5), ("CPU", None)],), [b"p", b"-c1"]),
    (
        chain.softlimit,
        [b"-m", b"1", b"--", b"-p"],
        ([("DATA", 1), ("STACK", 1), ("MEMLOCK", 1), ("AS", 1)],),
        [b"-p"],
    ),
    (chain.softlimit, [b"-o", b"", b"p"], ([("NOFILE", 0)],), [b"p"]),
    (chain.softlimit, [b"-o", b"-", b"-"], None, SOFTLIMIT),
    (chain.softlimit, [b"-", b"p"], ([],), [b"-", b"p"]),
    (chain.setlock, [b"f", b"p"], (b"f", True, False), [b"p"]),
    (chain.setlock, [b"-nx", b"f", b"p"], (b"f", False, True), [b"p"]),
    (chain.setlock, [b"-nxNX", b"f", b"p"], (b"f", True, False), [b"p"]),
]

REFUSED = [
    (chain.setuidgid, [], 100, b"setuidgid: usage: setuidgid account child"),
    (chain.setuidgid, [b"u"], 100, b"setuidgid: usage: setuidgid account child"),
    (chain.envuidgid, [b"u"], 100, b"envuidgid: usage: envuidgid account child"),
    (chain.setuser, [b"u"], 100, b"setuser: usage: setuser account child"),
    (chain.envdir, [b"d"], 111, b"envdir: usage: envdir dir child"),
    (chain.envdir, [b"-f"], 111, b"envdir: usage: envdir dir child"),
    (chain.envdir, [b"-f", b"x"], 111, b"envdir: usage: envdir -f file child"),
    (chain.pgrphack, [], 100, b"pgrphack: usage: pgrphack child"),
    (chain.fghack, [], 100, b"fghack: usage: fghack child"),
    (chain.softlimit, [b"-o1"], 100, SOFTLIMIT),
    (chain.softlimit, [b"-o", b"1x", b"p"], 100, SOFTLIMIT),
    (chain.softlimit, [b"-o", b"1x", b"-z", b"p"], 100, SOFTLIMIT),
    (chain.softlimit, [b"-z", b"-o", b"1x", b"p"], 100, b"softlimit: illegal option -- z\n" + SOFTLIMIT),
    (chain.softlimit, [b"-o"], 100, b"softlimit: option requires an argument -- o\n" + SOFTLIMIT),
    (chain.setlock, [b"f"], 100, SETLOCK),
    (chain.setlock, [b"-q", b"f", b"p"], 100, b"setlock: illegal option -- q\n" + SETLOCK),
]


@pytest.mark.parametrize(("parse", "words", "arguments", "rest"), ASKED)
def test_asked(parse, words, arguments, rest) -> None:  # type: ignore[no-untyped-def]
    if arguments is None:
        with pytest.raises(Die) as refusal:
            parse(words)
        assert refusal.value.message == rest
    else:
        assert parse(words) == (arguments, rest)


@pytest.mark.parametrize(("parse", "words", "code", "message"), REFUSED)
def test_refused(parse, words, code, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Die) as refusal:
        parse(words)
    assert (refusal.value.code, refusal.value.message) == (code, message)


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        (b"0", (0, [])), (b"1000", (1000, [])), (b"007", (7, [])), (b"4294967294", (4294967294, [])),
        (b"1:2", (1, [2])), (b":1:2", (1, [2])), (b":1:2:3:4", (1, [2, 3, 4])), (b"1:2:3", (1, [2, 3])),
        (b"4294967295", None), (b"1:4294967295", None), (b"1:2:4294967295", None), (b"9" * 5000, None),
        (b"", None), (b":", None), (b":1", None), (b"1:", None), (b"1::2", None), (b"::1:2", None),
        (b"-1", None), (b"+1", None), (b"1 ", None), (b"0x10", None), (b"1_0", None), (b"nobody", None),
        (b"1:nogroup", None), (b"\xd9\xa1", None),
    ],
)  # fmt: skip
def test_numeric_ids(word: bytes, ids: object) -> None:
    assert chain.numeric_ids(word) == ids


def test_every_letter_of_the_usage_is_a_limit() -> None:
    letters = SOFTLIMIT.split(b"[-")[1:]
    assert [word[:1] for word in letters] == list(chain.LIMITS)


def test_clamped() -> None:
    assert chain.clamped(None, 7) == 7
    assert chain.clamped(9, 7) == 7
    assert chain.clamped(5, 7) == 5
    assert chain.clamped(2**64 - 1, 2**64 - 1) == 2**64 - 1
