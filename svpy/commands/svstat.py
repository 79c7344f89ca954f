"""svstat [-l] DIR...: one line for each DIR on stdout; exits 0 whatever they say.

A logger that is a file in its service's folder has a line of its own behind the service's. `-l` before a
folder has svstat say how each process was started; alone it is a folder, as in C, which has no options.
daemontools-encore's -l and -L, which leave one of the two out, would be folders there."""

import errno
import os
import time

from svpy.core import status
from svpy.core.errors import error_text
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.origin import Origin
from svpy.system.supervised import (
    LOGGER,
    SERVICE,
    has_logger_of_its_own,
    is_supervised,
    read_record,
    read_status,
    read_word,
)
from svpy.system.tell import write_all


def run(words: list[bytes]) -> int:
    restore_defaults()
    origin = Origin(b"svstat")
    is_long = len(words) > 1 and words[0] == b"-l"
    lines = []
    for folder in words[1:] if is_long else words:
        lines += [folder + said + b"\n" for said in _lines(folder, is_long)]
        origin.back()
    try:
        write_all(1, b"".join(lines))
    except OSError:
        # As C: svstat exits 0 even if nobody listens. A closed pipe has ended it by SIGPIPE already.
        pass
    return 0


def _lines(folder: bytes, is_long: bool) -> list[bytes]:
    """What is to be said of one folder, from its state or from what kept us from reading it."""
    doing = b"unable to chdir: "
    try:
        os.chdir(folder)
        doing = b"unable to stat down: "
        normally_up = not _exists(b"down")
        doing = b"unable to open supervise/ok: "
        if not is_supervised():
            return [b": supervise not running"]
    except OSError as error:
        return [b": " + doing + error_text(error.errno)]
    lines = [b": " + _state(SERVICE, normally_up, is_long)]
    if has_logger_of_its_own():
        lines.append(b" log: " + _state(LOGGER, normally_up, is_long))
    return lines


def _state(where: bytes, normally_up: bool, is_long: bool) -> bytes:
    name = where + b"/status"
    try:
        data = read_status(where)
    except OSError as error:
        doing = b"unable to read " if error.errno == errno.EISDIR else b"unable to open "
        return doing + name + b": " + error_text(error.errno)
    try:
        decoded = status.decode(data)
    except ValueError:
        return b"unable to read " + name + b": bad format"
    line = status.describe(decoded, normally_up, int(time.time()), read_word(data, where))
    return line + _how(decoded.pid, where) if is_long and decoded.pid else line


def _how(pid: int, where: bytes) -> bytes:
    """How the process was started, as far as one may know: not where nothing is recorded."""
    from svpy.core.recordline import SIZE_BYTES, runs_natively

    try:
        natively = runs_natively(read_record(SIZE_BYTES, where), pid)
    except OSError:
        return b""
    return {True: b" native", False: b" executed", None: b""}[natively]


def _exists(name: bytes) -> bool:
    try:
        os.stat(name)
    except FileNotFoundError:
        return False
    return True


def main() -> None:
    entry(b"svstat", run)
