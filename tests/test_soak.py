"""bench/soak, small: that it runs, and what is no noise. Ten thousand restarts in one process, and the tasks
of them, are tests/daemon/test_restarts.py's."""

from __future__ import annotations

import re
from pathlib import Path

from support.processes import BIN, run

SOAK = Path(__file__).parent.parent / "bench/soak"
RESTARTS = 200


def test_restarts_leave_nothing() -> None:
    done = run("/usr/bin/python3", SOAK, str(RESTARTS), BIN)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    rows = re.findall(rb"^\| (before|after 200 restarts) \| (.*) \|$", done.stdout, re.M)
    assert [name for name, _ in rows] == [b"before", b"after 200 restarts"]
    held = [[float(word.replace(b",", b"")) for word in row.split(b" | ")] for _, row in rows]
    (*_, before, threads, _), (*_, after, _, _) = held
    assert after <= before + 1 and threads == 1, "descriptors"
