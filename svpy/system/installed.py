"""Where our own commands are: beside the script this process was started as."""

import os

from svpy.system.entry import argv


def folder() -> bytes:
    """The folder of the script, links followed: /usr/local/bin may hold nothing but links."""
    return os.path.dirname(os.path.realpath(argv()[0]))
