"""Loggers run natively, and executed: the same run scripts both ways, and all that can be seen of them.

A way is a svscan on folders of the same names at the same place, started in the same surroundings. Loggers
come up one after another, so that each is alone in its process."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from support.natives import OPTIONS, Natives
from support.oracle import SEE, named, tree_of
from support.pictures import Picture, picture
from support.processes import eventually
from support.services import Daemon, script
from svpy.system.descriptors import waiting_bytes

LINES = "".join(
    ["one\n", "fatal: two\n", "\n", "x" * 300 + "\n", *(f"{n:0100}\n" for n in range(60)), "three\n"]
)
"""What each service writes, all of it before its logger is there; more than one file of the least size."""

RUN = f"printf %s '{LINES}'\nexec sleep 1000"
NOTIFY = 'test "$1 $2" = "run start" || echo "$1 $2 $4" >>told'


@dataclass(frozen=True)
class Row:
    """A log/run. `text` is all of it, with the folders `{bin}` and `{log}`. `how` it runs where that may be
    native: in a process that loggers may share (`shared`), in one of its own (`alone`), or `executed`.
    `prepare` makes what it needs in its folder. `ends`: it does not stay up. `reads`: the file in its folder
    in which the last line is to be seen; none if there is no such file."""

    name: str
    text: str
    how: str
    prepare: Callable[[Path], object] | None = None
    ends: bool = False
    reads: str = "main/current"


@dataclass(frozen=True)
class Shown:
    """`how` svstat says it ran, `process` (empty of one that ended), `files`: what lies in its folder when it
    has ended, `said`: on stdout and stderr, `exits`: what was noted of its end."""

    how: str
    process: Picture
    files: dict[str, str]
    said: tuple[str, str]
    exits: str


LOOKS = 6
"""So many that show the same, one after another."""

SURROUNDINGS = """\
import os, resource, signal, sys
for fd in (1, 2):
    os.dup2(os.open(f"{sys.argv[1]}/said-{fd}", os.O_WRONLY | os.O_APPEND), fd)
