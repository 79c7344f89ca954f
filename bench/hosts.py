"""Who hosts services here: how each is started, what its folders look like, how it says what runs.

Each is given N pairs: a service that executes sleep, and the host's own logger in its usual form. A pair is
up when the service's status names a process that is `sleep` and the logger has opened its log: what the host
says, and what is there. Both are looked at one pair after the other, so that looking costs little.

A host runs in namespaces of its own, so that all of it ends with it, below a PID 1 that does nothing else.
s6-svscan executes /usr/bin/s6-supervise: so all the peers' programs are laid over the machine's own, for all
hosts alike. And svpy has an interpreter of its own there, a copy: whatever else runs Python here, first of
all this program, would take a share of its memory upon itself.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from common import ALONE, SYSTEM_PATH, children, processor_s, pss_kb, script

OURS, EXECUTED, C, RUNIT, S6 = "svpy", "svpy --no-native", "C daemontools", "runit", "s6"

START_LIMIT_S = 180.0
EVENT_LIMIT_S = 20.0
LOOK_EVERY_S = 0.002
SERVICE = "sleep"
IN_MEMORY = Path("/dev/shm")
"""Where services are. A disk's file system takes its time to find an inode where many have been freed just
before, as each host frees them here: it would be measured what ran before it."""

LINE = b"info msg 93: bytes 2093 from <joe@heaven.af.mil> qp 10043 uid 7770\n"

PID_1 = """
set -e
bin=$1 lib=$2 python=$3 copy=$4
shift 4
[ -z "$bin" ] || mount -t overlay -o "lowerdir=$bin:/usr/bin" bench /usr/bin
[ -z "$lib" ] || mount -t overlay -o "lowerdir=$lib:/usr/lib/${lib##*/}" bench "/usr/lib/${lib##*/}"
mount --bind "$copy" "$python"
echo ready
read -r go
"$@" </dev/null &
wait $!
"""


@dataclass(frozen=True, slots=True)
class Host:
    """`command` takes {services}, the folder, and {most}, how many of its processes there may be; `logger`
    is what a log/run executes in its folder, `log` what it writes; `pid` is where in supervise/status a
    process is named; `most_pairs` is a limit of its own."""

    name: str
    command: str
    logger: str
    log: str = "main"
    pid: tuple[slice, str] = (slice(12, 16), "little")
    most_pairs: int = 100_000
    svc_up: str = ""
    svstat: str = ""


HOSTS = (
    Host(OURS, "svscan {services}", "multilog t ./main", svc_up="svc -u", svstat="svstat"),
    Host(EXECUTED, "svscan --no-native {services}", "multilog t ./main"),
    # SERVICES in its svscan.c.
    Host(C, "svscan {services}", "multilog t ./main", most_pairs=1000, svc_up="svc -u", svstat="svstat"),
    # MAXSERVICES in its runsvdir.c.
    Host(
        RUNIT, "runsvdir {services}", "svlogd -t ./main", most_pairs=1000, svc_up="sv up", svstat="sv status"
    ),
    # Without -t it never looks again by itself; daemontools' and runit's five seconds are taken for it.
    Host(S6, "s6-svscan -t 5000 -c {most} {services}", "s6-log t ./main", pid=(slice(24, 32), "big")),
)


class Unfit(Exception):
    """What was to be measured does not run."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where svpy's commands are, and the peers', if any."""

    ours: Path
    peers: Path | None

    def environment(self, host: str) -> dict[str, str]:
        if host in (OURS, EXECUTED):
            return {"PATH": f"{self.ours}:{SYSTEM_PATH}"}
        # Not /usr/local, where svpy may be linked: the peers are laid over /usr/bin.
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def outside(self, host: str) -> dict[str, str]:
        """The environment of a single command, which needs no namespaces."""
        if host in (OURS, EXECUTED) or self.peers is None:
            return self.environment(host)
        return {"PATH": f"{self.peers}:{SYSTEM_PATH}", "LD_LIBRARY_PATH": str(self.library() or "")}

    def library(self) -> Path | None:
        found = sorted(self.peers.parent.glob("lib/*-linux-gnu*")) if self.peers else []
        return found[0] if found else None

    def lacks(self, host: Host, scratch: Path) -> str:
        """Why it does not run here, or nothing."""
        folder = self.ours if host.name in (OURS, EXECUTED) else self.peers
        program = host.command.split()[0]
        if folder is None or not (folder / program).exists():
            return f"no {program} in {folder or 'PEERS_DIR'}"
        try:
            with Hosting(host, self, 1, scratch):
                return ""
        except Unfit as error:
            return str(error)


@dataclass(frozen=True, slots=True)
class Process:
    """`pid` is its number here, `inside` the one it has in its namespace."""

    pid: int
    inside: int
    name: str


