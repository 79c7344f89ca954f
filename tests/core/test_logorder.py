"""A log folder's files and lines in the order of time."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest

from svpy.core.logorder import (
    EARLIEST,
    LATEST,
    Stretch,
    end_of,
    first_from,
    goes_on,
    label_at,
    last_label,
    merged,
    next_label,
    ordered,
)
from svpy.core.tai import label

NOW_NS = 1_795_000_000_000_000_000


def stamp(number: int) -> bytes:
    return label(NOW_NS + number)


def test_files_in_order() -> None:
    a, b, c = (stamp(number) for number in (1, 2, 3))
    names = [
        b"current",
        b"lock",
        b"state",
        c + b".s",
        b"previous",
        a + b".u",
        b"@short.s",
        b + b".s.gz",
        b"processed",
    ]
    assert ordered(names) == [a + b".u", b + b".s.gz", c + b".s", b"previous", b"current"]
    assert ordered([b"processed", b"current"], is_processed=True) == [b"processed", b"current"]
    assert ordered([b"processed", b"previous"], is_processed=True) == [b"previous"]
    assert ordered([b"processed"]) == []
    assert end_of(a + b".s") == a
    assert EARLIEST < a < b < end_of(b"current") == end_of(b"previous") == LATEST


@pytest.mark.parametrize(
    ("line", "is_label"),
    [(stamp(0) + b" x", True), (stamp(0), True), (stamp(0)[:-1] + b" ", False), (stamp(0)[:-1] + b"G", False),
     (b" " + stamp(0), False), (b"", False), (b"@" + 24 * b" ", False)],
)  # fmt: skip
def test_labels(line: bytes, is_label: bool) -> None:
    assert label_at(line, 0) == (stamp(0) if is_label else b"")
    assert label_at(b"x\n" + line, 2) == label_at(line, 0)
    assert next_label(b"x\n@y\n" + line, 0) == ((5, stamp(0)) if is_label else (-1, b""))
    assert last_label(line + b"\n@z\n") == label_at(line, 0)


def lines_of(rng: random.Random, count: int) -> list[bytes]:
    """Lines as logs have them: some without label, some long, several with the same label."""
    numbers = accumulate(rng.choice((0, 0, 1, 5)) for _ in range(count))
    texts = [rng.choice((b"", b"x", b"@", b"@1", b"y" * rng.choice((1, 40, 3000)))) for _ in range(count)]
    return [
        (text if rng.random() < 0.2 else stamp(number) + b" " + text) + b"\n"
        for number, text in zip(numbers, texts, strict=True)
    ]


def reference(lines: list[bytes], wanted: bytes, is_past: bool) -> int:
    """Reading every line."""
    at = 0
    for line in lines:
        seen = label_at(line, 0)
        if seen and (seen > wanted if is_past else seen >= wanted):
            return at
        at += len(line)
    return at


@pytest.mark.parametrize("seed", range(60))
def test_the_first_line_from_a_label_on(seed: int) -> None:
    rng = random.Random(seed)
    lines = lines_of(rng, rng.choice((0, 1, 2, 30, 300)))
    block = b"".join(lines)
    for number in [-1, 0, 1, 7, *[rng.randrange(600) for _ in range(20)], 10**6]:
        for is_past in (False, True):
            found = first_from(block, stamp(number), is_past)
            assert found == reference(lines, stamp(number), is_past)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_labels_are_a_line_begins_where_is_found(seed: int) -> None:
    rng = random.Random(seed)
    lines = lines_of(rng, 200)
    rng.shuffle(lines)
    block = b"".join(lines)
    begins = {0, *accumulate(map(len, lines))}
    for number in range(0, 400, 7):
        assert first_from(block, stamp(number)) in begins


@pytest.mark.parametrize("seed", range(30))
def test_several_logs_as_one(seed: int) -> None:
    """As if all lines were sorted, those without a label with the line before them."""
    rng = random.Random(seed)
    logs = [lines_of(rng, rng.choice((0, 1, 50, 200))) for _ in range(rng.choice((1, 2, 3)))]
    keyed = []
    for source, lines in enumerate(logs):
        last = b""
        for number, line in enumerate(lines):
            last = label_at(line, 0) or last
            keyed.append((last, source, number, line))

    def stretches(source: int, lines: list[bytes]) -> list[Stretch]:
        floor, found, rest = b"", [], list(lines)
        while rest:
            count = rng.randrange(1, 60)
            block, rest = b"".join(rest[:count]), rest[count:]
            found.append(Stretch(source, floor, block))
            floor = last_label(block) or floor
        return found

    told = list(merged([iter(stretches(source, lines)) for source, lines in enumerate(logs)], shown_as))
    assert all(block.endswith(b"\n") for block in told)
    assert b"".join(told) == b"".join(shown_as(source, line) for _, source, _, line in sorted(keyed))


def test_lines_of_one_log_stay_in_their_order_whatever_their_labels_are() -> None:
    rng = random.Random(3)
    logs = [lines_of(rng, 200), lines_of(rng, 200)]
    for lines in logs:
        rng.shuffle(lines)
    stretches = [[Stretch(number, b"", b"".join(lines))] for number, lines in enumerate(logs)]
    told = b"".join(merged([iter(each) for each in stretches], shown_as))
    for number, lines in enumerate(logs):
        prefix = b"%d " % number
        assert [line[2:] for line in told.split(b"\n") if line[:2] == prefix] == [line[:-1] for line in lines]


def shown_as(source: int, block: bytes) -> bytes:
    return b"".join(b"%d " % source + line + b"\n" for line in block.split(b"\n")[:-1])


def test_what_goes_on_behind_half_a_line() -> None:
    assert goes_on(stamp(1) + b".s", b"rest\n")
    assert goes_on(b"previous", b"@rest\n")
    assert not goes_on(stamp(1) + b".u", b"rest\n")
    assert not goes_on(stamp(1) + b".s", stamp(2) + b" x\n")
