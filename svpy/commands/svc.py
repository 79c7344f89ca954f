"""svc -udopchaitkxq12w DIR...: write letters into each DIR's control fifo; exits 0 even if one has none.

What was sent is visible to svstat when svc ends: behind the letters stands a byte that means nothing,
which a supervise takes out of the fifo when it has published what came before, and svc waits for
that, a moment at most. C does not wait: who asks at once can be told the old state."""

import errno
import os
import time

from svpy.core import options
from svpy.core.control import LETTERS, summary
from svpy.core.errors import Die
from svpy.system.descriptors import has_reader, waiting_bytes
from svpy.system.entry import entry
from svpy.system.origin import Origin
from svpy.system.supervised import open_fifo_to_write
from svpy.system.tell import because, say, write_all

NOTHING = b"\n"
TAKEN_WITHIN_S = 0.1
"""A C supervise may be deaf for a second; that is not worth waiting for."""

LOOK_EVERY_S = 0.0003
AT_ONCE = 200
"""Folders whose fifos are held open while they are waited for: far below any limit on descriptors."""


def run(words: list[bytes]) -> int:
    allowed = b"".join(row.letter for row in LETTERS)
    chosen, folders = options.parse(b"svc", allowed, words, b"svc options: " + summary())
    letters = b"".join(dict.fromkeys(letter for letter, _ in chosen))
    message = letters + NOTHING if letters else b""
    origin = Origin(b"svc")
    told: list[int] = []
    for folder in folders:
        try:
            told.append(_tell(folder, message))
        except Die as refusal:
            say(refusal.message)
        origin.back()
        if len(told) == AT_ONCE:
            _wait_until_taken(told)
            told.clear()
    _wait_until_taken(told)
    return 0


def _tell(folder: bytes, message: bytes) -> int:
    """Write the message. Returns the open fifo. Raises Die, for the warning it carries."""
    doing = b"unable to chdir to "
    try:
        os.chdir(folder)
        doing = b"unable to control "
        fd = open_fifo_to_write(b"supervise/control")
        doing = b"error writing commands to "
        try:
            os.set_blocking(fd, True)
            write_all(fd, message)
        except OSError:
            os.close(fd)
            raise
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Die(0, b"svc: warning: unable to control " + folder + b": supervise not running") from error
        raise Die(0, because(b"svc: warning: " + doing + folder, error)) from error
    return fd


def _wait_until_taken(fifos: list[int]) -> None:
    """Wait as long as one after the other is emptied; the deaf cost TAKEN_WITHIN_S all together."""
    until = time.monotonic() + TAKEN_WITHIN_S
    for fd in fifos:
        while waiting_bytes(fd) and has_reader(fd) and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        if not waiting_bytes(fd):
            until = time.monotonic() + TAKEN_WITHIN_S
        os.close(fd)


def main() -> None:
    entry(b"svc", run)
