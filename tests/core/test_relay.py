"""Lines of several services in one output."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core import relay
from svpy.core.relay import LINE_BYTES, PIECE_BYTES, Prefixer, pieces

TEXT = st.lists(
    st.sampled_from([b"\n", b"a", b"bc", b": ", b"x" * LINE_BYTES, b"y" * 70000, b"z" * 30000]), max_size=12
).map(b"".join)


def whole(stream: bytes) -> bytes:
    """All of a stream, written down without thinking of reads."""
    lines = stream.split(b"\n")
    if not lines[-1]:
        lines.pop()
    out = b""
    for line in lines:
        while len(line) > LINE_BYTES:
            out += b"name: " + line[:LINE_BYTES] + b"\n"
            line = line[LINE_BYTES:]
        out += b"name: " + line + b"\n"
    return out


@given(TEXT, st.lists(st.integers(0, 200_000), max_size=6))
def test_how_a_stream_is_cut_into_reads_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    prefixer = Prefixer(b"name")
    places = [0, *sorted(cuts), len(stream)]
    out = b"".join(prefixer.feed(stream[a:b]) for a, b in itertools.pairwise(places))
    assert b"\n" not in prefixer.partial and len(prefixer.partial) <= LINE_BYTES
    assert out == b"" or out.endswith(b"\n")
    assert out + prefixer.end() == whole(stream)
    assert prefixer.partial == b""


def test_what_is_handed_on_is_the_partial_line_alone() -> None:
    first = Prefixer(b"name")
    assert first.feed(b"one\ntw") == b"name: one\n"
    assert Prefixer(b"name", first.partial).feed(b"o\n") == b"name: two\n"


@given(st.lists(st.integers(0, 9000), max_size=8), st.booleans())
def test_pieces_are_whole_lines(lengths: list[int], partial: bool) -> None:
    lines = b"".join(b"x" * length + b"\n" for length in lengths) + b"partial" * partial
    cut = list(pieces(lines))
    assert b"".join(cut) == lines
    for piece in cut:
        assert len(piece) <= PIECE_BYTES or piece.count(b"\n") <= 1
    for piece in cut[:-1]:
        assert piece.endswith(b"\n")


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_line_is_cut_when_it_is_longer_and_not_before(extra: int) -> None:
    out = Prefixer(b"n").feed(b"x" * (LINE_BYTES + extra) + b"\n")
    assert out.count(b"n: ") == (2 if extra > 0 else 1)
    assert relay.PIECE_BYTES <= 4096
