"""The environment of this process, as the kernel handed it over.

Rules of this module:

- an environment is a list of entries, bytes, in the order of `environ`; duplicates and entries
  without `=` are kept, which a mapping such as os.environb cannot do;
- what CPython adds in the C locale (`LC_CTYPE=C.UTF-8`, PEP 538) is not part of it.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_inherited: list[bytes] | None = None
_COERCED = (b"LC_CTYPE=C.UTF-8", b"LC_CTYPE=C.utf8", b"LC_CTYPE=UTF-8")


def inherited() -> list[bytes]:
    """The entries this process was started with, or those of `adopt`.

    They are read once: /proc/self/environ cannot be opened any more after setuid(2)."""
    global _inherited
    if _inherited is None:
        _inherited = _original()
    return list(_inherited)


def adopt(entries: list[bytes]) -> None:
    """From now on `inherited()` is `entries`: a process that an exec plan took over goes on as if
    it had been executed with them."""
    global _inherited
    _inherited = list(entries)


def _original() -> list[bytes]:
    try:
        fd = os.open(b"/proc/self/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _without_proc()
    try:
        parts = []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
    finally:
        os.close(fd)
    data = b"".join(parts)
    return data.removesuffix(b"\0").split(b"\0") if data else []


def _without_proc() -> list[bytes]:
    """CPython's own copy. It switches to UTF-8 mode exactly where it coerces the locale, so an
    LC_CTYPE of its making can be told from one that was there."""
    entries = [name + b"=" + value for name, value in os.environb.items()]
    if sys.flags.utf8_mode:
        entries = [entry for entry in entries if entry not in _COERCED]
    return entries


class Pairs:
    """Entries as what os.execve and os.posix_spawn take for a mapping: they ask for its length,
    keys and values only, so order and duplicates survive. What is not `expressible` is left out."""

    def __init__(self, entries: list[bytes]) -> None:
        self._keys = []
        self._values = []
        for entry in entries:
            cut = entry.find(b"=", 1)
            if cut > 0:
                self._keys.append(entry[:cut])
                self._values.append(entry[cut + 1 :])

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, key: bytes) -> bytes:
        return self._values[self._keys.index(key)]

    def keys(self) -> list[bytes]:
        return self._keys

    def values(self) -> list[bytes]:
        return self._values


def mapping(entries: list[bytes]) -> "Any":
    """`entries` as what os.execve and os.posix_spawn take for a mapping; what they cannot pass on is
    left out."""
    return Pairs(entries)


def expressible(entries: list[bytes]) -> bool:
    """Whether every entry is NAME=value with a NAME, which is all that os.execve can pass on."""
    return all(entry.find(b"=", 1) > 0 for entry in entries)