class Hosting:
    """A host with so many pairs, for as long as the block lasts. `took_s` is from its start to all of
    them running."""

    def __init__(self, host: Host, installed: Installed, pairs: int, scratch: Path) -> None:
        self.host = host
        self._folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else scratch))
        self.services = self._folder / "services"
        self.services.mkdir()
        self.pairs = [
            self.make(f"service-{number}").rename(self.services / f"service-{number}")
            for number in range(pairs)
        ]
        # runsvdir waits a second for a folder that was changed in this one: it may not have the whole of it.
        os.utime(self.services, (0, 0))
        words = shlex.split(host.command.format(services=self.services, most=2 * pairs + 10))
        python = (installed.ours / "python3").resolve()
        copy = scratch / python.name
        if not copy.exists():
            shutil.copy(python, copy)
        over = (installed.peers or "", installed.library() or "", python, copy)
        self._errors = (self._folder / "errors").open("w+b")
        self._unshare = subprocess.Popen(
            [*ALONE, "sh", "-c", PID_1, "sh", *map(str, over), *words],
            env=installed.environment(host.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def __enter__(self) -> Hosting:
        assert self._unshare.stdin is not None and self._unshare.stdout is not None
        if self._unshare.stdout.readline() != b"ready\n":
            self.__exit__(None, None, None)
            raise Unfit(f"no namespaces: {self._said()}")
        [self._init] = children(self._unshare.pid)
        self._proc = Path(f"/proc/{self._init}/root/proc")
        self._namespace = (Path(f"/proc/{self._init}/ns/pid")).readlink()
        began = time.monotonic()
        self._unshare.stdin.write(b"go\n")
        self._unshare.stdin.flush()
        try:
            for pair in self.pairs:
                self.wait_up(pair)
        except Unfit:
            self.__exit__(None, None, None)
            raise
        self.took_s = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unshare.kill()
        # All that ran inside has its stdout: that ends when they have.
        self._unshare.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def make(self, name: str, run: str = f"exec {SERVICE} 100000") -> Path:
        """A new pair, which a dot before its name hides from the host."""
        new = self.services / f".{name}"
        script(new / "run", run)
        script(new / "log/run", f"exec {self.host.logger}")
        # svlogd makes none, the others do.
        (new / "log" / self.host.log).mkdir()
        return new

    def wait_up(self, pair: Path) -> None:
        self.until(lambda: self.running(pair) is not None, START_LIMIT_S)
        self.until((pair / "log" / self.host.log / "current").exists, START_LIMIT_S)

    def until(
        self, met: Callable[[], bool], limit_s: float = EVENT_LIMIT_S, every_s: float = LOOK_EVERY_S
    ) -> None:
        deadline = time.monotonic() + limit_s
        while not met():
            if time.monotonic() > deadline or self._unshare.poll() is not None:
                raise Unfit(f"{self.host.name} with {len(self.pairs)} pairs: {self._said()}")
            time.sleep(every_s)

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-300:].decode(errors="replace").strip() or "nothing said"

    def running(self, pair: Path) -> int | None:
        """The pid, inside, of the service itself."""
        place, order = self.host.pid
        try:
            status = (pair / "supervise/status").read_bytes()
            pid = int.from_bytes(status[place], "big" if order == "big" else "little")
            return pid if pid and (self._proc / f"{pid}/comm").read_text() == f"{SERVICE}\n" else None
        except (FileNotFoundError, ProcessLookupError):
            return None

    def processes(self) -> list[Process]:
        """All of them but PID 1."""
        return [found for found in map(self._process, os.listdir("/proc")) if found is not None]

    def _process(self, entry: str) -> Process | None:
        if not entry.isdigit():
            return None
        try:
            if Path(f"/proc/{entry}/ns/pid").readlink() != self._namespace:
                return None
            lines = Path(f"/proc/{entry}/status").read_text().splitlines()
        except OSError:
            return None
        fields = dict(line.split(":\t", 1) for line in lines if line.startswith(("Name", "NSpid")))
        inside = int(fields["NSpid"].split()[-1])
        return Process(int(entry), inside, fields["Name"]) if inside != 1 else None

    def own(self) -> list[Process]:
        """All but the services."""
        return [process for process in self.processes() if process.name != SERVICE]

    def names(self) -> dict[str, int]:
        return dict(Counter(process.name for process in self.own()))

    def holding(self, library: str) -> int:
        """How many of its own processes have that library in memory."""
        own = [process.pid for process in self.own()]
        return sum(library in Path(f"/proc/{pid}/maps").read_text() for pid in own)

    def memory_kb(self) -> int:
        return sum(pss_kb(process.pid) for process in self.own())

    def pids(self) -> dict[int, int]:
        """The services' pids here, by those inside."""
        return {process.inside: process.pid for process in self.processes() if process.name == SERVICE}


def work_s(processes: list[Process]) -> float:
    return sum(processor_s(process.pid) for process in processes)


def ended(pid: int) -> Callable[[], float]:
    """Asked for the moment at which a process, which runs now, has ended."""
    fd = os.pidfd_open(pid)

    def moment() -> float:
        try:
            if not select.select([fd], [], [], EVENT_LIMIT_S)[0]:
                raise Unfit("a signal did not come")
            return time.monotonic()
        finally:
            os.close(fd)

    return moment


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
