"""What must be quick, on a machine that may be slow."""

from __future__ import annotations

import time
from collections.abc import Callable


def once_within(seconds: float, attempt: Callable[[int], object], attempts: int) -> None:
    """Call `attempt` with 0, 1, 2… until it took less than that: who is slow by nature is so each time, a
    machine that others use is not."""
    took = []
    for number in range(attempts):
        began = time.monotonic()
        attempt(number)
        took.append(time.monotonic() - began)
        if took[-1] < seconds:
            return
    raise AssertionError(f"never within {seconds} s: {took}")
