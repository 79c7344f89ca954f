"""svstat [-l] [--json] [--check] [DIR...]: how services are.

Without options one line for each DIR on stdout, as daemontools has it, and exit code 0 whatever they say. A
logger that is a file in its service's folder has a line of its own behind the service's. Without DIR it is
all of /service, loggers included; no such folder is no services, as in C.

An option before the folders has it say more, of loggers as well. One that stands alone is a folder if there
is one of that name here, as in C, which has no options. daemontools-encore's -l and -L, which leave one of
the two out, would be folders there."""

import os
import time

from svpy.core import status
from svpy.core.errors import FAILED, Die
from svpy.core.seen import Seen
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.glancing import glance
from svpy.system.origin import Origin
from svpy.system.tell import because, say, write_all

LONG = b"-l"
JSON = b"--json"
CHECK = b"--check"
_OPTIONS = (LONG, JSON, CHECK)
NOT_AS_WANTED = 1


def run(words: list[bytes]) -> int:
    restore_defaults()
    # As C, which goes into folders and back, and fails where it could not come back.
    Origin(b"svstat")
    chosen, folders = _split(words)
    if not chosen:
        return _plain(folders)
    seen = _seen(folders)
    if JSON in chosen:
        _write(_json(seen))
    elif LONG in chosen:
        _write(_table(seen))
    else:
        _write(_lines(seen))
    return NOT_AS_WANTED if CHECK in chosen and not all(one.is_wanted for one in seen) else 0


def _split(words: list[bytes]) -> tuple[set[bytes], list[bytes]]:
    """The options before the folders, and the folders."""
    at = 0
    while at < len(words) and words[at] in _OPTIONS:
        at += 1
    if at == len(words) == 1 and os.path.isdir(words[0]):
        at = 0
    return set(words[:at]), words[at:]


def _plain(folders: list[bytes]) -> int:
    """Nobody has asked for anything that daemontools does not do."""
    if folders:
        seen = [half for folder in folders for half in glance(folder)]
    else:
        from svpy.system.seeing import SERVICES, services

        try:
            seen = _both(services())
        except FileNotFoundError:
            return 0
        except OSError as error:
            say(because(b"svstat: warning: unable to read " + SERVICES, error))
            return 0
    try:
        write_all(1, _lines(seen))
    except OSError:
        # As C: svstat exits 0 even if nobody listens. A closed pipe has ended it by SIGPIPE already.
        pass
    return 0


def _seen(folders: list[bytes]) -> list[Seen]:
    """Each service and its logger. Raises Die."""
    if folders:
        return _both(folders)
    from svpy.system.seeing import SERVICES, services

    try:
        return _both(services())
    except OSError as error:
        raise Die(FAILED, because(b"svstat: fatal: unable to read " + SERVICES, error)) from error


def _both(folders: list[bytes]) -> list[Seen]:
    """A logger that is named as well as its service (`/service/* /service/*/log`) is one of them."""
    from svpy.system.seeing import see

    found = [half for folder in folders for half in see(folder)]
    loggers = {half.name for half in found if half.is_logger}
    return [half for half in found if half.is_logger or half.name not in loggers]


def _lines(seen: list[Seen]) -> bytes:
    now_unix_s = int(time.time())
    lines = []
    for one in seen:
        said = one.trouble
        if one.status is not None:
            said = status.describe(one.status, one.normally_up, now_unix_s, one.word)
        name = one.name[: -len(b"/log")] + b" log" if one.is_file else one.name
        lines.append(name + b": " + said + b"\n")
    return b"".join(lines)


def _table(seen: list[Seen]) -> bytes:
    from svpy.core.details import table
    from svpy.system.details import gather
    from svpy.system.signals import names
    from svpy.system.terminal import columns, has_colours

    shown, why = gather(seen)
    if why:
        say(b"svstat: warning: unable to list sockets: " + why)
    return table(shown, int(time.time()), names(), columns(1), has_colours(1))


def _json(seen: list[Seen]) -> bytes:
    import json

    from svpy.core.detailsjson import document
    from svpy.system.details import gather
    from svpy.system.signals import names

    shown, why = gather(seen)
    if why:
        say(b"svstat: warning: unable to list sockets: " + why)
    return json.dumps(document(shown, int(time.time()), names()), indent=1).encode() + b"\n"


def _write(data: bytes) -> None:
    try:
        write_all(1, data)
    except OSError as error:
        raise Die(FAILED, because(b"svstat: fatal: unable to write", error)) from error


def main() -> None:
    entry(b"svstat", run)
