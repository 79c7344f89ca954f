"""Namespaces of the tests' own: what they need, a waiter to be PID 1 in them, and a way in for a socket.

As a program (`namespaces.py COMMAND [WORD...]`) it is that PID 1: it runs COMMAND, reaps whatever comes, and
ends with COMMAND's exit code after naming on stdout what still runs then."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

UNSHARE = (
    "unshare", "--pid", "--fork", "--kill-child",
    "--mount", "--net", "--uts", "--ipc", "--propagation", "private",
)  # fmt: skip
CLONE_NEWNET = 0x40000000
GRACE_S = 5.0
"""What COMMAND has left behind may take so long to end by itself: a helper that just saw its pipe close."""

Result = TypeVar("Result")


def missing(*programs: str) -> str:
    """Why a test that needs namespaces and `programs` can't run here, or nothing."""
    if os.geteuid() != 0:
        return "needs root, for namespaces and other uids"
    for program in ("unshare", "nsenter", *programs):
        if shutil.which(program) is None:
            return f"needs {program}, which is not installed"
    tried = subprocess.run([*UNSHARE, "true"], stdin=subprocess.DEVNULL, capture_output=True)
    return f"needs namespaces: {tried.stderr.decode(errors='replace').strip()}" if tried.returncode else ""


def in_network_of(pid: int, work: Callable[[], Result]) -> Result:
    """`work()` in the network namespace of a process. A thread has its own, so it is done in one;
    sockets made there stay there, whoever uses them afterwards."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def thread() -> None:
        try:
            fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(fd, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(fd)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    if errors:
        raise errors[0]
    return results[0]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def be_init(argv: list[str]) -> int:
    main = os.fork()
    if main == 0:
        # What Python has added for itself is not for COMMAND.
        os.environ.pop("LC_CTYPE", None)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvp(argv[0], argv)
    # A PID 1 gets only the signals it has a handler for.
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(main, number))
    while True:
        pid, status = os.wait()
        if pid == main:
            break
    until = time.monotonic() + GRACE_S
    try:
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.003)
    except ChildProcessError:
        pass
    for left in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if left != os.getpid():
            print("left:", left, Path(f"/proc/{left}/comm").read_text().strip(), flush=True)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(be_init(sys.argv[1:]))
