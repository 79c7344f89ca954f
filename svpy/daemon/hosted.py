"""One folder that is supervised: its machine, and the descriptors that make it ours."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from svpy.core.control import Addressing
from svpy.core.errors import error_text, one_line
from svpy.core.service import SERVICE_FOLDER, Scripts, Service
from svpy.system import folders
from svpy.system.supervised import SERVICE


class Refused(Exception):
    """A folder that cannot be supervised now; `message` is daemontools' words for it."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to supervise: its name in messages, where it is from `parent_fd` (None: from the
    current folder), the moment before which it must not be started, what is started there, and where
    its status and fifos are."""

    name: bytes
    path: bytes
    parent_fd: int | None = None
    earliest_mono_s: float = -math.inf
    scripts: Scripts = SERVICE_FOLDER
    supervise: bytes = SERVICE


class Hosted:
    """A locked service folder with an open control fifo, and its state machine.

    `stdin_fd` and `stdout_fd` are what its run gets as 0 and 1; they are the owner's and not closed
    here. `left` is called once, when supervising has ended and everything is closed; `ended` whenever a
    process of it has ended, before another is started.
    `unpublished` says that the status file is behind, `has_word` that the state file has a word.
    `logger` is the one that shares the folder, if there is one: its letters come through this one's
    fifo too."""

    __slots__ = (
        "_fds",
        "_supervise",
        "addressing",
        "control_fd",
        "ended",
        "folder_fd",
        "has_word",
        "left",
        "logger",
        "name",
        "scripts",
        "service",
        "state_name",
        "status_name",
        "stdin_fd",
        "stdout_fd",
        "unpublished",
    )

    def __init__(self, place: Place, stdin_fd: int, stdout_fd: int) -> None:
        """Open and lock the folder. Raises Refused."""
        self.name = one_line(place.name)
        self.stdin_fd = stdin_fd
        self.stdout_fd = stdout_fd
        self.unpublished = False
        self.has_word = False
        self.scripts = place.scripts
        self.addressing = Addressing()
        self.logger: Hosted | None = None
        self._supervise = place.supervise
        self.status_name = place.supervise + b"/status"
        self.state_name = place.supervise + b"/state"
        self.left: Callable[[], None] = _nobody
        self.ended: Callable[[], None] = _nobody
        self._fds: tuple[int, ...] = ()
        self.folder_fd = self.control_fd = -1
        what, part = b"unable to chdir to ", b""
        try:
            self.folder_fd = here = self._keep(folders.open_folder(place.path, place.parent_fd))
            what, part = b"unable to stat ", b"/down"
            normally_up = not folders.exists(b"down", here)
            folders.make_supervise(here)
            if place.supervise != SERVICE:
                folders.make_folder(place.supervise, here)
            lock, control = place.supervise + b"/lock", place.supervise + b"/control"
            what, part = b"unable to acquire ", b"/" + lock
            self._keep(folders.lock(lock, here))
            what, part = b"unable to read ", b"/" + control
            # Opened for both: with a writer of our own a fifo never comes to its end.
            self.control_fd = self._keep(folders.open_fifo(control, here, os.O_RDWR))
        except OSError as error:
            raise self.refused(what, part, error) from error
        self.service = Service(normally_up, place.earliest_mono_s, place.scripts)

    def open_ok(self) -> None:
        """Let svok and svstat know that this folder is supervised. Raises Refused.

        To be called when the status is published: clients look at once."""
        name = self._supervise + b"/ok"
        try:
            self._keep(folders.open_fifo(name, self.folder_fd, os.O_RDONLY))
        except OSError as error:
            raise self.refused(b"unable to read ", b"/" + name, error) from error

    def close(self) -> None:
        """Unlock and close everything."""
        fds, self._fds = self._fds, ()
        # Whoever comes too late must not reach what has these numbers next.
        self.folder_fd = self.control_fd = -1
        for fd in fds:
            os.close(fd)

    def _keep(self, fd: int) -> int:
        self._fds += (fd,)
        return fd

    def refused(self, what: bytes, part: bytes, error: OSError) -> Refused:
        """Close everything; what is to be raised then."""
        self.close()
        return Refused(what + self.name + part + b": " + error_text(error.errno))


def _nobody() -> None:
    """Stands where no owner waits to be told."""
