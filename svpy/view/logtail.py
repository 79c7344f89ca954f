"""The end of a service's log: of a log folder of its logger's.

Rules of this module:

- it is read over rotations, from the end on (system/logtail.py), as much as a terminal shows;
- labels become local time as tai64nlocal shows it, from the month to the second;
- where there is no log to be shown, a sentence says what there is instead.
"""

import os

from svpy.core.errors import error_text
from svpy.core.toprows import Group, printable
from svpy.system import inotify
from svpy.system.logsites import log_folders, open_file
from svpy.system.logtail import tail

MOST_LINES = 100
"""No terminal shows more below its services."""

_CHANGES = inotify.MODIFY | inotify.CREATE | inotify.MOVED_TO | inotify.DELETE_SELF | inotify.ONLYDIR

_SHAPE = bytes.maketrans(b"123456789", b"0" * 9)
_STAMP = b"0000-00-00 00:00:00.000000000"
_STAMP_BYTES = len(_STAMP)
_MONTH_TO_SECOND = slice(5, 19)
"""tai64nlocal's stamp: every digit stands for any."""

_TAB = b"    "


class LogTail:
    """`title` says whose lines `lines` are: (time, text) each, the last one last."""

    def __init__(self) -> None:
        self.title = ""
        self.lines: list[tuple[str, str]] = []
        self._wanted = b""
        self._watch = -1
        # Without one it is read with every sample.
        self._watcher = inotify.Watcher(is_needed=False)

    @property
    def fd(self) -> int:
        """Readable when the log that was read last has changed; -1 if nobody tells."""
        return self._watcher.fd

    @property
    def is_told(self) -> bool:
        """Whether changes of what was read last are told of: not of what was not there."""
        return self._watch >= 0 or not self._wanted

    def hear(self) -> None:
        """Forget what the kernel has told."""
        try:
            self._watcher.read()
        except OSError:
            pass

    def close(self) -> None:
        self._watcher.close()

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
        self.title = f"{printable(folder)}{which}"
        # Before it is read, so that nothing is missed.
        self._hear_of(folder)
        self._read(folder)

    def _hear_of(self, folder: bytes) -> None:
        """Of this one and no other; nothing is none."""
        before, self._wanted = self._wanted, folder
        if folder == before and self._watch >= 0:
            return
        if self._watch >= 0:
            self._watcher.remove(self._watch)
        self._watch = -1
        try:
            self._watch = self._watcher.add(folder, _CHANGES) if folder else -1
        except OSError:
            pass

    def _read(self, folder: bytes) -> None:
        try:
            self.lines = [parted(line) for line in tail(folder, MOST_LINES)]
            if not self.lines:
                # A file that cannot be read is passed over there.
                os.close(open_file(folder + b"/current"))
        except OSError as error:
            why = b"unable to read " + folder + b": " + error_text(error.errno)
            self.lines = [("", printable(why))]


def parted(line: bytes) -> tuple[str, str]:
    """(month to second, text) of a line whose label has become local time; one that has none has no time."""
    stamp = line[:_STAMP_BYTES].translate(_SHAPE)
    if stamp != _STAMP:
        return "", _text(line)
    return line[_MONTH_TO_SECOND].decode(), _text(line[_STAMP_BYTES:].removeprefix(b" "))


def _text(data: bytes) -> str:
    return printable(data.replace(b"\t", _TAB))
