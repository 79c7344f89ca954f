"""tai64n and readproctitle where there is nothing to hold them against."""

from __future__ import annotations

import subprocess
import time

from support.peers import as_root
from support.processes import Running, run

from svpy.core.tai import unix_s


def test_tai64n_stamps_what_is_read() -> None:
    before = time.time_ns()
    with Running("tai64n", stdin=subprocess.PIPE) as tai64n:
        assert tai64n.process.stdin is not None
        for text in (b"one\ntwo\n", b"\nla"):
            tai64n.process.stdin.write(text)
            tai64n.process.stdin.flush()
            tai64n.line()
        tai64n.line()
        tai64n.process.stdin.write(b"st")
        tai64n.process.stdin.close()
        assert tai64n.wait() == 0
        tai64n.rest()
    after = time.time_ns()
    lines = tai64n.said.split(b"\n")
    assert [line[25:] for line in lines] == [b" one", b" two", b" ", b" last"]
    times = [unix_s(bytes.fromhex(line[1:17].decode())) for line in lines]
    assert times == sorted(times)
    assert before // 10**9 <= times[0]
    assert times[-1] <= after // 10**9


@as_root
def test_readproctitle_without_proc_reads_on() -> None:
    shell = "mount -t tmpfs none /proc && echo x | readproctitle errors: ....."
    done = run("unshare", "--mount", "sh", "-c", shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
