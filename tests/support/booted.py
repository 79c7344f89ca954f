"""systemd as PID 1 of a namespace, over the machine's own root and with svpy's units, or over another root as
it is (boot/own-systemd)."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support import namespaces
from support.processes import BIN, Running, eventually, run
from support.services import alive

TESTS = Path(__file__).parent.parent
UNITS = TESTS.parent / "units"
MACHINE = Path("/")
OFF = signal.SIGRTMIN + 4
"""systemd powers off: in a namespace it ends."""
POWERED_OFF = -signal.SIGINT
"""What reboot(2) makes of it, in the eyes of who waits."""


_numbers = itertools.count()


class CannotBoot(Exception):
    """What systemd needs is refused here; the text says what."""


_REFUSED = 77
"""own-systemd's exit code for it."""


def why_not(over: Path = MACHINE) -> str:
    """Why there can be no systemd over that root, or nothing."""
    if reason := namespaces.missing():
        return reason
    for program in ("lib/systemd/systemd", "usr/bin/systemctl", "usr/bin/systemd-analyze"):
        if not (over / program).exists():
            return f"needs {over / program}, which is not installed"
    try:
        _folder_of_its_own("svpy-try").rmdir()
    except OSError as error:
        return f"needs a folder of its own in a cgroup2 tree: {error}"
    return ""


def _folder_of_its_own(name: str) -> Path:
    """A new cgroup2 folder below the one we are in. Raises OSError."""
    mounts = re.search(
        r"(?m)^\d+ \d+ \S+ (\S+) (\S+) .* - cgroup2 ", Path("/proc/self/mountinfo").read_text()
    )
    if mounts is None:
        raise FileNotFoundError("none is mounted")
    root, at = mounts.groups()
    ours = Path("/proc/self/cgroup").read_text().partition("0::")[2].partition("\n")[0]
    folder = Path(at) / os.path.relpath(ours, root) / f"{name}-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    return folder


class Booted(Running):
    """`with Booted() as machine: …`: systemd, idle. What it says on its console is in `said`."""

    def __init__(self, over: Path = MACHINE) -> None:
        self._new = Path(tempfile.mkdtemp(prefix="svpy-systemd-"))
        self._cgroup = _folder_of_its_own("svpy-boot")
        enter = 'echo 0 >"$0/cgroup.procs"; exec "$@"'
        super().__init__(
            *("sh", "-c", enter, self._cgroup, *namespaces.UNSHARE, "--cgroup"),
            *(TESTS / "boot/own-systemd", self._new, over),
            *((BIN, UNITS) if over == MACHINE else ()),
            start_new_session=True,
        )
        try:
            eventually(self._is_up, "systemd with nothing left to do")
            self.root = Path(f"/proc/{self.init_pid}/root")
        except BaseException as error:
            self._end()
            error.add_note(f"it said {self.said!r}")
            raise

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            error = CannotBoot if self.process.returncode == _REFUSED else AssertionError
            raise error(f"no systemd: {self.rest().decode(errors='replace').strip()}")
        self.init_pid = next(iter(namespaces.children(self.pid)), 0)
        if not self.init_pid or Path(f"/proc/{self.init_pid}/comm").read_text() != "systemd\n":
            return False
        done = self.command("systemctl", "show", "-P", "ActiveState", "svpy-test.target")
        return done.stdout == b"active\n"

    def command(self, *argv: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside, to its end."""
        return run("nsenter", "-t", str(self.init_pid), "-a", "-r", "-w", "--", *argv, **options)

    def systemctl(self, *words: str) -> str:
        """What it prints; it must succeed."""
        done = self.command("systemctl", *words)
        assert done.returncode == 0, (words, done)
        return done.stdout.decode()

    def path(self, name: str) -> Path:
        """A path of the machine's, as a test reaches it."""
        return self.root / name.lstrip("/")

    def alive(self, pid: int) -> bool:
        """Whether a process of the machine's runs."""
        return alive(pid, self.path("/proc"))

    def kill(self, pid: int, name: str) -> None:
        assert self.command("sh", "-c", f"kill -s {name} {pid}").returncode == 0

    def __exit__(self, *raised: object) -> None:
        self._end()
        if raised[0] is None:
            assert self.wait() == POWERED_OFF, self.said

    def _end(self) -> None:
        try:
            if self.process.poll() is None and self.init_pid:
                os.kill(self.init_pid, OFF)
                self.wait()
        finally:
            super().__exit__(None, None, None)
            eventually(self._nothing_left, f"{self._cgroup} empty")
            shutil.rmtree(self._new)

    def _nothing_left(self) -> bool:
        """PID 1 took everything with it; the kernel may need a moment to say so."""
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True


class Unit:
    """One unit of the machine, and the folder of services that it is about. `said`: what svscan and services
    without a log say."""

    def __init__(self, machine: Booted, name: str = "svpy.service") -> None:
        self.machine = machine
        self.name = name
        self._said = "/srv/said"
        self.settings(f"StandardOutput=append:{self._said}", f"StandardError=append:{self._said}")

    def settings(self, *lines: str) -> None:
        """More lines for [Service], as `systemctl edit` would put them there."""
        folder = self.machine.path(f"/etc/systemd/system/{self.name}.d")
        folder.mkdir(exist_ok=True)
        number = len(list(folder.iterdir()))
        (folder / f"{number}.conf").write_text("\n".join(["[Service]", *lines, ""]))
        self.machine.systemctl("daemon-reload")

    def do(self, verb: str) -> str:
        return self.machine.systemctl(verb, self.name)

    def show(self, what: str) -> str:
        return self.machine.systemctl("show", "-P", what, self.name).rstrip("\n")

    def pid(self, since: int = 0) -> int:
        """The main process; with `since`, wait until it is another one and ready."""

        def changed() -> bool:
            return self.show("ActiveState") == "active" and int(self.show("MainPID")) not in (0, since)

        if since:
            eventually(changed, f"{self.name} again")
        return int(self.show("MainPID"))

    def until_shows(self, what: str, value: str) -> None:
        eventually(lambda: self.show(what) == value, f"{what}={value}")

    def said(self) -> str:
        return self.machine.path(self._said).read_text()

    def processes(self) -> list[int]:
        """All that is in its cgroup; none if that is gone."""
        group = self.machine.path(f"/sys/fs/cgroup/system.slice/{self.name}/cgroup.procs")
        return [int(pid) for pid in group.read_text().split()] if group.exists() else []

    def end(self) -> None:
        """As if it had never been."""
        self.machine.command("systemctl", "stop", self.name)
        self.machine.command("systemctl", "kill", "--signal=KILL", "--kill-whom=all", self.name)
        eventually(lambda: not self.processes(), "its processes gone")
        self.machine.command("systemctl", "reset-failed", self.name)
        shutil.rmtree(self.machine.path(f"/etc/systemd/system/{self.name}.d"))
        self.machine.path(self._said).unlink(missing_ok=True)
        self.machine.systemctl("daemon-reload")
