"""A program killed at one of its system calls: ptrace(2), so that every state it can leave is reached."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
_EXITKILL = 0x00100000

_libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(request: int, pid: int, data: int = 0) -> None:
    if _libc.ptrace(request, pid, None, ctypes.c_void_p(data)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def killed_when(
    now: Callable[[], bool],
    argv: Sequence[str | bytes | Path],
    cwd: Path,
    env: Mapping[str, str],
    stdin: Path,
) -> bool:
    """Run `argv`, ask `now()` before each of its system calls while it stands still, and kill it
    (SIGKILL) when that is true. Returns False if it ended before, as it should: with 0.

    Its own children are not traced and run on; when this returns, they have ended as well."""
    hold_read, hold_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.chdir(cwd)
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
            # What it starts inherits this: its last holder is gone when the reading end comes to its end.
            os.set_inheritable(hold_write, True)
            _ptrace(_TRACEME, 0)
            os.execve(argv[0], [os.fspath(word) for word in argv], dict(env))
        finally:
            os._exit(127)
    os.close(hold_write)
    try:
        return _follow(pid, now)
    finally:
        while os.read(hold_read, 1):
            pass
        os.close(hold_read)


def _follow(pid: int, now: Callable[[], bool]) -> bool:
    _, status = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(status), f"it could not be executed: {status}"
    _ptrace(_SETOPTIONS, pid, _EXITKILL)
    entering = False
    deliver = 0
    while True:
        _ptrace(_SYSCALL, pid, deliver)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, status
            return False
        number = os.WSTOPSIG(status)
        deliver = 0 if number == signal.SIGTRAP else number
        if deliver:
            continue
        # It stands still twice for each call, before and after it.
        entering = not entering
        if entering and now():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return True
