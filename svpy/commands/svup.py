"""svup [-l] [-L] DIR: exit 0 if DIR is supervised and its service is up, 100 without a word if not.

daemontools-encore's: a logger that is a file in the service's folder must be up too; -l does not look at
it, -L looks at nothing else."""

import os

from svpy.core import options
from svpy.core.errors import FAILED, USAGE, Die
from svpy.core.status import is_up
from svpy.system.entry import entry
from svpy.system.supervised import (
    LOGGER,
    SERVICE,
    has_logger_of_its_own,
    is_supervised,
    read_status,
    read_word,
)
from svpy.system.tell import because

PROGRAM = b"svup"
USAGE_LINE = b"svup: usage: svup [-L] [-l] dir"


def run(words: list[bytes]) -> int:
    chosen, folders = options.parse(PROGRAM, b"lL", words, USAGE_LINE)
    if not folders:
        raise Die(USAGE, USAGE_LINE)
    only = chosen[-1][0] if chosen else b""
    folder = folders[0]
    try:
        os.chdir(folder)
    except OSError as error:
        raise _die(b"unable to chdir to " + folder, error) from error
    try:
        if not is_supervised():
            return USAGE
    except FileNotFoundError:
        return USAGE
    except OSError as error:
        raise _die(b"unable to open " + folder + b"/supervise/ok", error) from error
    has_logger = only != b"l" and has_logger_of_its_own()
    if only == b"L" and not has_logger:
        return USAGE
    up = (only == b"L" or _is_up(folder, SERVICE)) and (not has_logger or _is_up(folder, LOGGER))
    return 0 if up else USAGE


def _is_up(folder: bytes, where: bytes) -> bool:
    name = folder + b"/" + where + b"/status"
    try:
        data = read_status(where)
        return is_up(data, read_word(data, where))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _die(b"unable to open " + name, error) from error
    except ValueError:
        raise Die(FAILED, b"svup: fatal: bad data in " + name + b": truncated file") from None


def _die(what: bytes, error: OSError) -> Die:
    return Die(FAILED, because(b"svup: fatal: " + what, error))


def main() -> None:
    entry(PROGRAM, run)