os.setgroups([0, 7, 12])
os.nice(3)
os.umask(0o027)
open("/proc/self/oom_score_adj", "w").write("120")
open("/proc/self/coredump_filter", "w").write("0x21")
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4000))
resource.setrlimit(resource.RLIMIT_CORE, (0, 1 << 20))
resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 64 << 20))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.dup2(os.open("/dev/zero", os.O_RDONLY), 7)
os.dup2(os.open("/dev/full", os.O_WRONLY | os.O_APPEND), 9)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What a svscan may be started in that is not what everybody has."""

ENVIRON = {
    "HOME": "/",
    "LANG": "C",
    "EMPTY": "",
    "LINES": "a\nb",
    "OLDPWD": "/usr",
    "PWD": "/tmp",
    "SHLVL": "3",
    "_": "/usr/bin/env",
    "no-identifier": "x",
    "PYTHONHOME": "/nonexistent",
    "PYTHONPATH": "/nonexistent",
    "LC_CTYPE": "C.UTF-8",
}


class Named(Protocol):
    """A row of whatever kind."""

    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=Named)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_LABEL = re.compile(rb"@[0-9a-f]{24}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}")
_ENDPOINT = re.compile(rb"\b(pipe|socket):\[(\d+)\]")


class Looks(Protocol[T_co]):
    """A svscan on folders of rows."""

    def hosted(self) -> AbstractContextManager[Daemon]: ...

    def shown(self, name: str) -> T_co: ...


def both_ways(
    look: Callable[[Path, list[str], list[R]], Looks[T]], rows: list[R]
) -> dict[str, tuple[T | Exception, T | Exception]]:
    """What each row shows natively, and executed."""
    base = Path(tempfile.mkdtemp(prefix="svpy-both-"))
    try:
        base.chmod(0o755)
        native, executed = (
            _all_shown(look, base / "way", OPTIONS[how], rows) for how in ("native", "executed")
        )
        return {name: (native[name], executed[name]) for name in native}
    finally:
        shutil.rmtree(base)


def _all_shown(
    look: Callable[[Path, list[str], list[R]], Looks[T]], root: Path, options: list[str], rows: list[R]
) -> dict[str, T | Exception]:
    """What went wrong with one row fails its own test."""
    root.mkdir(mode=0o755)
    looks = look(root, options, rows)
    found: dict[str, T | Exception] = {}
    with looks.hosted() as daemon:
        for row in rows:
            try:
                found[row.name] = looks.shown(row.name)
            except (AssertionError, OSError) as error:
                found[row.name] = error
        assert daemon.stop() == 0
    shutil.rmtree(root)
    return found


class Way:
    """One of the two, with the loggers of `rows` down, each with its service up and its lines in the pipe."""

    def __init__(self, root: Path, options: list[str], rows: list[Row]) -> None:
        self._natives = natives = Natives(root)
        self._root = root
        self._options = options
        self._rows = {row.name: row for row in rows}
        see = natives.bin / "see"
        see.write_bytes(SEE)
        see.chmod(0o755)
        for fd in (1, 2):
            (root / f"said-{fd}").touch()
        for row in rows:
            folder = natives.prepare(row.name, run=RUN, log="")
            text = row.text.replace("{bin}", str(natives.bin))
            text = text.replace("{log}", str(natives.folder / row.name / "log"))
            (folder / "log/run").write_bytes(text.encode("latin-1"))
            (folder / "log/down").touch()
            script(folder / "log/notify", NOTIFY)
            (folder / "log").chmod(0o755)
            shutil.chown(folder / "log", "nobody")
            if row.prepare:
                row.prepare(folder / "log")
            folder.rename(natives.folder / row.name)

    @contextmanager
    def hosted(self) -> Iterator[Daemon]:
        path = f"{self._natives.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        command = [sys.executable, "-IS", "-c", SURROUNDINGS, self._root, self._natives.bin / "svscan"]
        env = {"PATH": path, **ENVIRON}
        with Daemon(*command, *self._options, self._natives.folder, env=env) as self._daemon:
            yield self._daemon

    def shown(self, name: str) -> Shown:
        natives, row = self._natives, self._rows[name]
        logger = f"{name}/log"
        folder = natives.folder / logger
        before = [len(said) for said in self.said()]
        service = natives.up(name)
        eventually(lambda: self._waits(service) == len(LINES), f"{name} has written")
        how, process = "", {}
        try:
            if row.ends:
                natives.svc("-o", logger)
            else:
                natives.svc("-u", logger)
                pid = natives.up(logger)
                eventually(lambda: self._has_read(folder, row, service), f"{name} reads")
                how = natives.how(logger)
                process = self._rested(pid, service)
                natives.svc("-d", logger)
            eventually(lambda: (folder / "told").read_text().endswith("\n"), f"{name} ends")
        except AssertionError as error:
            error.add_note(repr([said[at:] for said, at in zip(self.said(), before, strict=True)]))
            raise
        said = [said[at:] for said, at in zip(self.said(), before, strict=True)]
        return Shown(how, process, files(folder), (said[0], said[1]), (folder / "told").read_text())

    def said(self) -> tuple[str, str]:
        first, second = ((self._root / f"said-{fd}").read_text() for fd in (1, 2))
        return first, second

    def _waits(self, service: int) -> int:
        """Bytes in the pipe that it writes into."""
        fd = os.open(f"/proc/{service}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return waiting_bytes(fd)
        finally:
            os.close(fd)

    def _has_read(self, folder: Path, row: Row, service: int) -> bool:
        if not row.reads:
            return self._waits(service) == 0
        current = folder / row.reads
        # No processor is at work any more.
        return b"three\n" in current.read_bytes() and not (current.parent / "previous").exists()

    def _rested(self, pid: int, service: int) -> Picture:
        """When nothing changes any more: a thread may be about to take its place."""
        names = {os.readlink(f"/proc/{service}/fd/1"): "the log pipe"}
        pictures: list[Picture] = []

        def rests() -> bool:
            pictures.append(picture(pid, names, self._daemon.pid))
            return len(pictures) >= LOOKS and all(each == pictures[-1] for each in pictures[-LOOKS:])

        eventually(rests)
        return pictures[-1]


def files(folder: Path) -> dict[str, str]:
    """All that lies in the folder of a logger but for what supervises it, without labels and numbers that
    differ each time."""
    found = {}
    for name, entry in named(tree_of(folder)).items():
        if not name.startswith((b"supervise", b"told")):
            content = entry.content
            if content.startswith(b"\x1f\x8b"):
                content = gzip.decompress(content)
            content = _ENDPOINT.sub(rb"\1", _LABEL.sub(b"@LABEL", content))
            found[os.fsdecode(name)] = f"{entry.kind} {entry.mode:04o} {entry.uid}:{entry.gid} {content!r}"
    return found
