"""A command apart from the machine: pids, mounts and a network of its own, and all of it gone at the end.

Nothing else is seen there by ps, pgrep and pidof, what daemonises itself cannot get away, and mounts
reach nobody. Files and fifos are the machine's, so svc and svstat need not come in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support import namespaces
from support.processes import Running, environment, eventually, run

_MOUNTS = """
set -e
mount -t proc proc /proc
for folder in $READ_ONLY; do
    mount --bind "$folder" "$folder"
    mount -o remount,bind,ro "$folder"
done
while read -r from to; do
    [ ! "$from" ] || mount --bind "$from" "$to"
done <<BINDS
$BINDS
BINDS
unset READ_ONLY BINDS
exec "$@"
"""


class Apart(Running):
    """`with Apart("svscan", folder) as apart: …`: a waiter is PID 1, the command its child.

    `read_only`: folders that cannot be written to there. `binds`: what is to be seen at a path there.
    `init`: the command is PID 1 itself. `env`: the command's, whole. `into`: a file for what is said, by
    services, too, so that nobody has to read it in time. Pids are those inside."""

    def __init__(
        self,
        *argv: str | Path,
        env: Mapping[str, str] | None = None,
        read_only: Sequence[Path] = (),
        binds: Mapping[Path, Path] | None = None,
        init: bool = False,
        into: Path | None = None,
    ) -> None:
        env = environment() if env is None else env
        # The command's environment is its own business: `env -i` gives it, what is round it has none of it.
        given = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), *argv]
        waiter = [] if init else [sys.executable, "-I", namespaces.__file__]
        settings = {
            **environment(),
            "READ_ONLY": " ".join(map(str, read_only)),
            "BINDS": "\n".join(f"{shown} {at}" for at, shown in (binds or {}).items()),
        }
        self._into = into
        output = {"stdout": into.open("wb")} if into else {}
        super().__init__(
            *namespaces.UNSHARE, "sh", "-c", _MOUNTS, "apart", *waiter, *given,
            env=settings, start_new_session=True, **output,
        )  # fmt: skip
        for file in output.values():
            file.close()
        try:
            eventually(self._is_up, "a process in its namespace")
        except BaseException as error:
            self.process.kill()
            error.add_note(f"it said {into.read_bytes() if into else self.rest()!r}")
            super().__exit__(None, None, None)
            raise

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError("nothing apart")
        self.init_pid = next(iter(namespaces.children(self.pid)), 0)
        # First it is sh, which sees the machine's /proc until it has mounted its own.
        apart = self.init_pid and self.proc.stat().st_dev != Path("/proc").stat().st_dev
        return bool(apart) and self.name(1) not in ("unshare", "sh", "env")

    @property
    def proc(self) -> Path:
        """Its /proc."""
        return Path(f"/proc/{self.init_pid}/root/proc")

    def name(self, pid: int) -> str:
        """The comm of a process, "" if there is none."""
        try:
            return (self.proc / str(pid) / "comm").read_text().rstrip("\n")
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def argv(self, pid: int) -> list[bytes]:
        """What a process shows as its command line."""
        line = (self.proc / str(pid) / "cmdline").read_bytes()
        # Whoever writes his own leaves NULs behind it; ps and pgrep pass over them.
        return line.rstrip(b"\0").split(b"\0")

    def pids(self, name: str) -> list[int]:
        """Of the processes called so, lowest first."""
        pids = sorted(int(entry.name) for entry in self.proc.iterdir() if entry.name.isdigit())
        return [pid for pid in pids if self.name(pid) == name]

    def command(self, *argv: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside, to its end."""
        inside = ("nsenter", "-t", str(self.init_pid), "-m", "-n", "-p", "-u", "-i", "-r", "-w", "--")
        return run(*inside, *argv, **options)

    def kill(self, pid: int, number: signal.Signals) -> None:
        """A signal to a process inside."""
        outer = self.outer(pid)
        if outer:
            os.kill(outer, number)

    def outer(self, pid: int) -> int:
        """The machine's pid of a process inside, 0 if there is none."""
        namespace = os.stat(f"/proc/{self.init_pid}/ns/pid").st_ino
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or (entry / "ns/pid").stat().st_ino != namespace:
                    continue
                status = (entry / "status").read_text()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if int(status.partition("\nNSpid:")[2].partition("\n")[0].split()[-1]) == pid:
                return int(entry.name)
        return 0

    def stop(self) -> tuple[int, list[bytes]]:
        """TERM to the command; its exit code, and the names of what was left running then."""
        os.kill(self.init_pid, signal.SIGTERM)
        code = self.wait()
        said = self._into.read_bytes() if self._into else self.rest()
        left = [line.split()[2] for line in said.splitlines() if line.startswith(b"left: ")]
        return code, sorted(left)
