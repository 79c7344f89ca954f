"""svscan is replaced in place: same pid, same services, same descriptors."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from support.namespaces import UNSHARE, children, missing
from support.processes import BIN, Running, environment, eventually, run
from support.services import (
    NOTE_THE_START,
    STAYS,
    Daemon,
    Services,
    alive,
    descriptors,
    hold,
    locked,
    memory_kb,
    script,
    starts,
    stopped,
)

from svpy.daemon.hosted import Hosted, Place
from svpy.daemon.pair import Pair
from svpy.daemon.successor import Successor
from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import Svscan
from svpy.system import folders
from svpy.system.children import Starter
from svpy.system.descriptors import waiting_bytes
from svpy.system.signals import Heard

UPGRADE = signal.SIGRTMIN + 1
INSTALLED = (BIN / "svscan").read_text()
FIRST_LINE, REST = INSTALLED.split("\n", 1)


class Upgrading(Services):
    """Services, and a svscan of the test's own that can be replaced by another."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.program = root / "svscan"
        self.install()

    def install(self, first: str = "") -> None:
        """A program that does `first`, Python's words, and then what svscan does."""
        self.install_text(f"{FIRST_LINE}\n{first}\n{REST}")

    def install_text(self, text: str) -> None:
        new = self.program.with_name("new")
        new.write_text(text)
        new.chmod(0o755)
        new.rename(self.program)

    def svscan(self, **options: object) -> Daemon:
        return Daemon(self.program, self.folder, **options)

    def upgrade(self) -> subprocess.CompletedProcess[bytes]:
        return run("svpy", "upgrade", self.folder)

    def upgraded(self) -> None:
        done = self.upgrade()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.fixture
def upgrading(tmp_path: Path) -> Upgrading:
    return Upgrading(tmp_path)


def held(pid: int) -> list[tuple[int, int]]:
    """Device and inode of what a process holds, but for what every program makes for itself."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            status = os.stat(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if not link.startswith(("anon_inode:", "socket:", "/memfd:")):
            found.append((status.st_dev, status.st_ino))
    return sorted(found)


def seen(pid: int) -> tuple[object, ...]:
    """What others see of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    umask = [line for line in status.splitlines() if line.startswith("Umask:")]
    return (
        Path(f"/proc/{pid}/comm").read_text(),
        Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0"),
        os.readlink(f"/proc/{pid}/cwd"),
        Path(f"/proc/{pid}/environ").read_bytes(),
        Path(f"/proc/{pid}/limits").read_text(),
        umask,
    )


def pids(services: Services, *names: str) -> list[int]:
    return [services.pid(name) for name in names]


NAMES = ("plain", "logged", "logged/log")


@pytest.fixture
def hosting(upgrading: Upgrading) -> Iterator[Daemon]:
    """A svscan with one service that is plain and one that has a logger. They get 300 descriptors each."""
    upgrading.make("plain")
    upgrading.make("logged", log="exec cat >>lines")
    shell = 'ulimit -Sn 300; exec "$0" "$1"'
    with Daemon("sh", "-c", shell, upgrading.program, upgrading.folder) as daemon:
        for name in NAMES:
            upgrading.up(name)
        yield daemon


def test_everything_is_the_same_after_it(upgrading: Upgrading, hosting: Daemon) -> None:
    upgrading.upgraded()
    files = [upgrading.folder / name / "supervise/status" for name in NAMES]

    def state() -> list[object]:
        published = [(file.read_bytes(), file.stat().st_ino) for file in files]
        return [pids(upgrading, *NAMES), published, seen(hosting.pid), len(descriptors(hosting.pid))]

    before, held_before = state(), held(hosting.pid)
    upgrading.upgraded()
    assert state() == before
    # A program makes itself one pipe, in which signals wake it.
    assert len(set(held_before) - set(held(hosting.pid))) == 1
    assert all(locked(upgrading.folder / name / "supervise/lock") for name in NAMES)
    assert hosting.stop() == 0
    assert hosting.said + hosting.rest() == b""


def test_the_program_is_the_one_that_is_installed_now(upgrading: Upgrading, hosting: Daemon) -> None:
    """The link it was started by leads elsewhere; a relative folder and path mean what they meant."""
    hosting.stop()
    other = upgrading.program.with_name("other")
    other.write_text(f"{FIRST_LINE}\nimport os; os.write(2, b'the other\\n')\n{REST}")
    other.chmod(0o755)
    with Daemon("./svscan", "service", cwd=upgrading.program.parent) as daemon:
        pid = upgrading.up("plain")
        upgrading.program.unlink()
        upgrading.program.symlink_to("other")
        upgrading.upgraded()
        assert daemon.line() == b"the other"
        assert upgrading.pid("plain") == pid
        assert Path(f"/proc/{daemon.pid}/cmdline").read_bytes().rstrip(b"\0") == b"svscan\0service"


