"""A file `ready` in a service's folder: when it is ready, and what others read of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.namespaces import missing
from support.processes import eventually, run
from support.services import (
    STAYS,
    Daemon,
    Services,
    alive,
    by_death,
    by_upgrade,
    descriptors,
    is_hosted,
    kill,
    note,
    script,
    svscan,
)

from svpy.core.readiness import NOTHING_SAID, is_ready
from svpy.core.status import SIZE_BYTES

needs_namespaces = pytest.mark.skipif(bool(missing()), reason=missing())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for another uid")

GO = "until [ -e go ]; do sleep 0.01; done; "
"""Before what makes a service ready, so that it can be seen that it is not."""

LISTENS = f"""
{GO}exec {sys.executable} -c '
import os, socket, time
kind, address, port = "%s", "%s", %d
if kind == "unix":
    held = socket.socket(socket.AF_UNIX)
    held.bind(address)
else:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    held.bind((address, port))
if kind != "udp":
    held.listen()
time.sleep(1000)'"""

SAYS = f"""{sys.executable} -c '
import os, socket, sys
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to.sendto(b"STATUS=on the way", os.environ["NOTIFY_SOCKET"].replace("@", chr(0), 1))
to.sendto(b"READY=1\\nMAINPID=1", os.environ["NOTIFY_SOCKET"].replace("@", chr(0), 1))'"""


def make(services: Services, name: str, ready: str, run: str = STAYS, log: str | None = None) -> Path:
    new = services.prepare(name, run, log)
    (new / "ready").write_text(ready)
    return new.rename(services.folder / name)


def ready(folder: Path) -> bool:
    try:
        note = (folder / "supervise/ready").read_bytes()
    except FileNotFoundError:
        note = b""
    status = (folder / "supervise/status").read_bytes()
    assert len(status) == SIZE_BYTES
    return is_ready(status, b"", note, asks=True)


def becomes_ready(*folders: Path) -> None:
    for folder in folders:
        eventually(lambda folder=folder: ready(folder), f"{folder.name}: {note(folder)}")


def waits(folder: Path, why: bytes) -> None:
    eventually(lambda: note(folder) == (b"not", why), f"{folder.name}: {note(folder)}, not {why!r}")


def watchers(daemon: Daemon) -> list[int]:
    """The processes of ours that look, of one svscan."""
    found = []
    for child in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split():
        try:
            if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"svpy\0ready-watcher"):
                found.append(int(child))
        except FileNotFoundError:
            continue
    return found


def go(*folders: Path) -> None:
    for folder in folders:
        (folder / "go").touch()


