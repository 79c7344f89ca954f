"""Local time, as TZ or /etc/localtime has it."""

import time


def local_time(unix_s: int) -> "time.struct_time | None":
    """Year, month, day, hour, minute, second and more; None if the year does not fit C's int."""
    try:
        return time.localtime(unix_s)
    except (OverflowError, OSError):
        return None
