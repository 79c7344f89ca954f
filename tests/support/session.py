"""How pytest was started decides nothing, and what tests have started and not ended ends with them.

A service leads a session of its own, and what daemonises is a child of nobody: neither is reached through
the test that began it. So pytest goes on in a child; its parent takes in all that is orphaned below it
(PR_SET_CHILD_SUBREAPER in prctl(2)), reaps it as PID 1 would, and kills the rest when pytest has ended,
whatever ended it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.namespaces import GRACE_S, children

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

DESCRIPTORS = 8192
"""The hard limit is at least this if we may raise it: the kernel's own, 4096, is too low to supervise more
than a thousand services."""

_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores them itself, and gives what it starts the default."""

_HANDED_ON = (signal.SIGTERM, signal.SIGHUP)

_libc = ctypes.CDLL(None, use_errno=True)


def kill_one_at_a_time() -> None:
    """From now on to signal 0 or -1, where a pid was not there yet, fails the test: it would be the whole
    session, or all that runs here."""

    def guarded(kill: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def one(pid: int, number: int) -> None:
            assert pid > 1, f"{kill.__name__}({pid}, {number})"
            kill(pid, number)

        return one

    os.kill, os.killpg = guarded(os.kill), guarded(os.killpg)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def begin_afresh() -> None:
    """What tests start inherits our umask, limits and signals: they are as everywhere now."""
    os.umask(0o022)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < DESCRIPTORS:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, DESCRIPTORS))
        except ValueError:
            pass  # what needs so many says so
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP} - _PYTHONS_OWN:
        if signal.getsignal(number) is signal.SIG_IGN:
            # By nohup, or a shell's `&`: we go on passing over it, what we execute gets the default.
            signal.signal(number, lambda number, frame: None)


def go_on_in_a_child(grace_s: float = GRACE_S) -> None:
    """Returns in the child; the parent ends with its exit code once nothing is left. What has not ended
    by itself after `grace_s` is named and killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    keeper = os.getpid()
    # One that comes before the keeper hands it on waits until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != keeper:
            os.kill(os.getpid(), signal.SIGTERM)
        return
    code = 1
    try:
        code = _keep(child, grace_s)
    finally:
        os._exit(code)


def _keep(child: int, grace_s: float) -> int:
    for number in (signal.SIGINT, signal.SIGQUIT):
        # A terminal sends them to both.
        signal.signal(number, signal.SIG_IGN)
    for number in _HANDED_ON:
        signal.signal(number, lambda number, frame: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
    pid = status = 0
    while pid != child:
        pid, status = os.wait()
    for number in _HANDED_ON:
        signal.signal(number, signal.SIG_IGN)
    _end_all(grace_s)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_all(grace_s: float) -> None:
    until = time.monotonic() + grace_s
    while _reap():
        if time.monotonic() > until:
            for pid in children(os.getpid()):
                name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if name:
                    print(f"left behind by a test, killed: {pid} {name}", file=sys.stderr)
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _reap() -> bool:
    """Returns whether there are children still."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
