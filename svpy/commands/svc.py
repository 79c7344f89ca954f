"""svc -udopchaitkxq12w DIR...: write letters into each DIR's control fifo; exits 0 even if one has none.

What was sent is visible to svstat when svc ends: it waits, a moment at most, until every supervise
has taken its letters out of the fifo. C does not wait: who asks at once can be told the old state."""

import errno
import os
import time

from svpy.core import options
from svpy.core.control import LETTERS, summary
from svpy.core.errors import Die
from svpy.system.descriptors import waiting_bytes
from svpy.system.entry import entry
from svpy.system.origin import Origin
from svpy.system.supervised import open_fifo_to_write
from svpy.system.tell import because, say, write_all

TAKEN_WITHIN_S = 0.1
"""A C supervise may be deaf for a second; that is not worth waiting for."""

LOOK_EVERY_S = 0.0003
AT_ONCE = 200
"""Folders whose fifos are held open while they are waited for: far below any limit on descriptors."""


def run(words: list[bytes]) -> int:
    allowed = b"".join(row.letter for row in LETTERS)
    chosen, folders = options.parse(b"svc", allowed, words, b"svc options: " + summary())
    letters = b"".join(dict.fromkeys(letter for letter, _ in chosen))
    origin = Origin(b"svc")
    told: list[int] = []
    for folder in folders:
        try:
            told.append(_tell(folder, letters))
        except Die as refusal:
            say(refusal.message)
        origin.back()
        if len(told) == AT_ONCE:
            _wait_until_taken(told)
            told.clear()
    _wait_until_taken(told)
    return 0


def _tell(folder: bytes, letters: bytes) -> int:
    """Write the letters. Returns the open fifo. Raises Die, for the warning it carries."""
    doing = b"unable to chdir to "
    try:
        os.chdir(folder)
        doing = b"unable to control "
        fd = open_fifo_to_write(b"supervise/control")
        doing = b"error writing commands to "
        try:
            os.set_blocking(fd, True)
            write_all(fd, letters)
        except OSError:
            os.close(fd)
            raise
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Die(0, b"svc: warning: unable to control " + folder + b": supervise not running") from error
        raise Die(0, because(b"svc: warning: " + doing + folder, error)) from error
    return fd


def _wait_until_taken(fifos: list[int]) -> None:
    until = time.monotonic() + TAKEN_WITHIN_S
    for fd in fifos:
        while waiting_bytes(fd) and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        os.close(fd)


def main() -> None:
    entry(b"svc", run)
