"""What svscan and its logger processes tell each other, there and back and byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from svpy.core import nativewire

loggers = st.integers(0, 2**64 - 1)
numbers = st.integers(0, 2**32 - 1)


@given(loggers, st.lists(st.binary()), st.lists(st.binary()))
def test_add(logger: int, words: list[bytes], environ: list[bytes]) -> None:
    message = nativewire.add(logger, words, environ)
    assert nativewire.decode(message) == (nativewire.ADD, logger, words, environ)


@given(loggers, numbers)
def test_signal(logger: int, number: int) -> None:
    assert nativewire.decode(nativewire.signal(logger, number)) == (nativewire.SIGNAL, logger, number)


def test_a_record_is_the_same_in_every_version() -> None:
    """An upgrade's other side may be older or newer."""
    data = nativewire.record(0x0102030405060708, 111 << 8)
    assert data == bytes.fromhex("0807060504030201 006f0000 00000000")
    assert nativewire.records(data) == [(0x0102030405060708, 111 << 8)]


@given(st.lists(st.tuples(loggers, numbers)), st.binary(max_size=nativewire.RECORD_BYTES - 1))
def test_records(wanted: list[tuple[int, int]], half: bytes) -> None:
    data = b"".join(nativewire.record(*each) for each in wanted)
    assert nativewire.records(data + half) == wanted
