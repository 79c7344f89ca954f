"""Functions of libc that the standard library has no name for.

`ctypes` would take as long to import as a third of an interpreter's start; `_ctypes`, the part of it that is
C, a twentieth.
"""

import os
from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    CFuncPtr,
    _SimpleCData,
    dlopen,
    dlsym,
    get_errno,
)


class _Int(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Int


_libc = dlopen(None, 0)  # type: ignore[arg-type] # typeshed does not know that it may
_functions: "dict[str, _Function]" = {}


def call(name: str, *arguments: "int | bytes") -> int:
    """What a function says that takes numbers and strings and returns -1 with errno. Raises OSError."""
    if name not in _functions:
        _functions[name] = _Function(dlsym(_libc, name))
    words = [each if isinstance(each, bytes) else _Int(each) for each in arguments]
    value: int = _functions[name](*words)
    if value < 0:
        number = get_errno()
        raise OSError(number, os.strerror(number))
    return value
