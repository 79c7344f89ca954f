"""A mail host to be thrown away, under svscan: namespaces and a root of its own (see standin/private-host).

Everything is waited for by what can be seen: a state of svstat, a line in a log, a file in a Maildir."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from support import namespaces
from support.processes import BIN, DEADLINE_S, Running, eventually, run
from support.services import SVSCAN

TESTS = Path(__file__).resolve().parent.parent
PRIVATE_HOST = (TESTS / "standin/private-host",)
SERVICES = ("qmail-send", "qmail-smtpd")
SUPERVISED = tuple(name + log for name in SERVICES for log in ("", "/log"))
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABEL = re.compile(rb"@[0-9a-f]{24} ")
STATE = re.compile(
    r"(?P<folder>\S+): (?P<state>up|down)(?: \(pid (?P<pid>\d+)\))? (?P<seconds>\d+) seconds(?P<more>.*)"
)


@dataclass(frozen=True)
class Process:
    """`pid` as the machine sees it, `inner_pid` as the host does."""

    pid: int
    inner_pid: int
    name: str
    uid: int


@dataclass(frozen=True)
class State:
    """A line of svstat."""

    up: bool
    pid: int
    seconds: int
    more: str


class Host:
    """`with Host() as host: host.link(*SERVICES); …`.

    `pid_1`: svscan itself is PID 1 of the namespace; otherwise it is an ordinary child of a waiter.
    `environment`: more for svscan's, which is PATH and HOME otherwise.
    `maker`: the program that makes its root and executes the rest of its words, and its first words."""

    def __init__(
        self,
        pid_1: bool = False,
        environment: dict[str, str] | None = None,
        bin_dir: Path = BIN,
        maker: tuple[Path, ...] = PRIVATE_HOST,
    ) -> None:
        self.pid_1 = pid_1
        self.bin_dir = bin_dir
        self.environment = environment or {}
        self.maker = maker

    def __enter__(self) -> Host:
        svscan = [
            "env",
            *(f"{name}={value}" for name, value in self.environment.items()),
            *SVSCAN,
            "/service",
        ]
        if not self.pid_1:
            svscan = [sys.executable, "-I", namespaces.__file__, *svscan]
        # stderr of svscan and what its waiter has to say.
        # A session of its own: a signal to a whole group must not reach the tests.
        self.outside = Running(
            *namespaces.UNSHARE,
            *(*self.maker, self.bin_dir, *svscan),
            start_new_session=True,
        )
        try:
            eventually(self._is_up, "svscan in its namespace")
            self.root_fd = os.open(f"/proc/{self.init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except BaseException as error:
            self.outside.process.kill()
            error.add_note(f"it said {self.outside.rest()!r}")
            self.outside.__exit__(type(error), error, error.__traceback__)
            raise
        # Through the descriptor it can also be read when the last process of the namespace is gone.
        self.root = Path(f"/proc/self/fd/{self.root_fd}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.outside.__exit__(kind, error, trace)  # --kill-child: and with it the whole namespace
        os.close(self.root_fd)

    def _is_up(self) -> bool:
        if self.outside.process.poll() is not None:
            raise AssertionError(f"no host: {self.outside.rest()!r}")
        self.init_pid = next(iter(namespaces.children(self.outside.pid)), 0)
        if not self.init_pid:
            return False
        self.svscan_pid = self.init_pid if self.pid_1 else next(iter(namespaces.children(self.init_pid)), 0)
        return bool(self.svscan_pid) and name_of(self.svscan_pid) == "svscan"

    def command(self, *argv: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside, as root, to its end."""
        settings: dict[str, object] = {
            "env": {"PATH": f"{self.bin_dir}:{SYSTEM_PATH}", "HOME": "/"},
            **options,
        }
        return run(*self.inside(*argv), **settings)

    def inside(self, *argv: str) -> tuple[str, ...]:
        """The words that run a command inside."""
        return ("nsenter", "-t", str(self.init_pid), "-m", "-n", "-p", "-u", "-i", "--", *argv)

    def link(self, *names: str) -> None:
        for name in names:
            (self.root / "service" / name).symlink_to(f"/var/svc.d/{name}")

    def unlink(self, *names: str) -> None:
        for name in names:
            (self.root / "service" / name).unlink()

    def svc(self, letters: str, *names: str) -> None:
        done = self.command("svc", "-" + letters, *(f"/service/{name}" for name in names))
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), done

    def svstat(self, *names: str) -> dict[str, State | str]:
        """By name: the state, or svstat's words where there is none."""
        done = self.command("svstat", *(f"/service/{name}" for name in names))
        assert done.returncode == 0, done
        lines = done.stdout.decode().splitlines()
        assert len(lines) == len(names), done
        states: dict[str, State | str] = {}
        for name, line in zip(names, lines, strict=True):
            found = STATE.fullmatch(line)
            states[name] = line
            if found:
                pid = int(found["pid"] or 0)
                states[name] = State(found["state"] == "up", pid, int(found["seconds"]), found["more"])
        return states

    def state(self, name: str) -> State:
        state = self.svstat(name)[name]
        assert isinstance(state, State), state
        return state

    def wait_up(self, *names: str, deadline_s: float = DEADLINE_S) -> None:
        def up() -> bool:
            return all(isinstance(state, State) and state.up for state in self.svstat(*names).values())

        eventually(up, f"{names} up", deadline_s)

    def wait_settled(self) -> None:
        """Until both services do their work: `up` is said of a script that has only begun, too."""
        self.wait_up(*SUPERVISED)
        self.wait_smtp()
        self.wait_log("qmail-send", b"status: local 0/")

    def restart(self, *names: str) -> None:
        """`svc -t`, and wait until each has another pid."""
        before = self.pids(*names)
        self.svc("t", *names)
        self.wait_restarted(before)

    def pids(self, *names: str) -> dict[str, int]:
        return {name: self.state(name).pid for name in names}

    def wait_restarted(self, before: dict[str, int]) -> None:
        def all_new() -> bool:
            return all(
                isinstance(state, State) and state.up and state.pid != before[name]
                for name, state in self.svstat(*before).items()
            )

        eventually(all_new, f"{list(before)} restarted")

    def processes(self) -> list[Process]:
        """All that run inside."""
        return processes_in(os.stat(f"/proc/{self.init_pid}/ns/pid").st_ino)

    def process(self, name: str) -> Process:
        """The only one of that name, which may have to be executed first."""
        found: list[Process] = []

        def only_one() -> bool:
            found[:] = [process for process in self.processes() if process.name == name]
            return len(found) == 1

        eventually(only_one, f"one process {name}")
        return found[0]

    def id_of(self, user: str) -> int:
        for line in (self.root / "etc/passwd").read_text().splitlines():
            if line.startswith(user + ":"):
                return int(line.split(":")[2])
        raise KeyError(user)

    def smtp(self, source: str = "127.0.0.1") -> smtplib.SMTP:
        """A session with port 25 from one of the host's addresses. Raises OSError, SMTPException."""

        def connect() -> smtplib.SMTP:
            return smtplib.SMTP(
                "127.0.0.1",
                25,
                local_hostname="client.example",
                timeout=DEADLINE_S,
                source_address=(source, 0),
            )

        return namespaces.in_network_of(self.init_pid, connect)

    def wait_smtp(self) -> None:
        """Until port 25 greets."""

        def greets() -> bool:
            try:
                with self.smtp():
                    return True
            except (OSError, smtplib.SMTPException):
                return False

        eventually(greets, "a greeting on port 25")

    def maildir(self, user: str) -> list[bytes]:
        """The mails delivered to a user."""
        return [
            path.read_bytes() for path in sorted((self.root / f"var/people/{user}/Maildir/new").iterdir())
        ]

    def log(self, name: str) -> list[bytes]:
        """The log of a service, oldest line first, without the labels (which are checked)."""
        folder = self.root / "var/multilog" / name
        data = b"".join(path.read_bytes() for path in sorted(folder.glob("@*")))
        data += (folder / "current").read_bytes()
        lines = data.split(b"\n")[:-1]
        for line in lines:
            assert LABEL.match(line), line
        return [line[26:] for line in lines]

    def wait_log(self, name: str, containing: bytes, times: int = 1) -> None:
        def there() -> bool:
            try:
                return sum(containing in line for line in self.log(name)) >= times
            except FileNotFoundError:
                return False

        eventually(there, f"{containing!r} in the log of {name}")

    def stop(self) -> tuple[int, list[bytes]]:
        """TERM to svscan; its exit code, and what was left running (only a waiter can tell)."""
        os.kill(self.svscan_pid, signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, list[bytes]]:
        said = self.outside.rest()
        code = self.outside.wait()
        return code, [line for line in said.splitlines() if line.startswith(b"left: ")]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def processes_in(namespace: int) -> list[Process]:
    """The processes of a pid namespace, given by its inode."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "ns/pid").stat().st_ino != namespace:
                continue
            status = dict(
                line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line
            )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or the machine's own and hidden from us
        if status["State"][0] in "ZX":
            continue
        inner_pid = int(status["NSpid"].split()[-1])
        found.append(Process(int(entry.name), inner_pid, status["Name"], int(status["Uid"].split()[0])))
    return found
