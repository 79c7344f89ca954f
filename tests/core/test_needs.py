"""Who may be started when some need others: tables, and what holds for any graph."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.needs import all_needed, decide, missing, parse
from svpy.core.status import FAILED, STARTED, STARTING, STOPPING


def names(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


def test_what_a_file_says() -> None:
    assert parse(b"# first\nmysql\n\n  redis \nmysql\r\n") == (b"mysql", b"redis")
    assert parse(b"") == ()
    assert parse(b"a b\n\x1b[31m\n") == (b"a b", b"?[31m")


@pytest.mark.parametrize(
    "pid, word, is_held, is_ready, why",
    [
        (7, b"", False, True, b""),
        (7, b"", False, False, b"not ready"),
        (0, STARTED, False, True, b""),
        (0, b"", False, True, b"down"),
        (0, b"", True, True, b"waits"),
        (0, FAILED, False, True, b"failed"),
        (7, STARTING, False, True, b"starting"),
        (7, STOPPING, False, True, b"stopping"),
        (0, STARTING, False, True, b"down"),
    ],
)
def test_when_what_is_needed_is_there(
    pid: int, word: bytes, is_held: bool, is_ready: bool, why: bytes
) -> None:
    assert missing(pid, word, is_held, is_ready) == why


def test_they_say_what_they_wait_for() -> None:
    found = decide(
        {b"a": names("db net"), b"b": names("db"), b"c": names("net"), b"d": names("a gone"), b"e": ()},
        {b"db": b"not ready", b"net": b"", b"a": b"waits", b"gone": b"no such service"},
    )
    assert found.start == [b"c", b"e"]
    assert found.why == {
        b"a": b"db: not ready",
        b"b": b"db: not ready",
        b"d": b"a: waits; gone: no such service",
    }
    assert found.ways == []


def waits(*all_of_them: bytes) -> dict[bytes, bytes]:
    return dict.fromkeys(all_of_them, b"waits")


@pytest.mark.parametrize(
    "graph, ways",
    [
        ({"a": "a"}, ["a a"]),
        ({"a": "b", "b": "a"}, ["a b a"]),
        ({"b": "c", "c": "d", "d": "b", "a": "b", "e": "a"}, ["b c d b"]),
        ({"a": "b d", "b": "c", "c": "a", "d": "a"}, ["a d a", "b c a b"]),
        ({"a": "b", "b": "a", "x": "y", "y": "x"}, ["a b a", "x y x"]),
        ({"a": "b c", "b": "d", "c": "d", "d": "e", "e": ""}, []),
    ],
)
def test_one_that_needs_itself(graph: dict[str, str], ways: list[str]) -> None:
    found = decide(
        {name.encode(): names(needed) for name, needed in graph.items()}, waits(*map(str.encode, graph))
    )
    assert found.ways == [names(way) for way in ways]
    for way in found.ways:
        assert way[1] + b": it needs itself: " + b" -> ".join(way) in found.why[way[0]]


NAMES = [bytes([letter]) for letter in b"abcdefgh"]
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=4).map(tuple))
"""Those that wait, by what they need. The others are there."""


def reaches_itself(name: bytes, graph: dict[bytes, tuple[bytes, ...]]) -> bool:
    seen: set[bytes] = set()
    ahead = [*graph.get(name, ())]
    while ahead:
        here = ahead.pop()
        if here not in seen:
            seen.add(here)
            ahead += graph.get(here, ())
    return name in seen


def waits_for_ever(name: bytes, graph: dict[bytes, tuple[bytes, ...]]) -> bool:
    """It, or one behind it, is on a way to itself."""
    seen: set[bytes] = set()
    ahead = [name]
    while ahead:
        here = ahead.pop()
        if here not in seen:
            seen.add(here)
            ahead += graph.get(here, ())
    return any(reaches_itself(each, graph) for each in seen)


@given(GRAPHS, st.randoms(use_true_random=False))
def test_all_that_can_start_do_in_order_and_nothing_else_does(
    graph: dict[bytes, tuple[bytes, ...]], random: object
) -> None:
    waiting = dict(graph)
    ready = set(NAMES) - set(graph)
    started: set[bytes] = set()
    while True:
        known = {name: b"" if name in ready else b"waits" for name in all_needed(waiting.values())}
        found = decide(waiting, known)
        for name in found.start:
            assert set(graph[name]) <= ready, "what it needs is ready"
            del waiting[name]
            started.add(name)
        assert found.why.keys() == waiting.keys()
        for way in found.ways:
            assert way[0] == way[-1]
            assert all(after in graph[before] for before, after in itertools.pairwise(way))
        unready = sorted(started - ready)
        if not unready:
            break
        # They become ready one after the other, in any order.
        ready.add(random.choice(unready))  # type: ignore[attr-defined]
    assert waiting.keys() == {name for name in graph if waits_for_ever(name, graph)}
    on_ways = {name for way in found.ways for name in way}
    assert on_ways <= {name for name in graph if reaches_itself(name, graph)}
    assert bool(on_ways) == bool(waiting)
