"""svscan [OPTIONS] [DIR]: start and supervise every service in DIR, or in the current folder."""

from svpy.core.errors import FAILED, Die
from svpy.system.entry import described, entry
from svpy.system.tell import because, say

PROGRAM = b"svscan"


def run(words: list[bytes]) -> int:
    import os

    from svpy.core.catalogue import usage
    from svpy.core.orders import SVSCAN
    from svpy.core.svscanwords import parse
    from svpy.system.installed import script
    from svpy.system.loopback import Raising
    from svpy.system.signals import hold_back, number
    from svpy.system.title import take

    parsed = parse(words, usage(PROGRAM))
    if parsed.check_fd is not None:
        from svpy.daemon.main import check_state

        return check_state(PROGRAM, SVSCAN, parsed)
    hold_back(*map(number, SVSCAN))
    started_as = script()
    take(PROGRAM, list(parsed.shown))
    folder = b"." if parsed.folder is None or parsed.state_fd is not None else parsed.folder
    try:
        os.chdir(folder)
    except OSError as error:
        raise Die(FAILED, because(b"svscan: fatal: unable to chdir to " + folder, error)) from error
    # In a container, at its first start: later it may be down on purpose.
    raising = Raising(PROGRAM) if os.getpid() == 1 and parsed.state_fd is None else None
    # trio takes ten times longer to import than a wrong folder takes to be told.
    try:
        from svpy.daemon.main import host_all
    except Exception as error:
        if parsed.state_fd is None:
            raise
        say(b"svscan: warning: unexpected " + described(error))
        from svpy.system.replacing import execute_again

        execute_again([started_as, *words])

    if raising is not None:
        raising.wait()
    return host_all(PROGRAM, SVSCAN, parsed, started_as).code


def main() -> None:
    entry(PROGRAM, run)