@needs_namespaces
def test_each_kind_becomes_ready_when_it_is(services: Services) -> None:
    folders = {}
    whys = {}

    def add(name: str, asks: str, why: bytes, run: str) -> Path:
        folders[name] = make(services, name, asks, run)
        whys[name] = why
        return folders[name]

    add("tcp", "listen 2525", b"nothing listens on tcp 2525", LISTENS % ("tcp", "0.0.0.0", 2525))
    add(
        "all",
        "listen tcp 127.0.0.1 2526",
        b"nothing listens on tcp 127.0.0.1 2526",
        LISTENS % ("tcp", "::", 2526),
    )
    add("udp", "listen udp 5353", b"nothing listens on udp 5353", LISTENS % ("udp", "0.0.0.0", 5353))
    add("unix", "listen unix:sock", b"nothing listens on unix:sock", LISTENS % ("unix", "sock", 0))
    child = LISTENS % ("tcp", "0.0.0.0", 2527)
    add(
        "child",
        "listen 2527",
        b"nothing listens on tcp 2527",
        child.replace("exec", "") + ' & trap "kill $!" TERM; wait',
    )
    stale = add("file", "# when it has begun\nfile the pid", b"", GO + "echo $$ >'the pid'; " + STAYS)
    whys["file"] = b"the pid is left of an earlier start"
    (stale / "the pid").touch()
    check = add("exec", "exec ./check of it", b"exit 3 of ./check", STAYS)
    script(check / "check", '[ "$*" = "of it" ] && [ -e go ] || exit 3')
    # Without a #! line, and of another file's permissions.
    (check / "check").write_text((check / "check").read_text().removeprefix("#!/bin/sh\n"))
    in_two = GO + "printf 'half' >&3; echo >&3; exec 3>&-; "
    add("fd", "fd 3", b"no newline on descriptor 3 yet", in_two + STAYS)
    add("ten", "fd 10", b"no newline on descriptor 10 yet", f"{GO}/bin/bash -c 'echo >&10'; {STAYS}")
    add("notify", "notify", b"no READY=1 yet", GO + SAYS + "; " + STAYS)
    taken = make(services, "taken", "listen 2525")
    bad = make(services, "bad", "listen smtp")
    with Daemon("unshare", "-n", "svscan", services.folder) as daemon:
        daemon.line(b"svscan: warning: unable to use bad/ready: smtp is not a port: 1 to 65535")
        for name, folder in folders.items():
            waits(folder, whys[name])
        eventually(lambda: len(watchers(daemon)) == 1)
        go(*folders.values())
        becomes_ready(*folders.values())
        # Another service's socket is not its own.
        waits(taken, b"nothing listens on tcp 2525")
        waits(bad, b"unable to use ready: smtp is not a port: 1 to 65535")
        pid = services.pid("bad")
        services.svc("-t", "bad")
        services.up("bad", since=pid)
        # It is said of this process, and no other.
        services.svc("-d", "tcp")
        eventually(lambda: not ready(folders["tcp"]))
        services.svc("-d", "taken")
        eventually(lambda: not watchers(daemon))
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_with_supervise_and_of_a_logger(services: Services) -> None:
    single = make(services, "single", "exec ./check", GO + "touch done; " + STAYS)
    script(single / "check", "test -e done")
    with Daemon("supervise", single) as daemon:
        waits(single, b"exit 1 of ./check")
        go(single)
        becomes_ready(single)
        assert daemon.stop() == 0
        assert not daemon.rest()
    folder = services.make("a", log=GO + "echo >&3; exec cat")
    (folder / "log/ready").write_text("fd 3\n")
    with svscan(services):
        services.up("a/log")
        waits(folder / "log", b"no newline on descriptor 3 yet")
        # Who looks at the service sees its logger as who looks at that.
        for name in ("a", "a/log"):
            told = services.told(name)
            logger = told["logger"] or told
            assert (logger["state"], logger["as_wanted"]) == ("not ready", False)
            assert logger["why_not"] == "no newline on descriptor 3 yet"
        go(folder / "log")
        becomes_ready(folder / "log")
        logger = services.told("a")["logger"]
        assert (logger["state"], logger["asks_ready"], logger["as_wanted"]) == ("up", True, True)
        assert not (folder / "supervise/ready").exists(), "it asks for nothing"
        (folder / "ready").write_text("fd 3\n")
        told = services.told("a")
        assert (told["state"], told["why_not"]) == ("not ready", NOTHING_SAID.decode()), "it came later"
        pid = services.pid("a")
        services.svc("-t", "a")
        services.up("a", since=pid)
        waits(folder, b"no newline on descriptor 3 yet")
        (folder / "ready").unlink()
        told = services.told("a")
        assert (told["state"], told["ready"], told["why_not"]) == ("up", True, None), "nothing asks any more"


def test_a_program_has_its_time_and_ends_with_its_service(services: Services) -> None:
    folder = make(services, "a", "exec ./check")
    script(folder / "check", "echo $$ >checks; sleep 1000; true")
    none = make(services, "none", "exec ./nowhere")
    with svscan(services) as daemon:
        services.up("a")
        waits(none, b"unable to start ./nowhere: file does not exist")
        eventually(lambda: (folder / "checks").read_text().endswith("\n"))
        check = int((folder / "checks").read_text())
        assert os.getpgid(check) == check
        assert os.readlink(f"/proc/{check}/fd/1") == "/dev/null"
        assert os.readlink(f"/proc/{check}/cwd") == str(folder.resolve())
        (watcher,) = watchers(daemon)
        assert os.readlink(f"/proc/{watcher}/cwd") == "/"
        services.svc("-d", "a")
        eventually(lambda: not alive(check))
        # Nothing is lost with what looks: another one begins.
        services.svc("-u", "a")
        services.up("a")
        eventually(lambda: (folder / "checks").read_text() not in ("", f"{check}\n"))
        check = int((folder / "checks").read_text())
        script(folder / "check", "")
        os.kill(watcher, signal.SIGKILL)
        becomes_ready(folder)
        os.killpg(check, signal.SIGKILL)
        assert daemon.process.poll() is None


@pytest.mark.parametrize("kind", ["early", "half", "flood"])
def test_a_pipe_that_says_nothing(services: Services, kind: str) -> None:
    """One that is closed, or flooded, without a newline; the service is neither killed nor ready."""
    what = {"early": "", "half": "printf x >&3; ", "flood": "exec cat /dev/zero >&3; "}[kind]
    why = b"descriptor 3 was %s without a newline" % (b"flooded" if kind == "flood" else b"closed")
    folder = make(services, "a", "fd 3", what + "exec 3>&-; " + STAYS)
    with svscan(services) as daemon:
        services.up("a")
        waits(folder, why)
        before = descriptors(daemon.pid)
        for _ in range(2):
            pid = services.pid("a")
            services.svc("-t", "a")
            services.up("a", since=pid)
            waits(folder, why)
        assert descriptors(daemon.pid) == before
        kill(daemon)
        with svscan(services):
            eventually(lambda: is_hosted(folder))
            assert note(folder) == (b"not", why)


