"""A run that only executes a program is started without sh, and looks like one that sh has executed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.bothways import ENVIRON, NOTIFY, SURROUNDINGS, both_ways
from support.natives import Natives, comm
from support.pictures import Picture, picture
from support.processes import eventually
from support.services import Daemon, script
from support.watched import opens_of

SH = "#!/bin/sh\n"


@dataclass(frozen=True)
class Row:
    """A run. `opens`: how often it is opened for a start without sh, None if sh has to run it all the same.
    `shows` is the name of the process that stays, empty if none does."""

    name: str
    text: str
    opens: int | None = 1
    shows: str = "sleep"


ROWS = [
    Row("plain", SH + "exec sleep 1000\n"),
    Row("no-first-line", "exec sleep 1000\n"),
    Row("sh-e", "#!/bin/sh -eu\nexec sleep 1000\n"),
    Row("stderr", SH + "exec 2>&1\nexec sleep 1000\n"),
    Row("stderr-among-words", SH + "# (\nexec 2>&1 sleep \\\n 1000 # )\nfi\n"),
    Row("quoted", SH + "exec 'sle'e\"p\" \"1000\"\n"),
    Row("by-path", SH + "exec /bin/sleep 1000\n"),
    Row("in-its-folder", SH + "exec ./tool 1000\n", opens=None, shows="tool"),
    Row("above-its-folder", SH + "exec ../.above/tool 1000\n", opens=None, shows="tool"),
    Row("script-on-path", SH + "exec shown 1000\n"),
    Row("words", SH + "exec printf '[%s]' '' 'a  b' \"*\" \\$\n", shows=""),
    Row("env", SH + "exec env - PATH=/bin A=1 sleep 1000\n"),
    Row("through-a-link", SH + "exec envuidgid nobody setuidgid nobody sleep 1000\n", opens=None),
    Row("passed-over", SH + "exec hidden 1000\n"),
    Row("found-later", SH + "exec lost 1000\n", opens=None, shows="lost"),
    Row("without-a-first-line", SH + "exec ./bare 1000\n", opens=None),
    Row("says-something", SH + "exec dash -c 'echo out; echo err >&2; exec sleep 1000'\n"),
    Row("says-something-merged", SH + "exec 2>&1\nexec dash -c 'echo out; echo err >&2; exec sleep 1000'\n"),
    Row("ends", SH + "exec dash -c 'exit 7'\n", shows=""),
    Row("is-killed", SH + "exec dash -c 'kill -9 $$'\n", shows=""),
    Row("nowhere", SH + "exec no-such-program 1000\n", opens=None, shows=""),
    Row("nowhere-by-path", SH + "exec ./no-such-program\n", opens=None, shows=""),
    Row("not-executable", SH + "exec ./notify.c\n", opens=None, shows=""),
    Row("is-a-folder", SH + "exec ./folder\n", opens=None, shows=""),
    Row("no-name", SH + "exec ''\n", opens=None, shows=""),
    Row("no-interpreter", SH + "exec ./no-interpreter\n", opens=None, shows=""),
    Row("assignment", SH + "exec A=1 sleep 1000\n", opens=None, shows=""),
    Row("two-commands", SH + "umask 027\nexec sleep 1000\n", opens=None),
    Row("other-shell", "#!/bin/bash\nexec sleep 1000\n", opens=None),
]  # fmt: skip


@dataclass(frozen=True)
class Shown:
    process: Picture
    said: tuple[str, str]
    exits: str
    opens: int


class Programs:
    """A svscan on a folder of each row, all down; `early` comes first on its PATH."""

    def __init__(self, root: Path, options: list[str], rows: list[Row]) -> None:
        self.root = root
        self._options = options
        self._rows = {row.name: row for row in rows}
        self.natives = natives = Natives(root)
        self.early = root / "early"
        for folder in (self.early, natives.folder / ".above", self.early / "hidden"):
            folder.mkdir()
        (natives.folder / ".above/tool").symlink_to("/bin/sleep")
        script(natives.bin / "hidden", 'exec sleep "$1"')
        (natives.bin / "lost").symlink_to("/bin/sleep")
        script(self.early / "lost", "#!/nonexistent\n")
        script(self.early / "shown", 'exec sleep "$1"')
        for fd in (1, 2):
            (root / f"said-{fd}").touch()
        for row in rows:
            self._make(row)

    def _make(self, row: Row) -> None:
        folder = self.natives.prepare(row.name, down=True)
        (folder / "run").write_text(row.text)
        script(folder / "notify", NOTIFY)
        script(folder / "no-interpreter", "#!/nonexistent\n")
        (folder / "bare").write_text('exec sleep "$1"\n')
        (folder / "bare").chmod(0o755)
        (folder / "tool").symlink_to("/bin/sleep")
        (folder / "folder").mkdir()
        (folder / "notify.c").write_text("int main;\n")
        folder.rename(self.natives.folder / row.name)

    @contextmanager
    def hosted(self) -> Iterator[Daemon]:
        path = f"{self.early}:{self.natives.bin}:/usr/sbin:/usr/bin:/sbin:/bin"
        command = [sys.executable, "-IS", "-c", SURROUNDINGS, self.root, self.natives.bin / "svscan"]
        env = {"PATH": path, **ENVIRON}
        with Daemon(*command, *self._options, self.natives.folder, env=env) as self._daemon:
            yield self._daemon

    def shown(self, name: str) -> Shown:
        row = self._rows[name]
        natives, folder = self.natives, self.natives.folder / row.name
        eventually((folder / "supervise/ok").exists)
        before = self._said()
        process: Picture = {}
        with opens_of(folder / "run") as opens:
            natives.svc("-o", row.name)
            if row.shows:
                pid = natives.up(row.name)
                eventually(lambda: comm(pid) == row.shows)
                process = picture(pid, {}, self._daemon.pid)
                natives.svc("-k", row.name)
            eventually(lambda: (folder / "told").read_text().endswith("\n"), row.name)
            opened = opens()
        return Shown(process, self._said(before), (folder / "told").read_text(), opened)

    def _said(self, before: tuple[str, str] = ("", "")) -> tuple[str, str]:
        first, second = ((self.root / f"said-{fd}").read_text() for fd in (1, 2))
        return first.removeprefix(before[0]), second.removeprefix(before[1])


Ways = dict[str, tuple[Shown | Exception, Shown | Exception]]


@pytest.fixture(scope="module")
def ways() -> Ways:
    if os.geteuid() != 0:
        pytest.skip("only root can change groups")
    return both_ways(Programs, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_is_started_without_sh_shows_the_same(row: Row, ways: Ways) -> None:
    native, executed = ways[row.name]
    for each in (native, executed):
        if isinstance(each, Exception):
            raise each
    assert isinstance(native, Shown) and isinstance(executed, Shown)
    assert native.process == executed.process
    assert (native.said, native.exits) == (executed.said, executed.exits)
    assert executed.opens > 1
    assert native.opens == row.opens if row.opens is not None else native.opens > 1
