from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from svpy.core.stamping import Stamper
from svpy.core.tai import label

chunks = st.lists(st.text("a\n", min_size=1, max_size=8).map(str.encode), max_size=6)


@given(chunks)
def test_each_line_has_the_time_of_the_read_it_begins_in(parts: list[bytes]) -> None:
    expected, at_start = b"", True
    for number, part in enumerate(parts):
        for byte in part:
            if at_start:
                expected += label(number) + b" "
            expected += bytes((byte,))
            at_start = byte == 10
    stamper = Stamper()
    assert b"".join(stamper.stamp(part, number) for number, part in enumerate(parts)) == expected
