"""trio's clock is the kernel's own.

trio's begins somewhere else in every run, so that nobody compares its times with others. Here moments
outlive a run of trio, and the process's program: the second in which a service is not started again is the
same one after an upgrade.
"""

from __future__ import annotations

import time

import trio


class Monotonic(trio.abc.Clock):
    """CLOCK_MONOTONIC in seconds: `trio.current_time()` is `time.monotonic()`."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return time.monotonic()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - time.monotonic()
