"""How often something ended, as svscan leaves it in the lock: over its own death, and over an upgrade."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from support.processes import eventually, run
from support.services import Daemon, Services, is_hosted, kill, svscan

from svpy.core.exits import OFFSET_BYTES, SIZE_BYTES, Exits, decode, encode
from svpy.core.tai import unix_s
from svpy.system.processes import boot


def counted(folder: Path) -> Exits | None:
    return decode((folder / "supervise/lock").read_bytes()[OFFSET_BYTES:], boot())


def ends(services: Services, name: str) -> None:
    """Kill what runs, and wait for what follows it. Status comes after what is counted."""
    pid = services.up(name)
    before = counted(services.folder / name)
    os.kill(pid, signal.SIGKILL)
    services.up(name, since=pid)
    found = counted(services.folder / name)
    assert found is not None
    assert (found.exits, found.pid) == ((before.exits if before else 0) + 1, pid)


def test_it_goes_on_over_death_and_upgrade_and_ends_with_supervising(services: Services) -> None:
    folder = services.make("a", log="exec cat")
    with svscan(services) as first:
        services.up("a")
        services.up("a/log")
        assert counted(folder) is None and counted(folder / "log") is None, "nothing has ended"
        assert (folder / "supervise/lock").stat().st_size == OFFSET_BYTES
        ends(services, "a")
        found = counted(folder)
        assert found is not None and found.code == -9
        assert unix_s(found.at) <= unix_s((folder / "supervise/status").read_bytes()[:12])
        ends(services, "a/log")
        assert (folder / "supervise/lock").stat().st_size == OFFSET_BYTES + SIZE_BYTES
        assert run("svpy", "upgrade", services.folder).returncode == 0
        ends(services, "a")
        kill(first)
        # One that ends with nobody to see it is counted when somebody does.
        pid = services.pid("a")
        os.kill(pid, signal.SIGKILL)
        with svscan(services) as second:
            second.line(b"exit code of a (pid %d) is unknown" % pid)
            services.up("a", since=pid)
            found = counted(folder)
            assert found is not None and (found.exits, found.code, found.pid) == (3, None, pid)
            services.svc("-d", "a")
            eventually(lambda: not services.pid("a"))
            found = counted(folder)
            assert found is not None and (found.exits, found.code) == (4, -15)
            # One that is down when svscan dies has been counted and published.
            kill(second)
        with svscan(services) as second:
            eventually(lambda: is_hosted(folder))
            services.svc("-u", "a")
            ends(services, "a")
            ends(services, "a/log")
            found = counted(folder / "log")
            assert found is not None and found.exits == 4, "it had lost its writer twice"
            assert second.stop() == 0
    assert (folder / "supervise/lock").read_bytes() == b""


def test_what_was_counted_but_not_published_is_not_counted_twice(services: Services) -> None:
    """As one leaves it that is killed between the two: the lock has the end, the status the process."""
    folder = services.make("a")
    with svscan(services) as first:
        ends(services, "a")
        pid = services.pid("a")
        kill(first)
        os.kill(pid, signal.SIGKILL)
        with (folder / "supervise/lock").open("r+b") as lock:
            lock.seek(OFFSET_BYTES)
            lock.write(encode(boot() or b"", Exits(2, -9, pid, bytes(12))))
        with svscan(services) as second:
            second.line(b"exit code of a (pid %d) is unknown" % pid)
            services.up("a", since=pid)
            found = counted(folder)
            assert found is not None and (found.exits, found.pid) == (2, pid)


def test_supervise_counts_as_well_and_what_is_no_line_of_ours_is_none(services: Services) -> None:
    folder = services.make("a")
    with Daemon("supervise", folder) as first:
        ends(services, "a")
        ends(services, "a")
        kill(first)
        with (folder / "supervise/lock").open("r+b") as lock:
            lock.seek(OFFSET_BYTES)
            lock.write(b"#")
        with Daemon("supervise", folder):
            ends(services, "a")
