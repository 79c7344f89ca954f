"""What counts as wanted."""

import pytest

from svpy.core.exits import NO_EXITS, Exits
from svpy.core.seen import Seen
from svpy.core.status import DOWN, FAILED, ONCE, STARTED, STARTING, STOPPING, UP, Status
from svpy.core.tai import pack

NOW_S = 1_000_000_000
SINCE = pack(NOW_S * 10**9)


def seen(want: bytes, pid: int = 0, word: bytes = b"", paused: bool = False, **more: object) -> Seen:
    one = Seen(b"a")
    one.is_supervised = True
    one.status = Status(SINCE, pid, paused, want)
    one.word = word
    for name, value in more.items():
        setattr(one, name, value)
    return one


ROWS = [
    (seen(UP, 1), True),
    (seen(UP), False),
    (seen(UP, 1, paused=True), False),
    (seen(UP, 1, STARTING), False),
    (seen(UP, 1, STOPPING), False),
    (seen(UP, word=STARTED), True),
    (seen(UP, word=FAILED), False),
    (seen(DOWN, word=FAILED), False),
    (seen(DOWN), True),
    (seen(DOWN, 1), False),
    (seen(DOWN, 1, STOPPING), False),
    (seen(ONCE, 1), True),
    (seen(ONCE), True),
    (seen(ONCE, 1, paused=True), False),
    (seen(UP, 1, asks_ready=True), False),
    (seen(UP, 1, asks_ready=True, ready=True), True),
    (seen(DOWN, asks_ready=True), True),
    (seen(UP, 1, is_supervised=False), False),
    (Seen(b"a"), False),
]


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_as_wanted(number: int) -> None:
    one, wanted = ROWS[number]
    assert one.is_wanted is wanted


def test_restarts_are_known_as_far_as_exits_are() -> None:
    assert seen(UP, 1).restarts is None
    assert seen(UP, 1, exits=NO_EXITS).restarts == 0
    assert seen(UP, 1, exits=Exits(3, 1, 1, SINCE)).restarts == 3
    assert seen(UP, 0, exits=Exits(3, 1, 1, SINCE)).restarts == 2
    # Its end is noted already, and not published yet.
    later = pack(NOW_S * 10**9 + 1)
    assert seen(UP, 1, exits=Exits(3, 1, 1, later)).restarts == 2
    assert seen(UP, 2, exits=Exits(3, 1, 1, later)).restarts == 3


def test_uptime_is_never_negative() -> None:
    assert [seen(UP, 1).uptime_s(NOW_S + s) for s in (-1, 0, 7)] == [0, 0, 7]
    assert Seen(b"a").uptime_s(NOW_S) == 0