def test_what_is_started_later_gets_what_was_started_before_got(upgrading: Upgrading) -> None:
    upgrading.make(
        "shows",
        run="cat /proc/$$/environ >env; umask >rest; ulimit -n >>rest; pwd >>rest\n"
        # Not by a program of its own: while the shell starts one, it blocks all signals.
        "while read line; do case $line in Sig[BCI]*) echo $line; esac; done </proc/$$/status >>rest\n"
        f"readlink /proc/$$/fd/* >>rest; echo end >>rest; {STAYS}",
    )
    shows = upgrading.folder / "shows"
    shell = f"ulimit -Sn 300; umask 027; exec 7</dev/null; exec {upgrading.program} {upgrading.folder}"
    odd = environment(EMPTY="", ODD="\udcff\udcfe", LC_ALL="C")
    with Daemon("sh", "-c", shell, env=odd) as daemon:
        first = upgrading.up("shows")

        def shown() -> list[bytes]:
            eventually(lambda: b"end" in (shows / "rest").read_bytes())
            files = [shows / "env", shows / "rest"]
            texts = [file.read_bytes() for file in files]
            files[1].unlink()
            return texts

        shown()
        upgrading.svc("-t", "shows")
        second = upgrading.up("shows", since=first)
        before = shown()
        upgrading.upgraded()
        upgrading.svc("-t", "shows")
        upgrading.up("shows", since=second)
        assert shown() == before
        assert b"0027\n300\n" in before[1] and before[1].count(b"/dev/null") == 2, before
        assert daemon.said == b""


def test_who_is_not_to_be_started_yet_is_not(upgrading: Upgrading) -> None:
    folder = upgrading.make("restless", run=NOTE_THE_START)
    with upgrading.svscan():
        for number in range(4):
            eventually(lambda number=number: len(starts(folder)) > number)
            upgrading.upgraded()
        eventually(lambda: len(starts(folder)) > 5)
    noted = starts(folder)
    assert all(later - earlier >= 0.98 for earlier, later in itertools.pairwise(noted)), noted


def test_one_that_has_left_is_not_started_again_in_its_second(upgrading: Upgrading) -> None:
    folder = upgrading.make("leaves", run=f"{NOTE_THE_START}; {STAYS}")
    with upgrading.svscan():
        pid = 0
        for number in range(3):
            pid = upgrading.up("leaves", since=pid)
            eventually(lambda number=number: len(starts(folder)) > number)
            upgrading.svc("-dx", "leaves")
            # What follows scans at once.
            upgrading.upgraded()
        upgrading.up("leaves", since=pid)
        eventually(lambda: len(starts(folder)) > 3)
    noted = starts(folder)
    assert all(later - earlier >= 0.98 for earlier, later in itertools.pairwise(noted)), noted


def test_what_was_complained_of_is_not_said_again(upgrading: Upgrading, hosting: Daemon) -> None:
    folder = upgrading.prepare("odd")
    (folder / "supervise").touch()
    folder.rename(upgrading.folder / "odd")
    hosting.line(b"unable to acquire odd/supervise/lock: not a directory")
    upgrading.upgraded()
    assert hosting.stop() == 0
    assert (hosting.said + hosting.rest()).count(b"odd") == 1


def test_paused_wanted_down_leaving_and_down(upgrading: Upgrading) -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done"
    elsewhere = upgrading.prepare("leaving")
    (upgrading.folder / "leaving").symlink_to(elsewhere)
    upgrading.make("paused")
    upgrading.make("stubborn", run=stubborn)
    upgrading.make("down", down=True)
    with upgrading.svscan() as daemon:
        upgrading.up("paused"), upgrading.up("leaving")
        daemon.line(b"ready")
        upgrading.svc("-p", "paused")
        upgrading.svc("-d", "stubborn")
        (upgrading.folder / "leaving").unlink()
        upgrading.svc("-x", str(elsewhere))
        names = ("paused", "stubborn", "down")
        before = pids(upgrading, *names)
        upgrading.upgraded()
        assert pids(upgrading, *names) == before
        assert upgrading.state("paused").endswith("paused")
        assert upgrading.state("stubborn").endswith("want down")
        eventually(lambda: stopped(before[0]))
        upgrading.svc("-c", "paused")
        upgrading.svc("-k", "stubborn")
        eventually(lambda: upgrading.pid("stubborn") == 0)
        assert not upgrading.state("stubborn").endswith("want up")
        upgrading.svc("-d", str(elsewhere))
        eventually(lambda: run("svok", elsewhere).returncode == 100)


def test_one_that_is_starting_goes_on_with_it(upgrading: Upgrading) -> None:
    folder = upgrading.prepare("slow", run="echo run; " + STAYS)
    script(folder / "start", "echo starts; while [ ! -e go ]; do sleep 0.01; done")
    folder.rename(upgrading.folder / "slow")
    with upgrading.svscan() as daemon:
        daemon.line(b"starts")
        upgrading.upgraded()
        assert upgrading.state("slow").endswith("starting")
        (upgrading.folder / "slow/go").touch()
        daemon.line(b"run")
        assert b"starts" not in daemon.said.partition(b"starts")[2]


