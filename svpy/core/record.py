"""What a supervise notes in `supervise/lock` for the one that comes after its death.

Rules of this module:

- a record counts for one boot: the kernel's boot id and the start of PID 1 of the pid namespace, so that
  a container that was started anew is another boot;
- it names one process by pid and start (field 22 of /proc/PID/stat, clock ticks since boot): a pid alone
  may be anyone's by now;
- before a start it says which script is about to be started and when; with pid 0 and a script it was not
  heard whether it was;
- the pipe is the log pipe that the process has as stdout (a service) or stdin (a logger): device and inode;
- a logger that runs natively (core/natives.py) is one of several in its process, or the only one: it is
  noted which, and under which numbers the process holds the pipes by which it is told and heard. Only such a
  record is of version 2, which an older svpy does not know what to do with;
- a line of always the same length, written in place with one write: it is the old one or the new one,
  whenever its writer is killed. Whatever else is found there is no record.

It stands in the lock because that is open anyway (one call for a record, no descriptor more, nothing in
`supervise/` that daemontools does not have), and because only who holds the lock may believe it. A file of
its own, replaced by rename as `status` is, costs many times that at every start.
"""

from __future__ import annotations

from dataclasses import dataclass

from svpy.core.recordline import MAGIC, SIZE_BYTES, VERSION, VERSION_OF_NATIVES
from svpy.core.service import LOG, RUN, START, STOP

MOST_PID = 2**31 - 1
_FIELDS = {VERSION: 8, VERSION_OF_NATIVES: 10}
_NOTHING = b"-"
_SCRIPTS = (START, RUN, STOP, LOG)

Identity = tuple[int, int]
"""Device and inode."""

NO_PIPE: Identity = (0, 0)

ALONE = (0, 0)
"""No pipes: the process hosts one logger and is to svscan as any other."""


@dataclass(frozen=True, slots=True)
class Record:
    """`script` is empty as long as nothing was started; `pid` is 0 while it is not known what became of
    the start of `script` at `start_ticks`. `leaving`: whatever is wanted now, supervising is about to end.
    `held`: it runs natively, and its process holds its pipes for orders and reports under these numbers;
    ALONE if that is the logger's own, and has none."""

    boot: bytes
    pid: int = 0
    start_ticks: int = 0
    script: bytes = b""
    pipe: Identity = NO_PIPE
    leaving: bool = False
    held: tuple[int, int] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether it is one of several in its process."""
        return self.held is not None and self.held != ALONE


def encode(record: Record) -> bytes:
    """The line of a record. `boot` is text without blanks, up to 60 bytes."""
    version = VERSION if record.held is None else VERSION_OF_NATIVES
    fields = (
        MAGIC + version, record.boot, b"%d" % record.pid, b"%d" % record.start_ticks,
        record.script or _NOTHING, b"%d" % record.pipe[0], b"%d" % record.pipe[1], b"%d" % record.leaving,
        *[b"%d" % fd for fd in record.held or ()],
    )  # fmt: skip
    return b" ".join(fields).ljust(SIZE_BYTES - 1) + b"\n"


def decode(data: bytes) -> Record | None:
    """The record that is there, None if what is there is none of this version."""
    if len(data) != SIZE_BYTES or not data.startswith(MAGIC) or not data.endswith(b"\n"):
        return None
    fields = data[len(MAGIC) :].split()
    if not fields or len(fields) != _FIELDS.get(fields[0]):
        return None
    _, boot, pid, start_ticks, script, device, inode, leaving, *held = fields
    if script not in (*_SCRIPTS, _NOTHING):
        return None
    numbers = (pid, start_ticks, device, inode, leaving, *held)
    if not all(number.isdigit() for number in numbers):
        return None
    if int(pid) > MOST_PID:
        return None
    script = b"" if script == _NOTHING else script
    pipe = (int(device), int(inode))
    of_natives = (int(held[0]), int(held[1])) if held else None
    return Record(boot, int(pid), int(start_ticks), script, pipe, leaving != b"0", of_natives)


def may_be_overwritten(data: bytes) -> bool:
    """Whether a lock's content is nothing or ours, whole or not: anything else stays as it is."""
    return data == b"" or data.startswith(MAGIC)
