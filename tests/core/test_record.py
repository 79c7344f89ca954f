"""What a supervise notes in its lock: one line, read again as it was written or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.record import ALONE, Record, decode, encode, may_be_overwritten
from svpy.core.recordline import MAGIC, SIZE_BYTES, runs_natively

BOOT = b"7c4f9e9e-6d3c-4c53-8c53-aa53f6f1f5a7/3"
NUMBERS = st.integers(0, 2**64 - 1)
RECORDS = st.builds(
    Record,
    boot=st.builds(lambda ticks: BOOT[:-1] + b"%d" % ticks, NUMBERS),
    pid=st.integers(0, 2**22),
    start_ticks=NUMBERS,
    script=st.sampled_from([b"", b"start", b"run", b"stop", b"log"]),
    pipe=st.tuples(st.integers(0, 2**32), NUMBERS),
    leaving=st.booleans(),
    held=st.none() | st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)),
)


@given(RECORDS)
def test_it_is_read_as_it_was_written_and_always_as_long(record: Record) -> None:
    data = encode(record)
    assert len(data) == SIZE_BYTES and data.count(b"\n") == 1
    assert decode(data) == record
    assert may_be_overwritten(data)
    assert runs_natively(data, record.pid) == (record.held is not None)
    assert runs_natively(data, record.pid + 1) is None


WHOLE = encode(Record(BOOT, 300, 4711, b"run", (14, 815)))


def test_it_can_be_read_by_people() -> None:
    assert WHOLE.rstrip() == b"svpy 1 " + BOOT + b" 300 4711 run 14 815 0"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        WHOLE[:-1],
        WHOLE[:40],
        WHOLE + b" ",
        WHOLE.replace(b"svpy 1", b"svpy 2"),
        WHOLE.replace(b"svpy 1", b"yvps 1"),
        WHOLE.replace(b" run ", b" sh  "),
        WHOLE.replace(b" 300 ", b" -30 "),
        WHOLE.replace(b" 300 ", b" 3 0 "),
        WHOLE.replace(b" 300 ", b"\xb3\xb2\xb9   "),
        WHOLE.replace(b" 4711 ", b"      "),
        WHOLE.replace(b" 300 ", b" 2147483648 ").replace(b" " * 7 + b"\n", b"\n"),
        bytes(SIZE_BYTES),
    ],
)
def test_what_is_no_record_says_nothing(data: bytes) -> None:
    assert decode(data) is None


@given(st.binary(max_size=2 * SIZE_BYTES), st.integers(0, SIZE_BYTES))
def test_nothing_that_is_found_there_is_an_error(garbage: bytes, kept: int) -> None:
    for data in (garbage, WHOLE[:kept] + garbage, (WHOLE[:kept] + garbage)[:SIZE_BYTES]):
        decode(data)
        assert may_be_overwritten(data) == (not data or data.startswith(MAGIC))


def test_only_what_runs_natively_is_of_a_version_of_its_own() -> None:
    shared = encode(Record(BOOT, 300, 4711, b"run", (14, 815), held=(6, 7)))
    assert shared.rstrip() == b"svpy 2 " + BOOT + b" 300 4711 run 14 815 0 6 7"
    for held, is_shared in ((None, False), (ALONE, False), ((6, 7), True)):
        assert Record(BOOT, held=held).is_shared == is_shared


@pytest.mark.parametrize(
    "data", [WHOLE.replace(b"svpy 1", b"svpy 2"), WHOLE.replace(b" 0    ", b" 0 6 7"), bytes(SIZE_BYTES)]
)
def test_a_record_of_a_version_has_its_fields(data: bytes) -> None:
    assert len(data) == SIZE_BYTES and decode(data) is None
