"""svwait -u | -d | -r | -x [-a | -o] [-t SECONDS] [DIR...]: wait until services are up, down, ready or gone.

Exit 0 when all of them were, with -o when one was; 99 when the time is over. Without DIR it is each service
of /service, for -u and -r those that are not wanted down."""

import time

from svpy.core import awaiting, options
from svpy.core.awaiting import READY, TIMED_OUT, UP
from svpy.core.errors import FAILED, USAGE, Die
from svpy.core.numbers import seconds
from svpy.system.awaiting import Awaited, Unable, wait
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.tell import because, write_all

PROGRAM = b"svwait"
USAGE_LINE = b"svwait: usage: svwait -u | -d | -r | -x [-a | -o] [-t seconds] [dir ...]"
_ALL, _ONE, _TIME = b"a", b"o", b"t"


def run(words: list[bytes]) -> int:
    restore_defaults()
    chosen, folders = options.parse(PROGRAM, b"udrxaot:", words, USAGE_LINE)
    wanted = {letter for letter, _ in chosen if letter in awaiting.WORDS}
    if len(wanted) != 1:
        raise Die(USAGE, USAGE_LINE)
    what = wanted.pop()
    until_mono_s = float("inf")
    for letter, argument in chosen:
        if letter == _TIME:
            until_mono_s = _until(argument)
    how_many = [letter for letter, _ in chosen if letter in (_ALL, _ONE)]
    awaited = [Awaited(folder, what) for folder in folders or _all(what)]
    is_one_enough = how_many[-1:] == [_ONE]
    if what in (awaiting.DOWN, awaiting.GONE):
        _make_room(len(awaited))

    def is_enough(number: int) -> bool:
        return number >= min(1, len(awaited)) if is_one_enough else number == len(awaited)

    progress = _Progress(what, awaited)
    try:
        is_so = wait(awaited, is_enough, until_mono_s, progress.tell)
    except Unable as trouble:
        raise Die(FAILED, b"svwait: fatal: " + trouble.message) from trouble
    finally:
        progress.clear()
    if is_so:
        return 0
    missing = [(each.path, each.seen) for each in awaited if not each.is_done]
    raise Die(TIMED_OUT, awaiting.timed_out(what, missing))


def _until(argument: bytes) -> float:
    """Raises Die."""
    within_s = seconds(argument)
    if within_s is None:
        raise Die(USAGE, USAGE_LINE)
    return time.monotonic() + within_s


def _all(what: bytes) -> list[bytes]:
    """Raises Die."""
    from svpy.system.seeing import SERVICES, see, services

    try:
        found = services()
    except OSError as error:
        raise Die(FAILED, because(b"svwait: fatal: unable to read " + SERVICES, error)) from error
    if what in (UP, READY):
        found = [folder for folder in found if awaiting.is_meant(see(folder)[0])]
    return found


def _make_room(number: int) -> None:
    """For three descriptors of each folder."""
    if number < 200:
        return
    from svpy.system.limits import hard_limit, set_soft_limit

    try:
        set_soft_limit("NOFILE", hard_limit("NOFILE"))
    except (OSError, ValueError):
        pass  # Then it is said when there are no more.


class _Progress:
    """Shows on a terminal how far it is, of several."""

    def __init__(self, what: bytes, awaited: list[Awaited]) -> None:
        self._what = what
        self._awaited = awaited
        self._is_shown = False

    def tell(self, missing: list[Awaited]) -> None:
        from svpy.system.terminal import columns, is_live

        number = len(self._awaited)
        if number < 2 or not is_live(2):
            return
        width = columns(2) or 80
        line = awaiting.progress(self._what, number - len(missing), number, missing[0].path, width)
        self._is_shown = True
        _to_stderr(line)

    def clear(self) -> None:
        if self._is_shown:
            _to_stderr(awaiting.CLEAR)


def _to_stderr(data: bytes) -> None:
    try:
        write_all(2, data)
    except OSError:
        pass


def main() -> None:
    entry(PROGRAM, run)
