"""Chain loaders: what the words of each ask for.

Rules of this module:

- a parser takes the words after the tool's name and returns the tool's own arguments and the rest,
  which begins with the program to run and is never empty;
- wrong usage raises Die with daemontools' line: 100, but envdir's is 111;
- nothing is looked up and nothing is done here, so a mistake in a later tool's words is found when
  the earlier tools have done their work, as it would be in processes of their own.
"""

from svpy.core.errors import FAILED, USAGE, Die
from svpy.core.numbers import scan_ulong
from svpy.core.options import parse

LIMITS: dict[bytes, tuple[str, ...]] = {
    b"a": ("AS",),
    b"c": ("CORE",),
    b"d": ("DATA",),
    b"f": ("FSIZE",),
    b"l": ("MEMLOCK",),
    b"m": ("DATA", "STACK", "MEMLOCK", "AS"),
    b"o": ("NOFILE",),
    b"p": ("NPROC",),
    b"r": ("RSS",),
    b"s": ("STACK",),
    b"t": ("CPU",),
}
"""softlimit's letters and the resources each limits (getrlimit(2), without RLIMIT_)."""

MEMORY = frozenset(LIMITS[b"m"])
"""The resources that our own interpreter may already use more of than the program is to get."""

SYNOPSES: dict[bytes, bytes] = {
    b"setuidgid": b"account child",
    b"envuidgid": b"account child",
    b"envdir": b"dir child",
    b"softlimit": b"[-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes]"
    b" [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child",
    b"setlock": b"[ -nNxX ] file program [ arg ... ]",
    b"pgrphack": b"child",
    b"fghack": b"child",
}
"""What stands behind each tool's name: daemontools' words, in usage errors and in the catalogue.

They stand here because a mistake may be found when the package is out of reach already."""


def usage(tool: bytes) -> bytes:
    """The line of a usage error."""
    return tool + b": usage: " + tool + b" " + SYNOPSES[tool]


def setuidgid(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(account,)"""
    return _account(b"setuidgid", words)


def envuidgid(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(account,)"""
    return _account(b"envuidgid", words)


def envdir(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(folder,)"""
    if len(words) < 2:
        raise Die(FAILED, usage(b"envdir"))
    return (words[0],), words[1:]


def softlimit(words: list[bytes]) -> tuple[tuple[list[tuple[str, int | None]]], list[bytes]]:
    """([(resource, wanted)],), in the order they are to be set; `wanted` None means the hard limit."""
    limits: list[tuple[str, int | None]] = []

    def take(letter: bytes, argument: bytes) -> None:
        wanted = None if argument == b"=" else scan_ulong(argument)
        if wanted is None and argument != b"=":
            raise Die(USAGE, usage(b"softlimit"))
        limits.extend((resource, wanted) for resource in LIMITS[letter])

    letters = b":".join(LIMITS) + b":"
    _, rest = parse(b"softlimit", letters, words, usage(b"softlimit"), take)
    if not rest:
        raise Die(USAGE, usage(b"softlimit"))
    return (limits,), rest


def clamped(wanted: int | None, hard: int) -> int:
    """The soft limit to set: no more than the hard one. Both are rlim_t: 2**64-1 is no limit."""
    return hard if wanted is None else min(wanted, hard)


def setlock(words: list[bytes]) -> tuple[tuple[bytes, bool, bool], list[bytes]]:
    """(file, wait for the lock, leave silently with 0 when there is none to be had)"""
    found, rest = parse(b"setlock", b"nNxX", words, usage(b"setlock"))
    if len(rest) < 2:
        raise Die(USAGE, usage(b"setlock"))
    wait, silent = True, False
    for letter, _ in found:
        if letter in b"nN":
            wait = letter == b"N"
        else:
            silent = letter == b"x"
    return (rest[0], wait, silent), rest[1:]


def pgrphack(words: list[bytes]) -> tuple[tuple[()], list[bytes]]:
    """()"""
    return (), _child(b"pgrphack", words)


def fghack(words: list[bytes]) -> tuple[tuple[()], list[bytes]]:
    """()"""
    return (), _child(b"fghack", words)


def _account(tool: bytes, words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    if len(words) < 2:
        raise Die(USAGE, usage(tool))
    return (words[0],), words[1:]


def _child(tool: bytes, words: list[bytes]) -> list[bytes]:
    if not words:
        raise Die(USAGE, usage(tool))
    return words
