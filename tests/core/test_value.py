"""Values: what dataclasses' are, made quicker."""

from __future__ import annotations

import dataclasses

import pytest

from svpy.core.value import changing, replaced, value


@value
class Point:
    """Where."""

    x: int
    y: int = 2

    def turned(self) -> Point:
        return Point(self.y, self.x)


@value
class Other:
    x: int
    y: int = 2


@value
class Nothing:
    pass


@changing
class Count:
    number: int = 0


def test_it_is_made_as_a_dataclass_is() -> None:
    assert Point(1) == Point(1, 2) == Point(x=1) == Point(1, y=2) == Point(2, 1).turned()
    assert Point(1) != Point(2) and Point(1) != Other(1) and Nothing() == Nothing()
    assert {Point(1): 1}[Point(1, 2)] == 1
    assert repr(Point(1)) == repr(dataclasses.make_dataclass("Point", ["x", "y"])(1, 2)).rpartition(".")[2]
    assert Point.__doc__ == "Where." and Point.__module__ == __name__


@pytest.mark.parametrize("words", [{}, {"y": 1}, {"x": 1, "z": 1}])
def test_what_is_missing_or_too_much_is_refused(words: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(**words)


def test_more_than_it_has_or_twice_is_refused() -> None:
    for given, named in (((1, 2, 3), {}), ((1,), {"x": 1})):
        with pytest.raises(TypeError):
            Point(*given, **named)


def test_it_matches_by_position() -> None:
    match Point(3, 4):
        case Point(x, y):
            assert (x, y) == (3, 4)


def test_it_never_changes_unless_it_may() -> None:
    point = Point(1)
    for change in (
        lambda: setattr(point, "x", 2),
        lambda: delattr(point, "x"),
        lambda: setattr(point, "z", 2),
    ):
        with pytest.raises(AttributeError):
            change()
    count = Count()
    count.number += 1
    assert count == Count(1)
    with pytest.raises(TypeError):
        hash(count)
    with pytest.raises(AttributeError):
        count.other = 1  # type: ignore[attr-defined]
    assert not hasattr(count, "__dict__") and not hasattr(point, "__dict__")


def test_replaced_is_another() -> None:
    point = Point(1)
    assert replaced(point, y=5) == Point(1, 5) and point == Point(1, 2)
    with pytest.raises(TypeError):
        replaced(point, z=5)
