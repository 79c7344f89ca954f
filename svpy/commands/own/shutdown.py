"""svpy shutdown: ask the machine's PID 1 for its end."""

from svpy.commands.own import PROGRAM
from svpy.core.catalogue import usage
from svpy.core.errors import FAILED, USAGE, Die
from svpy.core.machine import LETTERS, signal_for
from svpy.system.machine import init_name
from svpy.system.signals import send
from svpy.system.tell import because


def run(words: list[bytes]) -> int:
    """What another init makes of these signals is not ours to try."""
    if len(words) != 1 or words[0][:1] != b"-" or words[0][1:] not in LETTERS:
        raise Die(USAGE, usage(PROGRAM))
    trouble = PROGRAM + b": fatal: unable to shut down"
    if init_name() != b"svpy-init":
        raise Die(FAILED, trouble + b": PID 1 is not svpy-init")
    try:
        send(1, signal_for(LETTERS[words[0][1:]]))
    except OSError as error:
        raise Die(FAILED, because(trouble, error)) from None
    return 0
