"""A minimal Debian apart from the machine: a layer over the root that bootstrap had mmdebstrap make, with
pids, mounts and a network of its own. What is done to it is gone at the end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support import namespaces
from support.processes import Running, run

ROOT = Path(os.environ.get("SVPY_ROOT", "/var/cache/svpy/minimal/root"))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}

_MAKE = """
set -e
mount -t tmpfs none "$LAYER"
mkdir "$LAYER/changed" "$LAYER/work" "$LAYER/root"
mount -t overlay -o "lowerdir=$ROOT,upperdir=$LAYER/changed,workdir=$LAYER/work" none "$LAYER/root"
cd "$LAYER/root"
mount -t proc proc proc
for folder in dev run tmp; do
    mount -t tmpfs none "$folder"
done
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
exec unshare --root=. --wd=/ sh -c 'echo ready; sleep infinity & wait'
"""


def missing(*programs: str) -> str:
    """Why there is none to be had here, or nothing."""
    if not (ROOT / "usr/bin/python3").exists():
        return f"needs the root that ./bootstrap test makes, in {ROOT}"
    return namespaces.missing(*programs)


class Minimal:
    """`with Minimal(folder) as host: host.command("dpkg", …)`. `folder` must be empty; its PID 1 is a shell
    that reaps whatever comes."""

    def __init__(self, folder: Path) -> None:
        self.outside = Running(
            *namespaces.UNSHARE, "sh", "-c", _MAKE,
            env={**ENVIRONMENT, "ROOT": str(ROOT), "LAYER": str(folder)}, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Minimal:
        self.outside.__enter__()
        try:
            self.outside.line(b"ready")
        except BaseException:
            self.outside.__exit__(None, None, None)
            raise
        self.pid = next(iter(namespaces.children(self.outside.pid)))
        self.root = Path(f"/proc/{self.pid}/root")
        return self

    def __exit__(self, *raised: object) -> None:
        self.outside.__exit__(None, None, None)  # --kill-child: and with it all that runs inside

    def inside(self, *argv: str | Path) -> tuple[str | Path, ...]:
        """The words that run a command inside, as root."""
        return ("nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-u", "-i", "-r", "-w", "--", *argv)

    def command(self, *argv: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside, to its end."""
        return run(*self.inside(*argv), **{"env": ENVIRONMENT, **options})

    def running(self, *argv: str | Path, **options: object) -> Running:
        """A command inside that goes on."""
        return Running(*self.inside(*argv), **{"env": ENVIRONMENT, "start_new_session": True, **options})
