from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from svpy.core.titlering import TitleRing


@given(st.integers(min_value=5, max_value=20), st.lists(st.binary(max_size=30)))
def test_as_readproctitle_moves_its_bytes(size: int, chunks: list[bytes]) -> None:
    buf = bytearray(b"." * size)
    ring = TitleRing(size)
    for chunk in chunks:
        for byte in chunk:
            if byte:
                buf[3 : size - 1] = buf[4:size]
                buf[size - 1] = byte
        ring.add(chunk)
        assert ring.text == bytes(buf)
