"""What the processes of a service use: the trees below given processes, from one walk of /proc.

Rules of this module:

- a tree is a process and all that descend from it by their parents (field 4 of /proc/PID/stat). What has put
  itself into the background has another parent by then and is in no tree;
- memory is the sum of what each process has resident (field 24): a page that several share counts in each of
  them. Shared out among them (PSS) it costs the kernel a walk of every page;
- processor time is that of all of them and of those of their children that have ended and were waited for
  (fields 14 to 17);
- several services' native loggers are one process (svpy/native): who adds up takes its tree once, by its pid.
"""

import os

from svpy.system.proc import PARENT, pids, stat_fields
from svpy.system.processes import TICKS_PER_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FIRST_TIME, _AFTER_TIMES, _PAGES = 14 - 3, 18 - 3, 24 - 3


class Usage:
    """Of one tree: its processes, the root first; the memory they have resident; the processor time they have
    used since they began."""

    __slots__ = ("cpu_s", "pids", "rss_bytes")

    def __init__(self, pids: "tuple[int, ...]", rss_bytes: int, cpu_s: float) -> None:
        self.pids = pids
        self.rss_bytes = rss_bytes
        self.cpu_s = cpu_s


def trees(roots: "Iterable[int]") -> "dict[int, Usage]":
    """The tree of each of these processes that is there. Raises OSError if there is no /proc."""
    pages: dict[int, int] = {}
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for pid in pids():
        try:
            fields = stat_fields(b"%d" % pid)
            pages[pid] = int(fields[_PAGES])
            ticks[pid] = sum(map(int, fields[_FIRST_TIME:_AFTER_TIMES]))
            children.setdefault(int(fields[PARENT]), []).append(pid)
        except (OSError, IndexError, ValueError):
            continue  # It has ended meanwhile.
    found = {}
    for root in roots:
        if root in pages and root not in found:
            tree = _descendants(root, children, pages)
            found[root] = Usage(
                tree,
                sum([pages[pid] for pid in tree]) * PAGE_BYTES,
                sum([ticks[pid] for pid in tree]) / TICKS_PER_S,
            )
    return found


def _descendants(root: int, children: "dict[int, list[int]]", known: "dict[int, int]") -> "tuple[int, ...]":
    """Those of a process, itself first. Pids were read one after the other and may have been taken again
    meanwhile: no process is counted twice."""
    found = {root: None}
    ahead = [root]
    while ahead:
        for pid in children.get(ahead.pop(), ()):
            if pid not in found and pid in known:
                found[pid] = None
                ahead.append(pid)
    return tuple(found)
