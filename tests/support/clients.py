"""Programs of others that speak to daemontools, in a root where they seem to be installed (clients/own-root).

SVPY_CLIENTS names the folder where `./bootstrap test` has unpacked them."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from support import namespaces
from support.hosting import SYSTEM_PATH, TESTS, Host
from support.processes import eventually
from support.services import STAYS, script

CLIENTS = Path(os.environ.get("SVPY_CLIENTS", "/var/cache/svpy/clients"))
MODULES = Path("usr/lib/python3/dist-packages")
SOURCES = "/etc/service"
"""Where services are made that a client is to link into /service."""

_KNOWN_TO_HAVE_ALL = "12"


def needs(path: str | Path) -> pytest.MarkDecorator:
    """Skip where Debian or PyPI no longer have the client that brings `path`. Debian 12 has all of them:
    there its absence is a failure, once they are said to be unpacked."""
    must_run = "SVPY_CLIENTS" in os.environ and release() == _KNOWN_TO_HAVE_ALL
    absent = not (CLIENTS / path).exists() and not (Path("/") / path).exists()
    return pytest.mark.skipif(
        absent and not must_run,
        reason=f"no /{path} in {CLIENTS}: this suite lacks it, or run ./bootstrap test",
    )


def release() -> str:
    """Debian's version, such as `12`."""
    return platform.freedesktop_os_release().get("VERSION_ID", "")


def why_not() -> str:
    """Why there can be no such root here, or nothing."""
    return namespaces.missing("pivot_root") or (
        "" if CLIENTS.is_dir() else f"needs {CLIENTS}: ./bootstrap test"
    )


class ClientHost(Host):
    """`with ClientHost() as host:`: svscan runs on an empty /service, and the clients are on PATH."""

    def __init__(self) -> None:
        super().__init__(maker=(TESTS / "clients/own-root", CLIENTS))

    def path(self, name: str) -> Path:
        """A path of the host, as the test reaches it. A link to an absolute path leads out of the host."""
        return self.root / name.lstrip("/")

    def make(self, name: str, run: str = STAYS, log: str = "", below: str = SOURCES) -> None:
        """A service of that name, not yet linked into /service."""
        new = self.path(f"{below}/{name}")
        new.mkdir(parents=True)
        script(new / "run", run)
        if log:
            (new / "log").mkdir()
            script(new / "log/run", log)

    def link_from(self, below: str, name: str) -> None:
        """Link it, and wait until it runs."""
        self.path(f"/service/{name}").symlink_to(f"{below}/{name}")
        self.wait_up(name)

    def log(self, name: str) -> Path:
        """The log folder of a service that logs what is told to it."""
        return self.path(f"/var/log/{name}")

    def start_logging(self, name: str) -> None:
        """Such a service, with svpy's multilog behind it. A reader of logs finds its folder in /var/log."""
        self.log(name).mkdir(parents=True)
        self.make(name, "mkfifo lines; exec cat <>lines", f"exec multilog t /var/log/{name}")
        self.link_from(SOURCES, name)
        eventually(self.path(f"{SOURCES}/{name}/lines").is_fifo, "its fifo")

    def tell(self, name: str, *lines: str) -> None:
        """Let it say these lines, and wait until the last of them is logged, which no line before was."""
        self.path(f"{SOURCES}/{name}/lines").write_text("".join(line + "\n" for line in lines))
        current = self.log(name) / "current"
        last = f" {lines[-1]}\n".encode()
        eventually(lambda: current.exists() and current.read_bytes().endswith(last), f"{last!r} in {current}")

    def rotate(self, name: str) -> None:
        """ALRM to its multilog, and wait until what was logged is in a file of its own."""
        before = set(self.log(name).glob("@*.s"))
        self.svc("a", f"{name}/log")
        eventually(lambda: set(self.log(name).glob("@*.s")) - before, f"{name}'s log rotated")

    def wait_down(self, name: str) -> None:
        eventually(lambda: not self.state(name).up, f"{name} down")

    def say(self, *argv: str, **environment: str) -> str:
        """What a command says on stdout, which must exit 0."""
        done = self.command(*argv, env=self.variables(**environment))
        assert done.returncode == 0, done
        return done.stdout.decode()

    def variables(self, **more: str) -> dict[str, str]:
        return {"PATH": f"{self.bin_dir}:{SYSTEM_PATH}", "HOME": "/root", "LC_ALL": "C.UTF-8", **more}
