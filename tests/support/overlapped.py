"""Scenarios that mostly wait, run beside each other before the tests that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from support.oracle import Scenario, judge

AT_A_TIME = 12
"""A scenario with a supervise waits for C's seconds most of its time."""

Judged = Callable[[Scenario], None]


def overlapped() -> Any:
    """A fixture `judged` for a module: all of its scenarios that are going to be asked for are begun at
    once, and `judged(scenario)` fails, skips or passes as that one did."""

    @pytest.fixture(scope="module")
    def judged(request: pytest.FixtureRequest) -> Iterator[Judged]:
        asked = [
            item.callspec.params["scenario"]
            for item in request.session.items
            if isinstance(item, pytest.Function)
            and item.path == request.path
            and "scenario" in getattr(getattr(item, "callspec", None), "params", {})
        ]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            verdicts: dict[str, Future[None]] = {row.id: pool.submit(judge, row) for row in asked}
            yield lambda scenario: verdicts[scenario.id].result()
            for verdict in verdicts.values():
                verdict.cancel()

    return judged
