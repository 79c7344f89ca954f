"""Where our own commands are: the script this process was started as, and those beside it."""

import os

from svpy.system.entry import argv

_folder: bytes | None = None


def folder() -> bytes:
    """The folder of the script, links followed: /usr/local/bin may hold nothing but links."""
    return folder_of(argv()[0]) if _folder is None else _folder


def folder_of(script: bytes) -> bytes:
    return os.path.dirname(os.path.realpath(script))


def remember() -> None:
    """From now on `folder` is what it is now, wherever the process goes and whatever title it takes."""
    global _folder
    _folder = folder()


def script() -> bytes:
    """The absolute path of the script, links not followed: who installs another program may change one.
    To be asked before the process goes elsewhere or takes a title."""
    path = argv()[0]
    try:
        return path if path.startswith(b"/") else os.path.join(os.getcwdb(), path)
    except OSError:
        return path
