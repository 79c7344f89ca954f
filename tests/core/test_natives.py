"""Who runs natively with whom, and what is not tried again at once."""

from __future__ import annotations

import pytest

from svpy.core.errors import FAILED
from svpy.core.nativerun import chain
from svpy.core.natives import ELSEWHERE_S, TRY_AGAIN_S, Doubts, Key, capacity, planned, takes, told
from svpy.core.templatewire import ELSEWHERE

KEY = Key(b"nobody", (1, 2, 3), True, ((b"multilog", (1, 9)),))
OTHER = Key(None, (1, 2, 3), True, ((b"multilog", (1, 9)),))


@pytest.mark.parametrize(
    ("words", "stands_there", "is_shared"),
    [
        (b"multilog t ./main", False, True),
        (b"setuidgid nobody multilog t ./main", True, True),
        (b"setuidgid nobody multilog t ./main", False, False),
        (b"softlimit -o 9 multilog ./main", True, False),
        (b"softlimit -o 9 setuidgid nobody multilog ./main", True, False),
    ],
)
def test_who_may_share_a_process(words: bytes, stands_there: bool, is_shared: bool) -> None:
    found = chain(tuple(words.split()))
    assert found is not None
    run = planned(found, [b"A=b"], KEY, stands_there)
    assert run.key is KEY
    assert (run.wanted.is_shared, run.wanted.merges_stderr, run.wanted.environ) == (is_shared, True, [b"A=b"])
    assert [*run.wanted.loaders, run.wanted.program, *run.wanted.script] == words.split()


def test_only_as_many_as_there_are_descriptors_for() -> None:
    assert [capacity(hard) for hard in (0, 64, 69, 70, 1024, 1 << 20)] == [0, 0, 0, 1, 160, 174752]
    assert takes({}, 5, 1) and takes({4: None}, 5, 2)
    assert not takes({4: None}, 5, 1), "full"
    assert not takes({5: None}, 5, 9), "it has that pipe already"


@pytest.mark.parametrize(("code", "said"), [(0, 0), (-9, -9), (None, None), (ELSEWHERE, FAILED)])
def test_how_the_loggers_of_a_process_have_ended(code: int | None, said: int | None) -> None:
    assert told(code) == said


def test_nothing_is_tried_for_a_while() -> None:
    doubts = Doubts()
    assert doubts.any_may_be_tried(0.0)
    doubts.put_off(100.0)
    assert not doubts.any_may_be_tried(100.0 + TRY_AGAIN_S - 1)
    assert doubts.any_may_be_tried(100.0 + TRY_AGAIN_S)


def test_what_leads_elsewhere_is_not_asked_again_at_once() -> None:
    doubts = Doubts()
    for code in (0, -9, 111, None):
        doubts.ended(KEY, code, 5.0)
        assert doubts.may_be_tried(KEY, 5.0)
    doubts.ended(KEY, ELSEWHERE, 5.0)
    doubts.ended(OTHER, ELSEWHERE, 6.0)
    assert not doubts.may_be_tried(KEY, 7.0) and not doubts.may_be_tried(OTHER, 7.0)
    assert doubts.may_be_tried(KEY, 5.0 + ELSEWHERE_S)
    assert not doubts.may_be_tried(OTHER, 5.0 + ELSEWHERE_S)


def test_each_trouble_is_said_once_until_it_is_over() -> None:
    doubts = Doubts()
    assert doubts.complaint(b"a") == b"unable to run loggers natively: a; they are executed"
    assert doubts.complaint(b"a") is None
    assert doubts.complaint(b"b") is not None
    doubts.worked()
    assert doubts.complaint(b"b") is not None
