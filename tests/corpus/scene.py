"""The corpus put where a svscan hosts it, and what can be seen of it from outside.

Nothing is observed through the script itself where the kernel tells it: `Program` reads /proc. Every
look waits for its evidence."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.apart import Apart
from support.processes import BIN, eventually, run
from support.services import SVSCAN

CORPUS_FOLDER = Path(__file__).resolve().parent
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIME = re.compile(rb"^(@[0-9a-f]{24}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}) ")
"""What stands before a line, as a label or made readable."""
STATE = re.compile(rb"(?P<state>up|down)(?: \(pid \d+\))? \d+ seconds(?P<more>.*)\n")

Facts = Mapping[str, object]
"""What was observed, in words and plain values without anything that differs from run to run."""


@dataclass(frozen=True)
class Pattern:
    """A pattern of run scripts.

    `services`: the folders it consists of, copied from the corpus as they are there; `prepare` then gives
    them the modes and owners that git does not keep, before a svscan sees them; `later` are those that
    `observe` brings in itself. `observe` waits for what is to be seen and returns it; its docstring says
    what that must be. `sees`: those facts. `differs` says why C daemontools deliberately shows `theirs`
    instead."""

    name: str
    services: tuple[str, ...]
    observe: Callable[[Scene], Facts]
    sees: Facts
    prepare: Callable[[Scene], None] | None = None
    later: tuple[str, ...] = ()
    differs: str = ""
    theirs: Facts | None = None


class Scene:
    """`service` is the folder that is scanned, `elsewhere` one beside it where links may lead;
    `read_only`, in `elsewhere`, cannot be written to by what svscan hosts. `tools`: the commands that
    are first on PATH for svscan, and used to control it. `how`: as loggers run that are known in advance."""

    def __init__(self, root: Path, tools: Path = BIN) -> None:
        self.path = f"{tools}:{SYSTEM_PATH}"
        self._is_ours = tools == BIN
        self.service = root / "service"
        self.elsewhere = root / "elsewhere"
        self.read_only = self.elsewhere / "read-only"
        for folder in (self.service, self.elsewhere, self.read_only):
            folder.mkdir()
        self._said = root / "said"
        self.apart: Apart
        self.how = "native"

    def bring(self, name: str) -> None:
        """A service's folder, whole at once."""
        shutil.copytree(CORPUS_FOLDER / name, self.elsewhere / name, symlinks=True)
        # Whatever umask the checkout was made with.
        run("chmod", "-R", "u=rwX,go=rX", self.elsewhere / name)
        for log in (self.elsewhere / name).rglob("log"):
            # Where the loggers may make their folders and status files.
            shutil.chown(log, "nobody")
        (self.elsewhere / name).rename(self.service / name)

    def begin(self) -> Apart:
        """Start svscan."""
        self.apart = Apart(
            *(SVSCAN if self._is_ours else ["svscan"]), self.service,
            env={"PATH": self.path}, read_only=[self.read_only], into=self._said,
        )  # fmt: skip
        return self.apart

    def said(self, words: bytes) -> bool:
        """Whether svscan, or a service without a log, said so."""
        return words in self._said.read_bytes()

    def folder(self, name: str) -> Path:
        return self.service / name

    def command(self, *argv: str) -> tuple[int, bytes, bytes]:
        """A command of this side, in the folder that is scanned: exit code, stdout, stderr."""
        done = run(*argv, cwd=self.service, env={"PATH": self.path})
        return done.returncode, done.stdout, done.stderr

    def svc(self, letters: str, name: str) -> None:
        assert self.command("svc", letters, name) == (0, b"", b"")

    def state(self, name: str) -> str:
        """What svstat says: `up`, `down`, and what it adds."""
        code, said, warned = self.command("svstat", name)
        found = STATE.fullmatch(said.removeprefix(name.encode() + b": "))
        if (code, warned) != (0, b"") or found is None:
            return f"{code} {said!r} {warned!r}"
        return (found["state"] + found["more"]).decode()

    def wait_state(self, name: str, state: str) -> str:
        eventually(lambda: self.state(name) == state, f"{name} {state}; it is {self.state(name)}")
        return state

    def status(self, name: str) -> bytes:
        """supervise's status file, empty if it is not there."""
        try:
            return (self.folder(name) / "supervise/status").read_bytes()
        except FileNotFoundError:
            return b""

    def pid(self, name: str) -> int:
        return int.from_bytes(self.status(name)[12:16], "little")

    def program(self, name: str, comm: str = "sleep", since: int = 0) -> Program:
        """The program that a service has become: `sleep` stands for a daemon."""

        def become() -> bool:
            pid = self.pid(name)
            # The command line, too: an exec changes the name first.
            return pid not in (0, since) and self.apart.name(pid) == comm and bool(self.apart.argv(pid)[0])

        eventually(become, f"{name} runs {comm}; it is {self.state(name)}")
        return Program(self, self.pid(name))

    def lines(self, name: str, count: int) -> list[str]:
        """A file of lines in a service's folder, when it has so many (or more)."""
        path = self.folder(name)

        def there() -> list[str]:
            try:
                return path.read_text().splitlines()
            except FileNotFoundError:
                return []

        eventually(lambda: len(there()) >= count, f"{count} lines in {path}: {there()}")
        return there()

    def log(
        self, folder: str, last: bytes, decoded: Callable[[bytes], bytes] = lambda content: content
    ) -> list[bytes]:
        """The lines in a log folder, oldest first and without their time, once `last` ends them.

        `decoded` makes lines out of what a processor has made of a completed file."""
        path = self.folder(folder)
        lines: list[bytes] = []

        def ended() -> bool:
            try:
                # To read all of it takes longer than to look again. An empty one has just been begun.
                newest = (path / "current").read_bytes()[-200:]
                if newest and last not in newest:
                    return False
                whole = b"".join(decoded(file.read_bytes()) for file in sorted(path.glob("@*")))
                whole += (path / "current").read_bytes()
            except OSError:
                return False  # just being renamed
            lines[:] = [TIME.sub(b"", line) for line in whole.split(b"\n")[:-1]]
            being_processed = (path / "previous").exists() or (path / "processed").exists()
            return lines[-1:] == [last] and not being_processed

        eventually(ended, f"{last!r} at the end of {path}")
        return lines


