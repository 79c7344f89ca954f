"""A command as PID 1 of a container: namespaces of its own, and a shell that sets the scene first."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from support import namespaces
from support.processes import Running, environment, eventually


class Container(Running):
    """`with Container("svscan", folder) as container: …`: the command is PID 1.

    `setup` is what sh does before, as root, in the new namespaces; `unshared` are more words for unshare;
    `proc`: whether /proc is the namespace's; `wrap`: words before the command, which execute it.
    `init_pid` is PID 1 as the machine sees it."""

    def __init__(
        self,
        *argv: str | Path,
        setup: str = ":",
        unshared: tuple[str, ...] = (),
        proc: bool = True,
        wrap: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        **options: object,
    ) -> None:
        mounts = "mount -t proc proc /proc" if proc else ":"
        script = f'set -e; {mounts}\n{setup}\nexec "$@"'
        super().__init__(
            *namespaces.UNSHARE, *unshared, "sh", "-c", script, "container", *wrap, *argv,
            env=environment() if env is None else env, start_new_session=True, **options,
        )  # fmt: skip
        try:
            eventually(lambda: namespaces.children(self.pid) or self.process.poll() is not None)
            self.init_pid = next(iter(namespaces.children(self.pid)), 0)
            assert self.init_pid, f"no container; it said {self.rest()!r}"
        except BaseException:
            super().__exit__(None, None, None)
            raise

    def until_named(self, name: str = "svscan") -> None:
        """Wait until PID 1 is called so."""
        eventually(lambda: self.comm() == name, f"PID 1 called {name}")

    def comm(self) -> str:
        return Path(f"/proc/{self.init_pid}/comm").read_text().rstrip("\n")

    def kill(self, number: int) -> None:
        """A signal to PID 1: unshare itself ignores TERM."""
        os.kill(self.init_pid, number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The signal to PID 1, and its exit code, which unshare hands on."""
        self.kill(number)
        return self.wait()


def blocks(pid: int, number: int) -> bool:
    """Whether a process holds a signal back now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("\nSigBlk:")[2].split()[0], 16) >> (number - 1) & 1)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