def test_a_logger_that_is_a_file_outlives_its_service_and_the_program(upgrading: Upgrading) -> None:
    """The service has left, its logger reads what is left; the folder is theirs until both are gone."""
    folder = upgrading.prepare("both", run="echo a line; " + STAYS)
    script(folder / "log", "trap '' TERM; while [ ! -e go ]; do sleep 0.01; done; exec cat >>lines")
    (upgrading.folder / "both").symlink_to(folder)
    early = upgrading.prepare("a")
    (upgrading.folder / "a").symlink_to(early)
    with upgrading.svscan() as daemon:
        upgrading.up("a")
        pid = upgrading.up("both")
        eventually(lambda: run("svup", "-L", folder).returncode == 0)
        (upgrading.folder / "both").unlink()
        upgrading.svc("-dx", str(folder))
        eventually(lambda: not alive(pid))
        # The closed end of the pipe has not the lowest number that is free.
        (upgrading.folder / "a").unlink()
        upgrading.svc("-dx", str(early))
        eventually(lambda: not locked(early / "supervise/lock"))
        count = 0
        for _ in range(3):
            upgrading.upgraded()
            assert len(descriptors(daemon.pid)) == (count or len(descriptors(daemon.pid)))
            count = len(descriptors(daemon.pid))
        assert locked(folder / "supervise/lock")
        (folder / "go").touch()
        eventually(lambda: not locked(folder / "supervise/lock"))
        assert (folder / "lines").read_text() == "a line\n"


def test_what_could_not_be_published_is_published_later(upgrading: Upgrading, hosting: Daemon) -> None:
    status = upgrading.folder / "plain/supervise/status"
    status.unlink()
    status.mkdir()
    assert run("svc", "-d", upgrading.folder / "plain").returncode == 0
    hosting.line(b"unable to rename")
    upgrading.upgraded()
    status.rmdir()
    hosting.signal(signal.SIGHUP)
    eventually(lambda: upgrading.state("plain").startswith("down "))


def test_letters_that_wait_in_a_fifo_are_obeyed(upgrading: Upgrading, hosting: Daemon) -> None:
    pid = upgrading.pid("plain")
    hold(hosting.pid)
    fd = os.open(upgrading.folder / "plain/supervise/control", os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, b"h" * 10000 + b"d")
    os.close(fd)
    hosting.signal(UPGRADE)
    hosting.signal(signal.SIGCONT)
    eventually(lambda: not alive(pid))
    eventually(lambda: upgrading.state("plain").startswith("down "))


BROKEN = {
    "syntax": ("def (", "SyntaxError"),
    "import": ("import svpy.nothing", "No module named 'svpy.nothing'"),
    "exits 1": ("import sys; sys.exit('nothing works')", "nothing works"),
    "exits 0": ("import sys; sys.exit()", "it said nothing"),
    "killed": ("import os; os.kill(os.getpid(), 11)", "it said nothing"),
    "hangs": ("import time; time.sleep(1000)", "it did not come to an end"),
    "talks": ("import os\nwhile True: os.write(1, b'x' * 4096)", "it did not come to an end"),
    "another format": ("import svpy.core.handover as h; h.FORMAT = 77", "a state of another format"),
    "no such words": (
        "import svpy.core.svscanwords as w; w._WITH_STATE.clear()",
        "svscan: usage: svscan",
    ),
}
IMPATIENT = "import svpy.daemon.successor as s; s.TRIAL_S = 2.0"


def still_in_charge(upgrading: Upgrading, hosting: Daemon, why: bytes, before: list[int]) -> None:
    done = upgrading.upgrade()
    named = b"svpy: fatal: unable to upgrade svscan (pid %d): " % hosting.pid
    assert (done.returncode, done.stdout) == (111, b"")
    assert done.stderr.startswith(named) and why in done.stderr and done.stderr.count(b"\n") == 1
    assert why in hosting.line(b"svscan: warning: unable to upgrade: ")
    assert b"Traceback" not in hosting.said
    assert pids(upgrading, *NAMES) == before
    upgrading.svc("-t", "plain")
    upgrading.up("plain", since=before[0])


@pytest.mark.parametrize("kind", BROKEN)
def test_a_program_that_cannot_take_over_does_not(upgrading: Upgrading, kind: str) -> None:
    upgrading.make("plain")
    upgrading.make("logged", log="exec cat >>lines")
    upgrading.install(IMPATIENT)
    with upgrading.svscan() as daemon:
        before = [upgrading.up(name) for name in NAMES]
        first, why = BROKEN[kind]
        upgrading.install(first)
        open_before = held(daemon.pid)
        still_in_charge(upgrading, daemon, why.encode(), before)
        assert held(daemon.pid) == open_before
        before = pids(upgrading, *NAMES)
        upgrading.install()
        upgrading.upgraded()
        assert pids(upgrading, *NAMES) == before


@pytest.mark.parametrize("kind", ["missing", "not executable", "a shell's", "no interpreter"])
def test_a_file_that_is_no_svscan_does_not_take_over(
    upgrading: Upgrading, hosting: Daemon, kind: str
) -> None:
    why = b"unable to start "
    match kind:
        case "missing":
            upgrading.program.unlink()
        case "not executable":
            upgrading.program.chmod(0o644)
        case "a shell's":
            upgrading.install_text("#!/bin/sh\nexit 0\n")
            why = b"it said nothing"
        case "no interpreter":
            upgrading.install_text("#!/nonexistent\n")
    still_in_charge(upgrading, hosting, why, pids(upgrading, *NAMES))


