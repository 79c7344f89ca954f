"""One file per command: argv and environment in, exit code out."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def chain_loader(program: bytes) -> "NoReturn":
    """The whole of a chain loader's command: carry out the exec plan that begins with it."""
    from svpy.system.entry import entry
    from svpy.system.execplan import carry_out

    entry(program, lambda words: carry_out(program, words, _load_multilog))


def _load_multilog(words: list[bytes]) -> "Callable[[list[bytes]], int]":
    """multilog costs more to import than a chain loader: only where it is at the end of the plan."""
    from svpy.commands.multilog import run
    from svpy.core.logscript import import_for

    import_for(words)
    return run
