from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from svpy.core.numbers import scan_ulong


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
