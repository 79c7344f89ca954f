"""What becomes of the files of a log folder while it is followed."""

from __future__ import annotations

import random

import pytest

from svpy.core.logparts import Parts
from svpy.core.tai import label

Change = tuple[str, bytes]


def name(number: int, suffix: bytes = b".s") -> bytes:
    return label(10**18 + number) + suffix


def rotated(number: int, keeps: bool = True) -> list[Change]:
    """What a folder tells of multilog's rotation without a processor."""
    removed = [] if keeps else [("gone", name(number - 3))]
    return [("gone", b"current"), ("made", b"previous"), ("made", b"current"), ("made", name(number)),
            ("gone", b"previous"), *removed]  # fmt: skip


def processed(number: int) -> list[Change]:
    """And with one."""
    return [("gone", b"current"), ("made", b"previous"), ("made", b"current"), ("made", b"processed"),
            ("made", b"newstate"), ("gone", b"previous"), ("gone", b"newstate"), ("made", b"state"),
            ("made", name(number)), ("gone", b"processed")]  # fmt: skip


def crashed(number: int) -> list[Change]:
    """What the next multilog does with what was cut off."""
    return [("gone", b"state"), ("made", name(number, b".u")), ("gone", b"current"), ("made", b"state"),
            ("made", b"current")]  # fmt: skip


def renamed(number: int) -> list[Change]:
    """What svlogd does, which renames at once, and gives another name with the same label later."""
    return [("gone", b"current"), ("made", name(number, b".u")), ("made", b"current"), ("made", name(number,
     b".t")),
            ("gone", name(number, b".t")), ("made", name(number)), ("gone", name(number, b".u"))]  # fmt: skip


def hear(parts: Parts, changes: list[Change]) -> None:
    for what, of in changes:
        getattr(parts, what)(of)


def told(parts: Parts) -> list[tuple[bytes, bool, bool]]:
    return [(part.name, part.is_closed, part.is_gone) for part in parts.all]


NOW = (b"current", False, False)


@pytest.mark.parametrize(
    ("changes", "suffix"), [(rotated, b".s"), (processed, b".s"), (crashed, b".u"), (renamed, b".s")]
)
def test_several_rotations_between_two_looks(changes: object, suffix: bytes) -> None:
    assert callable(changes)
    parts = Parts([name(1), b"current"], b"current")
    assert told(parts) == [NOW]
    hear(parts, changes(2) + changes(3) + changes(4))
    assert told(parts) == [*((name(number, suffix), True, False) for number in (2, 3, 4)), NOW]


def test_the_oldest_goes_before_it_was_read() -> None:
    parts = Parts([b"current"], b"current")
    for number in range(2, 8):
        hear(parts, rotated(number, keeps=False))
    gone = [part.name for part in parts.all if part.is_gone]
    assert gone == [name(2), name(3), name(4)]
    assert told(parts)[3:] == [(name(number), True, False) for number in (5, 6, 7)] + [NOW]


def test_previous_was_there_before_we_were() -> None:
    parts = Parts([name(1), b"previous", b"current"], b"current")
    hear(parts, processed(2)[5:])
    assert told(parts) == [NOW]
    hear(parts, processed(3))
    assert told(parts) == [(name(3), True, False), NOW]


def test_after_each_change_it_is_known_where_a_part_is() -> None:
    """Its name, if it has one at that moment."""
    parts = Parts([b"current"], b"current")
    seen = []
    for change in processed(2):
        hear(parts, [change])
        seen.append((parts.all[0].name, parts.all[0].is_closed))
    previous, labelled = (b"previous", True), (name(2), True)
    assert seen == [(b"", True)] + 4 * [previous] + 3 * [(b"", True)] + 2 * [labelled]
    hear(parts, crashed(3)[:2])
    assert told(parts)[1:] == [(name(3, b".u"), False, False)]


def test_none_yet_and_one_in_its_place() -> None:
    parts = Parts([], b"")
    assert told(parts) == []
    hear(parts, [("made", b"lock"), ("made", b"state"), ("made", b"current")])
    assert told(parts) == [NOW]
    hear(parts, [("made", b"current")])
    assert told(parts) == [(b"current", True, True), NOW]
    hear(parts, [("gone", b"current"), ("made", b"current")])
    assert told(parts)[1:] == [(b"", True, False), NOW]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_told(seed: int) -> None:
    """Somebody who plays with the folder gets something, and takes no memory but that of unread parts."""
    rng = random.Random(seed)
    names = [b"current", b"previous", b"processed", *[name(number) for number in range(4)], b"x", b""]
    parts = Parts([], b"")
    for _ in range(3000):
        hear(parts, [(rng.choice(("made", "gone")), rng.choice(names))])
        del parts.all[:-2]
    assert len(parts._unlabelled) <= 3
