"""Values with named parts: what `dataclass(frozen=True, slots=True)` makes, without the time that takes.

dataclasses writes and compiles some six functions for each class; for svscan's that was a quarter of all that
it did before its first service. Here all classes share one `__init__`, and the rest. What is made is the same
to whoever uses it: positional or named, compared by class and parts, matched by position, and never changed
unless it is `changing`. Defaults are not copied, there are no factories, and a class has no bases.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

T = TypeVar("T")

_set = object.__setattr__


class _Parts:
    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, *given: Any, **named: Any) -> None:
        names = self.__match_args__
        for name, part in zip(names, given, strict=False):
            _set(self, name, part)
        count = len(given)
        for name in names[count:]:
            if name in named:
                _set(self, name, named.pop(name))
            elif name in self._defaults:
                _set(self, name, self._defaults[name])
            else:
                raise TypeError(f"{type(self).__name__} without {name}")
        if named or count > len(names):
            raise TypeError(f"{type(self).__name__} of {given} and {named}")

    def _parts(self) -> list[Any]:
        return [getattr(self, name) for name in self.__match_args__]

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, _Parts)
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        raise TypeError(f"{type(self).__name__} changes")

    def __repr__(self) -> str:
        parts = zip(self.__match_args__, self._parts(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in parts)})"


class _Frozen(_Parts):
    __slots__ = ()

    def __setattr__(self, name: str, part: object) -> None:
        raise AttributeError(f"{type(self).__name__} is a value: its {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is a value: its {name} cannot be taken away")

    def __hash__(self) -> int:
        return hash(tuple(self._parts()))


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A value of the parts that the class names, with defaults where it has some."""
    return _made(cls, _Frozen)


@dataclass_transform()
def changing(cls: type[T]) -> type[T]:
    """The same of what changes: it has no hash."""
    return _made(cls, _Parts)


def _made(cls: type[T], base: type[_Parts]) -> type[T]:
    names = tuple(cls.__annotations__)
    rest = {key: each for key, each in vars(cls).items() if key not in (*names, "__dict__", "__weakref__")}
    defaults = {name: vars(cls)[name] for name in names if name in vars(cls)}
    parts = {"__slots__": names, "__match_args__": names, "_defaults": defaults}
    made: Any = type(cls.__name__, (base,), {**rest, **parts})
    return cast("type[T]", made)


def replaced(whole: T, **parts: Any) -> T:
    """The same value but for these parts."""
    assert isinstance(whole, _Parts)
    for name in whole.__match_args__:
        parts.setdefault(name, getattr(whole, name))
    return type(whole)(**parts)
