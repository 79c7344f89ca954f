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

_NO_ID = 2**32 - 1
"""(uid_t)-1 and (gid_t)-1 are nobody's: to several system calls they mean "leave it as it is"."""
_ID_DIGITS = 10

SYNOPSES: dict[bytes, bytes] = {
    b"setuidgid": b"account child",
    b"setuser": b"account child",
    b"envuidgid": b"account child",
    b"envdir": b"dir child\n-f file child",
    b"softlimit": b"[-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes]"
    b" [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child",
    b"setlock": b"[ -nNxX ] file program [ arg ... ]",
    b"pgrphack": b"child",
    b"fghack": b"child",
}
"""What stands behind each tool's name: daemontools' words, in usage errors and in the catalogue. A further
form of svpy's own stands on a line of its own.

They stand here because a mistake may be found when the package is out of reach already."""


def usage(tool: bytes) -> bytes:
    """The line of a usage error."""
    return _usage(tool, SYNOPSES[tool].partition(b"\n")[0])


def _usage(tool: bytes, form: bytes) -> bytes:
    return tool + b": usage: " + tool + b" " + form


def setuidgid(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(account,)"""
    return _account(b"setuidgid", words)


def setuser(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(account,)"""
    return _account(b"setuser", words)


def envuidgid(words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    """(account,)"""
    return _account(b"envuidgid", words)


def envdir(words: list[bytes]) -> tuple[tuple[bytes, bool], list[bytes]]:
    """(path, whether it is a file of variables and no folder)

    C's envdir has no options, so every first word but `-f` itself is a folder still, also one that
    begins with `-`; a folder of the name -f is ./-f."""
    if len(words) < 2:
        raise Die(FAILED, usage(b"envdir"))
    if words[0] != b"-f":
        return (words[0], False), words[1:]
    if len(words) < 3:
        raise Die(FAILED, _usage(b"envdir", SYNOPSES[b"envdir"].partition(b"\n")[2]))
    return (words[1], True), words[2:]


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


def numeric_ids(word: bytes) -> tuple[int, list[int]] | None:
    """The uid and the gids that an account's word may be instead of a name; None if it is neither form:

    - `UID`, with no gids: that of an account;
    - `UID:GID`, further gids after it, `:` before it if one likes: chpst -u and -U of runit write
      `:UID:GID:GID`, containers `UID:GID`. passwd(5) knows no name with a colon."""
    parts = word.removeprefix(b":").split(b":")
    if len(parts) == 1 and word.startswith(b":"):
        return None
    if not all(part.isdigit() and len(part) <= _ID_DIGITS for part in parts):
        return None
    uid, *gids = (int(part) for part in parts)
    return None if max(uid, *gids, 0) >= _NO_ID else (uid, gids)


def _account(tool: bytes, words: list[bytes]) -> tuple[tuple[bytes], list[bytes]]:
    if len(words) < 2:
        raise Die(USAGE, usage(tool))
    return (words[0],), words[1:]


def _child(tool: bytes, words: list[bytes]) -> list[bytes]:
    if not words:
        raise Die(USAGE, usage(tool))
    return words
