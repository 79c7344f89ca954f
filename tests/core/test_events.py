"""What is told of events, and of scans, on plain values."""

from __future__ import annotations

import json

import pytest

from svpy.core import service as machine
from svpy.core.events import MOST_BYTES, Before, encoder, rfc3339, text, told
from svpy.core.scans import SIZE_BYTES, Scans, decode, encode
from svpy.core.service import Instant, Service
from svpy.core.tai import pack


def at(mono_s: float) -> Instant:
    return Instant(mono_s, pack(int(1_700_000_000_000_000_001 + mono_s * 1e9)))


def tells(service: Service, event: machine.Event) -> list[tuple[str, dict[str, object]]]:
    before = Before(service)
    return list(told(event, before, service, service.handle(event)))


def test_a_life_is_told() -> None:
    service = Service(normally_up=True)
    assert tells(service, machine.Opened(at(0))) == []
    assert tells(service, machine.Woke(at(0))) == []
    assert tells(service, machine.StartFailed(at(1), 2)) == [
        ("unstartable", {"script": "run", "error": "file does not exist"})
    ]
    service.handle(machine.Woke(at(2)))
    assert tells(service, machine.Started(at(2), 7)) == [("started", {"pid": 7, "script": "run"})]
    assert tells(service, machine.Exited(at(5.25), 1)) == [
        ("exited", {"pid": 7, "script": "run", "code": 1, "ran_s": 3.25})
    ]
    service.handle(machine.Started(at(6), 8))
    assert tells(service, machine.Command(at(7), b"d")) == []
    service.handle(machine.TimeoutRead(at(7), b"1"))
    assert tells(service, machine.Woke(at(8))) == [("killed", {"pid": 8, "script": "run"})]
    assert tells(service, machine.Exited(at(9), -9)) == [
        ("exited", {"pid": 8, "script": "run", "signal": 9, "ran_s": 3.0})
    ]


def test_what_failed_stays_down_and_that_is_told_once() -> None:
    service = Service(normally_up=True)
    service.handle(machine.Started(at(0), 7))
    assert [name for name, _ in tells(service, machine.Exited(at(1), 100))] == ["exited", "failed"]
    assert tells(service, machine.Woke(at(2))) == []


def test_what_another_svscan_had_started_is_adopted_and_its_end_has_no_code() -> None:
    service = Service(normally_up=True)
    resumed = machine.Resumed(at(100), 7, b"run", at(40), running=True)
    assert tells(service, resumed) == [("adopted", {"pid": 7, "script": "run"})]
    assert tells(service, machine.Exited(at(110), None)) == [
        ("exited", {"pid": 7, "script": "run", "ran_s": 70.0})
    ]


def test_a_stop_has_no_time_of_its_own() -> None:
    service = Service(normally_up=True)
    service.handle(machine.Started(at(0), 7, has_stop=True))
    service.handle(machine.Command(at(1), b"d"))
    service.handle(machine.Exited(at(2), 0))
    assert tells(service, machine.Started(at(2), 8, machine.STOP)) == [
        ("started", {"pid": 8, "script": "stop"})
    ]
    assert tells(service, machine.Exited(at(9), 0)) == [("exited", {"pid": 8, "script": "stop", "code": 0})]


@pytest.mark.parametrize(
    ("unix_ns", "shown"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (951_782_399_000_000_007, "2000-02-28T23:59:59.000000007Z"),
        (1_709_164_800_123_456_789, "2024-02-29T00:00:00.123456789Z"),
    ],
)
def test_time(unix_ns: int, shown: str) -> None:
    assert rfc3339(pack(unix_ns)) == shown


def test_any_name_is_a_line_of_ascii_that_a_pipe_takes_whole() -> None:
    assert text(b"caf\xc3\xa9 \xff") == "caf\u00e9 \\xff"
    for worst in (b"\xff", b"\1", b"\xf0\x9f\x90\x8d", b'"'):
        name = text(worst * 255)
        line = encoder()({"service": name, "reason": name})
        assert len(line) < MOST_BYTES - 500
        assert line.isascii() and line.count(b"\n") == 1 and json.loads(line)["service"] == name


def test_scans_are_a_line_of_one_length() -> None:
    scans = Scans()
    assert len(encode(scans)) == SIZE_BYTES
    scans.add(10.0, 10.5)
    scans.add(15.0, 15.25)
    line = encode(scans)
    read = decode(line)
    assert read is not None
    assert (read.count, read.last_s, read.longest_s, read.total_s, read.began_mono_s) == (
        2,
        0.25,
        0.5,
        0.75,
        15.0,
    )
    scans.add(20.0, 20.5)
    torn = [encode(scans)[:place] + line[place:] for place in range(1, SIZE_BYTES - 2)]
    for half in (b"", line[:-1], b"x" * SIZE_BYTES, bytes(SIZE_BYTES), *torn):
        assert decode(half) is None
    huge = Scans(10**9, 1e6, 1e6, 1e9, 1e9)
    assert len(encode(huge)) == SIZE_BYTES and decode(encode(huge)) is not None
