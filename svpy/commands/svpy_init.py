"""svpy-init [WORD...]: be PID 1 of a machine, whose kernel was started with init=/sbin/svpy-init.

Its words are those of the kernel's command line that the kernel does not know, and mean nothing here.
Only `--state FD` does, first, which is how it is handed over to itself (`svpy upgrade`), and `--check-state
FD`, with which it is asked before whether it understands that."""

from svpy.core.errors import FAILED, Die
from svpy.system.entry import described, entry
from svpy.system.tell import say

PROGRAM = b"svpy-init"


def run(words: list[bytes]) -> int:
    import os

    from svpy.core.orders import MACHINE
    from svpy.system.signals import hold_back, number

    if words[:1] == [b"--check-state"] and len(words) > 1 and words[1].isdigit():
        from svpy.core.svscanwords import Words
        from svpy.daemon.main import check_state

        return check_state(PROGRAM, MACHINE, Words(check_fd=int(words[1])))
    if os.getpid() != 1:
        raise Die(FAILED, b"svpy-init: fatal: unable to be init: this is not PID 1")
    hold_back(*map(number, MACHINE), number("CHLD"))
    try:
        from svpy.daemon.machine import Init
    except Exception as error:
        # A kernel whose PID 1 ends panics; what is being installed may be whole in a second.
        say(PROGRAM + b": warning: unexpected " + described(error))
        from svpy.system.installed import script
        from svpy.system.replacing import execute_again

        execute_again([script(), *words])

    handed_over = words[:1] == [b"--state"] and len(words) > 1 and words[1].isdigit()
    Init(PROGRAM, int(words[1]) if handed_over else None).run()
    return 0


def main() -> None:
    entry(PROGRAM, run)
