"""The end of a service's log: of the `current` of a log folder of its logger's.

Rules of this module:

- labels become local time as tai64nlocal shows it (core/localtime.py); a line that has none has no time;
- only the end of the file is read, however long it is;
- where there is no log to be shown, a sentence says what there is instead.
"""

import os

from svpy.core.errors import error_text
from svpy.core.localtime import Localizer
from svpy.core.tai import LABEL_BYTES
from svpy.core.toprows import Group, printable
from svpy.system import inotify
from svpy.system.calendar import local_time
from svpy.system.logsites import log_folders, open_file

END_BYTES = 16384
"""Enough for a screen full of lines."""

_CHANGES = inotify.MODIFY | inotify.CREATE | inotify.MOVED_TO | inotify.DELETE_SELF | inotify.ONLYDIR
_HEX = frozenset(b"0123456789abcdef")
_DATE = slice(5, 19)
"""Month to second of tai64nlocal's `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`."""
_DATE_CHARACTERS = 29
_TAB = b"    "


class LogTail:
    """`title` says whose lines `lines` are: (time, text) each, the last one last."""

    def __init__(self) -> None:
        self.title = ""
        self.lines: list[tuple[str, str]] = []
        self._watch = -1
        self._watched = b""
        self._watcher: inotify.Watcher | None = None
        try:
            self._watcher = inotify.Watcher()
        except OSError:
            pass  # Then it is read with every sample.

    @property
    def fd(self) -> int:
        """Readable when the log that was read last has changed; -1 if nobody tells."""
        return -1 if self._watcher is None else self._watcher.fd

    def hear(self) -> None:
        """Forget what the kernel has told."""
        try:
            if self._watcher is not None:
                self._watcher.read()
        except OSError:
            pass

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def read(self, group: "Group | None", number: int) -> None:
        """That of a service; of several log folders the one of this number, counted round."""
        self.lines = []
        if group is None:
            self.title = "no service"
            self._hear_of(b"")
            return
        name = group.service.name
        if group.logger is None:
            self._hear_of(b"")
            self.title = f"{name} has no logger"
            self.lines = [
                ("", "what it writes goes where the output of its svscan goes: readproctitle, a journal")
            ]
            return
        folders = log_folders(group.service.key, group.logger.seen.pid)
        if not folders:
            self._hear_of(b"")
            self.title = f"{name}: no log folder is known"
            self.lines = [("", "its logger is not multilog, or its log/run does not say where it writes")]
            return
        at = number % len(folders)
        which = f" ({at + 1} of {len(folders)}, n: next)" if len(folders) > 1 else ""
        folder = folders[at]
        self.title = f"{printable(folder)}/current{which}"
        # Before it is read, so that nothing is missed.
        self._hear_of(folder)
        self._read(folder + b"/current")

    def _hear_of(self, folder: bytes) -> None:
        if self._watcher is None or (folder == self._watched and self._watch >= 0):
            return
        if self._watch >= 0:
            self._watcher.remove(self._watch)
        self._watched, self._watch = folder, -1
        try:
            self._watch = self._watcher.add(folder, _CHANGES) if folder else -1
        except OSError:
            pass

    def _read(self, path: bytes) -> None:
        try:
            fd = open_file(path)
            try:
                start = max(0, os.fstat(fd).st_size - END_BYTES)
                data = os.pread(fd, END_BYTES, start)
            finally:
                os.close(fd)
        except OSError as error:
            why = b"unable to read " + path + b": " + error_text(error.errno)
            self.lines = [("", printable(why))]
            return
        if start:
            data = data.partition(b"\n")[2]
        self.lines = decoded(data)


def decoded(data: bytes) -> list[tuple[str, str]]:
    """(time, text) of each line; the last may lack its newline."""
    if not data:
        return []
    raw = data.removesuffix(b"\n").split(b"\n")
    local = Localizer(local_time).rewrite(b"\n".join(raw) + b"\n").removesuffix(b"\n").split(b"\n")
    return [_decoded(before, after) for before, after in zip(raw, local, strict=True)]


def _decoded(raw: bytes, local: bytes) -> tuple[str, str]:
    label = raw[:LABEL_BYTES]
    if raw != local and len(label) == LABEL_BYTES and _HEX.issuperset(label[1:]):
        return local[_DATE].decode(), _text(local[_DATE_CHARACTERS:].removeprefix(b" "))
    return "", _text(raw)


def _text(data: bytes) -> str:
    return printable(data.replace(b"\t", _TAB))
