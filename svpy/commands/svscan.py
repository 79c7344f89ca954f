"""svscan [DIR]: start and supervise every service in DIR, or in the current folder."""

from svpy.core.errors import FAILED, Die
from svpy.system.entry import entry
from svpy.system.tell import because

PROGRAM = b"svscan"


def run(words: list[bytes]) -> int:
    import os

    from svpy.system.signals import ignore_hangup
    from svpy.system.title import take

    # It means "scan now", which is about to be done.
    ignore_hangup()
    take(PROGRAM, words)
    folder = words[0] if words else b"."
    try:
        os.chdir(folder)
    except OSError as error:
        raise Die(FAILED, because(b"svscan: fatal: unable to chdir to " + folder, error)) from error
    # trio takes ten times longer to import than a wrong folder takes to be told.
    from svpy.daemon.main import host_all

    host_all(PROGRAM)
    return 0


def main() -> None:
    entry(PROGRAM, run)
