"""The order in which one folder stops, look by look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from svpy.core.shutdown import EMPTY_LOOKS, Half, Orders, Pipe, Stopping, orders

GONE = Half(supervised=False)
UP = Half(supervised=True, running=True)
DOWN = Half(supervised=True)
DUE = Half(supervised=True, due=True)


def pipe(waiting_bytes: int = 0, has_writer: bool = False) -> Pipe:
    return Pipe(waiting_bytes, has_writer)


def test_a_service_is_told_once_and_waited_for() -> None:
    memory = Stopping()
    assert orders(memory, UP, UP, pipe(5, True), True) == Orders(service=b"dx")
    for _ in range(9):
        assert orders(memory, UP, UP, pipe(5, True), True) == Orders()


def test_a_logger_reads_to_the_end_without_a_signal() -> None:
    memory = Stopping(service_told=True)
    assert orders(memory, GONE, UP, pipe(5), False) == Orders(logger=b"co", close_pipe=True)
    for _ in range(9):
        assert orders(memory, GONE, UP, pipe(5), True) == Orders(close_pipe=True)
    assert orders(memory, GONE, DOWN, pipe(), False) == Orders(logger=b"dx", close_pipe=True)
    assert orders(memory, GONE, GONE, pipe(), False) == Orders(close_pipe=True)


def test_a_logger_that_has_its_end_takes_its_time() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert {orders(memory, GONE, UP, pipe(), True).logger for _ in range(99)} == {b""}


def test_a_logger_that_died_early_is_started_again_while_that_helps() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert orders(memory, GONE, DOWN, pipe(900), False).logger == b"co"
    assert orders(memory, GONE, DUE, pipe(900), True).logger == b""
    assert orders(memory, GONE, UP, pipe(900), True).logger == b""
    assert orders(memory, GONE, DOWN, pipe(400), False).logger == b"co"
    assert orders(memory, GONE, DOWN, pipe(400), False).logger == b"dx"


def test_a_logger_that_is_about_to_start_is_not_started_for_nothing() -> None:
    """`d` calls the start off; `x` alone would wait for it."""
    assert orders(Stopping(service_told=True), GONE, DUE, pipe(), False).logger == b"dx"
    assert orders(Stopping(service_told=True, logger_told=True), GONE, DUE, pipe(), False).logger == b"dx"


def test_a_logger_that_is_down_on_purpose_stays_down() -> None:
    assert orders(Stopping(), GONE, Half(True, wanted_up=False), pipe(900), False).logger == b"dx"


def test_a_stop_script_of_a_logger_is_waited_for() -> None:
    """And `co` during it, or `dx`, would start it again or leave it."""
    memory = Stopping(service_told=True)
    in_its_stop = Half(True, running=True, wanted_up=False, stopping=True)
    assert orders(memory, GONE, UP, pipe(5, True), True).logger == b"co"
    assert {orders(memory, GONE, in_its_stop, pipe(n, True), True).logger for n in (0, 0, 0, 0, 0, 5)} == {
        b""
    }
    assert orders(memory, GONE, DOWN, pipe(), False).logger == b"dx"


def test_an_empty_pipe_that_has_no_end_ends_with_term() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    looks = [orders(memory, GONE, UP, pipe(waiting, True), True).logger for waiting in (0, 0, 7, *[0] * 9)]
    assert looks == [b""] * (3 + EMPTY_LOOKS - 1) + [b"dx"] + [b""] * (9 - EMPTY_LOOKS)


def test_looks_between_ticks_do_not_count() -> None:
    memory = Stopping(service_told=True, logger_told=True)
    assert {orders(memory, GONE, UP, pipe(0, True), False).logger for _ in range(99)} == {b""}


HALVES = st.builds(Half, st.just(True), *[st.booleans()] * 4)


@given(
    memory=st.builds(Stopping, st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(0, 9)),
    service=st.just(GONE) | HALVES,
    logger=HALVES,
    waiting_bytes=st.integers(0, 9),
    has_writer=st.booleans(),
)
def test_asking_again_about_the_same_gives_nothing_new_but_what_makes_it_leave(
    memory: Stopping, service: Half, logger: Half, waiting_bytes: int, has_writer: bool
) -> None:
    """svscan asks until no order comes: one that changes nothing must not come for ever."""
    state = pipe(waiting_bytes, has_writer)
    given = [orders(memory, service, logger, state, False) for _ in range(4)]
    assert all(not order.service for order in given[1:])
    running = [order.logger for order in given if logger.running]
    assert all(not letters for letters in running[1:])
    # One that does not run leaves with `dx` at once, and is asked about no more.
    assert all(order.logger in (b"", b"dx") for order in given[2:])
