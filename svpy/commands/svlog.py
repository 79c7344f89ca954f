"""svlog [-f] [-n LINES] … DIR...: show the logs of services over their rotations, in the order of time, and
follow them. Exits 0, 111 if anything could not be read."""

import os
import time

from svpy.core.errors import FAILED, USAGE, Die, one_line
from svpy.core.localtime import Localizer
from svpy.core.logorder import EARLIEST, LATEST, Stretch, label_at, last_label, merged
from svpy.core.logshown import Shown, distinct
from svpy.core.svlogwords import Words
from svpy.system.calendar import local_time, unix_s, utc
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.logreading import Log, trimmed
from svpy.system.logsites import absolute, found_at
from svpy.system.tell import because, say, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from svpy.system.logreading import File

FATAL = b"svlog: fatal: "


class Trouble:
    """What could not be read is said, and remembered for the exit code."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code = 0

    def say(self, message: bytes) -> None:
        say(b"svlog: warning: " + one_line(message))
        self.code = FAILED


class Selected:
    """Of which lines, and from when to when."""

    __slots__ = ("lines", "select", "since", "until")

    def __init__(self, words: Words) -> None:
        """Raises Die."""
        self.lines = words.lines
        self.since = EARLIEST if words.since is None else _moment(words.since, words.utc)
        self.until = LATEST if words.until is None else _moment(words.until, words.utc)
        self.select: Callable[[bytes], bytes] | None = None
        if words.grep is not None:
            from svpy.core import loggrep  # It needs re.

            try:
                self.select = (loggrep.fixed if words.fixed else loggrep.pattern)(words.grep)
            except loggrep.BadPattern as error:
                raise Die(
                    USAGE, FATAL + b"bad pattern " + one_line(words.grep + b": " + error.reason)
                ) from None

    def of(self, log: Log, files: "list[File]", source: int) -> "Iterator[Stretch]":
        if self.lines is None:
            yield from self.out_of(log.forward(files, source, self.since, self.until))
            return
        floor = EARLIEST
        for block in log.last(files, self.lines, self.since, self.until, self.select or _all):
            yield Stretch(source, floor, block)
            floor = last_label(block) or floor

    def out_of(self, stretches: "Iterator[Stretch]") -> "Iterator[Stretch]":
        """Those with a line in them that was looked for."""
        if self.select is None:
            yield from stretches
            return
        for stretch in stretches:
            stretch.floor = label_at(stretch.block, 0) or stretch.floor
            if block := self.select(stretch.block):
                stretch.block = block
                yield stretch


def _all(block: bytes) -> bytes:
    return block


def run(words: list[bytes]) -> int:
    restore_defaults()
    from svpy.core.catalogue import usage

    is_terminal = os.isatty(1)
    asked = Words(words, usage(b"svlog"), is_terminal)
    selected = Selected(asked)
    trouble = Trouble()
    names, paths = _sites(asked.folders, trouble)
    decode = None if asked.raw else Localizer(utc if asked.utc else local_time).rewrite
    shown = Shown(decode, names if len(paths) > 1 else [], is_terminal)

    try:
        if asked.follow:
            _follow(paths, selected, shown.block, trouble)
        else:
            _read(paths, selected, shown.block, trouble)
    except OSError as error:
        raise Die(FAILED, because(FATAL + b"unable to read or write", error)) from error
    return trouble.code


def _read(
    paths: list[bytes], selected: Selected, shown: "Callable[[int, bytes], bytes]", trouble: Trouble
) -> None:
    logs = []
    for source, path in enumerate(paths):
        try:
            log = Log(path, trouble.say)
            logs.append(selected.of(log, log.files(), source))
        except OSError as error:
            trouble.say(because(b"unable to open " + path, error))
    _write(logs, selected.lines, shown)


def _follow(
    paths: list[bytes], selected: Selected, shown: "Callable[[int, bytes], bytes]", trouble: Trouble
) -> None:
    from svpy.system.logfollow import Follower, Hearing, follow

    hearing = Hearing()
    followers = [Follower(path, source, hearing, trouble.say) for source, path in enumerate(paths)]
    logs = []
    for source, follower in enumerate(followers):
        try:
            log, files = follower.begin()
            logs.append(selected.of(log, files, source))
        except OSError as error:
            trouble.say(because(b"unable to open " + paths[source] + b", waiting for it", error))
    _write(logs, selected.lines, shown)
    follow(followers, hearing, shown, selected.out_of)


def _write(
    logs: "list[Iterator[Stretch]]", lines: int | None, shown: "Callable[[int, bytes], bytes]"
) -> None:
    """All of several logs, or the last lines of them."""
    blocks = merged(logs, shown)
    for block in blocks if lines is None else trimmed(list(blocks), lines):
        write_all(1, block)


def _sites(folders: list[bytes], trouble: Trouble) -> tuple[list[bytes], list[bytes]]:
    """The log folders that are meant, and what to call each. One of several of which none is known is said.
    Raises Die if none is known of any."""
    called = distinct([_name(folder) for folder in folders], folders)
    names, paths = [], []
    for name, folder in zip(called, folders, strict=True):
        reason = b"no log folder is known of " + folder
        try:
            found = found_at(folder)
        except OSError as error:
            found, reason = [], because(b"unable to open " + folder, error)
        if not found and len(folders) == 1:
            raise Die(FAILED, FATAL + one_line(reason))
        if not found:
            trouble.say(reason)
        paths += found
        ends = distinct([path.rpartition(b"/")[2] for path in found], found)
        names += [name] if len(found) == 1 else [name + b"/" + end for end in ends]
    if not paths:
        raise Die(FAILED)
    return [one_line(name) for name in names], paths


def _name(folder: bytes) -> bytes:
    """What a log is called by the folder that is given for it."""
    path = os.path.normpath(absolute(folder))
    if path.endswith(b"/log"):
        path = path.removesuffix(b"/log")
    return path.rpartition(b"/")[2] or folder


def _moment(word: bytes, is_utc: bool) -> bytes:
    """Raises Die."""
    from svpy.core.logtimes import Calendar, NotUnderstood, moment

    try:
        return moment(
            word, Calendar(time.time_ns(), utc if is_utc else local_time, lambda f: unix_s(f, is_utc))
        )
    except NotUnderstood:
        raise Die(USAGE, FATAL + b"no moment: " + one_line(word)) from None


def main() -> None:
    entry(b"svlog", run)