def test_a_program_that_is_exchanged_after_it_was_tried_leaves_the_old_in_charge(
    upgrading: Upgrading, hosting: Daemon
) -> None:
    """It removes itself when it has been tried: execve fails."""
    upgrading.install(
        f"import os, sys\nif '--check-state' in sys.argv: os.unlink({str(upgrading.program)!r})"
    )
    still_in_charge(upgrading, hosting, b"unable to execute ", pids(upgrading, *NAMES))


HOLDS = """
import os, sys, time
if {option!r} in sys.argv:
    os.write(2, b"here\\n")
    while not os.path.exists({go!r}): time.sleep(0.01)
"""


@pytest.mark.parametrize("option", ["--check-state", "--state"])
def test_term_during_an_upgrade_stops_in_order(
    upgrading: Upgrading, hosting: Daemon, tmp_path: Path, option: str
) -> None:
    go = tmp_path / "go"
    before = pids(upgrading, *NAMES)
    upgrading.install(HOLDS.format(option=option, go=str(go)))
    hosting.signal(UPGRADE)
    if option == "--state":
        hosting.line(b"here")
    hosting.signal(signal.SIGTERM)
    go.touch()
    assert hosting.wait() == 0
    assert not any(map(alive, before))


async def test_a_signal_that_came_at_the_last_moment_is_heard_first() -> None:
    home_fd = folders.open_folder(b".")
    svscan = Svscan(Supervisor(b"svscan", Starter([], 100, home_fd)), home_fd)
    heard = svscan._heard_now = Heard(signal.SIGTERM)
    try:
        assert svscan._against_upgrade() is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert svscan._against_upgrade() == b"it is stopping"
    finally:
        heard.close()
        os.close(home_fd)


