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
    (chain.envdir, [b"-d", b"p"], (b"-d",), [b"p"]),
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
    (chain.envdir, [b"d"], 111, b"envdir: usage: envdir dir child"),
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


def test_every_letter_of_the_usage_is_a_limit() -> None:
    letters = SOFTLIMIT.split(b"[-")[1:]
    assert [word[:1] for word in letters] == list(chain.LIMITS)


def test_clamped() -> None:
    assert chain.clamped(None, 7) == 7
    assert chain.clamped(9, 7) == 7
    assert chain.clamped(5, 7) == 5
    assert chain.clamped(2**64 - 1, 2**64 - 1) == 2**64 - 1
