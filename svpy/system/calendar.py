"""Local time, as TZ or /etc/localtime has it, and UTC."""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def local_time(unix_s: int) -> "time.struct_time | None":
    """Year, month, day, hour, minute, second and more; None if the year does not fit C's int."""
    try:
        return time.localtime(unix_s)
    except (OverflowError, OSError):
        return None


def utc(unix_s: int) -> "time.struct_time | None":
    """The same of UTC."""
    try:
        return time.gmtime(unix_s)
    except (OverflowError, OSError):
        return None


def unix_s(fields: "Sequence[int]", is_utc: bool) -> int | None:
    """The Unix second of year, month, day, hour, minute, second, 0, 0 and -1; None if there is none."""
    if is_utc:
        return _days(*fields[:3]) * 86400 + fields[3] * 3600 + fields[4] * 60 + fields[5]
    try:
        return int(time.mktime(tuple(fields)))  # type: ignore[arg-type]
    except (OverflowError, OSError):
        return None


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970, without `calendar`, which is slow to import: years that begin in March end with the
    leap day."""
    year, month = (year, month) if month > 2 else (year - 1, month + 12)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469
