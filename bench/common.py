"""What the programs here share."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ALONE = (
    "unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--propagation", "private",
)  # fmt: skip
"""What ends with its PID 1, whatever it has started, and may mount what it likes."""


def pss_kb(pid: int) -> int:
    """The memory of a process in KB, what it shares divided by those it shares it with."""
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1]) if found else 0


def processor_s(pid: int) -> float:
    """Processor time of a process so far, of all its threads, those that have ended included."""
    # Linux makes the clock of a process from its pid: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
    return time.clock_gettime(~pid << 3 | 2)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def table(title: str, rows: Mapping[str, Mapping[str, object]], columns: Sequence[str]) -> str:
    lines = [
        " ".join([f"| {title} |", *(f"{what} |" for what in columns)]),
        "|" + " --- |" * (len(columns) + 1),
    ]
    for name, row in rows.items():
        cells = (f"{rounded(row[what])} |" if what in row else "|" for what in columns)
        lines.append(" ".join([f"| {name} |", *cells]))
    return "\n".join(lines)


def show(title: str, rows: Mapping[str, Mapping[str, object]], columns: Sequence[str]) -> None:
    print(table(title, rows, columns), flush=True)


def rounded(value: object) -> str:
    return f"{float(f'{value:.3g}'):,g}" if isinstance(value, int | float) else str(value)
