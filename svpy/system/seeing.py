"""Looking at services: everything that their folders say, without going there.

Rules of this module:

- it is looked at as system/glancing.py does; only what keeps us from the status is trouble;
- whatever else is not there, or not ours to read, is not known.
"""

import os
import stat

from svpy.core import readiness
from svpy.core.exits import NO_EXITS, OFFSET_BYTES, decode
from svpy.core.exits import SIZE_BYTES as EXITS_BYTES
from svpy.core.recordline import SIZE_BYTES as RECORD_BYTES
from svpy.core.recordline import runs_natively, shares_its_process
from svpy.core.seen import Seen
from svpy.system.glancing import entered, look
from svpy.system.processes import boot
from svpy.system.supervised import LOGGER, SERVICE, has_logger_of_its_own, read, read_record

SERVICES = b"/service"
"""Where svscan looks if it is not told otherwise."""

_LOG = b"log"
_boot: "tuple[bytes | None] | None" = None


def services(parent: bytes = SERVICES) -> "list[bytes]":
    """What svscan would take for services in a folder, in the order of their names: folders and links to
    them, whose names do not begin with a dot (core/scan.py). Raises OSError."""
    with os.scandir(parent) as found:
        names = sorted(entry.name for entry in found if entry.name[:1] != b"." and _is_folder(entry))
    return [os.path.join(parent, name) for name in names]


def _is_folder(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # A link that leads to itself.


def see(folder: bytes) -> "list[Seen]":
    """Look at a service, and at its logger if it has one. Raises nothing."""
    service = Seen(folder)
    fd = entered(service, folder)
    if fd < 0:
        return [service]
    try:
        look_closely(service, fd, SERVICE)
        return [service, *_logger(folder, fd)]
    finally:
        os.close(fd)


def _logger(folder: bytes, fd: int) -> "list[Seen]":
    """That of a service whose folder is open."""
    name = folder.rstrip(b"/") + b"/log"
    try:
        mode = os.stat(_LOG, dir_fd=fd).st_mode
    except OSError:
        mode = 0
    if not stat.S_ISDIR(mode):
        is_program = stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)
        if not is_program and not has_logger_of_its_own(fd):
            return []
        logger = Seen(name, is_logger=True, is_file=True)
        look_closely(logger, fd, LOGGER)
        return [logger]
    logger = Seen(name, is_logger=True)
    log_fd = entered(logger, _LOG, fd)
    if log_fd < 0:
        return [logger]
    try:
        look_closely(logger, log_fd, SERVICE)
    finally:
        os.close(log_fd)
    return [logger]


def look_closely(seen: Seen, fd: int, where: bytes) -> None:
    """At a service or logger whose folder is open. Raises nothing."""
    look(seen, fd, where)
    if seen.trouble:
        return
    # Of a logger that is a file nothing is asked: what lies in its folder is its service's.
    seen.asks_ready = not seen.is_file and os.access(readiness.READY, os.F_OK, dir_fd=fd)
    note = b"" if seen.is_file else _note(fd, where)
    said, text = readiness.decode_note(seen.raw, note)
    seen.ready = readiness.is_ready(seen.raw, seen.word, note, seen.asks_ready)
    if said == readiness.WAITS or (said == readiness.NOT and not seen.ready):
        seen.note = text
    elif seen.is_up and seen.asks_ready and not seen.ready and not seen.word:
        seen.note = readiness.NOTHING_SAID
    try:
        lock = read_record(OFFSET_BYTES + EXITS_BYTES, where, fd)
    except OSError:
        return
    if seen.pid:
        seen.native = runs_natively(lock[:RECORD_BYTES], seen.pid)
        seen.shared = shares_its_process(lock[:RECORD_BYTES], seen.pid)
    seen.exits = decode(lock[OFFSET_BYTES:], _this_boot()) or NO_EXITS


def _note(fd: int, where: bytes) -> bytes:
    try:
        return read(where + b"/ready", readiness.MOST_NOTE_BYTES, fd)
    except OSError:
        return b""


def _this_boot() -> "bytes | None":
    """Asked for once: it stays what it is as long as we live."""
    global _boot
    if _boot is None:
        _boot = (boot(),)
    return _boot[0]