def test_systemd_notify_is_heard(services: Services) -> None:
    if shutil.which("systemd-notify") is None:
        pytest.skip("needs systemd-notify, which is not installed")
    folder = make(services, "a", "notify", "systemd-notify --ready --status=up; echo $? >code; " + STAYS)
    with svscan(services):
        becomes_ready(folder)
        eventually(lambda: (folder / "code").read_text() == "0\n")


@needs_root
def test_nobody_else_says_that_it_is_ready(services: Services, reachable: Path) -> None:
    folder = make(services, "a", "notify", 'echo "$NOTIFY_SOCKET" >name; ' + GO + STAYS)
    own = make(
        services, "own", "notify", f'echo "$NOTIFY_SOCKET" >name; exec setpriv --reuid 1234 {STAYS[5:]}'
    )
    with svscan(services) as daemon:
        for each in (folder, own):
            eventually(lambda each=each: (each / "name").read_text().endswith("\n"))
        tell(folder, 1234)
        daemon.line(b"svscan: warning: refused READY=1 for a: it is from user 1234, pid ")
        tell(folder, 1234)
        tell(own, 4321)
        daemon.line(b"svscan: warning: refused READY=1 for own: it is from user 4321, pid ")
        assert note(folder) == note(own) == (b"not", b"no READY=1 yet")
        eventually(lambda: uid(services.pid("own")) == 1234)
        # Its own user may, and root.
        tell(own, 1234)
        tell(folder, 0)
        becomes_ready(folder, own)
        assert daemon.stop() == 0
        assert not daemon.rest()


def uid(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def tell(folder: Path, user: int) -> None:
    """READY=1 from a process of that user which ends at once."""
    name = (folder / "name").read_text().strip().replace("@", "\0", 1)
    pid = os.fork()
    if not pid:
        try:
            if user:
                os.setuid(user)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.sendto(b"READY=1", name)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("succeed", [by_death, by_upgrade])
def test_it_goes_on_over(services: Services, succeed: Callable[..., None]) -> None:
    """What was ready stays so; what was not is heard and looked at as before."""
    how = {
        "fd": ("fd 3", GO + "echo >&3; exec 3>&-; " + STAYS),
        "notify": ("notify", GO + SAYS + "; " + STAYS),
        "exec": ("exec ./check", STAYS),
        "file": ("file pid", GO + "touch pid; " + STAYS),
    }
    early = [make(services, f"early-{name}", *with_it) for name, with_it in how.items()]
    late = [make(services, f"late-{name}", *with_it) for name, with_it in how.items()]
    for folder in (early[2], late[2]):
        script(folder / "check", "test -e go")
    go(*early)
    (late[3] / "pid").touch()
    with svscan(services) as first:
        becomes_ready(*early)
        for folder in late:
            services.up(folder.name)
            eventually(lambda folder=folder: note(folder)[0] == b"not")
        pids = [services.pid(folder.name) for folder in (*early, *late)]
        notes = [(folder / "supervise/ready").read_bytes() for folder in early]

        def then(second: Daemon) -> None:
            # Whoever is first in its set of descriptors is heard: none is lost.
            waits(late[3], b"pid is left of an earlier start")
            waits(late[2], b"exit 1 of ./check")
            assert [(folder / "supervise/ready").read_bytes() for folder in early] == notes
            eventually(lambda: run("svok", late[1]).returncode == 0)
            go(*late)
            becomes_ready(*late)
            assert [services.pid(folder.name) for folder in (*early, *late)] == pids
            assert second.stop() == 0

        succeed(services, first, then)


def test_what_is_said_while_there_is_no_svscan(services: Services) -> None:
    """Into a pipe: nobody is killed for it, and it is heard later, also if the pipe was closed."""
    kept = make(services, "kept", "fd 3", GO + "echo >&3; touch done; " + STAYS)
    closed = make(services, "closed", "fd 3", GO + "echo >&3; exec 3>&-; touch done; " + STAYS)
    with svscan(services) as first:
        for folder in (kept, closed):
            services.up(folder.name)
            waits(folder, b"no newline on descriptor 3 yet")
        pids = [services.pid("kept"), services.pid("closed")]
        kill(first)
        go(kept, closed)
        for folder in (kept, closed):
            eventually(lambda folder=folder: (folder / "done").exists())
        with svscan(services):
            becomes_ready(kept, closed)
            assert [services.pid("kept"), services.pid("closed")] == pids


def test_who_does_not_ask_pays_nothing() -> None:
    """What this needs is not even imported."""
    program = "import sys, svpy.daemon.main; print(*sys.modules)"
    loaded = run(sys.executable, "-c", program).stdout.decode().split()
    names = ("readiness", "needs", "events")
    spare = {f"svpy.{layer}.{name}" for layer in ("core", "daemon") for name in names}
    assert "svpy.daemon.supervisor" in loaded and not spare & {*loaded}