@contextmanager
def hosted(
    patterns: Iterable[Pattern], tools: Path, change: Callable[[Scene], None] | None = None
) -> Iterator[Scene]:
    """The patterns under one svscan, that of `tools`; `change` is done to them before it starts."""
    # Not pytest's tmp_path: that is for root alone.
    root = Path(tempfile.mkdtemp(prefix="svpy-corpus-"))
    try:
        root.chmod(0o755)
        scene = Scene(root, tools)
        for pattern in patterns:
            for name in pattern.services:
                scene.bring(name)
            if pattern.prepare:
                pattern.prepare(scene)
        if change:
            change(scene)
        with scene.begin():
            yield scene
    finally:
        shutil.rmtree(root)


class Program:
    """A process, told in words that are the same in every run."""

    def __init__(self, scene: Scene, pid: int) -> None:
        self.scene = scene
        self.pid = pid
        self._proc = scene.apart.proc / str(pid)

    def argv(self) -> list[str]:
        return [os.fsdecode(word) for word in self.scene.apart.argv(self.pid)]

    def account(self) -> str:
        """`user group` where real, effective and saved ids are all the same; further groups behind."""
        status = (self._proc / "status").read_text()
        words = {
            name: status.partition(f"\n{name}:\t")[2].partition("\n")[0].split()
            for name in ("Uid", "Gid", "Groups")
        }
        user, group = ("/".join(sorted(set(words[name]))) for name in ("Uid", "Gid"))
        names = pwd.getpwuid(int(user)).pw_name if user.isdigit() else user
        return " ".join([names, group, *words["Groups"]])

    def limit(self, name: str) -> str:
        """The soft limit, as /proc/PID/limits has it."""
        for line in (self._proc / "limits").read_text().splitlines():
            if line.startswith(name):
                return line.removeprefix(name).split()[0]
        raise KeyError(name)

    def memory(self) -> dict[str, str]:
        """What softlimit -m sets."""
        names = ("data size", "stack size", "locked memory", "address space")
        return {name: self.limit(f"Max {name}") for name in names}

    def environment(self) -> set[str]:
        entries = (self._proc / "environ").read_bytes().removesuffix(b"\0").split(b"\0")
        return {os.fsdecode(entry).replace(self.scene.path, "THE PATH") for entry in entries}

    def descriptor(self, fd: int) -> str:
        """What it is open on: a path below the service's folder, or what /proc says."""
        return self._below((self._proc / "fd" / str(fd)).readlink())

    def cwd(self) -> str:
        return self._below((self._proc / "cwd").readlink())

    def _below(self, path: Path) -> str:
        # In a chroot the kernel tells the whole path, of which ours is the end.
        _, _, below = str(path).partition(f"/{self.scene.service.parent.name}/")
        return below or re.sub(r"\d+", "N", str(path))

    def leads(self) -> dict[str, bool]:
        """Whether it leads its process group and session."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return {"group": int(fields[2]) == self.pid, "session": int(fields[3]) == self.pid}

    def parent(self) -> int:
        return int((self._proc / "stat").read_text().rpartition(")")[2].split()[1])

    def is_orphan(self) -> bool:
        """Whether it is PID 1's child, or svscan's if that takes orphans in."""
        parent = self.parent()
        return parent == 1 or Program(self.scene, parent).argv()[:1] == ["svscan"]

    def alive(self) -> bool:
        try:
            return (self._proc / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
