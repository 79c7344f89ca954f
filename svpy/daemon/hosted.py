"""One folder that is supervised: its machine, and the descriptors that make it ours."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from svpy.core.errors import error_text, one_line
from svpy.core.service import Service
from svpy.system import folders


class Refused(Exception):
    """A folder that cannot be supervised now; `message` is daemontools' words for it."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to supervise: its name in messages, where it is from `parent_fd` (None: from the
    current folder), and the moment before which it must not be started."""

    name: bytes
    path: bytes
    parent_fd: int | None = None
    earliest_mono_s: float = -math.inf


class Hosted:
    """A locked service folder with an open control fifo, and its state machine.

    `stdin_fd` and `stdout_fd` are what its run gets as 0 and 1; they are the owner's and not closed
    here. `left` is called once, when supervising has ended and everything is closed.
    `unpublished` says that the status file is behind."""

    __slots__ = (
        "_fds",
        "control_fd",
        "folder_fd",
        "left",
        "name",
        "service",
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
        self.left: Callable[[], None] = _nobody
        self._fds: tuple[int, ...] = ()
        self.folder_fd = self.control_fd = -1
        what, part = b"unable to chdir to ", b""
        try:
            self.folder_fd = here = self._keep(folders.open_folder(place.path, place.parent_fd))
            what, part = b"unable to stat ", b"/down"
            normally_up = not folders.exists(b"down", here)
            folders.make_supervise(here)
            what, part = b"unable to acquire ", b"/supervise/lock"
            self._keep(folders.lock(b"supervise/lock", here))
            what, part = b"unable to read ", b"/supervise/control"
            # Opened for both: with a writer of our own a fifo never comes to its end.
            self.control_fd = self._keep(folders.open_fifo(b"supervise/control", here, os.O_RDWR))
        except OSError as error:
            raise self.refused(what, part, error) from error
        self.service = Service(normally_up, place.earliest_mono_s)

    def open_ok(self) -> None:
        """Let svok and svstat know that this folder is supervised. Raises Refused.

        To be called when the status is published: clients look at once."""
        try:
            self._keep(folders.open_fifo(b"supervise/ok", self.folder_fd, os.O_RDONLY))
        except OSError as error:
            raise self.refused(b"unable to read ", b"/supervise/ok", error) from error

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
