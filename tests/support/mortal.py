"""svscan killed a thousand times: lives of it without the start of Python, which is the same every time.

As a program (`mortal.py FOLDER OPTIONS`) it imports what svscan imports and forks once a life: what runs in
the child is what svscan's command runs behind its import, down to the blocked signals. One command a line:
`live` begins a life and answers its pid; `kill` ends it with KILL and `stop` with TERM, answering its exit
code; `brief MS` begins one and kills it so many milliseconds later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType

from support import services
from support.processes import BIN, Running, environment


class Mortal:
    """The program, and whatever it said. At the end everything of its session is killed."""

    def __init__(self, folder: Path, said: Path) -> None:
        self._said = said.open("ab")
        self._running = Running(
            sys.executable,
            __file__,
            folder,
            *services.SVSCAN[1:],
            stdin=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
            env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        )

    def _ask(self, words: str) -> int:
        stdin = self._running.process.stdin
        assert stdin is not None
        stdin.write(words.encode() + b"\n")
        stdin.flush()
        return int(self._running.line())

    def live(self) -> int:
        return self._ask("live")

    def kill(self) -> None:
        assert self._ask("kill") == -signal.SIGKILL

    def stop(self) -> int:
        return self._ask("stop")

    def brief(self, life_ms: float) -> None:
        """A life that is over before it knows."""
        assert self._ask(f"brief {life_ms}") == -signal.SIGKILL

    def __enter__(self) -> Mortal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.killpg(self._running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._running.__exit__(kind, error, trace)
        self._said.close()


def live() -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.dup2(2, 1)
            signal.pthread_sigmask(signal.SIG_BLOCK, [number(name) for name in SVSCAN])
            code = host_all(b"svscan", SVSCAN, words, os.fsencode(BIN / "svscan")).code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def end(pid: int, number: signal.Signals) -> int:
    os.kill(pid, number)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def obey() -> None:
    pid = 0
    for line in sys.stdin:
        match line.split():
            case ["live"]:
                pid = answer = live()
            case ["kill"]:
                answer = end(pid, signal.SIGKILL)
            case ["stop"]:
                answer = end(pid, signal.SIGTERM)
            case ["brief", life_ms]:
                pid = live()
                time.sleep(float(life_ms) / 1000)
                answer = end(pid, signal.SIGKILL)
        print(answer, flush=True)


if __name__ == "__main__":
    from svpy.core.orders import SVSCAN
    from svpy.core.svscanwords import parse
    from svpy.daemon.main import host_all
    from svpy.system.signals import number

    words = parse([os.fsencode(option) for option in sys.argv[2:]], b"")
    os.chdir(sys.argv[1])
    obey()
