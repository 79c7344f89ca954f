"""A folder of services, and svscan or supervise on it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import svpy
from support.processes import PATH, Running, TooLate, environment, eventually, run
from svpy.core.readiness import decode_note

PEERS = Path(os.environ.get("SVPY_PEERS", "/var/cache/svpy/peers/usr/bin"))
"""Where C daemontools is unpacked."""

SVSCAN = ["svscan"]
"""svpy's svscan as tests start it that do not say otherwise; options behind it are of the fixture `runs`."""

STAYS = "exec sleep 1000"
"""A run that stays up until a signal."""


class Services:
    """`root/service` is what svscan scans; folders are made beside it and come in whole, by rename."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "service"
        self.folder.mkdir()
        self._making = root / "making"
        self._making.mkdir()

    def make(self, name: str, run: str = STAYS, log: str | None = None, down: bool = False) -> Path:
        """A new service of that name, whole at once. `run` and `log` are the scripts' text."""
        return self.prepare(name, run, log, down).rename(self.folder / name)

    def prepare(self, name: str, run: str = STAYS, log: str | None = None, down: bool = False) -> Path:
        """The same, outside the folder that is scanned."""
        new = self._making / name
        new.mkdir()
        script(new / "run", run)
        if down:
            (new / "down").touch()
        if log is not None:
            self.add_log(new, log)
        return new

    def add_log(self, folder: Path, log: str) -> None:
        """Give a folder its `log`."""
        new = self._making / "log"
        new.mkdir()
        script(new / "run", log)
        new.rename(folder / "log")

    def state(self, name: str) -> str:
        """What svstat says of it, without its name."""
        said = run("svstat", name, cwd=self.folder).stdout.decode("utf-8", "surrogateescape")
        return said.removeprefix(f"{name}: ").rstrip("\n")

    def pid(self, name: str) -> int:
        """Its pid now, 0 if it is down or not supervised. Reads the status file, which is quick."""
        try:
            data = (self.folder / name / "supervise/status").read_bytes()
        except FileNotFoundError:
            return 0
        return int.from_bytes(data[12:16], "little")

    def up(self, name: str, since: int = 0) -> int:
        """Wait until it runs under another pid than `since`. Returns its pid."""
        eventually(lambda: self.pid(name) not in (0, since), f"{name} up; it is {self.state(name)}")
        return self.pid(name)

    def how(self, name: str) -> str:
        """How its process was started, as `svstat -l` says; empty if it has none."""
        return str(self.told(name)["how"] or "")

    def told(self, name: str) -> dict[str, Any]:
        """What `svstat --json` says of it. It must be as documented: tests/commands/test_svstat.py."""
        said = json.loads(run("svstat", "--json", name, cwd=self.folder).stdout)
        found: dict[str, Any] = said["services"][0]
        return found

    def svc(self, letters: str, *names: str) -> None:
        """svc, which must not say anything."""
        done = run("svc", letters, *names, cwd=self.folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def script(path: Path, text: str) -> None:
    """An executable script; a text without `#!` gets /bin/sh."""
    path.write_text(text if text.startswith("#") else f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Daemon(Running):
    """svscan or supervise. At the end it is stopped in order, and whatever is left of its session is
    killed."""

    def __init__(self, *argv: str | bytes | Path, **options: object) -> None:
        super().__init__(*argv, **{"start_new_session": True, **options})

    def stop(self) -> int:
        """TERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def __exit__(self, *raised: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait(2)
            except TooLate:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        super().__exit__(None, None, None)


def svscan(services: Services, **options: object) -> Daemon:
    """svpy's svscan, its messages in its output."""
    return Daemon(*SVSCAN, services.folder, **options)


def kill(daemon: Daemon) -> None:
    """As a crash would: without a word."""
    daemon.signal(signal.SIGKILL)
    daemon.wait()


def by_death(services: Services, daemon: Daemon, then: Callable[[Daemon], None]) -> None:
    """Another svscan follows this one, which was killed; `then` is called with it."""
    kill(daemon)
    with svscan(services) as second:
        then(second)


def by_upgrade(services: Services, daemon: Daemon, then: Callable[[Daemon], None]) -> None:
    """The same, after an upgrade."""
    assert run("svpy", "upgrade", services.folder).returncode == 0
    then(daemon)


def note(folder: Path) -> tuple[bytes, bytes]:
    """Word and text of its `supervise/ready`, if that is of its status."""
    try:
        data = (folder / "supervise/ready").read_bytes()
        return decode_note((folder / "supervise/status").read_bytes(), data)
    except FileNotFoundError:
        return b"", b""


def with_services_in(folder: Path, command: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """That command where /service is another folder."""
    program = f"""
import sys
sys.path.append({str(Path(svpy.__file__).parent.parent)!r})
sys.argv[1:] = {list(words)!r}
from svpy.system import seeing
seeing.services.__defaults__ = ({bytes(folder)!r},)
from svpy.commands.{command} import main
main()
"""
    return run(sys.executable, "-IS", "-c", program, cwd=folder.parent)


def c_environment(**more: str) -> dict[str, str]:
    """An environment in which C daemontools comes first."""
    return {**environment(), "PATH": f"{PEERS}:{PATH}", **more}


def descriptors(pid: int) -> list[str]:
    """What each open descriptor of a process is, sorted. Sockets come and go, one for the other."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        links.append("socket:[]" if link.startswith("socket:") else link)
    return sorted(links)


def is_hosted(folder: Path) -> bool:
    """Whether `ok` has a reader, as svok asks."""
    try:
        os.close(os.open(folder / "supervise/ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def alive(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process runs: a zombie that nobody reaped yet does not."""
    try:
        state = Path(proc, f"{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def stopped(pid: int) -> bool:
    """All its threads: one on another processor goes on for a moment after STOP was sent."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all((thread / "stat").read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)


def locked(path: Path) -> bool:
    """Whether somebody holds that lock."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def hold(pid: int) -> None:
    """Returns when it has stopped, and reads and writes no more."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: stopped(pid))


def memory_kb(pid: int, kind: str = "Rss") -> int:
    found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found is not None
    return int(found[1])


WAITS = "while :; do sleep 0.1; done"
"""For scripts with traps. No `read`: a signal that comes just before it does not interrupt it."""

NOTE_THE_START = "read line </proc/$$/stat; set -- ${line##*) }; echo ${20} >>starts"
"""What a run does to leave the moment of its fork, as the kernel has it, in `starts`: however long it took
the shell to say so."""


def starts(folder: Path) -> list[float]:
    """Seconds since boot (CLOCK_BOOTTIME) of the starts noted in a folder so far."""
    try:
        noted = (folder / "starts").read_text().split()
    except FileNotFoundError:
        return []
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in noted]
