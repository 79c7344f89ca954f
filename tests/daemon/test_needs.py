"""A file `needs` in a service's folder: its first start waits until others are ready."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import eventually, run
from support.services import STAYS, Daemon, Services, by_death, by_upgrade, note, svscan

SAYS = "until [ -e go ]; do sleep 0.01; done; echo >&3; exec 3>&-; " + STAYS


def make(services: Services, name: str, needs: str = "", run: str = STAYS, ready: str = "") -> Path:
    new = services.prepare(name, run)
    if needs:
        (new / "needs").write_text(needs.replace(" ", "\n") + "\n")
    if ready:
        (new / "ready").write_text(ready)
    return new.rename(services.folder / name)


def database(services: Services) -> Path:
    """One that is ready when it gets its `go`."""
    return make(services, "db", run=SAYS, ready="fd 3")


def waits(folder: Path, why: bytes) -> None:
    eventually(lambda: note(folder) == (b"waits", why), f"{folder.name}: {note(folder)}, not {why!r}")


def rescan(daemon: Daemon) -> None:
    daemon.signal(signal.SIGHUP)


def test_they_start_in_order_and_nobody_is_taken_down(services: Services) -> None:
    db = database(services)
    web = make(services, "web", "#why db cache")
    cache = make(services, "cache", "db")
    lost = make(services, "a-lost", "nowhere db")
    off = make(services, "off", "down")
    services.make("down", down=True)
    chatty = make(services, "chatty")
    with svscan(services) as daemon:
        services.up("chatty")
        services.up("db")
        waits(cache, b"db: not ready")
        waits(web, b"db: not ready; cache: waits")
        waits(lost, b"nowhere: no such service; db: not ready")
        waits(off, b"down: down")
        assert services.state("web").startswith("down ") and not services.pid("cache")
        long = run("svstat", "-l", "off", "web", cwd=services.folder).stdout.decode().splitlines()
        assert [line.split()[1] for line in long[1:5:2]] == ["waits", "waits"]
        assert long[2::2] == ["    waits for down: down", "    waits for db: not ready; cache: waits"]
        before = [services.pid("chatty"), services.pid("db")]
        (db / "go").touch()
        services.up("web")
        assert note(web) == note(cache) == (b"", b"")
        assert (web / "supervise/status").read_bytes()[:12] >= (cache / "supervise/status").read_bytes()[:12]
        waits(lost, b"nowhere: no such service")
        pids = [services.pid("cache"), services.pid("web")]
        # What is needed starts again: nobody else does, nor waits.
        services.svc("-t", "db")
        services.up("db", since=before[1])
        services.svc("-t", "web")
        services.up("web", since=pids[1])
        assert [services.pid("chatty"), services.pid("cache")] == [before[0], pids[0]]
        # What was not there comes, and what was down goes up.
        make(services, "nowhere")
        services.svc("-u", "down")
        services.up("a-lost")
        services.up("off")
        assert daemon.stop() == 0
        assert daemon.rest() == b""
    assert chatty.exists()


def test_cycles_are_said_once_and_mended(services: Services) -> None:
    first = make(services, "a", "b")
    second = make(services, "b", "a")
    behind = make(services, "c", "a")
    alone = make(services, "self", "self")
    with svscan(services) as daemon:
        assert daemon.line(b"unable") == b"svscan: warning: unable to start a: it needs itself: a -> b -> a"
        daemon.line(b"svscan: warning: unable to start self: it needs itself: self -> self")
        make(services, "good")
        services.up("good")
        waits(first, b"b: it needs itself: a -> b -> a")
        waits(second, b"a: it needs itself: a -> b -> a")
        waits(behind, b"a: waits")
        waits(alone, b"self: it needs itself: self -> self")
        # A scan of its own may come between any two of these, and start whoever need not wait then.
        (first / "needs").write_text("b\nc\n")
        (second / "needs").write_text("# nothing\n")
        (alone / "needs").unlink()
        rescan(daemon)
        services.up("b")
        services.up("self")
        daemon.line(b"svscan: warning: unable to start a: it needs itself: a -> c -> a")
        os.mkfifo(first / "fifo")
        (first / "fifo").rename(first / "needs")
        rescan(daemon)
        daemon.line(b"svscan: warning: unable to start a: unable to read needs: invalid argument")
        waits(first, b"needs: invalid argument")
        (first / "needs").unlink()
        rescan(daemon)
        services.up("c")
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_letters_and_the_end_are_obeyed_at_once(services: Services) -> None:
    folders = {name: make(services, name, "db") for name in ("u", "o", "d", "x", "dx", "rest")}
    services.add_log(folders["rest"], "exec cat >>lines")
    db = database(services)
    with svscan(services) as daemon:
        for folder in folders.values():
            waits(folder, b"db: not ready")
        services.up("rest/log")
        for name in ("u", "o", "d"):
            services.svc("-" + name, name)
        services.up("u")
        services.up("o")
        assert note(folders["d"]) == (b"", b"") and services.state("d").startswith("down ")
        # What leaves is taken up again as long as it is there, and waits anew.
        for name in ("x", "dx"):
            gone = folders[name].rename(services.folder.parent / name)
            services.svc("-" + name, str(gone))
            eventually(lambda gone=gone: run("svok", gone).returncode == 100)
            assert not (gone / "supervise/ready").exists()
        services.svc("-p", "rest")
        waits(folders["rest"], b"db: not ready")
        (db / "go").touch()
        services.up("rest")
        assert services.state("d").startswith("down "), "it was told so"
        make(services, "late", "d")
        eventually(lambda: note(services.folder / "late") == (b"waits", b"d: down"))
        assert daemon.stop() == 0
        assert daemon.rest() == b""


@pytest.mark.parametrize("succeed", [by_death, by_upgrade])
def test_what_waits_goes_on_waiting_and_what_ran_does_not(
    services: Services, succeed: Callable[..., None]
) -> None:
    db = database(services)
    waiting = make(services, "waiting", "db")
    started = make(services, "started", "db")
    with svscan(services) as first:
        services.up("db")
        for folder in (waiting, started):
            waits(folder, b"db: not ready")
        services.svc("-u", "started")
        pid = services.up("started")

        def then(second: Daemon) -> None:
            waits(waiting, b"db: not ready")
            eventually(lambda: run("svok", started).returncode == 0)
            assert services.pid("started") == pid and not services.pid("waiting")
            os.kill(pid, signal.SIGKILL)
            services.up("started", since=pid)
            (db / "go").touch()
            services.up("waiting")
            assert second.stop() == 0

        succeed(services, first, then)


def test_supervise_waits_for_nobody(services: Services) -> None:
    folder = make(services, "a", "nobody")
    with Daemon("supervise", folder):
        services.up("a")
