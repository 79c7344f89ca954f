"""multilog SCRIPT...: select, label and keep the lines of stdin in log folders that are rotated.

`run` may be called in a process that an exec plan has taken away privileges and environment from:
everything is imported by then."""

import os
import time

from svpy.core.logscript import Script, import_for
from svpy.system.descriptors import reserve_standard
from svpy.system.entry import entry
from svpy.system.environment import inherited
from svpy.system.logfiles import LogFiles, Pauses
from svpy.system.loginput import Input
from svpy.system.multilog import Multilog, drive, start_folder
from svpy.system.title import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run(
    words: list[bytes],
    sleep: "Callable[[float], None]" = time.sleep,
    clock_ns: "Callable[[], int]" = time.time_ns,
) -> int:
    import_for(words)
    os.umask(0o022)
    reserve_standard()
    take(b"multilog", words)
    script, source, environ = Script(words), Input(), inherited()
    multilog = Multilog(script, start_folder(), source, clock_ns)
    waits = multilog.log(lambda start_fd: LogFiles(start_fd, environ, clock_ns))
    drive(waits, Pauses(sleep), source.read)
    return 0


def main() -> None:
    entry(b"multilog", run)
