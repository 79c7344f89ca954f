"""svscanboot [DIR]: start svscan on DIR, /service if none is given, with its messages in readproctitle.

What an earlier svscan left running is told to stop first (svc -dx). svscan then gets an environment
of nothing but PATH, /dev/null to read from, and what it and services without a log say goes to
readproctitle, to be seen with ps.

This process becomes svscan and readproctitle is its child. In C's script both are children of a
shell, which TERM from init ends while svscan and all services stay behind. The other way round,
readproctitle with svscan below it, TERM would end the process that only shows messages. So TERM
reaches the one that can stop everything in order, and readproctitle ends when the last writer has.
"""

from svpy.commands import svc
from svpy.core.errors import FAILED, USAGE, Die
from svpy.system import boot, installed
from svpy.system.entry import entry
from svpy.system.execute import executor, search_and_execute
from svpy.system.tell import because

PATH = b"/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin:/usr/X11R6/bin"
ENVIRON = [b"PATH=" + PATH]
ROOM = b"." * 400


def run(words: list[bytes]) -> int:
    if len(words) > 1:
        from svpy.core.catalogue import usage

        raise Die(USAGE, usage(b"svscanboot"))
    folder = words[0] if words else b"/service"
    home = installed.folder()
    readproctitle = home + b"/readproctitle"
    try:
        boot.silence()
    except OSError as error:
        raise Die(FAILED, because(b"svscanboot: fatal: unable to open /dev/null", error)) from None
    _stop_what_is_left(folder)
    try:
        title = [b"readproctitle", b"service", b"errors:", ROOM]
        boot.speak_into(boot.start_reader(readproctitle, title, ENVIRON))
    except OSError as error:
        raise Die(FAILED, because(b"svscanboot: fatal: unable to run " + readproctitle, error)) from None
    svscan = home + b"/svscan"
    try:
        search_and_execute([svscan, folder], PATH, executor(ENVIRON))
    except OSError as error:
        raise Die(FAILED, because(b"svscanboot: fatal: unable to run " + svscan, error)) from None
    return FAILED


def _stop_what_is_left(folder: bytes) -> None:
    try:
        svc.run([b"-dx", b"--", *boot.services(folder)])
    except Die:
        pass


def main() -> None:
    entry(b"svscanboot", run)
