"""Killing what is left, in a process of its own: it kills all its descendants."""

from __future__ import annotations

import sys
from pathlib import Path

from support.processes import run

import svpy

BEGIN = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(svpy.__file__).parent.parent)!r})
from svpy.system import leftovers
killed = set()
"""


def ends_well(program: str) -> None:
    done = run(sys.executable, "-c", BEGIN + program)
    assert (done.returncode, done.stderr) == (0, b"")


def test_nobody() -> None:
    ends_well("assert not leftovers.kill(None, killed) and not killed")


def test_one_that_has_ended_is_left_until_it_is_reaped() -> None:
    """It may have forked before, and its child not be ours yet."""
    ends_well(
        "pid = os.posix_spawn('/bin/true', ['true'], {})\n"
        "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
        "assert leftovers.kill(None, killed) and not killed\n"
        "os.waitpid(pid, 0)\n"
        "assert not leftovers.kill(None, killed)\n"
    )


def test_the_children_of_children() -> None:
    ends_well(
        "ready, wrote = os.pipe()\n"
        "if not (pid := os.fork()):\n"
        "    if os.fork():\n"
        "        signal.pause()\n"
        "    os.setsid()\n"
        "    os.write(wrote, b'.')\n"
        "    signal.pause()\n"
        "os.read(ready, 1)\n"
        "assert leftovers.kill(None, killed) and len(killed) == 2, killed\n"
        "assert os.waitpid(pid, 0)[1] == signal.SIGKILL\n"
    )


def test_a_thread_that_outlives_the_first_keeps_its_process_alive() -> None:
    ends_well(
        "import ctypes, threading\n"
        "ready, wrote = os.pipe()\n"
        "if not (pid := os.fork()):\n"
        "    first = threading.get_native_id()\n"
        "    def other():\n"
        "        while open(f'/proc/self/task/{first}/stat').read().rpartition(')')[2].split()[0] != 'Z':\n"
        "            pass\n"
        "        os.write(wrote, b'.')\n"
        "        signal.pause()\n"
        "    threading.Thread(target=other).start()\n"
        "    ctypes.CDLL(None).pthread_exit(None)\n"
        "os.read(ready, 1)\n"
        "assert leftovers.kill(None, killed) and killed == {pid}, killed\n"
        "assert os.waitpid(pid, 0)[1] == signal.SIGKILL\n"
    )


def test_cgroups_in_each_other_however_many(tmp_path: Path) -> None:
    """More than Python calls in each other."""
    ends_well(
        f"path = {str(tmp_path)!r}\n"
        "os.chdir(path)\n"
        "for _ in range(1500):\n"
        "    os.mkdir('a')\n"
        "    os.chdir('a')\n"
        "assert len(list(leftovers._below(os.fsencode(path)))) == 1500\n"
        "for _ in range(1500):\n"
        "    os.chdir('..')\n"
        "    os.rmdir('a')\n"
    )
