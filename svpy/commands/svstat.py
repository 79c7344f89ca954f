"""svstat DIR...: one line for each DIR on stdout; exits 0 whatever they say."""

import errno
import os
import time

from svpy.core import status
from svpy.core.errors import error_text
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.origin import Origin
from svpy.system.supervised import is_supervised, read_status
from svpy.system.tell import write_all


def run(words: list[bytes]) -> int:
    restore_defaults()
    origin = Origin(b"svstat")
    lines = []
    for folder in words:
        lines.append(folder + b": " + _state_of(folder) + b"\n")
        origin.back()
    try:
        write_all(1, b"".join(lines))
    except OSError:
        # As C: svstat exits 0 even if nobody listens. A closed pipe has ended it by SIGPIPE already.
        pass
    return 0


def _state_of(folder: bytes) -> bytes:
    """What is to be said of one folder, from its state or from what kept us from reading it."""
    doing = b"unable to chdir: "
    try:
        os.chdir(folder)
        doing = b"unable to stat down: "
        normally_up = not _exists(b"down")
        doing = b"unable to open supervise/ok: "
        if not is_supervised():
            return b"supervise not running"
        doing = b"unable to open supervise/status: "
        data = read_status()
    except OSError as error:
        if error.errno == errno.EISDIR:
            doing = b"unable to read supervise/status: "
        return doing + error_text(error.errno)
    try:
        return status.describe(status.decode(data), normally_up, int(time.time()))
    except ValueError:
        return b"unable to read supervise/status: bad format"


def _exists(name: bytes) -> bool:
    try:
        os.stat(name)
    except FileNotFoundError:
        return False
    return True


def main() -> None:
    entry(b"svstat", run)
