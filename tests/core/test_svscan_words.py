"""svscan's command line, and what signals mean to hosts."""

from __future__ import annotations

import pytest

from svpy.core.errors import Die
from svpy.core.orders import MACHINE, SVSCAN, Order
from svpy.core.svscanwords import Words, parse


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        ([], Words()),
        ([b"/service"], Words(folder=b"/service", shown=(b"/service",))),
        ([b"a", b"--log-stdout"], Words(folder=b"a", shown=(b"a", b"--log-stdout"))),
        ([b"--", b"--log-stdout"], Words(folder=b"--log-stdout", shown=(b"--", b"--log-stdout"))),
        ([b"--log-stdout"], Words(log_stdout=True, shown=(b"--log-stdout",))),
        (
            [b"--stop-timeout", b"2.5", b"a"],
            Words(folder=b"a", stop_timeout_s=2.5, shown=(b"--stop-timeout", b"2.5", b"a")),
        ),
        (
            [b"--state", b"7", b"--log-stdout", b"a"],
            Words(folder=b"a", log_stdout=True, state_fd=7, shown=(b"--log-stdout", b"a")),
        ),
    ],
)
def test_words(words: list[bytes], parsed: Words) -> None:
    assert parse(words, b"usage") == parsed


@pytest.mark.parametrize(
    "words",
    [
        [b"--unknown"],
        [b"--stop-timeout"],
        [b"--stop-timeout", b"-1"],
        [b"--stop-timeout", b"1e3"],
        [b"--stop-timeout", b"."],
        [b"--stop-timeout", b"inf"],
        [b"--state", b"x"],
    ],
)
def test_wrong_words(words: list[bytes]) -> None:
    with pytest.raises(Die) as died:
        parse(words, b"usage")
    assert (died.value.code, died.value.message) == (100, b"usage")


def test_every_host_scans_on_hup_and_what_ends_a_machine_is_not_a_mere_stop() -> None:
    assert SVSCAN["HUP"] is MACHINE["HUP"] is Order.SCAN
    assert not Order.SCAN.ends and not Order.UPGRADE.ends
    assert Order.STOP not in MACHINE.values()
    assert {order for order in SVSCAN.values() if order.ends} == {Order.STOP}


def test_native_runs_can_be_turned_off() -> None:
    assert parse([b"d"], b"usage").native
    parsed = parse([b"--no-native", b"d"], b"usage")
    assert not parsed.native and parsed.shown == (b"--no-native", b"d")


@pytest.mark.parametrize("where", [b"-", b"stderr", b"/run/events"])
def test_events_are_told_somewhere(where: bytes) -> None:
    assert parse([b"--events", where, b"d"], b"usage").events == where
    assert parse([b"d"], b"usage").events is None
