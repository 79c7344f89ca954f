"""What svc writes, and whose letters they are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.control import END, LETTERS, Addressing, message

ALL = [row.letter for row in LETTERS]


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ("", b""),
        ("d", b"d\n"),
        ("ddux", b"dux\n"),
        ("Lolox", b"Lolox\n"),
        ("+t=t", b"+t=t\n"),
        ("+tt=tt", b"+t=t\n"),
        ("+", b"+\n"),
        ("dLdd", b"dLd\n"),
    ],
)
def test_a_message(chosen: str, written: bytes) -> None:
    assert message([letter.encode() for letter in chosen]) == written


@pytest.mark.parametrize(
    ("letters", "service", "logger"),
    [
        (b"dx\n", b"dx\n", b"\n"),
        (b"Ltlh\n", b"h\n", b"t\n"),
        (b"L+tl=h\nd", b"+=h\nd", b"+t=\n"),
        (b"Lt\nh", b"\nh", b"t\n"),
        (b"Ldx", b"x", b"d"),
        (b"\xff\0Z", b"\xff\0Z", b""),
    ],
)
def test_whose_letters(letters: bytes, service: bytes, logger: bytes) -> None:
    assert Addressing().split(letters) == (service, logger)


@given(letters=st.lists(st.sampled_from([*ALL, END, b"?"])).map(b"".join), cuts=st.lists(st.integers(0, 20)))
def test_reads_may_cut_it_anywhere(letters: bytes, cuts: list[int]) -> None:
    whole = Addressing().split(letters)
    addressing = Addressing()
    edges = sorted({0, len(letters), *(cut for cut in cuts if cut < len(letters))})
    parts = [addressing.split(letters[i:j]) for i, j in itertools.pairwise(edges)]
    assert (b"".join(part[0] for part in parts), b"".join(part[1] for part in parts)) == whole


@given(letters=st.binary())
def test_who_does_not_address_the_logger_does_not_reach_it(letters: bytes) -> None:
    service, logger = Addressing().split(letters.replace(b"L", b""))
    assert service == letters.replace(b"L", b"").replace(b"l", b"")
    assert not set(logger) - set(b"+=\n")
