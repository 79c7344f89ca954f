"""Signals that CPython ignores in every process, and nobody else does."""

from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIGPIPE,
    SIGXFSZ,
    signal,
)

DEFAULTED = (SIGPIPE, SIGXFSZ)
"""What a child is to have by default again."""


def restore_defaults() -> None:
    """Default SIGPIPE and SIGXFSZ, as in a C program: exec passes an ignored signal on.

    Whether they came in ignored cannot be known: CPython overwrites them before any of our code
    runs, and /proc shows only what is now."""
    for number in DEFAULTED:
        signal(number, SIG_DFL)
