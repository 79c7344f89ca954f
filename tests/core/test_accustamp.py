"""`T`: the stamp of seconds and microseconds, and where multilog puts it."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logrules import matches

from svpy.core.loglines import Sorter
from svpy.core.logscript import Script
from svpy.core.stamping import accustamp


@pytest.mark.parametrize(
    ("unix_ns", "stamp"),
    [
        (0, b"0.000000"),
        (999, b"0.000000"),
        (1000, b"0.000001"),
        (1_000_000_000, b"1.000000"),
        (1_700_000_000_999_999_999, b"1700000000.999999"),
        (999_999_999_999_999_999, b"999999999.999999"),
    ],
)
def test_accustamp(unix_ns: int, stamp: bytes) -> None:
    assert accustamp(unix_ns) == stamp


@given(st.integers(0, 2**63))
def test_it_is_the_time_cut_to_microseconds(unix_ns: int) -> None:
    stamp = accustamp(unix_ns)
    assert re.fullmatch(rb"\d+\.\d{6}", stamp)
    assert Decimal(stamp.decode()) == Decimal(unix_ns // 1000) / 1_000_000


lines = st.lists(
    st.text("ab.1 ", max_size=8).map(str.encode)
    | st.builds(lambda length: b"a" * length, st.integers(975, 1005)),
    max_size=8,
)


@pytest.mark.parametrize(
    "rules",
    [(), (b"-*a",), (b"-*", b"+* *b*"), (b"-1700000000.*", b"+*.2* a*")],
    ids=lambda rules: str(rules),
)
@given(lines, st.booleans(), st.lists(st.integers(0, 3000), max_size=6))
def test_each_line_has_the_stamp_of_the_read_that_began_it(
    rules: tuple[bytes, ...], found: list[bytes], whole: bool, cuts: list[int]
) -> None:
    data = b"\n".join(found) + (b"\n" if whole else b"")
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    reads = [(a, data[a:b]) for a, b in pairwise(places) if data[a:b]]
    times = [1_700_000_000_000_000_000 + number * 123_456_789 for number in range(len(reads))]

    script = Script([b"T", *rules, b"./d"])
    sorter = Sorter(script)
    written = b""
    outputs = [sorter.feed(read, script.label(when)) for when, (_, read) in zip(times, reads, strict=True)]
    for output in [*outputs, sorter.end()]:
        written += b"".join(block for _, block in output.blocks)

    expected, at = b"", 0
    for line in data.removesuffix(b"\n").split(b"\n") if data else []:
        began = max((time for time, (start, _) in zip(times, reads, strict=True) if start <= at), default=0)
        at += len(line) + 1
        line = accustamp(began) + b" " + line
        taken = True
        for rule in rules:
            if matches(rule[1:], line[:1000]):
                taken = rule[:1] == b"+"
        expected += line + b"\n" if taken else b""
    assert written == expected
