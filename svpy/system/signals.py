"""Signals by name, and sending one."""

import os
import signal

ALL = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""Every signal whose disposition can be set."""


def send(pid: int, name: str) -> None:
    """Send the signal SIG`name` to a child that was not reaped yet, so its pid is its own.

    Raises OSError (EPERM: the service changed its user and we are not root)."""
    os.kill(pid, signal.Signals["SIG" + name])


def hold_back(*numbers: int) -> None:
    """From now on these signals wait: to be called when a process ends, before its handlers go, so
    that one that comes at the last moment does not decide how it ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
