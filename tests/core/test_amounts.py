"""Amounts as they stand in a column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.amounts import duration, percent, size


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, b"0s"), (0, b"0s"), (59.9, b"59s"), (60, b"1m"), (3599, b"59m"), (3600, b"1h00m"),
        (86399, b"23h59m"), (86400, b"1d00h"), (8639999, b"99d23h"), (8640000, b"100d"),
    ],
)  # fmt: skip
def test_a_duration(seconds: float, shown: bytes) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, b"0"), (999, b"999"), (1000, b"1.0K"), (1024, b"1.0K"), (10 * 1024, b"10K"),
        (1023 * 1024, b"1.0M"), (27_200_000, b"26M"), (3 * 2**30, b"3.0G"), (2**50, b"1.0P"),
    ],
)  # fmt: skip
def test_a_size(size_bytes: int, shown: bytes) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, b"0"), (0.0004, b"0"), (0.0005, b"0.1"), (0.0994, b"9.9"), (0.0996, b"10"), (3.5, b"350")],
)
def test_a_share(share: float, shown: bytes) -> None:
    assert percent(share) == shown


@given(st.integers(0, 99 * 365 * 86400), st.integers(0, 999 * 2**40), st.floats(0, 99, allow_nan=False))
def test_a_column_stays_narrow(seconds: int, size_bytes: int, share: float) -> None:
    assert len(duration(seconds)) <= 6
    assert len(size(size_bytes)) <= 4
    assert len(percent(share)) <= 4
