"""svtop [DIR]: services in a terminal, as they are now, their logs, and keys for what svc does.

It needs textual, which svpy does without everywhere else: that is said here,
and what the terminal has to be."""

import os
import sys

from svpy.core.errors import FAILED, USAGE, Die, one_line
from svpy.system.entry import described, entry
from svpy.system.logsites import absolute
from svpy.system.seeing import SERVICES, services
from svpy.system.tell import because

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.view.top import Top

PROGRAM = b"svtop"
FATAL = PROGRAM + b": fatal: "

LEAST_TEXTUAL = (2, 1)
HOW = b"install svpy[top]: ./bootstrap install top, or Debian 13's package python3-textual"


def run(words: list[bytes]) -> int:
    if len(words) > 1 or (words and words[0].startswith(b"-")):
        raise Die(USAGE, PROGRAM + b": usage: svtop [dir]")
    for fd, name in ((0, b"input"), (1, b"output")):
        if not os.isatty(fd):
            raise Die(FAILED, FATAL + b"standard " + name + b" is not a terminal")
    environment = _environment()
    kind = environment.get(b"TERM", b"")
    if kind in (b"", b"dumb", b"unknown"):
        raise Die(
            FAILED, FATAL + b"unable to draw on a terminal of type " + (kind or b"nothing") + b": see TERM"
        )
    folder = absolute(words[0] if words else SERVICES)
    try:
        services(folder)
    except OSError as error:
        raise Die(FAILED, because(FATAL + b"unable to read " + one_line(folder), error)) from None
    _textual()
    return _show(folder, environment)


def _environment() -> dict[bytes, bytes]:
    """As we got it: CPython puts a locale into it in which there is UTF-8."""
    from svpy.system.environment import inherited

    pairs = [entry.partition(b"=") for entry in inherited()]
    return {name: value for name, _, value in pairs}


def _textual() -> None:
    try:
        from textual import __version__
    except ImportError as error:
        what = b"" if error.name == "textual" else b" (" + str(error).encode() + b")"
        raise Die(FAILED, FATAL + b"unable to import textual" + what + b": " + HOW) from None
    numbers = [part for part in __version__.split(".")[:2] if part.isdigit()]
    if tuple(map(int, numbers)) < LEAST_TEXTUAL:
        found = b"unable to use textual " + __version__.encode() + b", 2.1 is needed: "
        raise Die(FAILED, FATAL + found + HOW)


def _show(folder: bytes, environment: dict[bytes, bytes]) -> int:
    # Looked at already; textual heeds one that is empty, too.
    os.environ.pop("NO_COLOR", None)
    from svpy.view.top import Top

    top = Top(
        folder,
        unicode=_is_unicode(environment),
        colours=not environment.get(b"NO_COLOR"),
    )
    # textual draws on standard error, wherever that leads.
    sys.__stderr__ = open(os.dup(1), "w", encoding="utf-8", errors="replace")  # type: ignore[misc]  # noqa: PTH123, SIM115
    os.chdir("/")
    top.run(mouse=False)
    return _ended(top)


def _is_unicode(environment: dict[bytes, bytes]) -> bool:
    """Whether the terminal has blocks to draw with: by the locale, as its user has set it (locale(7)), and
    that of a console has not the glyphs."""
    locale = next(filter(None, map(environment.get, (b"LC_ALL", b"LC_CTYPE", b"LANG"))), b"")
    return b"utf8" in locale.lower().replace(b"-", b"") and environment.get(b"TERM") != b"linux"


def _ended(top: "Top") -> int:
    if top.error is not None:
        raise Die(FAILED, FATAL + b"unexpected " + described(top.error))
    if top.signalled:
        from signal import SIG_DFL, signal

        signal(top.signalled, SIG_DFL)
        os.kill(os.getpid(), top.signalled)
    return 0


def main() -> None:
    entry(PROGRAM, run)
