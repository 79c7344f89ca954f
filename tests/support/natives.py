"""A svscan that runs loggers natively, and what shows how a logger runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.processes import BIN, run
from support.services import STAYS, SVSCAN, Daemon, Services, alive
from svpy.core.catalogue import COMMANDS

OPTIONS: dict[str, list[str]] = {"native": [], "executed": ["--no-native"]}
"""How loggers are to run that are known in advance."""

LOG = "exec multilog ./main"


class Natives(Services):
    """Services, and a folder of commands beside them, in which svscan and svpy are the test's own."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.bin = root / "bin"
        self.bin.mkdir()
        for name in COMMANDS:
            (self.bin / os.fsdecode(name)).symlink_to(BIN / os.fsdecode(name))
        self.install("svscan")
        self.install("svpy")

    def install(self, name: str, first: str = "") -> None:
        """A command that does `first`, Python's words, and then what it does."""
        before, word, after = (BIN / name).read_text().partition("from svpy.")
        new = self.bin / "new"
        new.write_text(f"{before}import sys\n{first}\n{word}{after}")
        new.chmod(0o755)
        new.rename(self.bin / name)

    def svscan(self, *options: str, **more: object) -> Daemon:
        return Daemon(self.bin / "svscan", *options, self.folder, **more)

    def pairs(self, count: int, run: str = STAYS, log: str = LOG) -> list[str]:
        """So many services with loggers; the names of the loggers."""
        names = [f"s{number}" for number in range(count)]
        for name in names:
            self.make(name, run=run, log=log)
        return [f"{name}/log" for name in names]

    def all_up(self, names: list[str]) -> list[int]:
        """The pids of loggers whose services are up as well: who writes to a log pipe keeps it."""
        for name in names:
            self.up(name.removesuffix("/log"))
        return [self.up(name) for name in names]

    def upgraded(self, folder: Path | None = None) -> None:
        done = run("svpy", "upgrade", folder or self.folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def logged(self, name: str) -> bytes:
        return (self.folder / name / "main/current").read_bytes()

    def kept(self, name: str) -> bytes:
        return kept(self.folder / name / "main")


@contextmanager
def run_so(how: str) -> Iterator[None]:
    """Who starts svscan meanwhile and says nothing else has loggers run so: `native` or `executed`."""
    SVSCAN[1:] = OPTIONS[how]
    try:
        yield
    finally:
        del SVSCAN[1:]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")


def cmdline(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")


def template(daemon: int) -> int:
    """The pid of the template, 0 if there is none."""
    found = [pid for pid in children(daemon) if alive(pid) and cmdline(pid) == [b"svpy", b"native-template"]]
    return found[0] if found else 0


def counts(step_s: float = 0.002) -> str:
    """A run that writes numbers; after TERM the last one it wrote is in `last`."""
    return (
        "#!/usr/bin/python3 -IS\nimport os, signal, time\non = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: on.append(1))\nnumber = 0\n"
        "while not on:\n    number += 1\n    os.write(1, b'%d\\n' % number)\n"
        f"    time.sleep({step_s})\n"
        "open('last', 'w').write(str(number))\n"
    )


def kept(folder: Path) -> bytes:
    """All that is in a log folder."""
    return b"".join(path.read_bytes() for path in [*sorted(folder.glob("@*")), folder / "current"])


def wchars(pid: int) -> int:
    """How many bytes a process has written."""
    return int(Path(f"/proc/{pid}/io").read_text().split("wchar:")[1].split()[0])


def nothing_is_lost(folder: Path) -> None:
    """All that one life of `counts` wrote is in the log, in order, once."""
    last = int((folder / "last").read_text())
    assert kept(folder / "log/main") == b"".join(b"%d\n" % number for number in range(1, last + 1))
    assert last > 10
