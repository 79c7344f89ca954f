"""Mail that waits in queues of MTAs that do not run.

A queue is counted by the names in its folders; no file in it is opened. A table row is an MTA: what its
processes are called, where its queue is, and how the names of its messages begin or end."""

import os

from svpy.system.proc import name_of, pids, read_all

_MOST = 100000
_DEEPEST = 3


class _Mta:
    __slots__ = ("begins", "ends", "folders", "is_digits", "name", "processes")

    def __init__(
        self,
        name: bytes,
        processes: "tuple[bytes, ...]",
        folders: "tuple[bytes, ...]",
        begins: bytes = b"",
        ends: bytes = b"",
        is_digits: bool = False,
    ) -> None:
        self.name = name
        self.processes = processes
        self.folders = folders
        self.begins = begins
        self.ends = ends
        self.is_digits = is_digits

    def counts(self, name: bytes) -> bool:
        if self.is_digits and not name.isdigit():
            return False
        return name.startswith(self.begins) and name.endswith(self.ends)


_POSTFIX = b"/var/spool/postfix/"
_MTAS = (
    _Mta(
        b"postfix",
        (b"postfix/",),
        tuple(_POSTFIX + name for name in (b"maildrop", b"incoming", b"active", b"deferred", b"hold")),
    ),
    _Mta(
        b"exim",
        (b"exim4", b"exim"),
        (b"/var/spool/exim4/input", b"/var/spool/exim/input"),
        ends=b"-H",
    ),
    _Mta(
        b"sendmail",
        (b"sendmail", b"sendmail-mta"),
        (b"/var/spool/mqueue", b"/var/spool/mqueue-client"),
        begins=b"qf",
    ),
    _Mta(b"nullmailer", (b"nullmailer-send",), (b"/var/spool/nullmailer/queue",)),
    _Mta(b"qmail", (b"qmail-send",), (b"/var/qmail/queue/mess", b"/var/qmail/queue/todo"), is_digits=True),
)


def left(root: bytes = b"") -> "list[tuple[bytes, int]]":
    """Name and number of messages of each MTA that has some and no process. `root` stands before each
    folder."""
    running: set[bytes] | None = None
    found: list[tuple[bytes, int]] = []
    for mta in _MTAS:
        count = sum(_count(root + folder, mta, 0) for folder in mta.folders)
        if not count:
            continue
        if running is None:
            running = _running()
        if not running:
            return []  # Processes are hidden from us.
        if running.isdisjoint(mta.processes):
            found.append((mta.name, count))
    return found


def _count(folder: bytes, mta: _Mta, depth: int) -> int:
    count = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    count += _count(entry.path, mta, depth + 1) if depth < _DEEPEST else 0
                elif entry.is_file(follow_symlinks=False) and mta.counts(entry.name):
                    count += 1
                if count >= _MOST:
                    break
    except OSError:
        return count
    return count


def _running() -> "set[bytes]":
    """Names of all processes, none if we may not see others'. Postfix' are called as anything might be, so
    its programs' folder counts."""
    names: set[bytes] = set()
    for pid in pids() if name_of(1) else ():
        name = name_of(pid)
        names.add(name)
        if name == b"master" and b"postfix" in read_all(b"/proc/%d/cmdline" % pid):
            names.add(b"postfix/")
    return names
