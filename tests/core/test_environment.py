"""The environment after a chain loader's changes, against a transcription of pathexec's loops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.environment import account_changes, candidates, changed, file_change, search_path

names = st.text("AB=", max_size=3).map(str.encode)
entries = st.lists(
    st.builds(lambda name, value: name + value, names, st.sampled_from([b"", b"=", b"=1", b"=2"]))
)


def pathexec(environ: list[bytes], plus: list[bytes]) -> list[bytes]:
    """What C does, with its indices."""
    e = [*environ] + [b""] * len(plus)
    elen = len(environ)
    for change in plus:
        split = 0
        while split < len(change) and change[split : split + 1] != b"=":
            split += 1
        for t in range(elen):
            if e[t][:split] == change[:split] and e[t][split : split + 1] == b"=":
                elen -= 1
                e[t] = e[elen]
                break
        if split < len(change):
            e[elen] = change
            elen += 1
    return e[:elen]


@given(entries, entries)
def test_same_entries_in_the_same_order_as_c(environ: list[bytes], plus: list[bytes]) -> None:
    before = list(environ)
    assert changed(environ, plus) == pathexec(environ, plus)
    assert environ == before


def test_a_replaced_entry_makes_room_for_the_last() -> None:
    assert changed([b"A=1", b"B=2", b"C=3"], [b"A=9"]) == [b"C=3", b"B=2", b"A=9"]
    assert changed([b"A=1", b"B=2", b"C=3"], [b"A"]) == [b"C=3", b"B=2"]
    assert changed([b"A=1", b"A=2"], [b"A"]) == [b"A=2"]


def test_gid_comes_before_uid() -> None:
    assert account_changes(7, 8) == [b"GID=8", b"UID=7"]


@pytest.mark.parametrize(
    ("content", "change"),
    [
        (b"", b"N"),
        (b"\n", b"N="),
        (b"v", b"N=v"),
        (b"v \t \nsecond", b"N=v"),
        (b" \t", b"N="),
        (b" v", b"N= v"),
        (b"a\0b\0\n", b"N=a\nb\n"),
        (b"v\r\n", b"N=v\r"),
        (b"v\x0b\x0c", b"N=v\x0b\x0c"),
        (b"\0", b"N=\n"),
    ],
)
def test_file_change(content: bytes, change: bytes) -> None:
    assert file_change(b"N", content) == change


@given(st.text("ab =\t\n\0", max_size=12).map(str.encode))
def test_file_change_as_envdir_reads(content: bytes) -> None:
    """envdir.c's loop, character by character."""
    value = bytearray(content)
    if not value:
        assert file_change(b"N", content) == b"N"
        return
    if b"\n" in value:
        del value[value.index(b"\n") :]
    while value and value[-1:] in (b" ", b"\t"):
        del value[-1]
    for place, byte in enumerate(value):
        if byte == 0:
            value[place] = 10
    assert file_change(b"N", content) == b"N=" + bytes(value)


def test_path() -> None:
    assert search_path([b"PATHS=x", b"PATH=a", b"PATH=b"]) == b"a"
    assert search_path([b"PATH="]) == b""
    assert search_path([b"PATH"]) == b"/bin:/usr/bin"
    assert candidates(b"p", b"/a::b:") == [b"/a/p", b"./p", b"b/p", b"./p"]
    assert candidates(b"p", b"") == [b"./p"]
    assert candidates(b"./p", b"/a") == [b"./p"]
    assert candidates(b"", b"/a") == [b"/a/"]
