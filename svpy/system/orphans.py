"""Processes whose parents have ended."""

import os


def take_in() -> None:
    """From now on processes that are orphaned below this one become its children, to be reaped by it, as
    all do in PID 1 (PR_SET_CHILD_SUBREAPER in prctl(2); kept across execve, not by children).

    Raises OSError: before Linux 3.4, and where a filter of system calls forbids it."""
    if os.getpid() != 1:
        import prctl

        prctl.set_child_subreaper(True)
