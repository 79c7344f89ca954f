"""tai64nlocal's rewriting, against C's loop transcribed, and on any split of the input."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from svpy.core.localtime import Localizer
from svpy.system.calendar import local_time

FULL = b"@400000005f5e10001dcd6500"
pieces = st.one_of(
    st.sampled_from(
        [b"@", b"\n", b"\n@", b" ", b"4", b"a", b"f", b"F", b"g", FULL, b"\n" + FULL, b"\0", b"\xff"]
    ),
    st.text("0123456789abcdef", min_size=20, max_size=30).map(str.encode),
    st.binary(max_size=3),
)
texts = st.lists(pieces, max_size=14).map(b"".join)


def reference(text: bytes) -> bytes:
    """tai64nlocal.c, byte by byte, but for its crash."""
    out, at = b"", 0
    while at < len(text):
        if text[at : at + 1] == b"@":
            start, seconds, nanoseconds = at, 0, 0
            at += 1
            while at < len(text) and text[at : at + 1] in b"0123456789abcdef" and text[at] != 0:
                seconds = ((seconds << 4) + (nanoseconds >> 28)) % 2**64
                nanoseconds = ((nanoseconds & 0xFFFFFFF) << 4) + int(text[at : at + 1], 16)
                at += 1
            if at == len(text):
                return out
            seconds = (seconds - 4611686018427387914) % 2**64
            date = local_time(seconds - 2**64 if seconds >= 2**63 else seconds)
            if date is None:
                out += text[start:at]
            else:
                out += b"%d-%02d-%02d %02d:%02d:%02d" % (date.tm_year % 2**64, *date[1:6])
                out += b".%09d" % nanoseconds
        newline = text.find(b"\n", at)
        end = len(text) if newline < 0 else newline + 1
        out += text[at:end]
        at = end
    return out


@given(texts)
@example(b"@")
@example(FULL + b"\n" + FULL)
@example(b"@4000000000000000ffffffff\n")
@example(b"@3000000000000000ffffffff\n")
@example(b"@00" + FULL[1:] + b"\n@ff" + FULL[1:] + b"\n@1\n")
def test_as_c(text: bytes) -> None:
    assert Localizer(local_time).rewrite(text or b"\n") == reference(text or b"\n")


@given(texts, st.lists(st.integers(min_value=1, max_value=40)))
def test_any_split_is_the_whole(text: bytes, sizes: list[int]) -> None:
    split, at = [], 0
    for size in [*sizes, len(text)]:
        if at < len(text):
            split.append(text[at : at + size])
        at += size
    rewritten = Localizer(local_time)
    whole = Localizer(local_time).rewrite(text) if text else b""
    assert b"".join(rewritten.rewrite(part) for part in split) == whole


@pytest.mark.parametrize("digits", [4095, 4096, 4097, 5000])
def test_endless_digits_are_passed_on_and_not_kept(digits: int) -> None:
    text = b"@" + b"0" * digits + b" x\n" + FULL + b"\n"
    whole = Localizer(local_time).rewrite(text)
    bytewise = Localizer(local_time)
    assert b"".join(bytewise.rewrite(text[at : at + 1]) for at in range(len(text))) == whole
    assert whole.startswith(b"@" + b"0" * digits + b" x\n2")


def test_the_calendar_is_asked_once_for_a_second() -> None:
    asked: list[int] = []

    def calendar(unix_s: int) -> time.struct_time:
        asked.append(unix_s)
        return time.gmtime(unix_s)

    text = (FULL + b" a\n") * 3
    assert Localizer(calendar).rewrite(text) == b"2020-09-13 12:26:30.500000000 a\n" * 3
    assert len(asked) == 1
