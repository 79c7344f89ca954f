"""The clock that is shown."""

import time

from svpy.core.tai import pack


def tai_now() -> bytes:
    """Now, as 12 packed bytes of TAI64N."""
    return pack(time.time_ns())
