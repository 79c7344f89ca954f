"""Selection: the compiled rules against the rules as they are written down, one line at a time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logrules import matches, selected

from svpy.core.selection import Selection, after, remaining

STAMP = b"@4000000065b0c2f10a0b0c0d "
BYTES = st.sampled_from([b"a", b"b", b"*", b" ", b"0", b"@", b"^", b"]", b"-", b"\\", b"[", b"\xff", b"."])
pattern = st.lists(BYTES, max_size=6).map(b"".join)
text = st.lists(BYTES, max_size=8).map(b"".join)
rules = st.lists(st.tuples(st.booleans(), pattern), max_size=6).map(tuple)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (b"", [b""], [b"a"]),
        (b"hello", [b"hello"], [b"hell", b"hellos"]),
        (b"*", [b"", b"anything * at all"], []),
        (b"*a", [b"a", b"xxa"], [b"", b"aa", b"axa", b"xx"]),
        (b"*ab", [b"xab"], [b"aab", b"xaab"]),
        (b"* delivery *", [b"x delivery ", b"x delivery 1: ok"], [b"delivery 1", b"x y delivery 1"]),
        (b"**", [b"*", b"a*b"], [b"", b"ab"]),
        (b"**b", [b"*b", b"a*xb"], [b"ab", b"*xbb"]),
        (b"a.c", [b"a.c"], [b"abc"]),
        (b"*\n*", [], [b"", b"\\n"]),
    ],
)
def test_patterns(pattern: bytes, yes: list[bytes], no: list[bytes]) -> None:
    for stamp in (b"", STAMP):
        selection = Selection(((False, b"*"), (True, stamp + pattern)))
        assert [selection.takes(line, stamp) for line in yes] == [True] * len(yes)
        assert [selection.takes(line, stamp) for line in no] == [False] * len(no)


@given(pattern, text, text)
def test_what_is_left_of_a_pattern_matches_what_is_left_of_a_line(
    pattern: bytes, begin: bytes, rest: bytes
) -> None:
    left = after(pattern, begin)
    assert (left is not None and matches(left, rest)) == matches(pattern, begin + rest)


@given(rules, st.lists(text, max_size=8), st.sampled_from([b"", b"@0b ", b"*", STAMP]))
def test_selection_is_that_of_the_rules(
    rules: tuple[tuple[bool, bytes], ...], lines: list[bytes], stamp: bytes
) -> None:
    expected = b"".join(line + b"\n" for line in lines if selected(rules, stamp + line))
    selection = Selection(rules)
    assert selection.of(b"".join(line + b"\n" for line in lines), stamp) == expected
    for line in lines:
        assert selection.takes(line, stamp) == selected(rules, stamp + line)


@given(st.lists(st.tuples(st.booleans(), pattern), min_size=90, max_size=120), st.lists(text, max_size=4))
def test_rules_too_many_to_be_nested(rules: list[tuple[bool, bytes]], lines: list[bytes]) -> None:
    alternating = tuple((number % 2 == 1, one) for number, (_, one) in enumerate(rules) if one != b"*")
    expected = b"".join(line + b"\n" for line in lines if selected(alternating, line))
    assert Selection(alternating).of(b"".join(line + b"\n" for line in lines), b"") == expected


def test_a_thousand_alternating_rules_are_too_many_to_be_nested() -> None:
    """The expression's compiler recurses: it gives up at some hundred levels."""
    rules = tuple((number % 2 == 1, b"*:%d" % number) for number in range(1000))
    assert Selection(rules).of(b"a:1\nb:2\nc\nd:999\ne:998\n", b"") == b"a:1\nc\nd:999\n"


def test_the_cache_of_expressions_stays_small() -> None:
    selection = Selection(((False, b"*"), (True, b"*5*6*7*")))
    for number in range(1000):
        stamp = b"@%024x " % (number * 7919)
        assert selection.takes(b" 567", stamp) == matches(b"*5*6*7*", stamp + b" 567")
    assert len(selection._sieves) <= 64


def test_rules_that_no_label_can_match_go() -> None:
    assert remaining(((False, b"x*"), (True, b"@*"), (False, b"* a")), STAMP) == ((True, b"*"), (False, b"a"))


def test_nothing_backtracks() -> None:
    """Forty stars on a line that has all but the last of what they want: exponential if tried again."""
    pattern = b"*a" * 40 + b"*z"
    line = b"ba" * 400
    assert not Selection(((False, b"*"), (True, pattern))).takes(line, b"")


def test_a_line_of_every_byte() -> None:
    every = bytes(byte for byte in range(256) if byte != 10)
    for byte in every:
        if byte in b"*\0":
            continue
        one = bytes([byte])
        assert Selection(((False, b"*"), (True, b"*" + one + b"*"))).takes(every, b"")
        assert not Selection(((False, b"*"), (True, b"*" + one + b"*"))).takes(every.replace(one, b""), b"")
        assert re.fullmatch(re.escape(one), one)
