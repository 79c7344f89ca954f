"""What a scan leads to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.scan import (
    Complaints,
    Forget,
    Found,
    HostLogger,
    HostService,
    HostTogether,
    Known,
    ScanAction,
    decide,
    may_be_service,
)

PLAIN = Found(b"a", (1, 10), has_log=False)
LOGGED = Found(b"a", (1, 10), has_log=True)
WITH_FILE = Found(b"a", (1, 10), has_log=True, log_is_file=True)
STOPPING = Known(False, True, stopping=True)
BOTH, NEITHER = Known(True, True), Known(False, False)
SERVICE, LOGGER = Known(True, False), Known(False, True)


@pytest.mark.parametrize(
    ("known", "found", "actions"),
    [
        ({}, [PLAIN], [HostService(PLAIN)]),
        ({}, [LOGGED], [HostLogger(LOGGED), HostService(LOGGED)]),
        ({(1, 10): SERVICE}, [PLAIN], []),
        ({(1, 10): SERVICE}, [LOGGED], [HostLogger(LOGGED)]),
        ({(1, 10): LOGGER}, [LOGGED], [HostService(LOGGED)]),
        ({(1, 10): BOTH}, [LOGGED], []),
        ({(1, 10): BOTH}, [PLAIN], []),
        ({(1, 10): NEITHER}, [LOGGED], [HostLogger(LOGGED), HostService(LOGGED)]),
        ({(1, 10): BOTH}, [Found(b"renamed", (1, 10), True)], []),
        ({(1, 10): BOTH}, [], []),
        ({(1, 10): LOGGER}, [], []),
        ({(1, 10): NEITHER}, [], [Forget((1, 10))]),
        ({}, [WITH_FILE], [HostTogether(WITH_FILE)]),
        ({(1, 10): SERVICE}, [WITH_FILE], [HostLogger(WITH_FILE)]),
        ({(1, 10): LOGGER}, [WITH_FILE], [HostService(WITH_FILE)]),
        ({(1, 10): BOTH}, [WITH_FILE], []),
        ({(1, 10): STOPPING}, [WITH_FILE], []),
        ({(1, 10): Known(False, False, True)}, [WITH_FILE], []),
        ({(1, 10): Known(False, False, True)}, [], []),
        ({}, [PLAIN, Found(b"second link", (1, 10), False)], [HostService(PLAIN)]),
        (
            {},
            [PLAIN, Found(b"b", (2, 10), False)],
            [HostService(PLAIN), HostService(Found(b"b", (2, 10), False))],
        ),
    ],
)
def test_decisions(
    known: dict[tuple[int, int], Known], found: list[Found], actions: list[ScanAction]
) -> None:
    assert decide(known, found) == actions


@pytest.mark.parametrize(
    ("name", "may"), [(b"a", True), (b".a", False), (b".", False), (b"a.b", True), (b"\xff", True)]
)
def test_names(name: bytes, may: bool) -> None:
    assert may_be_service(name) is may


KEYS = st.tuples(st.integers(1, 2), st.integers(1, 4))


@given(
    known=st.dictionaries(KEYS, st.builds(Known, st.booleans(), st.booleans(), st.booleans())),
    found=st.lists(st.builds(Found, st.binary(min_size=1, max_size=2), KEYS, st.booleans(), st.booleans())),
)
def test_every_half_is_hosted_once(known: dict[tuple[int, int], Known], found: list[Found]) -> None:
    actions = decide(known, found)
    hosted = [(type(action), action.found.key) for action in actions if not isinstance(action, Forget)]
    assert len(hosted) == len(set(hosted))
    for action in actions:
        match action:
            case HostService(folder):
                assert not (folder.key in known and known[folder.key].service)
            case HostLogger(folder):
                assert not (folder.key in known and known[folder.key].logger)
            case HostTogether(folder):
                assert folder.log_is_file
                assert known.get(folder.key, NEITHER) == NEITHER
            case Forget(key):
                assert known[key] == NEITHER
                assert key not in {folder.key for folder in found}


def test_a_complaint_is_news_once() -> None:
    complaints = Complaints()
    assert complaints.news({b"a": b"dangling"}) == [b"dangling"]
    assert complaints.news({b"a": b"dangling"}) == []
    assert complaints.news({b"a": b"denied", b"b": b"odd"}) == [b"denied", b"odd"]
    assert complaints.news({}) == []
    assert complaints.news({b"a": b"denied"}) == [b"denied"]
