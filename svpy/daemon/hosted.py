"""One folder that is supervised: its machine, and the descriptors that make it ours."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svpy.core import exits as counted
from svpy.core.control import Addressing
from svpy.core.errors import error_text, one_line
from svpy.core.exits import Exits
from svpy.core.handover import State, memory, recall
from svpy.core.record import Record, decode, encode, may_be_overwritten
from svpy.core.recordline import SIZE_BYTES
from svpy.core.service import SERVICE_FOLDER, Scripts, Service
from svpy.system import descriptors, folders
from svpy.system.parked import Parked
from svpy.system.supervised import SERVICE

if TYPE_CHECKING:
    from svpy.daemon.loggerprocess import LoggerProcess
    from svpy.daemon.readiness import Asking

_REBUILT = ("addressing", "asking", "ended", "left", "logger", "native", "record", "scripts", "service")
"""What is handed over in another way than as it is: objects, and what leads to others."""


UNKNOWN_NOTE = b"\0"
"""What it says is not what it should."""


class Refused(Exception):
    """A folder that cannot be supervised now; `message` is daemontools' words for it."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to supervise: its name in messages, where it is from `parent_fd` (None: from the
    current folder), the moment before which it must not be started, what is started there, where its
    status and fifos are, and whether its stdin is a log pipe."""

    name: bytes
    path: bytes
    parent_fd: int | None = None
    earliest_mono_s: float = -math.inf
    scripts: Scripts = SERVICE_FOLDER
    supervise: bytes = SERVICE
    is_logger: bool = False


class Hosted:
    """A locked service folder with an open control fifo, and its state machine.

    `stdin_fd` and `stdout_fd` are what its run gets as 0 and 1; they are the owner's and not closed
    here. `left` is called once, when supervising has ended and everything is closed; `ended` whenever a
    process of it has ended, before another is started.
    `has_files` says that `supervise/` is there: nothing is published without. Its files are named from
    `files_fd` on; `where` stands between the folder's name and theirs in messages.
    `published` is what the status file has, `unpublished` says that it is behind, `has_word` that the state
    file has a word.
    `logger` is the one that shares the folder, if there is one: its letters come through this one's
    fifo too.
    `record` is what the lock says for the supervise after us, at first for us (None: nothing, or it must
    not say anything); `unrecorded` that it could not be written. `pidfd` is that of a process that another
    supervise had started, else -1. `parked_ok` is the name of `ok` in system/parked.py, 0 if it is not there.
    `stopping` says that it is being stopped to be left.
    `asking` is what is asked of its process to be called ready, None where that is nothing; `noted` the note
    about that (core/readiness.py), empty if there is none.
    `native` is the process that it shares with others, if it does, and `native_id` its name there."""

    __slots__ = (
        "_fds",
        "_prefix",
        "_records",
        "_supervise",
        "addressing",
        "asking",
        "control_fd",
        "ended",
        "files_fd",
        "folder_fd",
        "has_files",
        "has_word",
        "is_logger",
        "left",
        "lock_fd",
        "lock_name",
        "logger",
        "name",
        "native",
        "native_id",
        "noted",
        "parked_ok",
        "pidfd",
        "published",
        "record",
        "scripts",
        "service",
        "state_name",
        "status_name",
        "stdin_fd",
        "stdout_fd",
        "stopping",
        "unpublished",
        "unrecorded",
        "where",
    )

    def __init__(self, place: Place, stdin_fd: int, stdout_fd: int, handed_over: State | None = None) -> None:
        """Open and lock the folder, or go on with one that was handed over. Raises Refused."""
        self.name = one_line(place.name)
        self.stdin_fd = stdin_fd
        self.stdout_fd = stdout_fd
        self.published = b""
        self.unpublished = False
        self.has_word = False
        self.has_files = True
        self._records = False
        self.record: Record | None = None
        self.unrecorded = False
        self.stopping = False
        self.pidfd = -1
        self.parked_ok = 0
        self.asking: Asking | None = None
        self.noted = b""
        self.native: LoggerProcess | None = None
        self.native_id = 0
        self.scripts = place.scripts
        self.is_logger = place.is_logger
        self.addressing = Addressing()
        self.logger: Hosted | None = None
        self._supervise = place.supervise
        self.where = b"/"
        self._name_files(place.supervise + b"/")
        self.left: Callable[[], None] = _nobody
        self.ended: Callable[[], None] = _nobody
        self._fds: tuple[int, ...] = ()
        self.folder_fd = self.files_fd = self.control_fd = self.lock_fd = -1
        normally_up = True if handed_over is not None else self._open(place)
        self.service = Service(normally_up, place.earliest_mono_s, place.scripts)
        if handed_over is not None:
            recall(self, handed_over, _REBUILT)
            if self.files_fd < 0:
                self.files_fd = self.folder_fd
            self._fds = tuple(self._fds)
            self.record = decode(handed_over["record"]) if handed_over.get("record") else None
            if handed_over.get("asking"):
                from svpy.daemon.readiness import Asking

                self.asking = Asking.handed_over(handed_over["asking"])
            elif "asking" not in handed_over:
                # An older program has asked nobody.
                self.noted = UNKNOWN_NOTE
            recall(self.addressing, handed_over["addressing"])
            recall(self.service, handed_over["machine"], ("_scripts",))
            if "exits" not in handed_over["machine"] and (exits := self.read_exits(None)) is not None:
                # An older program has not counted, and has left what was counted before it.
                self.service.exits = exits.exits

    def _open(self, place: Place) -> bool:
        """Returns whether it is normally up."""
        what, part = b"unable to chdir to ", b""
        try:
            self.folder_fd = here = self._folder_of(place)
            what, part = b"unable to stat ", b"/down"
            normally_up = not folders.exists(b"down", here)
            folders.make_supervise(here)
            what, part = b"unable to acquire ", b"/" + place.supervise + b"/lock"
            self.files_fd = here
            self.has_files = self._lock()
            if self.has_files:
                what, part = b"unable to read ", b"/" + place.supervise + b"/control"
                # Opened for both: with a writer of our own a fifo never comes to its end.
                control = self._prefix + b"control"
                self.control_fd = self._keep(folders.open_fifo(control, self.files_fd, os.O_RDWR))
        except OSError as error:
            raise self.refused(what, part, error) from error
        return normally_up

    def _folder_of(self, place: Place) -> int:
        """The owner's own, where it is that one. Raises OSError."""
        if place.parent_fd is not None and place.path == b".":
            return place.parent_fd
        return self._keep(folders.open_folder(place.path, place.parent_fd))

    def _name_files(self, prefix: bytes) -> None:
        self._prefix = prefix
        self.status_name = prefix + b"status"
        self.state_name = prefix + b"state"
        self.lock_name = prefix + b"lock"

    def _open_files(self) -> None:
        """Who may do as they like in `supervise/` could put a link to any folder in the place of one in it,
        and have files there written over. Raises OSError."""
        if self._supervise != SERVICE:
            folders.make_folder(self._supervise, self.folder_fd)
            self.files_fd = self._keep(folders.open_folder_itself(self._supervise, self.folder_fd))
            self.where = b"/" + self._supervise + b"/"
            self._name_files(b"")

    def state(self) -> State:
        """What is handed over of it; its machine's memory is whatever slots the machine has."""
        return {
            **memory(self, _REBUILT),
            "scripts": [self.scripts.first, self.scripts.main],
            "record": self.record and encode(self.record),
            "with_logger": self.logger is not None,
            "asking": self.asking and self.asking.state(),
            "addressing": memory(self.addressing),
            "machine": memory(self.service, ("_scripts",)),
        }

    @classmethod
    def handed_over(cls, state: State) -> Hosted:
        """The same one in another program. What it shares with others is its owner's to restore."""
        first, main = state["scripts"]
        scripts = Scripts(tuple(first), main)
        place = Place(state["name"], b".", scripts=scripts, supervise=state["_supervise"])
        return cls(place, 0, 1, state)

    def open_ok(self, parked: Parked) -> None:
        """Let svok and svstat know that this folder is supervised. Raises Refused, with all still open.

        To be called when the status is published: clients look at once."""
        if not self.has_files:
            return
        name = self._prefix + b"ok"
        try:
            self.parked_ok = parked.keep(folders.open_fifo(name, self.files_fd, os.O_RDONLY))
        except OSError as error:
            raise self._refusal(b"unable to read ", self.where + name, error) from error

    def close(self) -> None:
        """Unlock and close everything."""
        fds, self._fds = self._fds, ()
        # Whoever comes too late must not reach what has these numbers next.
        self.folder_fd = self.files_fd = self.control_fd = self.lock_fd = -1
        for fd in fds:
            os.close(fd)
        self.let_go()

    def let_go(self) -> None:
        """Of a process that another supervise had started."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def write_record(self, record: Record) -> None:
        """Put it into the lock, where that may be. Raises OSError."""
        if self._records:
            self.record = record
            self.unrecorded = True
            folders.overwrite(self.lock_fd, encode(record))
            self.unrecorded = False

    def write_note(self, note: bytes, warn: Callable[[bytes], None]) -> None:
        """Have `supervise/ready` say that, and nothing if it is empty. That it cannot is said once."""
        if note == self.noted or not self.has_files:
            return
        before, self.noted = self.noted, note
        name = self._prefix + b"ready"
        try:
            if note:
                folders.replace(name, note, self.files_fd)
            else:
                folders.remove(name, self.files_fd)
        except (folders.NotPublished, OSError) as error:
            number = error.error.errno if isinstance(error, folders.NotPublished) else error.errno
            self.noted = UNKNOWN_NOTE
            if before != UNKNOWN_NOTE:
                warn(b"unable to write " + self.name + self.where + name + b": " + error_text(number))

    def read_note(self) -> bytes:
        """What `supervise/ready` says now."""
        from svpy.core.readiness import MOST_NOTE_BYTES

        try:
            self.noted = folders.read(self._prefix + b"ready", 2 * MOST_NOTE_BYTES, self.files_fd)
        except OSError:
            self.noted = b""
        return self.noted

    def read_exits(self, boot: bytes | None) -> Exits | None:
        """What was counted last in this boot (None: in any), if it was."""
        if self.lock_fd < 0:
            return None
        try:
            return counted.decode(
                folders.read_at_once(self.lock_fd, counted.SIZE_BYTES, counted.OFFSET_BYTES), boot
            )
        except OSError:
            return None

    def write_exits(self, exits: Exits) -> None:
        """Put it behind the record, where there is one that is whole. Raises OSError."""
        if self.record is not None and not self.unrecorded:
            folders.overwrite(self.lock_fd, counted.encode(self.record.boot, exits), counted.OFFSET_BYTES)

    def forget(self) -> None:
        """Supervising ends in order: there is nothing to go on with. Raises OSError."""
        if self._records:
            folders.empty(self.lock_fd)

    def _lock(self) -> bool:
        """Returns whether there are files in `supervise/`, or can be. Raises OSError.

        Where they can't because the filesystem is read-only, as a container's may be, the service runs
        nevertheless: the folder is locked in place of the file, and control is a pipe that nobody finds."""
        try:
            self._open_files()
            self.lock_fd = self._keep(folders.lock(self.lock_name, self.files_fd))
        except OSError as error:
            cannot_be_made = error.errno in (errno.EROFS, errno.ENOENT)
            if not (cannot_be_made and folders.is_read_only(self.folder_fd)):
                raise
            # A logger in its service's folder finds that locked by the service.
            if self._supervise == SERVICE:
                self._keep(folders.lock_folder(self.folder_fd))
            self.record = self._record_to_be_read()
            control = descriptors.Pipe()
            self.control_fd = self._keep(control.read_fd)
            self._keep(control.write_fd)
            return False
        self._records, self.record = read_record(self.lock_fd)
        return True

    def _record_to_be_read(self) -> Record | None:
        """Where nothing can be written any more, what was written before counts nevertheless."""
        try:
            lock_fd = folders.open_lock(self.lock_name, self.files_fd)
        except OSError:
            return None
        try:
            return read_record(lock_fd)[1]
        finally:
            folders.close(lock_fd)

    def _keep(self, fd: int) -> int:
        self._fds += (fd,)
        return fd

    def refused(self, what: bytes, part: bytes, error: OSError) -> Refused:
        """Close everything; what is to be raised then."""
        self.close()
        return self._refusal(what, part, error)

    def _refusal(self, what: bytes, part: bytes, error: OSError) -> Refused:
        return Refused(what + self.name + part + b": " + error_text(error.errno))


def read_record(lock_fd: int) -> tuple[bool, Record | None]:
    """Whether a record may stand in this lock, and the one that does. Raises OSError.

    Whoever can write to it could have us signal any process: it must be ours alone. Who may do as they
    like in `supervise/`, to be able to use svc, can put another file there; then there is no record."""
    if not folders.is_ours_alone(lock_fd):
        return False, None
    data = folders.read_at_once(lock_fd, SIZE_BYTES)
    return may_be_overwritten(data), decode(data)


def _nobody() -> None:
    """Stands where no owner waits to be told."""
