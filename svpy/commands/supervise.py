"""supervise DIR: supervise the one service in DIR."""

from svpy.core.errors import FAILED, USAGE, Die
from svpy.system.entry import entry
from svpy.system.tell import because

PROGRAM = b"supervise"


def run(words: list[bytes]) -> int:
    import os

    if len(words) != 1:
        from svpy.core.catalogue import usage

        raise Die(USAGE, usage(b"supervise"))
    from svpy.system.installed import script
    from svpy.system.signals import hold_back, number
    from svpy.system.title import take

    hold_back(number("TERM"), number("INT"))
    started_as = script()
    take(PROGRAM, words)
    try:
        os.chdir(words[0])
    except OSError as error:
        raise Die(FAILED, because(b"supervise: fatal: unable to chdir to " + words[0], error)) from error
    from svpy.daemon.main import host_one

    host_one(PROGRAM, words[0], started_as)
    return 0


def main() -> None:
    entry(PROGRAM, run)
