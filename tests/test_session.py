"""The session all tests run in: how it was started does not show, and nothing outlives it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from support.processes import Running, eventually, run
from support.services import alive

BEGIN = f"""
import os, signal, subprocess, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from support import session
"""
AFRESH = """
os.umask(0o077)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])
passed_over = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
for number in passed_over:
    signal.signal(number, signal.SIG_IGN)
session.begin_afresh()
for number in passed_over:
    os.kill(os.getpid(), number)
subprocess.run("umask; ulimit -S -c; grep -E 'Sig(Blk|Ign)' /proc/self/status", shell=True, check=True)
"""
LEAVES = """
session.go_on_in_a_child(grace_s=0)
print(os.getpid(), flush=True)
# One that nobody is the parent of, and one that does not end by TERM.
for words in ("(setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' &)",
              "setsid sh -c 'trap : TERM; echo $$; exec >/dev/null; read x <>fifo' &"):
    print(subprocess.check_output(words, shell=True).decode(), end="", flush=True)
"""
ENDS = {
    "by itself": ("os._exit(3)", None, 3),
    "by an error": ("raise AssertionError", None, 1),
    "TERM": ("time.sleep(1000)", signal.SIGTERM, 128 + signal.SIGTERM),
    "KILL": ("time.sleep(1000)", signal.SIGKILL, 128 + signal.SIGKILL),
}


def test_what_it_was_started_with_is_not_handed_on() -> None:
    done = run(sys.executable, "-I", "-c", BEGIN + AFRESH)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split() == [b"0022", b"0", b"SigBlk:", b"0" * 16, b"SigIgn:", b"0" * 16]


@pytest.mark.parametrize("how", ENDS)
def test_nothing_outlives_it(how: str, tmp_path: Path) -> None:
    last, number, code = ENDS[how]
    os.mkfifo(tmp_path / "fifo")
    with Running(sys.executable, "-I", "-c", BEGIN + LEAVES + last, cwd=tmp_path) as keeper:
        inside, *left = (int(keeper.line()) for _ in range(3))
        if number:
            os.kill(inside, number)
        assert keeper.wait() == code
        assert not any(alive(pid) for pid in (inside, *left))
        assert keeper.rest().count(b"left behind by a test, killed: ") == 2


def test_a_signal_to_it_is_handed_on() -> None:
    says = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); signal.pause()"
    with Running(sys.executable, "-I", "-c", f"{BEGIN}session.go_on_in_a_child()\n{says}") as keeper:
        keeper.line(b"ready")
        keeper.signal(signal.SIGTERM)
        assert keeper.wait() == 7


def test_it_ends_with_who_keeps_it() -> None:
    says = "print(os.getpid(), flush=True); time.sleep(1000)"
    with Running(sys.executable, "-I", "-c", f"{BEGIN}session.go_on_in_a_child()\n{says}") as keeper:
        inside = int(keeper.line())
        keeper.signal(signal.SIGKILL)
        eventually(lambda: not alive(inside))
