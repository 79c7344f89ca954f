from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.numbers import scan_ulong, seconds, within


@given(st.integers(min_value=0, max_value=10**90))
def test_wraps_as_c(number: int) -> None:
    assert scan_ulong(b"%d" % number) == number % 2**64


@given(st.text(max_size=5).map(str.encode))
def test_digits_only(text: bytes) -> None:
    digits = all(byte in b"0123456789" for byte in text)
    assert (scan_ulong(text) is not None) == digits


def test_odd_ones() -> None:
    assert scan_ulong(b"") == 0
    assert scan_ulong(b"007") == 7
    assert scan_ulong(b"0" * 9000 + b"5") == 5
    for text in (b"-1", b"+1", b" 1", b"1_0", "\u0661".encode()):
        assert scan_ulong(text) is None


@given(st.text("0123456789.-+e _", max_size=6).map(str.encode))
def test_seconds_are_digits_with_at_most_one_point(text: bytes) -> None:
    parts = text.split(b".")
    is_number = len(parts) <= 2 and b"".join(parts).isdigit()
    assert seconds(text) == (float(text) if is_number else None)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"1", 1), (b"65535", 65535), (b"00025", 25), (b"0", None), (b"65536", None), (b"000025", None),
        (b"", None), (b"-1", None), (b"+1", None), (b" 1", None), (b"1_0", None), (b"\xb2", None),
        (b"9" * 5000, None),
    ],
)  # fmt: skip
def test_a_number_within_bounds(word: bytes, number: int | None) -> None:
    assert within(word, 1, 65535) == number
