"""A multilog at work, driven by someone else.

Rules of this module:

- what a multilog does stands here once, for the command, which has one and waits, and for a process that
  has many and must never wait for one of them;
- it never waits itself for input, for the end of a pause or of a processor: it yields what it waits for,
  and gets the answer. Only its files can hold it up;
- a signal is a wish, noticed where nothing read is in hand: before the next input is asked for;
- while it waits for input it keeps nothing of what it has read but a line that has no end yet.
"""

import os
import time

from svpy.core.errors import FAILED, Die
from svpy.core.logfolder import FATAL, LogFolder
from svpy.core.loglines import Sorter
from svpy.core.logscript import Script, import_for
from svpy.system.descriptors import reserve_standard
from svpy.system.environment import inherited
from svpy.system.logfiles import LogFiles, Pause, Pauses, StatusFile, carry_out
from svpy.system.loginput import READ_BYTES, Input
from svpy.system.tell import because
from svpy.system.title import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Protocol, TypeAlias

    from svpy.core.loglines import Output
    from svpy.system.logfiles import Waits

    Read: TypeAlias = Callable[[int], bytes | None]
    """At most so many bytes; nothing at the end of the input; None if there may be a wish."""

    class Wishes(Protocol):
        """What signals ask for: to end after the line in hand, which TERM does, and to rotate once, ALRM."""

        leave: bool
        rotate: bool


UMASK = 0o022
"""For its files and its processors."""

_ATOMIC_BYTES = 4096
"""PIPE_BUF: what is written at once to a pipe and is no longer stays together."""


class Multilog:
    """A script at work. `log` is its whole life."""

    __slots__ = ("_clock_ns", "_folders", "_script", "_sorter", "_start_fd", "_statuses", "_wishes")

    def __init__(
        self,
        script: "Script",
        start_fd: int,
        wishes: "Wishes",
        clock_ns: "Callable[[], int]" = time.time_ns,
    ) -> None:
        """`start_fd` is the folder that the script's paths are relative to: it is this object's now."""
        self._script = script
        self._start_fd = start_fd
        self._wishes = wishes
        self._clock_ns = clock_ns
        self._sorter = Sorter(script)
        self._statuses: list[StatusFile] = []
        self._folders: list[tuple[LogFolder, LogFiles]] = []

    def log(self, files: "Callable[[int], LogFiles]", read: "Read | None" = None) -> "Waits":
        """Open everything and log until the input ends or TERM is wished for; what is in the folders then is
        safe on the disk. `files` makes what does a folder's steps, of the start folder. Who may wait for
        input says how by `read`, and is not asked for it. Raises Die."""
        yield from self._open(files)
        sorter, wishes, label, clock_ns = self._sorter, self._wishes, self._script.label, self._clock_ns
        while True:
            if wishes.rotate:
                wishes.rotate = False
                yield from self._rotate()
            if wishes.leave and sorter.at_line_start:
                break
            # After TERM the line in hand is finished, and what follows it is left to the next multilog.
            most_bytes = 1 if wishes.leave else READ_BYTES
            data = read(most_bytes) if read else (yield most_bytes)
            if data is None:
                continue
            if not data:
                yield from self._put(sorter.end())
                break
            stamp = label(clock_ns())
            line = sorter.line(data, stamp)
            if line:
                # What trickles in comes this way, and there Python's own work counts most.
                folder, its = self._folders[0]
                line = its.write_now(folder, line)
                if line:
                    yield from carry_out(folder.append(line), its)
            else:
                yield from self._put(sorter.feed(data, stamp))
            del data, line
        for folder, its in self._folders:
            yield from carry_out(folder.close(), its)

    def release(self) -> None:
        """Let go of everything that is open, as a process does that ends."""
        self._close_start()
        for status in self._statuses:
            status.release()
        for _, files in self._folders:
            files.release()
        self._statuses, self._folders = [], []

    def _open(self, files: "Callable[[int], LogFiles]") -> "Waits":
        for path, _ in self._script.statuses:
            self._statuses.append(StatusFile(path, self._start_fd))
        for plan in self._script.folders:
            folder, its = LogFolder(plan), files(self._start_fd)
            self._folders.append((folder, its))
            yield from carry_out(folder.open(), its)
        self._close_start()

    def _close_start(self) -> None:
        if self._start_fd >= 0:
            os.close(self._start_fd)
            self._start_fd = -1

    def _put(self, output: "Output") -> "Waits":
        if output.alerts:
            _alert(output.alerts)
        for number, content in output.statuses:
            while trouble := self._statuses[number].put(content):
                yield Pause(trouble)
        for number, block in output.blocks:
            folder, files = self._folders[number]
            if rest := files.write_now(folder, block):
                yield from carry_out(folder.append(rest), files)

    def _rotate(self) -> "Waits":
        for folder, files in self._folders:
            if folder.filled_bytes:
                yield from carry_out(folder.rotate(), files)


def drive(waits: "Generator[Any, Any, None]", pauses: "Pauses") -> None:
    """Do nothing but what one multilog that reads for itself waits for, until its end: pauses and processors.
    Raises Die."""
    answer: object = None
    while True:
        try:
            wait = waits.send(answer)
        except StopIteration:
            return
        answer = pauses.over(wait)


def run(
    words: list[bytes],
    sleep: "Callable[[float], None]" = time.sleep,
    clock_ns: "Callable[[], int]" = time.time_ns,
) -> int:
    """Be the multilog of a process: `words` is its script. Returns the exit code; raises Die."""
    import_for(words)
    os.umask(UMASK)
    reserve_standard()
    take(b"multilog", words)
    script, source, environ = Script(words), Input(), inherited()
    multilog = Multilog(script, _start_folder(), source, clock_ns)
    waits = multilog.log(lambda start_fd: LogFiles(start_fd, environ, clock_ns), source.read)
    drive(waits, Pauses(sleep))
    return 0


def _start_folder() -> int:
    """The folder a script's paths are relative to. Raises Die."""
    try:
        return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Die(FAILED, because(FATAL + b"unable to switch to current directory", error)) from error


def _alert(lines: bytes) -> None:
    """Each line is shorter than what a pipe keeps together, so all stay whole. What cannot be shown is lost,
    as in C: the log goes on."""
    try:
        while lines:
            end = len(lines) if len(lines) <= _ATOMIC_BYTES else lines.rindex(b"\n", 0, _ATOMIC_BYTES) + 1
            lines = lines[os.write(2, lines[:end]) :]
    except OSError:
        pass
