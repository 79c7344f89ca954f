"""What `bench/compare --json` found, as tables."""

from __future__ import annotations

import statistics
from typing import Any

from common import table
from hosts import HOSTS
from logs import PYTHON

FIRST = ("memory of ", "start of ")


def heading(found: dict[str, Any]) -> str:
    return f"{found['machine']}; medians of {found['runs']} runs"


def figures(found: dict[str, Any]) -> str:
    """Everything that was measured, by who it was measured of."""
    measured: dict[str, dict[str, list[float]]] = found["figures"]
    who = [host.name for host in HOSTS] + [PYTHON]
    there = [name for name in who if any(name in values for values in measured.values())]
    ordered = sorted(measured, key=lambda figure: [not figure.startswith(prefix) for prefix in FIRST])
    rows = {
        figure: {
            name: statistics.median(measured[figure][name]) for name in there if name in measured[figure]
        }
        for figure in ordered
    }
    return table("figure", rows, there)


def goals(found: dict[str, Any]) -> str:
    return table("goal", found["goals"], ("measured", "goal", "met"))
