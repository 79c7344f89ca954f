"""The clock that is shown, and the one that measures."""

import time

from svpy.core.tai import pack


def tai_now() -> bytes:
    """Now, as 12 packed bytes of TAI64N."""
    return pack(time.time_ns())


def now_mono_s() -> float:
    """Now, by CLOCK_MONOTONIC, which is trio's clock here, too (daemon/clock.py): for who is asked outside of
    a run of it."""
    return time.monotonic()
