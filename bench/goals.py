"""The figures by their names, and what svpy's have to be: where another is to be beaten, a ratio to its."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hosts import OURS, RUNIT, S6, C, Unfit
from logs import PYTHON, SELECTED, STAMPED, TWO

PEERS = (C, RUNIT, S6)
NOISE_KB, NOISE_FDS = 300, 1
"""What is flat nevertheless: three bytes for each of a hundred thousand restarts."""

LINEAR = 1.25
"""What a pair may cost more where there are four times as many: noise is in it, a square would be four."""


class Figures:
    """What was measured: figure, who, its value in each run."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, list[float]]] = {}
        self.processes: dict[str, dict[str, int]] = {}

    @contextmanager
    def of(self, who: str) -> Iterator[dict[str, float]]:
        """For what is found now. If it cannot be, all else is worth having, after ten minutes."""
        values: dict[str, float] = {}
        try:
            yield values
        except Unfit as error:
            sys.stderr.write(f"compare: warning: {who}: {error}\n")
            return
        for figure, value in values.items():
            self.all.setdefault(figure, {}).setdefault(who, []).append(value)

    def has(self, figure: str, who: str) -> bool:
        return who in self.all.get(figure, {})

    def median(self, figure: str, who: str = OURS) -> float:
        return statistics.median(self.all[figure][who])

    def ratio(self, figure: str, others: tuple[str, ...]) -> float:
        """Ours to the least of the others that are there, run by run if each has all of them."""
        ours = self.all[figure][OURS]
        there = [self.all[figure][who] for who in others if who in self.all[figure]]
        if any(len(theirs) != len(ours) for theirs in there):
            ours, there = [statistics.median(ours)], [[statistics.median(theirs)] for theirs in there]
        return statistics.median(own / min(theirs) for own, *theirs in zip(ours, *there, strict=True))


def memory(pairs: int) -> str:
    return f"memory of {pairs:,} pairs, MB"


def starting(pairs: int) -> str:
    return f"start of {pairs:,} pairs, s"


NEW, SIGNAL, TOLD = "new folder, ms", "letter to signal, ms", "svc -t, ms"
CRASH, LATENCY = "crash, ms", "line to file, ms"
HOSTED_LINE, HOSTED_TIMES = "work for a line, hosted, µs", "work for a line, hosted, to Python's"
REST, SCAN = "work at rest, ms/s", "work of a scan, ms"
PROCESSES, WITH_TRIO, DESCRIPTORS = "processes", "processes with trio", "descriptors for a pair"
SVC_ALL, SVSTAT_ALL = "svc to all, ms", "svstat of all, ms"
RESTART, RESTARTED_KB, RESTARTED_FDS = "work of a restart, ms", "RSS more, KB", "descriptors more"
LINE_ALONE = "work for a line, µs"
CHAIN, CHAIN_STARTS, BARE = "three chain loaders, ms", "programs they execute", "bare interpreter, ms"


def speed(kind: str) -> str:
    return f"logging, {kind}, MB/s"


@dataclass(frozen=True, slots=True)
class Goal:
    """Met when `measured` is at most `limit`, or at least if `at_least`."""

    what: str
    limit: float
    unit: str
    measured: Callable[[Figures], float]
    at_least: bool = False

    def outcome(self, figures: Figures) -> dict[str, object]:
        goal = f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}".strip()
        try:
            value = self.measured(figures)
        except (KeyError, statistics.StatisticsError, ValueError):
            return {"measured": "not measured", "goal": goal, "met": ""}
        met = value >= self.limit if self.at_least else value <= self.limit
        return {"measured": value, "goal": goal, "met": "yes" if met else "no"}


def goals(few: int, many: int, most: int, restarts: int) -> list[Goal]:
    """Of so many pairs, and so many restarts of services."""
    few_mb, many_mb, many_s, most_s = memory(few), memory(many), starting(many), starting(most)

    def growth_kb(f: Figures) -> float:
        return (f.median(many_mb) - f.median(few_mb)) / (many - few) * 1000

    def slope(f: Figures) -> float:
        return f.median(most_s) / most / (f.median(many_s) / many)

    return [
        Goal(f"memory of {many:,} pairs, to the best peer's", 0.30, "", best_peer(many_mb)),
        Goal(f"memory of {few:,} pairs, to C's", 1, "", to_c(few_mb)),
        Goal("memory of a further pair", 20, "KB", growth_kb),
        Goal(f"RSS more after {restarts:,} restarts", NOISE_KB, "KB", of(RESTARTED_KB)),
        Goal(f"descriptors more after {restarts:,} restarts", NOISE_FDS, "", of(RESTARTED_FDS)),
        Goal(f"start of {many:,} pairs, to the fastest peer's", 0.8, "", best_peer(many_s)),
        Goal(f"start of one of {most:,} pairs, to one of {many:,}", LINEAR, "", slope),
        Goal(f"new folder beside {many:,} pairs to its run executing", 50, "ms", of(NEW)),
        Goal(f"work of a scan of {most:,} pairs", 5, "ms", of(SCAN)),
        Goal(f"work at rest with {many:,} pairs", 1, "ms/s", of(REST)),
        Goal("multilog t, to C's", 5, "times", to_c(speed(STAMPED)), True),
        Goal("multilog t '-*' '+* delivery *', to C's", 4, "times", to_c(speed(SELECTED)), True),
        Goal("multilog t, two folders, a status file, to C's", 1, "times", to_c(speed(TWO)), True),
        Goal("work for a single line, to Python's", 1.5, "times", lambda f: f.ratio(LINE_ALONE, (PYTHON,))),
        Goal("line written to log file", 2, "ms", of(LATENCY)),
        Goal("svc -t to the signal", 2, "ms", of(SIGNAL)),
        Goal("crash to executing again", 5, "ms", of(CRASH)),
        Goal(f"svc to {many:,} folders", 100, "ms", of(SVC_ALL)),
        Goal(f"svstat of {many:,} folders", 100, "ms", of(SVSTAT_ALL)),
        Goal("interpreters that start for three chain loaders", 1, "", of(CHAIN_STARTS)),
    ]


def of(figure: str) -> Callable[[Figures], float]:
    return lambda figures: figures.median(figure)


def best_peer(figure: str) -> Callable[[Figures], float]:
    return lambda figures: figures.ratio(figure, PEERS)


def to_c(figure: str) -> Callable[[Figures], float]:
    return lambda figures: figures.ratio(figure, (C,))
