"""The edge of a command: argv as bytes in, an exit code out, and never a traceback."""

import os
import sys

# `signal` is this module and an enum of its names: importing that costs a third of the interpreter's start.
from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIGINT,
    default_int_handler,
    getsignal,
    signal,
)

from svpy.core.errors import FAILED, Die
from svpy.system.tell import because, say, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def entry(program: bytes, run: "Callable[[list[bytes]], int]") -> "NoReturn":
    """Run `run(words)`, the words after the command's name, and exit with what it returns.

    SIGINT kills, as it does a C program, unless it came in ignored. The process leaves through
    `_exit`: commands write with write(2) only, so nothing is waiting in a buffer, and the
    interpreter's tear-down would cost more than many a command's work.

    `--help` as the only word prints the command's synopsis instead. With any other word beside it, and
    behind another tool of a chain, it is a word like any other: a program, a folder or a pattern."""
    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)
    try:
        words = argv()[1:]
        code = _help(program) if words == [b"--help"] else run(words)
    except Die as death:
        if death.message:
            say(death.message)
        code = death.code
    except MemoryError:
        say(program + b": fatal: out of memory")
        code = FAILED
    except Exception as error:
        say(program + b": fatal: unexpected " + described(error))
        code = FAILED
    os._exit(code)


def argv() -> list[bytes]:
    """The words of the command line, from the script's name on.

    CPython has decoded them by the locale, and they do not all come back where that is neither UTF-8 nor
    of one byte for each character: EUC-JP and EUC-KR raise, GB18030 and Big5 change some. The kernel still
    has them, until a title is taken."""
    decoded = sys.argv
    if sys.getfilesystemencoding() != "utf-8":
        try:
            with open("/proc/self/cmdline", "rb") as file:  # noqa: PTH123  pathlib is slow to import
                return file.read().split(b"\0")[:-1][-len(decoded) :]
        except OSError:
            pass  # Without /proc it is as good as it can be.
    return [os.fsencode(word) for word in decoded]


def _help(program: bytes) -> int:
    from svpy.core.catalogue import synopsis

    try:
        write_all(1, synopsis(program) + b"\n")
    except OSError as error:
        raise Die(FAILED, because(program + b": fatal: unable to write", error)) from None
    return 0


def described(error: BaseException) -> bytes:
    """A bug's name and place, in one line; of a group of them, the first one's."""
    while (inner := getattr(error, "exceptions", None) or error.__cause__) is not None:
        error = inner if isinstance(inner, BaseException) else inner[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return os.fsencode(f"{type(error).__name__}: {error}{place}".replace("\n", " "))
