"""What a host hands over: its form, and that nothing of a machine's memory is forgotten."""

from __future__ import annotations

import math

import pytest

from svpy.core import handover
from svpy.core.control import Addressing
from svpy.core.replacement import MOST_BYTES, Report
from svpy.core.replacement import decode as decode_report
from svpy.core.replacement import encode as encode_report
from svpy.core.service import Service
from svpy.core.shutdown import Stopping

EVERYTHING = {
    "bytes": bytes(range(256)),
    "nothing": b"",
    "pids": [0, 4194304],
    "moments": [-math.inf, math.inf, 1234.5678901234],
    "said": [[b"a", b"b\n"]],
    "none": None,
    "paused": True,
    "pair": {"name": b"\xff", "pipe": {"read_fd": 7, "write_fd": -1}, "_fds": [9, 10, 9], "stdin_fd": 0},
    "pidfd": 12,
}


def test_everything_comes_back_as_it_was() -> None:
    assert handover.decode(handover.encode(EVERYTHING)) == {"format": handover.FORMAT, **EVERYTHING}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b'{"format":3}', b"{}", b"\xff"])
def test_what_is_no_state_of_this_format_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        handover.decode(data)


def test_what_cannot_be_handed_over_is_not_handed_over_wrongly() -> None:
    with pytest.raises(TypeError):
        handover.encode({"machine": Service(True)})


def test_descriptors_are_found_by_their_names() -> None:
    assert handover.descriptors(EVERYTHING) == {7, 9, 10, 12}


@pytest.mark.parametrize("make", [lambda: Service(False), Stopping, Addressing])
def test_no_slot_is_forgotten(make: type) -> None:
    """Each of them holds something else than a new one has, and another one remembers it."""
    one, other = make(), make()
    slots = type(one).__slots__
    for number, slot in enumerate(slots):
        setattr(one, slot, number + 1000)
    handover.recall(other, handover.decode(handover.encode(handover.memory(one))))
    assert [getattr(other, slot) for slot in slots] == [number + 1000 for number in range(len(slots))]


def test_newer_and_older_programs_understand_each_other() -> None:
    """What is not known is passed over, what is missing is as in one that has just begun."""
    one = Service(True)
    handover.recall(one, {"pid": 77, "of_the_future": b"x"})
    assert (one.pid, one.want, one.due) == (77, b"u", True)


@pytest.mark.parametrize("report", [(0, None), (1, None), (7, b"it said nothing"), (2**40, b"")])
def test_reports(report: tuple[int, bytes | None]) -> None:
    data = encode_report(Report(*report))
    assert len(data) == MOST_BYTES
    decoded = decode_report(data)
    assert (decoded.count, decoded.why) == report


@pytest.mark.parametrize("data", [b"", b"\n", b"x replaced\n", b"7 replaced", b"7 gone\n", b"replaced\n"])
def test_what_is_no_report_is_none_yet(data: bytes) -> None:
    assert decode_report(data).count == 0


def test_a_long_reason_is_cut() -> None:
    decoded = decode_report(encode_report(Report(3, b"x" * 5000)))
    assert decoded.count == 3 and decoded.why is not None
    assert b"x" * 900 in decoded.why
