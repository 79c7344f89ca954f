"""How often something ended, as a line behind the record: read again as written, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core import record
from svpy.core.exits import MAGIC, MOST_EXITS, OFFSET_BYTES, SIZE_BYTES, Exits, decode, encode, restarts
from svpy.core.recordline import SIZE_BYTES as RECORD_BYTES
from svpy.core.tai import pack

BOOT = b"7c4f9e9e-6d3c-4c53-8c53-aa53f6f1f5a7/3"
AT = pack(1_700_000_000_123_456_789)
WHOLE = encode(BOOT, Exits(42, -9, 300, AT))


@given(
    st.integers(1, MOST_EXITS),
    st.none() | st.integers(-64, 255),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**62).map(pack),
    st.integers(0, 2**64 - 1),
)
def test_it_is_read_as_it_was_written_and_always_as_long(
    exits: int, code: int | None, pid: int, at: bytes, ticks: int
) -> None:
    boot = BOOT[:-1] + b"%d" % ticks
    line = encode(boot, Exits(exits, code, pid, at))
    assert len(line) == SIZE_BYTES and line.count(b"\n") == 1
    for known in (boot, None):
        found = decode(line, known)
        assert found is not None
        assert (found.exits, found.code, found.pid, found.at) == (exits, code, pid, at)
    assert decode(line, b"another/1") is None


def test_it_can_be_read_by_people() -> None:
    assert WHOLE.rstrip() == b"svpy-exits 1 " + BOOT + b" 42 -9 300 @400000006553f10a075bcd15"


def test_it_stands_behind_the_record_and_is_none() -> None:
    assert OFFSET_BYTES == RECORD_BYTES
    assert record.decode(WHOLE) is None and not record.may_be_overwritten(WHOLE)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        WHOLE[:-1],
        WHOLE[:60],
        WHOLE + b" ",
        WHOLE[:80] + bytes(80),
        WHOLE.replace(MAGIC + b"1", MAGIC + b"2"),
        WHOLE.replace(b" 42 ", b" -2 "),
        WHOLE.replace(b" 42 ", b" 4 2 ").replace(b"  \n", b" \n"),
        WHOLE.replace(b" -9 ", b" -- "),
        WHOLE.replace(b" -9 ", b" x9 "),
        WHOLE.replace(b" 300 ", b" \xb3\xb2\xb9 "),
        WHOLE.replace(b"@4", b"@g"),
        WHOLE.replace(b"@4", b"4@"),
        WHOLE.replace(b"cd15", b"    "),
        record.encode(record.Record(BOOT, 300, 4711, b"run", (14, 815))),
        bytes(SIZE_BYTES),
    ],
)
def test_whatever_else_is_found_is_none(line: bytes) -> None:
    assert decode(line) is None


@given(st.binary(max_size=2 * SIZE_BYTES))
def test_rubbish_is_none(rubbish: bytes) -> None:
    assert decode(rubbish) is None
    decode((MAGIC + rubbish)[: SIZE_BYTES - 1].ljust(SIZE_BYTES - 1) + b"\n")


def test_it_was_started_again_as_often_as_it_ended_but_for_the_last_time_if_it_is_down() -> None:
    assert [restarts(None, up) for up in (True, False)] == [0, 0]
    assert [restarts(Exits(1, 0, 7, AT), up) for up in (True, False)] == [1, 0]
    assert [restarts(Exits(5, 0, 7, AT), up) for up in (True, False)] == [5, 4]
