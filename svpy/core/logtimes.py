"""Moments as people give them to svlog: into TAI64N labels.

Rules of this module; what is read is one of

- `YYYY-MM-DD HH:MM[:SS[.FRACTION]]`, a `T` may stand for the blank; `YYYY-MM-DD`: its midnight;
- `HH:MM[:SS[.FRACTION]]`: of today; `today`, `yesterday`: its midnight, or with one of these behind it;
- `now`; `2h`, `30m`, `1h30m`, `1.5h`: so long ago, of `s`, `m`, `h`, `d` and `w`, which may be written out
  (`2 hours`), with `ago` behind or `-` before it;
- `@` and the 24 hex digits of a TAI64N label, or `@` and up to 12 decimal digits of Unix seconds;
- letters may be of either case, blanks may be several. A day is one of the calendar where it is named, and
  24 hours where it is counted.

What a clock shows twice a year is taken as the C library takes it.
"""

from svpy.core.tai import LABEL_BYTES, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Date: TypeAlias = tuple[int, int, int]

_NS_PER_S = 1_000_000_000
_UNITS = {
    b"s": 1, b"sec": 1, b"secs": 1, b"second": 1, b"seconds": 1,
    b"m": 60, b"min": 60, b"mins": 60, b"minute": 60, b"minutes": 60,
    b"h": 3600, b"hour": 3600, b"hours": 3600,
    b"d": 86400, b"day": 86400, b"days": 86400,
    b"w": 604800, b"week": 604800, b"weeks": 604800,
}  # fmt: skip
_HEX = b"0123456789abcdef"
_DIGITS = b"0123456789"
_UNIX_DIGITS = 12
_NUMBER_DIGITS = 9
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class NotUnderstood(Exception):
    """A word that is no moment."""


class Calendar:
    """What a moment depends on: `now_unix_ns`, and the two ways between Unix seconds and the fields of a date
    (year, month, day, hour, minute, second, and more). Each may raise or return None where there is none."""

    __slots__ = ("fields", "now_unix_ns", "unix_s")

    def __init__(
        self,
        now_unix_ns: int,
        fields: "Callable[[int], Sequence[int] | None]",
        unix_s: "Callable[[Sequence[int]], int | None]",
    ) -> None:
        self.now_unix_ns = now_unix_ns
        self.fields = fields
        self.unix_s = unix_s


def moment(word: bytes, calendar: Calendar) -> bytes:
    """The label of the moment that `word` says. Raises NotUnderstood."""
    text = b" ".join(word.lower().split())
    if text.startswith(b"@"):
        return _label(text)
    if text == b"now":
        return label(calendar.now_unix_ns)
    ago_ns = _ago_ns(text)
    if ago_ns is not None:
        return label(calendar.now_unix_ns - ago_ns)
    date, clock = _parted(text, calendar)
    hour, minute, second, ns = _clock(clock) if clock else (0, 0, 0, 0)
    unix_s = calendar.unix_s((*date, hour, minute, second, 0, 0, -1))
    if unix_s is None:
        raise NotUnderstood
    return label(unix_s * _NS_PER_S + ns)


def _label(text: bytes) -> bytes:
    digits = text[1:]
    if len(text) == LABEL_BYTES and not digits.strip(_HEX):
        return text
    if digits and len(digits) <= _UNIX_DIGITS and _is_number(digits):
        return label(int(digits) * _NS_PER_S)
    raise NotUnderstood


def _ago_ns(text: bytes) -> int | None:
    """How long ago that is, None if it is no length of time."""
    rest = text.removesuffix(b" ago").removeprefix(b"-").replace(b" ", b"")
    if not rest or b"-" in rest or b":" in rest:
        return None
    ns = 0
    while rest:
        after = rest.lstrip(_DIGITS + b".")
        number, rest = rest[: len(rest) - len(after)], after
        after = rest.lstrip(b"abcdefghijklmnopqrstuvwxyz")
        unit, rest = rest[: len(rest) - len(after)], after
        whole, _, part = number.partition(b".")
        if unit not in _UNITS or not _is_number(whole) or len(whole) > _NUMBER_DIGITS:
            return None
        if part and not _is_number(part):
            return None
        ns += _UNITS[unit] * (int(whole) * _NS_PER_S + _fraction_ns(part))
    return ns


def _parted(text: bytes, calendar: Calendar) -> "tuple[Date, bytes]":
    """The date, and what says the time of that day, nothing for its midnight."""
    first, _, rest = text.partition(b" ")
    if first in (b"today", b"yesterday"):
        return _day(calendar, 0 if first == b"today" else 1), rest
    if b":" in first and b"-" not in first and not rest:
        return _day(calendar, 0), first
    if not rest:
        first, _, rest = first.partition(b"t")
    fields = first.split(b"-")
    if [len(field) for field in fields] != [4, 2, 2] or not all(map(_is_number, fields)):
        raise NotUnderstood
    year, month, day = map(int, fields)
    if not (year and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        raise NotUnderstood
    return (year, month, day), rest


def _day(calendar: Calendar, before: int) -> "Date":
    """Today, or the day before."""
    fields = calendar.fields(calendar.now_unix_ns // _NS_PER_S)
    if fields is None:
        raise NotUnderstood
    year, month, day = fields[:3]
    if day > before:
        return year, month, day - before
    year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return year, month, _days(year, month)


def _days(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and is_leap else _DAYS[month - 1]


def _clock(text: bytes) -> tuple[int, int, int, int]:
    """Hour, minute, second and nanoseconds."""
    clock, dot, part = text.partition(b".")
    fields = clock.split(b":")
    if not (len(fields) == 3 or (len(fields) == 2 and not dot)) or (dot and not _is_number(part)):
        raise NotUnderstood
    if not all(_is_number(field) and len(field) <= 2 for field in fields):
        raise NotUnderstood
    hour, minute, second = (*map(int, fields), 0)[:3]
    if hour > 23 or minute > 59 or second > 60:
        raise NotUnderstood
    return hour, minute, second, _fraction_ns(part)


def _fraction_ns(digits: bytes) -> int:
    return int(digits[:9].ljust(9, b"0"))


def _is_number(text: bytes) -> bool:
    return bool(text) and not text.strip(_DIGITS)
