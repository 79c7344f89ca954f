"""svscan started by others: as a service of C's svscan, and by the inittab of Debian's sysvinit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import namespaces
from support.apart import Apart
from support.peers import PEERS, beside_c
from support.processes import BIN, eventually, run
from support.services import script

from corpus.patterns import CORPUS
from corpus.scene import Scene, hosted

# Debian 12's package has it in /sbin, Debian 13's in /usr/sbin.
INIT = next(PEERS.parent.parent.glob("**/sbin/init"), PEERS / "init")
INITTAB = Path(__file__).parents[2] / "units/inittab"


@pytest.fixture(scope="module", autouse=True)
def _needs_namespaces() -> None:
    if reason := namespaces.missing("ps"):
        pytest.skip(reason)


@beside_c
def test_as_a_service_of_c() -> None:
    """What a svscan of ours shows under ours it shows under C's."""
    (pattern,) = (pattern for pattern in CORPUS if pattern.name == "svscan-in-svscan")

    def ours_inside(scene: Scene) -> None:
        script(scene.folder(pattern.name) / "run", f"exec 2>&1\nexec {BIN}/svscan inner")

    with hosted([pattern], PEERS, ours_inside) as scene:
        assert pattern.observe(scene) == pattern.sees


@pytest.fixture
def srv() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="svpy-inittab-"))
    try:
        folder.chmod(0o755)
        for name in ("service/a", "links", "run", "log"):
            (folder / name).mkdir(parents=True)
        script(folder / "service/a/run", "echo started >>/srv/starts; echo said by a; exec sleep 1000")
        for command in BIN.iterdir():
            (folder / "links" / command.name).symlink_to(command)
        assert run("cp", "-a", "/etc", folder).returncode == 0
        # As `./bootstrap install` writes it, on a folder of the test's own.
        ours = INITTAB.read_text().replace(
            "/usr/bin/svscanboot /service", "/usr/local/bin/svscanboot /srv/service"
        )
        (folder / "etc/inittab").write_text(f"id:3:initdefault:\n{ours}")
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not INIT.exists(), reason=f"Debian's sysvinit-core is not beside {PEERS}")
def test_by_a_respawn_line_of_inittab(srv: Path) -> None:
    """It is there from the start, again when it has ended, and in a runlevel without the line it is stopped
    with all its services."""
    # /run and /var/log are where init writes.
    shown = {"/srv": ".", "/usr/local/bin": "links", "/etc": "etc", "/run": "run", "/var/log": "log"}
    binds = {Path(path): srv / name for path, name in shown.items()}
    with Apart(INIT, env={}, binds=binds, init=True, into=srv / "said") as machine:

        def lines() -> list[str]:
            found = machine.command("ps", "axww", "-o", "ppid=,args=", env={"PATH": "/usr/bin:/bin"})
            return [" ".join(line.split()) for line in found.stdout.decode(errors="replace").splitlines()]

        def svscan(since: int = 0) -> int:
            def up() -> bool:
                pids = machine.pids("svscan")
                return (
                    "1 svscan /srv/service" in lines()
                    and len(pids) == 1
                    and pids[0] != since
                    and f"{pids[0]} sleep 1000" in lines()
                )

            eventually(up, "svscan and its service")
            return machine.pids("svscan")[0]

        first = svscan()
        eventually(lambda: any("said by a" in line for line in lines()), "the ring in ps")
        assert any(line.startswith(f"{first} readproctitle service errors: ...") for line in lines())
        machine.command("kill", "-TERM", str(first))
        svscan(since=first)
        assert (srv / "starts").read_text() == "started\nstarted\n"
        done = machine.command(INIT.with_name("telinit"), "0")
        assert (done.returncode, done.stderr) == (0, b"")
        eventually(lambda: not machine.pids("svscan") and not machine.pids("sleep"), "all of it gone")
        eventually(lambda: not machine.pids("readproctitle"), "its ring gone")
