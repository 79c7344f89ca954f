"""Telling what happens to services, a line each (core/events.py), to who asked for it with --events.

Rules of this module:

- nothing here makes svscan wait, and what is not taken at once is dropped and counted;
- a file is opened anew on HUP, so that what rotates logs can move it away; what cannot be opened is said in a
  warning, and the one that is open is kept;
- a program that follows this one goes on with the same open file.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from svpy.core import service as machine
from svpy.core.events import Before, Fields, encoder, rfc3339, text, told
from svpy.core.handover import State
from svpy.core.svscanwords import STDERR, STDOUT
from svpy.daemon.hosted import Hosted
from svpy.system import tell
from svpy.system.clock import tai_now
from svpy.system.eventfile import ends_cut, is_regular, open_events
from svpy.system.replacing import close
from svpy.system.tell import because

_STANDARD = {STDOUT: 1, STDERR: 2}


class Events:
    """`where` as in core/svscanwords.py; `warn` says what goes wrong with it."""

    def __init__(self, where: bytes, warn: Callable[[bytes], None]) -> None:
        self._where = where
        self._warn = warn
        self._encode = encoder()
        self._write: Callable[[bytes], int] | None = None
        self._fd = -1
        self._dropped = 0
        self._is_cut = False

    def state(self) -> State:
        return {"fd": self._fd, "dropped": self._dropped, "is_cut": self._is_cut}

    def recall(self, state: State) -> None:
        self._fd = state["fd"]
        self._dropped = state["dropped"]
        self._is_cut = state["is_cut"]

    def open(self) -> None:
        """Begin, or go on with the file that was handed over."""
        if self._where in _STANDARD:
            self._write = tell.non_blocking(_STANDARD[self._where])
        elif self._fd >= 0:
            self._write = tell.to_descriptor(self._fd)
        else:
            self._open_file()

    def reopen(self) -> None:
        """If it is a file, or could not be opened."""
        if self._where not in _STANDARD and (self._fd < 0 or is_regular(self._fd)):
            self._open_file()

    def _open_file(self) -> None:
        try:
            fd = open_events(self._where)
        except OSError as error:
            self._warn(because(b"unable to open " + self._where, error))
            return
        close([self._fd])
        self._fd = fd
        self._write = tell.to_descriptor(fd)
        # By us, or by a svscan before us, when there was no room.
        self._is_cut = ends_cut(fd)

    def handle(self, hosted: Hosted, event: machine.Event) -> list[machine.Action]:
        """Stands in the place of Supervisor.handle."""
        before = Before(hosted.service)
        actions = hosted.service.handle(event)
        try:
            for name, fields in told(event, before, hosted.service, actions):
                self._tell(event.at, name, hosted, fields)
        except Exception as error:
            # What is to be done is done, whoever cannot be told of it.
            self._surprised(error)
        return actions

    def tell(self, name: str, hosted: Hosted, why: bytes) -> None:
        """What happens beside the machine; stands in the place of Supervisor.told."""
        pid = hosted.service.pid
        fields: Fields = {**({"pid": pid} if pid else {}), **({"reason": text(why)} if why else {})}
        try:
            self._tell(machine.Instant(trio.current_time(), tai_now()), name, hosted, fields)
        except Exception as error:
            self._surprised(error)

    def _surprised(self, error: Exception) -> None:
        self._dropped += 1
        self._warn(b"unexpected " + repr(error).encode("utf-8", "replace") + b", telling an event")

    def _tell(self, at: machine.Instant, name: str, hosted: Hosted, fields: Fields) -> None:
        service = hosted.name.removesuffix(b"/log") if hosted.is_logger else hosted.name
        line: Fields = {
            "time": rfc3339(at.tai),
            "monotonic_s": round(at.mono_s, 6),
            "event": name,
            "service": text(service),
            "logger": hosted.is_logger,
            **fields,
        }
        if self._dropped:
            line["dropped"] = self._dropped
        self._put((b"\n" if self._is_cut else b"") + self._encode(line))

    def _put(self, line: bytes) -> None:
        taken = 0
        try:
            if self._write is not None:
                taken = self._write(line)
        except OSError:
            pass  # It has no room, or nobody reads it any more: who comes next is told how many are missing.
        if taken:
            self._is_cut = line[taken - 1 : taken] != b"\n"
        self._dropped = 0 if taken == len(line) else self._dropped + 1
