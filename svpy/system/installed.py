"""Where our own commands are: the script this process was started as, and those beside it."""

import os

from svpy.system.entry import argv


def folder() -> bytes:
    """The folder of the script, links followed: /usr/local/bin may hold nothing but links."""
    return os.path.dirname(os.path.realpath(argv()[0]))


def script() -> bytes:
    """The absolute path of the script, links not followed: who installs another program may change one.
    To be asked before the process goes elsewhere or takes a title."""
    path = argv()[0]
    try:
        return path if path.startswith(b"/") else os.path.join(os.getcwdb(), path)
    except OSError:
        return path
