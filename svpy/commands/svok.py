"""svok DIR: exit 0 if DIR is supervised, 100 without a word if it is not."""

import os

from svpy.core.errors import FAILED, USAGE, Die
from svpy.system.entry import entry
from svpy.system.supervised import is_supervised
from svpy.system.tell import because


def run(words: list[bytes]) -> int:
    if not words:
        from svpy.core.catalogue import usage

        raise Die(USAGE, usage(b"svok"))
    folder = words[0]
    try:
        os.chdir(folder)
    except OSError as error:
        raise Die(FAILED, because(b"svok: fatal: unable to chdir to " + folder, error)) from error
    try:
        return 0 if is_supervised() else USAGE
    except FileNotFoundError:
        return USAGE
    except OSError as error:
        raise Die(
            FAILED, because(b"svok: fatal: unable to open " + folder + b"/supervise/ok", error)
        ) from error


def main() -> None:
    entry(b"svok", run)
