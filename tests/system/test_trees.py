"""What the processes of a tree use."""

from __future__ import annotations

import os

from support.processes import Running, eventually
from support.services import alive, memory_kb

from svpy.system.trees import trees

GROWS = """
import os
kept = bytearray(b"x" * 30_000_000)
while os.times().user < 0.2:
    pass
print(os.getpid(), flush=True)
"""


def test_a_tree_is_a_process_and_what_descends_from_it() -> None:
    script = f"(python3 -c '{GROWS}'); (sleep 1000 & echo $!; wait) & echo $!; read line"
    with Running("sh", "-c", script, stdin=-1) as shell, Running("cat", stdin=-1) as other:
        ended = int(shell.line())
        first, second = (int(shell.line()) for _ in range(2))
        eventually(lambda: len(trees([shell.pid])[shell.pid].pids) == 3)
        found = trees([shell.pid, other.pid, shell.pid, ended, 2**22 + 1])
        usage = found[shell.pid]
        assert set(found) == {shell.pid, other.pid}
        assert usage.pids[0] == shell.pid
        assert {first, second} < set(usage.pids) and ended not in usage.pids
        assert found[other.pid].pids == (other.pid,)
        assert found[other.pid].cpu_s < 0.2 <= usage.cpu_s, "of a child that was waited for"
        kb = sum(memory_kb(pid) for pid in usage.pids)
        assert abs(usage.rss_bytes / 1024 - kb) < kb / 2
        assert shell.process.stdin is not None
        assert os.getpid() not in usage.pids
    for pid in (first, second):
        if alive(pid):
            os.kill(pid, 9)