def test_svc_during_an_upgrade_waits_and_is_obeyed(
    upgrading: Upgrading, hosting: Daemon, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    pid = upgrading.pid("plain")
    upgrading.install(HOLDS.format(option="--state", go=str(go)))
    hosting.signal(UPGRADE)
    hosting.line(b"here")
    with Running("svc", "-d", upgrading.folder / "plain") as svc:
        eventually(lambda: descriptors(svc.pid).count(f"{upgrading.folder}/plain/supervise/control") == 1)
        assert svc.process.poll() is None
        go.touch()
        assert svc.wait() == 0
    eventually(lambda: not alive(pid))
    eventually(lambda: upgrading.state("plain").startswith("down "))


def test_signals_in_a_flood_during_upgrades(upgrading: Upgrading, hosting: Daemon) -> None:
    before = pids(upgrading, *NAMES)
    for _ in range(4):
        for number in (UPGRADE, signal.SIGHUP, signal.SIGCHLD, signal.SIGIO) * 500:
            hosting.signal(number)
        upgrading.upgraded()
    assert pids(upgrading, *NAMES) == before
    assert hosting.stop() == 0


def test_children_that_end_meanwhile_are_reaped(
    upgrading: Upgrading, hosting: Daemon, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    upgrading.install(HOLDS.format(option="--state", go=str(go)))
    pid, logger = upgrading.pid("plain"), upgrading.pid("logged/log")
    hosting.signal(UPGRADE)
    hosting.line(b"here")
    os.kill(pid, signal.SIGKILL)
    os.kill(logger, signal.SIGKILL)
    eventually(lambda: not alive(pid) and not alive(logger))
    go.touch()
    upgrading.up("plain", since=pid)
    upgrading.up("logged/log", since=logger)
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_two_hundred_services_with_loggers(upgrading: Upgrading) -> None:
    names = [f"{number}{log}" for number in range(200) for log in ("", "/log")]
    for number in range(200):
        upgrading.make(str(number), log="exec cat >>lines", run="exec sleep 1000")
    with upgrading.svscan() as daemon:
        before = [upgrading.up(name) for name in names]
        upgrading.upgraded()
        assert pids(upgrading, *names) == before
        upgrading.svc("-t", "199")
        upgrading.up("199", since=before[-2])
        assert daemon.said == b""


def test_nothing_grows(upgrading: Upgrading, hosting: Daemon) -> None:
    before = pids(upgrading, *NAMES)
    for _ in range(3):
        upgrading.upgraded()
    size_kb, count = memory_kb(hosting.pid), len(descriptors(hosting.pid))
    for _ in range(12):
        upgrading.upgraded()
    assert len(descriptors(hosting.pid)) == count
    assert memory_kb(hosting.pid) < 1.1 * size_kb
    assert pids(upgrading, *NAMES) == before


def test_nobody_hosts_it(tmp_path: Path) -> None:
    done = run("svpy", "upgrade", tmp_path, "/nonexistent")
    assert done.returncode == 111
    assert done.stderr == (
        b"svpy: fatal: unable to upgrade %s: svscan not running\n" % bytes(tmp_path)
        + b"svpy: fatal: unable to upgrade /nonexistent: svscan not running\n"
    )


FAILS = """
import os, {module} as m
real, failed = m.{what}, []
{define} fails(*words):
    if os.path.exists({trigger!r}) and not failed:
        failed.append(True)
        raise {error}
    return {wait}real(*words)
m.{what} = fails
"""
"""One call of `what` raises, the first one after the file `trigger` has appeared."""

LOOPS = {
    "control": ("svpy.daemon.supervisor", "Supervisor._hand_on", "def", "RuntimeError('of the test')"),
    "signals": ("svpy.daemon.svscan", "Svscan._heard", "def", "RuntimeError('of the test')"),
    "reaping": ("svpy.daemon.supervisor", "Supervisor.reap", "def", "MemoryError()"),
    "scanning": ("svpy.daemon.svscan", "Svscan._scan", "async def", "ExceptionGroup('', [OSError(5, 'x')])"),
    "stopping": ("svpy.daemon.pair", "Pair.go_on_stopping", "def", "SystemExit(3)"),
    "trio": ("trio._core._run", "Runner.reschedule", "def", "RuntimeError('of the test')"),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_fails_begins_again(upgrading: Upgrading, tmp_path: Path, loop: str) -> None:
    """Whichever it is: one line, the same services, and all that comes afterwards is heard."""
    trigger = tmp_path / "trigger"
    module, what, define, error = LOOPS[loop]
    wait = "await " if define.startswith("async") else ""
    names = {"module": module, "what": what, "define": define, "error": error, "wait": wait}
    first = FAILS.format(trigger=str(trigger), **names)
    upgrading.make("plain")
    upgrading.make("logged", log="exec cat >>lines")
    upgrading.install(first)
    with upgrading.svscan() as daemon:
        before = [upgrading.up(name) for name in NAMES]
        upgrading.make("warm")
        upgrading.up("warm")
        count = len(descriptors(daemon.pid))
        trigger.touch()
        assert run("svc", "-c", upgrading.folder / "plain").returncode == 0
        if loop == "stopping":
            daemon.signal(signal.SIGTERM)
        else:
            upgrading.svc("-t", "warm")
            daemon.signal(signal.SIGHUP)
        line = daemon.line(b"svscan: warning: unexpected ")
        assert error.partition("(")[0].encode() in line or b"OSError" in line
        if loop != "stopping":
            upgrading.make("later")
            upgrading.up("later")
            assert pids(upgrading, *NAMES) == before
            upgrading.svc("-t", "plain")
            upgrading.up("plain", since=before[0])
            eventually(lambda: len(descriptors(daemon.pid)) == count + 4)
            upgrading.install()
            upgrading.upgraded()
            daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        said = daemon.said + daemon.rest()
    assert not any(map(alive, before))
    assert said.count(b"\n") == 1 and b"Traceback" not in said, said


ALWAYS_FAILS = """
import os, svpy.daemon.svscan as m
real = m.Svscan.{what}
def fails(*words):
    if os.path.exists({trigger!r}):
        raise OSError(24, 'of the test')
    return real(*words)
m.Svscan.{what} = fails
"""


@pytest.mark.parametrize("what", ["_begin", "_listen"])
@pytest.mark.parametrize("mended", [False, True], ids=["never", "later"])
def test_one_whose_loop_always_fails_can_be_ended(
    upgrading: Upgrading, tmp_path: Path, what: str, mended: bool
) -> None:
    """Before it hears a signal. Where it is mended meanwhile it stops in order."""
    trigger = tmp_path / "trigger"
    upgrading.make("plain")
    upgrading.make(
        "logged", log="exec cat >>lines", run="trap 'echo end; exit' TERM; while :; do sleep 0.1; done"
    )
    upgrading.install(ALWAYS_FAILS.format(trigger=str(trigger), what=what))
    with upgrading.svscan() as daemon:
        before = [upgrading.up(name) for name in NAMES]
        trigger.touch()
        daemon.signal(UPGRADE)
        # What follows it fails in its first loop already.
        daemon.line(b"svscan: warning: unexpected OSError")
        daemon.signal(signal.SIGTERM)
        if mended:
            trigger.unlink()
        assert daemon.wait() == (0 if mended else 111)
        said = daemon.said + daemon.rest()
        assert (b"warning: unable to stop in order: services are only told to end\n" in said) != mended
        eventually(
            lambda: not any(map(alive, before)), "services are told to end, the logger reads to its end"
        )
    assert (upgrading.folder / "logged/log/lines").read_text() == "end\n"


def test_a_program_that_fails_in_taking_over_hosts_afresh(upgrading: Upgrading, hosting: Daemon) -> None:
    """It passed its trial, and what it replaced is gone: services are taken from what they left in their
    folders, as after the death of a svscan."""
    before = pids(upgrading, *NAMES)
    upgrading.install("import svpy.daemon.svscan as s\ns.Svscan.take_over = lambda self: 1 / 0")
    done = upgrading.upgrade()
    assert done.returncode == 111 and b"unable to take over" in done.stderr, done.stderr
    hosting.line(b"svscan: warning: unable to take over: ZeroDivisionError")
    for name in NAMES:
        eventually(lambda name=name: run("svok", upgrading.folder / name).returncode == 0)
    assert pids(upgrading, *NAMES) == before
    held_before = descriptors(before[0]), Path(f"/proc/{before[0]}/limits").read_text()
    upgrading.svc("-t", "logged", "plain")
    upgrading.up("logged", since=before[1])
    pid = upgrading.up("plain", since=before[0])
    assert (descriptors(pid), Path(f"/proc/{pid}/limits").read_text()) == held_before
    assert "/memfd:svpy-state (deleted)" not in descriptors(hosting.pid)
    upgrading.install()
    upgrading.upgraded()
    assert hosting.stop() == 0
    assert not any(map(alive, before))


def test_one_that_never_shows_whether_it_is_a_host_keeps_no_other_waiting(
    upgrading: Upgrading, hosting: Daemon
) -> None:
    """Anybody can call a process svscan and block all its signals."""
    pretends = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); "
        "open('/proc/self/comm', 'w').write('svscan'); print(flush=True); signal.pause()"
    )
    with Running(sys.executable, "-c", pretends) as other:
        other.line()
        upgrading.install("import os; os.write(2, b'the other\\n')")
        with Running("svpy", "upgrade", upgrading.folder) as svpy:
            # Half of what `svpy upgrade` waits for the other to show itself.
            hosting.line(b"the other", deadline_s=15)
            assert svpy.process.poll() is None
            other.process.kill()
            assert svpy.wait() == 0


def test_one_that_could_not_hand_on_hears_signals_as_before() -> None:
    """A descriptor that was closed by mistake; the others go to nobody who is started later."""
    fd = os.open("/", os.O_RDONLY)
    closed = 1000
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    successor = Successor(b"/nonexistent", ())
    why = successor._become(lambda: {"a_fd": fd, "b_fd": closed, "c_fds": [fd]}, lambda: None)
    assert why == b"unable to execute /nonexistent: file descriptor not open"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_program_that_cannot_begin_for_a_moment_begins_later(
    upgrading: Upgrading, hosting: Daemon, tmp_path: Path
) -> None:
    """What it imports is being exchanged when it is executed."""
    before = pids(upgrading, *NAMES)
    flag = str(tmp_path / "flag")
    upgrading.install(
        f"import os, sys\nif '--state' in sys.argv and not os.path.exists({flag!r}):\n"
        f"    open({flag!r}, 'w'); sys.modules['trio'] = None"
    )
    upgrading.upgraded()
    hosting.line(b"svscan: warning: unexpected ModuleNotFoundError")
    assert pids(upgrading, *NAMES) == before
    upgrading.svc("-t", "plain")
    upgrading.up("plain", since=before[0])
    assert hosting.stop() == 0


def test_what_was_adopted_stays_adopted(upgrading: Upgrading, hosting: Daemon) -> None:
    before = pids(upgrading, *NAMES)
    hosting.signal(signal.SIGKILL)
    hosting.wait()
    with upgrading.svscan() as daemon:
        for name in NAMES:
            eventually(lambda name=name: run("svok", upgrading.folder / name).returncode == 0)
        upgrading.upgraded()
        assert pids(upgrading, *NAMES) == before
        os.kill(before[0], signal.SIGKILL)
        daemon.line(b"exit code of plain (pid %d) is unknown" % before[0])
        upgrading.up("plain", since=before[0])
        assert daemon.stop() == 0
    assert not any(map(alive, before))


def test_a_line_that_is_half_relayed_is_written_whole(upgrading: Upgrading) -> None:
    upgrading.make(
        "speaks", run=f"printf 'the one half '; until [ -e go ]; do sleep 0.01; done; echo; {STAYS}"
    )
    with Daemon(upgrading.program, "--log-stdout", upgrading.folder) as daemon:
        pid = upgrading.up("speaks")
        upgrading.upgraded()
        upgrading.upgraded()
        (upgrading.folder / "speaks/go").touch()
        assert daemon.line() == b"speaks: the one half "
        assert upgrading.pid("speaks") == pid
        assert daemon.stop() == 0


SPEAKS = f"""#!{sys.executable} -IS
import os, signal, time
on = []
signal.signal(signal.SIGTERM, lambda *_: on.append(1))
number = 1
os.write(1, b"1 is")
while not on:
    number += 1
    # Nearly always a piece of a line is what was read last.
    os.write(1, b" a number\\n%d is" % number)
    time.sleep(0.001)
os.write(1, b" the last\\n")
"""


def waiting_in(pid: int) -> int:
    """Bytes in the pipe that is a process's stdout."""
    fd = os.open(f"/proc/{pid}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return waiting_bytes(fd)
    finally:
        os.close(fd)


def test_nothing_that_is_relayed_is_lost_doubled_or_cut(upgrading: Upgrading) -> None:
    """Two that never stop, and nobody reads what is relayed, so that lines wait in svscan as well."""
    names = ("a", "b")
    for name in names:
        upgrading.make(name, run=SPEAKS)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with Daemon(
        upgrading.program, "--log-stdout", upgrading.folder, stdout=writing, stderr=subprocess.DEVNULL
    ) as daemon:
        os.close(writing)
        got = b""
        before = [upgrading.up(name) for name in names]
        for _ in range(5):
            eventually(lambda: min(map(waiting_in, before)) > 1000, "svscan waits for room")
            upgrading.upgraded()
            got += os.read(reading, 65536)
        assert pids(upgrading, *names) == before
        daemon.signal(signal.SIGTERM)
        while data := os.read(reading, 65536):
            got += data
        os.close(reading)
        assert daemon.wait() == 0
    for name in names:
        prefix = f"{name}: ".encode()
        lines = [line.removeprefix(prefix) for line in got.splitlines() if line.startswith(prefix)]
        assert lines == [b"%d is a number" % number for number in range(1, len(lines))] + [
            b"%d is the last" % len(lines)
        ]
        assert len(lines) > 100
    assert got.count(b"\n") == len(got.splitlines()) and got.endswith(b"\n")


def test_what_left_and_is_still_relayed_is_read_on(upgrading: Upgrading) -> None:
    """Its folder is gone, what it started still writes."""
    folder = upgrading.prepare("a", run=f"(read go <gate; echo o; printf words) & printf tw; {STAYS}")
    os.mkfifo(folder / "gate")
    folder.rename(upgrading.folder / "a")
    with Daemon(upgrading.program, "--log-stdout", upgrading.folder) as daemon:
        pipe = os.readlink(f"/proc/{upgrading.up('a')}/fd/1")
        (upgrading.folder / "a").rename(upgrading.folder / ".a")
        upgrading.svc("-dx", ".a")
        eventually(lambda: descriptors(daemon.pid).count(pipe) == 1, "only the reading end")
        upgrading.upgraded()
        (upgrading.folder / ".a/gate").write_text("go\n")
        lines = [daemon.line(b"a: ") for _ in range(2)]
        assert lines in ([b"a: two", b"a: words"], [b"a: tw", b"a: o"]), lines
        eventually(lambda: pipe not in descriptors(daemon.pid))
        assert daemon.stop() == 0


def test_an_essential_one_ends_everything_after_it(upgrading: Upgrading, hosting: Daemon) -> None:
    folder = upgrading.prepare("main", run="echo up >&2; read code <gate; exit $code")
    os.mkfifo(folder / "gate")
    (folder / "essential").touch()
    folder.rename(upgrading.folder / "main")
    hosting.line(b"up")
    upgrading.upgraded()
    (upgrading.folder / "main/gate").write_text("7\n")
    hosting.line(b"svscan: warning: main is essential and exited with 7: stopping everything")
    assert hosting.wait() == 7


def test_closed_standard_descriptors_stay_closed(upgrading: Upgrading) -> None:
    upgrading.make("a", log="exec cat >>lines")
    with Daemon("sh", "-c", 'exec "$0" "$1" <&- >&- 2>&-', upgrading.program, upgrading.folder) as daemon:
        before = [upgrading.up("a"), upgrading.up("a/log")]
        held = [descriptors(pid) for pid in before]
        for _ in range(2):
            assert run("svpy", "upgrade", upgrading.folder).returncode == 0
        upgrading.svc("-t", "a", "a/log")
        after = [upgrading.up("a", since=before[0]), upgrading.up("a/log", since=before[1])]
        assert [descriptors(pid) for pid in after] == held
        assert daemon.stop() == 0


ON_A_READ_ONLY_DISK = """
set -e
mount -t tmpfs none {0}
mkdir -p {0}/a/log
printf '#!/bin/sh\\nexec sleep 1000\\n' >{0}/a/run
printf '#!/bin/sh\\nexec cat >/dev/null\\n' >{0}/a/log/run
chmod +x {0}/a/run {0}/a/log/run
mount -o remount,ro {0}
exec {1} {0}
"""
BOTH = {"sleep\n", "cat\n"}


def test_a_folder_that_cannot_be_written_to(upgrading: Upgrading) -> None:
    """It has no files in `supervise/`: what is handed over is all there is."""
    if reason := missing():
        pytest.skip(reason)
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    shell = ON_A_READ_ONLY_DISK.format(upgrading.folder, upgrading.program)
    with Daemon(*words, shell) as daemon:
        # A shell that is asked what it makes of an environment comes and goes.
        eventually(lambda: {Path(f"/proc/{pid}/comm").read_text() for pid in children(daemon.pid)} == BOTH)
        before = children(daemon.pid)
        pipe = os.readlink(f"/proc/{before[0]}/fd/1")
        pipe = pipe if pipe.startswith("pipe:") else os.readlink(f"/proc/{before[1]}/fd/1")
        open_before = len(descriptors(daemon.pid))
        for _ in range(2):
            done = run("nsenter", "-t", str(daemon.pid), "-m", BIN / "svpy", "upgrade", upgrading.folder)
            assert (done.returncode, done.stderr) == (0, b"")
            assert children(daemon.pid) == before
        # The first made the file for answers.
        assert len(descriptors(daemon.pid)) == open_before + 1
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(set(children(daemon.pid)) - set(before)) == 1)
        os.kill(daemon.pid, signal.SIGTERM)
        assert daemon.wait() == 0
        said = daemon.said + daemon.rest()
    assert said.count(b"unable to let svc control") == 2, said
    assert not any(map(alive, before))


def test_the_time_to_stop_goes_on_counting(upgrading: Upgrading) -> None:
    folder = upgrading.prepare("stubborn", run="trap '' TERM; echo ready; while :; do sleep 0.1; done")
    (folder / "stop-timeout").write_text("2\n")
    folder.rename(upgrading.folder / "stubborn")
    with upgrading.svscan() as daemon:
        pid = upgrading.up("stubborn")
        daemon.line(b"ready")
        upgrading.svc("-d", "stubborn")
        upgrading.upgraded()
        eventually(lambda: upgrading.pid("stubborn") == 0)
        assert not alive(pid)


COUNTS = f"""#!{sys.executable} -IS
import os, time
number = 0
while True:
    number += 1
    os.write(1, b"%d\\n" % number)
    time.sleep(0.005)
"""
UPGRADES = 1000
AT_ONCE = 4


TRIES_SELDOM = """
import svpy.daemon.successor as s
whole = s.Successor._try
async def seldom(self, state):
    if self.report_fd < 0 or s.decode(s.replacing.read(self.report_fd)).count % 10 == 0:
        return await whole(self, state)
s.Successor._try = seldom
"""


def test_a_thousand_upgrades_lose_no_line(tmp_path: Path) -> None:
    """Four svscans, two hundred and fifty upgrades each, beside each other; one `svpy upgrade` has them all
    replaced. The trial before it, half the cost of an upgrade, is left out of nine in ten."""
    scenes = []
    for number in range(AT_ONCE):
        root = tmp_path / str(number)
        root.mkdir()
        scenes.append(Upgrading(root))
        scenes[-1].install(TRIES_SELDOM)
        scenes[-1].make("counts", run=COUNTS, log="exec cat >>lines")
    folders = [scene.folder for scene in scenes]
    with ExitStack() as running:
        daemons = [running.enter_context(scene.svscan()) for scene in scenes]
        before = [[scene.up("counts"), scene.up("counts/log")] for scene in scenes]
        for _ in range(UPGRADES // AT_ONCE):
            done = run("svpy", "upgrade", *folders)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert [pids(scene, "counts", "counts/log") for scene in scenes] == before
        assert [daemon.stop() for daemon in daemons] == [0] * AT_ONCE
        assert [daemon.said + daemon.rest() for daemon in daemons] == [b""] * AT_ONCE
    for scene in scenes:
        lines = (scene.folder / "counts/log/lines").read_text().splitlines()
        assert lines == [str(number) for number in range(1, len(lines) + 1)]
        assert len(lines) > UPGRADES // AT_ONCE


def test_an_older_program_has_asked_nobody_whether_it_is_ready(upgrading: Upgrading) -> None:
    upgrading.install(AS_BEFORE_READY)
    upgrading.program.with_name("svpy").symlink_to(BIN / "svpy")
    folder = upgrading.prepare("a")
    (folder / "ready").write_text("file there")
    folder = folder.rename(upgrading.folder / "a")
    upgrading.make("plain")
    with upgrading.svscan() as daemon:
        before = [upgrading.up(name) for name in ("a", "plain")]
        (folder / "there").touch()
        upgrading.install()
        upgrading.upgraded()
        eventually(lambda: upgrading.told("a")["state"] == "up", upgrading.state("a"))
        assert [upgrading.up(name) for name in ("a", "plain")] == before
        assert daemon.stop() == 0


AS_BEFORE_READY = """
import svpy.daemon.svscan as m
m.Supervisor._ask = lambda *words: None
whole = m.Hosted.state
m.Hosted.state = lambda self: {k: v for k, v in whole(self).items() if k not in ('asking', 'noted')}
"""


def test_nothing_that_a_pair_or_a_half_of_it_holds_is_forgotten() -> None:
    """Who adds a slot says how it is handed over, or names it here."""
    pair = Pair(cast(Supervisor, None), b"a", 3, lambda pair: None)
    # The first scan looks at everything.
    of_its_owner = {"_changed", "_relay", "_supervisor", "listed_as"}
    assert {slot.lstrip("_") for slot in {*Pair.__slots__} - of_its_owner} == {*pair.state()}
    half = Hosted(Place(b"a", b"."), 0, 1, {"addressing": {}, "machine": {}})
    handed_over = {*half.state()} - {"with_logger"} | {"logger"}
    # A process that several share is found again by the pid.
    assert {*Hosted.__slots__} - {"ended", "left", "native"} == handed_over - {"machine"} | {"service"}


def test_what_is_stopping_is_not_replaced(upgrading: Upgrading) -> None:
    upgrading.make("stubborn", run="trap '' TERM; echo ready; while :; do sleep 0.1; done")
    with upgrading.svscan() as daemon:
        pid = upgrading.up("stubborn")
        daemon.line(b"ready")
        daemon.signal(signal.SIGTERM)
        eventually(lambda: upgrading.state("stubborn").endswith("want down"))
        done = upgrading.upgrade()
        assert done.returncode == 111 and b"it is stopping" in done.stderr
        daemon.line(b"svscan: warning: unable to upgrade: it is stopping")
        os.kill(pid, signal.SIGKILL)
        assert daemon.wait() == 0


def test_pid_1_of_a_container_is_replaced_from_within(upgrading: Upgrading) -> None:
    """Who looks from outside does not ask it: what it would execute is not what is installed there."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    upgrading.make("logged", log="exec cat >>lines")
    with Daemon(
        *UNSHARE, "--kill-child", "--mount-proc", "--", upgrading.program, upgrading.folder
    ) as daemon:
        eventually(lambda: children(daemon.pid))
        (host,) = children(daemon.pid)
        before = [upgrading.up(name) for name in NAMES[1:]]
        assert b"svscan not running" in upgrading.upgrade().stderr
        done = run("nsenter", "-t", str(host), "-p", "-m", BIN / "svpy", "upgrade")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert pids(upgrading, *NAMES[1:]) == before
        os.kill(host, signal.SIGTERM)
        assert daemon.wait() == 0
