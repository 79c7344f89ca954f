"""The clock that is shown, and the one that measures."""

import time

from svpy.core.tai import pack


def tai_now() -> bytes:
    """Now, as 12 packed bytes of TAI64N."""
    return pack(time.time_ns())


def unix_ns() -> int:
    """Now, as Unix time."""
    return time.time_ns()


def now_mono_s() -> float:
    """Now, by CLOCK_MONOTONIC, which is trio's clock here, too (daemon/clock.py): for who is asked outside of
    a run of it."""
    return time.monotonic()


def file_clock_ns() -> int:
    """Now, as the kernel would write it into a file that is changed now: Unix time (CLOCK_REALTIME_COARSE,
    which the time module has no name for)."""
    return time.clock_gettime_ns(5)
