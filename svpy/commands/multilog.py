"""multilog SCRIPT...: select, label and keep the lines of stdin in log folders that are rotated.

`run` may be called in a process that an exec plan has taken away privileges and environment from:
everything is imported by then."""

import os
import time

from svpy.core.errors import FAILED, Die
from svpy.core.logfolder import FATAL, LogFolder
from svpy.core.loglines import Output, Sorter
from svpy.core.logscript import Script, import_for
from svpy.system.descriptors import reserve_standard
from svpy.system.entry import entry
from svpy.system.environment import inherited
from svpy.system.logfiles import LogFiles, Pauses, StatusFile, carry_out
from svpy.system.loginput import READ_BYTES, Input
from svpy.system.tell import because, write_all
from svpy.system.title import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Multilog:
    """A script at work: its status files and folders are open, its input is being read."""

    def __init__(self, words: list[bytes], pauses: Pauses, clock_ns: "Callable[[], int]") -> None:
        """Raises Die."""
        script = Script(words)
        self._clock_ns = clock_ns
        self._pauses = pauses
        self._input = Input()
        self._sorter = Sorter(script)
        self._label = script.label
        start_fd = _start_folder()
        environ = inherited()
        self._statuses = [StatusFile(path, start_fd) for path, _ in script.statuses]
        self._folders = [
            (LogFolder(folder), LogFiles(start_fd, environ, clock_ns)) for folder in script.folders
        ]
        for folder, files in self._folders:
            carry_out(folder.open(), files, pauses)

    def log(self) -> None:
        """Until the input ends or TERM comes; what is in the folders then is safe on the disk."""
        while True:
            if self._input.rotate:
                self._input.rotate = False
                self._rotate()
            if self._input.leave and self._sorter.at_line_start:
                break
            # After TERM the line in hand is finished, and what follows it is left to the next multilog.
            data = self._input.read(1 if self._input.leave else READ_BYTES)
            if data is None:
                continue
            if not data:
                self._put(self._sorter.end())
                break
            self._put(self._sorter.feed(data, self._label(self._clock_ns())))
        for folder, files in self._folders:
            carry_out(folder.close(), files, self._pauses)

    def _put(self, output: Output) -> None:
        if output.alerts:
            _alert(output.alerts)
        for number, content in output.statuses:
            self._statuses[number].put(content, self._pauses)
        for number, block in output.blocks:
            folder, files = self._folders[number]
            carry_out(folder.append(block), files, self._pauses)

    def _rotate(self) -> None:
        for folder, files in self._folders:
            if folder.filled_bytes:
                carry_out(folder.rotate(), files, self._pauses)


def _start_folder() -> int:
    try:
        return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Die(FAILED, because(FATAL + b"unable to switch to current directory", error)) from error


def _alert(lines: bytes) -> None:
    """What cannot be shown is lost, as in C: the log goes on."""
    try:
        write_all(2, lines)
    except OSError:
        pass


def run(
    words: list[bytes],
    sleep: "Callable[[float], None]" = time.sleep,
    clock_ns: "Callable[[], int]" = time.time_ns,
) -> int:
    import_for(words)
    os.umask(0o022)
    reserve_standard()
    take(b"multilog", words)
    Multilog(words, Pauses(sleep), clock_ns).log()
    return 0


def main() -> None:
    entry(b"multilog", run)
