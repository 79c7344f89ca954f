"""Signals that CPython ignores in every process, and nobody else does."""

from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIG_IGN,
    SIGPIPE,
    SIGXFSZ,
    signal,
)

_IGNORED_BY_PYTHON = (SIGPIPE, SIGXFSZ)


def restore_defaults() -> None:
    """Default SIGPIPE and SIGXFSZ, as in a C program: exec passes an ignored signal on.

    Whether they came in ignored cannot be known: CPython overwrites them before any of our code
    runs, and /proc shows only what is now."""
    for number in _IGNORED_BY_PYTHON:
        signal(number, SIG_DFL)


def ignore_again() -> None:
    """What a Python program takes for granted: write(2) fails with EPIPE or EFBIG."""
    for number in _IGNORED_BY_PYTHON:
        signal(number, SIG_IGN)
