"""svpy-init as PID 1 of a namespace that has a root of its own.

The root has this machine's files (bound, not copied), its own /etc with an svpy folder in it, its own
/service, /proc and a small /dev. reboot(2) in a pid namespace ends it: whoever waits for its PID 1 sees a
death by INT for power off and halt, by HUP for restart."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from support.namespaces import UNSHARE, children
from support.processes import BIN, Running, eventually, run
from support.services import Services, script

BUILD_ROOT = """
set -e
mount -t tmpfs none "$ROOT"
for path in /*; do
    name=${path#/}
    case $name in
    proc | sys | dev | etc | service) mkdir "$ROOT/$name" ;;
    *) if [ -L "$path" ]; then cp -P "$path" "$ROOT"
       elif [ -d "$path" ]; then mkdir "$ROOT/$name"; mount --rbind "$path" "$ROOT/$name"; fi ;;
    esac
done
[ -d "$ROOT/service" ] || mkdir "$ROOT/service"
cp -a /etc/. "$ROOT/etc"
rm -rf "$ROOT/etc/svpy"
mkdir "$ROOT/etc/svpy"
mount --bind "$SCRIPTS" "$ROOT/etc/svpy"
mount --bind "$SERVICES" "$ROOT/service"
mount -t proc proc "$ROOT/proc"
for name in null zero full random urandom; do
    : >"$ROOT/dev/$name"
    mount --bind "/dev/$name" "$ROOT/dev/$name"
done
cd "$ROOT"
exec /usr/sbin/chroot . /usr/bin/env -i HOME=/ TERM=linux "$@"
"""


class Machine:
    """`services` are those of /service, `scripts` is /etc/svpy. `with machine.start() as console:` is a
    boot, and `console` all that PID 1 and those below it say."""

    def __init__(self, folder: Path, services: Services) -> None:
        self.services = services
        self.scripts = folder / "etc-svpy"
        self.scripts.mkdir()
        self._root = folder / "root"
        self._root.mkdir()
        self.write("rc.init", "echo rc.init was here")
        self.write("rc.shutdown", 'echo "rc.shutdown was told: $*"')

    def write(self, name: str, text: str) -> None:
        """A script of /etc/svpy."""
        script(self.scripts / name, text)

    def start(self, *argv: str | Path, before: str = "") -> Console:
        """`argv` is svpy-init with its words if nothing else is said; `before` is what sh does first."""
        return Console(
            *UNSHARE, "sh", "-c", f"{before}{BUILD_ROOT}", "sh", *(argv or [BIN / "svpy-init"]),
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "ROOT": str(self._root),
                "SCRIPTS": str(self.scripts),
                "SERVICES": str(self.services.folder),
            },
        )  # fmt: skip


class Console(Running):
    """What PID 1 says, and the way to it."""

    @property
    def init(self) -> int:
        """PID 1's pid, here."""
        eventually(lambda: children(self.pid), "the namespace has a PID 1")
        return children(self.pid)[0]

    def ask(self, *argv: str | bytes | Path, **options: object) -> tuple[int, bytes]:
        """Run something inside. Returns its exit code and all it said."""
        inside = ("nsenter", "-t", str(self.init), "-p", "-m", "-n", "-u", "-i", "-r", "-w")
        done = run(*inside, *argv, **options)
        return done.returncode, done.stdout + done.stderr

    def death(self) -> signal.Signals:
        """The signal by which its PID 1 ended."""
        code = self.wait()
        return signal.Signals(-code if code < 0 else code - 128)


def patched(**bounds: object) -> list[str]:
    """svpy-init with other values in svpy/core/machine.py."""
    lines = [f"rules.{name} = {value!r}" for name, value in bounds.items()]
    return init_after("; ".join(["import svpy.core.machine as rules", *lines]))


def init_after(statement: str) -> list[str]:
    """svpy-init in an interpreter that has done something else first."""
    return [sys.executable, "-I", "-c", f"{statement}\nfrom svpy.commands.svpy_init import main; main()"]


BREAKS_ONCE = """
import svpy.daemon.main as hosting
real = hosting.host_all
def breaks(*words):
    hosting.host_all = real
    raise SystemExit("not\\nso")
hosting.host_all = breaks
"""
"""A statement after which a host of services ends by an exception, the first time."""
