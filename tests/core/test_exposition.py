"""What svpy-exporter counts and how it names it, on plain values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.exposition import METRICS, Growing, label
from svpy.core.listenwords import parse
from svpy.core.logcount import LogCount


def test_names_are_as_prometheus_has_them() -> None:
    assert len({row.name for row in METRICS}) == len(METRICS)
    for row in METRICS:
        assert row.name.startswith("svpy_") and row.help.endswith(".")
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert not {"le", "quantile", "job", "instance"} & set(row.labels)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"qmail-send", "qmail-send"),
        ("caf\u00e9".encode(), "caf\u00e9"),
        (b"\xff\\x", "\\xff\\x5cx"),
        (b"a\nb\x1b[2J", "a\\x0ab\\x1b[2J"),
        ("\u202e".encode(), "\\xe2\\x80\\xae"),
    ],
)
def test_names_as_labels(name: bytes, shown: str) -> None:
    assert label(name) == shown


@given(st.lists(st.binary(max_size=6), unique=True, max_size=20))
def test_no_two_names_look_alike(names: list[bytes]) -> None:
    assert len({label(name) for name in names}) == len(names)
    assert all(label(name).isprintable() for name in names)


def test_what_processes_say_only_grows() -> None:
    cpu = Growing()
    assert [cpu.add("a", 1, value) for value in (5.0, 7.0, 6.0, 6.5, 8.0)] == [5, 7, 7, 7, 8]
    assert [cpu.add("a", 2, value) for value in (0.0, 3.0)] == [8, 11]
    assert cpu.add("b", 9, 1.0) == 1
    assert cpu.keep({"b"}) == 11
    assert cpu.add("a", 2, 4.0) == 4


def told(count: LogCount) -> tuple[int, int]:
    return count.written_bytes, count.rotations


def test_what_is_written_and_rotated() -> None:
    count = LogCount()
    count.first_looked(1, 1000)
    count.looked(1, 1500)
    assert told(count) == (500, 0)
    count.named(b"previous", 1, 1600)
    count.looked(2, 10)
    count.named(b"@1.s", 1, 1600)
    assert told(count) == (610, 1)
    # All in one moment: what was `previous` is not there any more.
    count.named(b"previous", 0, 0)
    count.named(b"@2.s", 2, 100)
    count.named(b"previous", 0, 0)
    count.named(b"@3.s", 3, 100)
    count.looked(4, 5)
    assert told(count) == (610 + 90 + 100 + 5, 3)
    # Heard of late: by then `previous` is the next one already.
    late = LogCount()
    late.first_looked(1, 0)
    late.named(b"previous", 2, 4000)
    late.looked(3, 1)
    late.named(b"@1.s", 1, 4000)
    late.named(b"previous", 0, 0)
    late.named(b"@2.s", 2, 4000)
    assert told(late) == (8001, 2)
    # The inode of what was thrown away is a new file's.
    count.named(b"previous", 4, 100)
    count.named(b"@4.s", 4, 100)
    count.looked(1, 7)
    assert told(count) == (805 + 95 + 7, 4)


def test_a_processor_makes_another_file() -> None:
    count = LogCount()
    count.first_looked(1, 0)
    count.named(b"previous", 1, 4000)
    count.looked(2, 1)
    count.named(b"processed", 3, 0)
    count.named(b"@1.s", 3, 400)
    assert told(count) == (4001, 1)
    # One that was too quick: what it has read is not known, and nothing is made up.
    count.named(b"previous", 0, 0)
    count.named(b"processed", 4, 0)
    count.named(b"@2.s", 4, 300)
    count.looked(5, 2)
    count.looked(5, 4)
    assert told(count) == (4005, 2)


def test_after_a_crash_and_without_being_told() -> None:
    count = LogCount()
    count.first_looked(1, 0)
    count.looked(1, 10)
    count.named(b"@1.u", 1, 12)
    count.looked(2, 0)
    assert told(count) == (12, 1)
    count.looked(3, 4)
    count.looked(3, 6)
    assert told(count) == (18, 2)
    # Shorter: the same inode, another file.
    count.looked(3, 1)
    assert told(count) == (19, 2)


@pytest.mark.parametrize(
    ("word", "where"),
    [
        (b"127.0.0.1:80", (b"127.0.0.1", 80, b"")),
        (b"[::1]:65535", (b"::1", 65535, b"")),
        (b"localhost:1", (b"localhost", 1, b"")),
        (b"unix:/run/x", (b"", 0, b"/run/x")),
        (b"unix:", None),
        (b"80", None),
        (b":80", None),
        (b"a:0", None),
        (b"a:65536", None),
        (b"a:" + b"9" * 5000, None),
        (b"::1:80", None),
    ],
)
def test_where_to_listen(word: bytes, where: tuple[bytes, int, bytes] | None) -> None:
    parsed = parse(word)
    assert (parsed and (parsed.address, parsed.port, parsed.path)) == where
