"""What a machine's PID 1 decides."""

from svpy.core.machine import ENDS, LETTERS, PATH, environment, signal_for
from svpy.core.orders import MACHINE, Order


def test_a_path_is_given_where_the_kernel_gave_none() -> None:
    assert environment([b"HOME=/", b"TERM=linux"]) == [PATH, b"HOME=/", b"TERM=linux"]
    assert environment([b"HOME=/", b"PATH=/bin"]) == [b"HOME=/", b"PATH=/bin"]
    assert environment([b"XPATH=/bin"]) == [PATH, b"XPATH=/bin"]
    assert environment([]) == [PATH]


def test_every_end_has_its_word_and_its_option() -> None:
    ends = {order for order in Order if order.ends} - {Order.STOP}
    assert set(ENDS) == set(LETTERS.values()) == {order for order in MACHINE.values() if order.ends} == ends


def test_the_signal_for_an_end_is_one_that_pid_1_takes_for_it() -> None:
    for order in LETTERS.values():
        assert MACHINE[signal_for(order)] is order
