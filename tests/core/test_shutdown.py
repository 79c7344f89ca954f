"""The order in which one folder stops, look by look."""

from __future__ import annotations

from svpy.core.shutdown import EMPTY_LOOKS, Half, Orders, Stopping, orders

GONE = Half(supervised=False)
UP = Half(supervised=True, running=True)
DOWN = Half(supervised=True)


def test_a_service_is_told_once_and_waited_for() -> None:
    memory = Stopping()
    assert orders(memory, UP, UP, 5, True) == Orders(service=b"dx")
    for _ in range(9):
        assert orders(memory, UP, UP, 5, True) == Orders()


def test_a_logger_reads_to_the_end_without_a_signal() -> None:
    memory = Stopping(service_told=True)
    assert orders(memory, GONE, UP, 5, False) == Orders(logger=b"co", close_pipe=True)
    for _ in range(9):
        assert orders(memory, GONE, UP, 5, True) == Orders(close_pipe=True)
    assert orders(memory, GONE, DOWN, 0, False) == Orders(logger=b"x", close_pipe=True)
    assert orders(memory, GONE, GONE, 0, False) == Orders(close_pipe=True)


def test_a_logger_that_died_early_is_started_again_while_that_helps() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert orders(memory, GONE, DOWN, 900, False).logger == b"co"
    assert orders(memory, GONE, Half(True, due=True), 900, True).logger == b""
    assert orders(memory, GONE, UP, 900, True).logger == b""
    assert orders(memory, GONE, DOWN, 400, False).logger == b"co"
    assert orders(memory, GONE, DOWN, 400, False).logger == b"x"


def test_a_logger_that_is_down_on_purpose_stays_down() -> None:
    assert orders(Stopping(), GONE, Half(True, wanted_up=False), 900, False).logger == b"x"


def test_an_empty_pipe_that_has_no_end_ends_with_term() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    given = [
        orders(memory, GONE, UP, waiting, True).logger for waiting in (0, 0, 7, *[0] * (EMPTY_LOOKS + 3))
    ]
    assert given == [b""] * (3 + EMPTY_LOOKS - 1) + [b"dx"] + [b""] * 3


def test_looks_between_ticks_do_not_count() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert {orders(memory, GONE, UP, 0, False).logger for _ in range(99)} == {b""}
