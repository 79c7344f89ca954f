"""Gathering what svstat -l tells of services."""

import os
import stat
import time

from svpy.core.details import Details, LogFolder, Socket
from svpy.core.errors import error_text
from svpy.system.listening import held, why_not
from svpy.system.logsites import log_folders
from svpy.system.trees import trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from svpy.core.seen import Seen
    from svpy.system.trees import Usage

_LOG = b"/log"
"""How the name of a logger ends, also of one that was named for itself."""


def gather(seen: "Iterable[Seen]") -> "tuple[list[Details], bytes]":
    """What there is to say of each, beside what its folder says, and why sockets are not among it, if they
    are not. What is known of no process is left out; it is no reason not to tell the rest."""
    shown = [Details(one) for one in seen]
    running = {one.seen.pid for one in shown if one.seen.pid}
    why = b""
    try:
        used = trees(running)
        sockets = _sockets(used)
    except OSError as error:
        why = why_not(error)
        used, sockets = _trees_if_any(running), {}
    for one in shown:
        _add(one, used, sockets)
        if one.seen.name.endswith(_LOG):
            one.logs = [_log(path) for path in log_folders(one.seen.name[: -len(_LOG)], one.seen.pid)]
    return shown, why


def _trees_if_any(pids: "set[int]") -> "dict[int, Usage]":
    try:
        return trees(pids)
    except OSError:
        return {}


def _sockets(used: "dict[int, Usage]") -> "dict[int, list[Socket]]":
    """Raises OSError."""
    if not used:
        return {}
    found = held({root: usage.pids for root, usage in used.items()})
    return {
        root: [Socket(each.protocol, each.address, each.port, each.text) for each in sockets]
        for root, sockets in found.items()
    }


def _add(one: Details, used: "dict[int, Usage]", sockets: "dict[int, list[Socket]]") -> None:
    one.shared = one.seen.shared
    usage = used.get(one.seen.pid)
    if usage is None:
        return
    one.processes = len(usage.pids)
    one.memory_bytes = usage.rss_bytes
    one.cpu_s = usage.cpu_s
    found = sockets.get(one.seen.pid)
    if not one.shared and (found or all(_may_be_looked_into(pid) for pid in usage.pids)):
        one.sockets = found


def _may_be_looked_into(pid: int) -> bool:
    return os.access(b"/proc/%d/fd" % pid, os.R_OK)


def _log(path: bytes) -> LogFolder:
    try:
        found = os.stat(path + b"/current", follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return LogFolder(path, None, None)
    except OSError as error:
        return LogFolder(path, None, None, error_text(error.errno))
    if not stat.S_ISREG(found.st_mode):
        return LogFolder(path, None, None)
    return LogFolder(path, found.st_size, max(0.0, time.time() - found.st_mtime))
