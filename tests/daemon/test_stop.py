"""TERM to svscan: everything ends in order, and nothing that was written is lost."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support import namespaces
from support.containers import Container
from support.processes import Running, TooLate, eventually
from support.services import WAITS, Daemon, Services, alive, script, svscan
from support.watched import renames_into

from svpy.core.shutdown import EMPTY_LOOKS

LAST_WORDS = f"""
trap 'echo last words; exit' TERM
echo ready >&2
{WAITS}
"""

FINISHES_FIRST = f"""
trap 'echo finishing >&2; read go <gate; echo finished; exit' TERM
echo ready >&2
{WAITS}
"""


def fifo(folder: Path, name: str = "fifo") -> Path:
    os.mkfifo(folder / name)
    return folder / name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_services_first_then_loggers_then_svscan(services: Services, number: signal.Signals) -> None:
    folder = services.make("a", run=LAST_WORDS, log="cat >>log; echo logger saw the end >&2", down=True)
    services.make("b")
    with svscan(services) as daemon:
        services.up("b")
        services.svc("-u", "a")
        daemon.line(b"ready")
        services.up("a/log")
        daemon.signal(number)
        daemon.line(b"logger saw the end")
        assert not alive(services.pid("a"))
        assert daemon.wait() == 0
        assert daemon.rest() == b""
    assert (folder / "log/log").read_text() == "last words\n"
    assert services.state("a") == services.state("b") == services.state("a/log") == "supervise not running"
    assert services.pid("a") == services.pid("b") == services.pid("a/log") == 0


def test_a_service_takes_the_time_it_needs_and_a_second_term_changes_nothing(services: Services) -> None:
    """What qmail-send does: it finishes its deliveries."""
    folder = services.make("a", run=FINISHES_FIRST, log="exec cat >>log", down=True)
    gate = fifo(folder, "gate")
    services.make("b")
    with svscan(services) as daemon:
        other = services.up("b")
        services.svc("-u", "a")
        daemon.line(b"ready")
        pid, logger = services.pid("a"), services.up("a/log")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"finishing")
        eventually(lambda: not alive(other), "all services are told at once")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            daemon.signal(number)
        services.svc("-w", "a")
        assert alive(pid) and alive(logger) and alive(daemon.pid)
        gate.write_text("go\n")
        assert daemon.wait() == 0
        assert not alive(pid) and not alive(logger)
    assert (folder / "log/log").read_text() == "finished\n"


def test_a_paused_service_is_continued(services: Services) -> None:
    services.make("a", log="exec cat")
    with svscan(services) as daemon:
        pid, logger = services.up("a"), services.up("a/log")
        services.svc("-p", "a", "a/log")
        assert daemon.stop() == 0
        assert not alive(pid) and not alive(logger)


def test_nothing_new_is_started_while_it_stops(services: Services) -> None:
    folder = services.make("a", run=FINISHES_FIRST, down=True)
    gate = fifo(folder, "gate")
    with svscan(services) as daemon:
        eventually(lambda: services.state("a").startswith("down"))
        services.svc("-u", "a")
        daemon.line(b"ready")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"finishing")
        services.make("b", run="echo b runs")
        daemon.signal(signal.SIGHUP)
        gate.write_text("go\n")
        assert daemon.wait() == 0
        assert b"b runs" not in daemon.said + daemon.rest()
    assert not (services.folder / "b/supervise").exists()


def test_a_logger_that_dies_early_is_started_until_the_pipe_is_empty(services: Services) -> None:
    # sh reads a byte at a time, so each of its lives takes one line and leaves the rest in the pipe.
    folder = services.make(
        "a",
        run="echo one; echo two; echo three; echo ready >&2; exec sleep 1000",
        log="read line; echo $line >>log",
    )
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0
    assert (folder / "log/log").read_text() == "one\ntwo\nthree\n"


def test_a_logger_that_gets_nothing_out_of_the_pipe_does_not_hold_up_the_end(services: Services) -> None:
    services.make("a", run="echo one; echo ready >&2; exec sleep 1000", log="exit 1")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0


def test_a_logger_that_has_read_the_end_takes_the_time_it_needs(services: Services) -> None:
    """Longer than a pipe without an end would be waited for."""
    folder = services.make(
        "a",
        run="echo line; echo ready >&2; exec sleep 1000",
        log="cat >>log; echo read all >&2; read go <gate; echo finished >>log",
    )
    gate = fifo(folder / "log", "gate")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"read all")
        looks = EMPTY_LOOKS + 1.5
        with pytest.raises(TooLate):
            daemon.wait(looks)
        gate.write_text("go\n")
        assert daemon.wait() == 0
    assert (folder / "log/log").read_text() == "line\nfinished\n"


def test_a_logger_in_its_second_is_not_asked_again_and_again(services: Services) -> None:
    """Its status is written a few times while all stops, not as often as the machine can."""
    folder = services.make("a", run="echo line; echo ready >&2; exec sleep 1000", log="exit 1")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        eventually(lambda: services.state("a/log").endswith("want up"))
        services.svc("-p", "a")
        with renames_into(folder / "log/supervise") as published:
            assert daemon.stop() == 0
            assert 0 < published() < 10


def test_a_logger_whose_pipe_has_no_end_is_told_to(services: Services) -> None:
    """Something the service left in the background holds the pipe open."""
    folder = services.make(
        "a",
        run="sleep 1000 </dev/null & echo $! >background; echo line; echo ready >&2; exec sleep 1000",
        log="exec cat >>log",
    )
    with svscan(services) as daemon:
        daemon.line(b"ready")
        services.up("a/log")
        assert daemon.stop() == 0
        background = int((folder / "background").read_text())
        assert alive(background), "nothing is killed that was not asked for"
        os.kill(background, signal.SIGKILL)
    assert (folder / "log/log").read_text() == "line\n"


def test_a_logger_that_is_down_stays_down(services: Services) -> None:
    folder = services.make("a", run="echo line; echo ready >&2; exec sleep 1000", log="cat >>log")
    (folder / "log/down").touch()
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0
    assert not (folder / "log/log").exists()


def test_stopping_before_anything_runs(services: Services) -> None:
    with svscan(services) as daemon:
        services.make("a")
        services.up("a")
        services.svc("-d", "a")
        eventually(lambda: services.pid("a") == 0)
        assert daemon.stop() == 0


def test_signals_at_the_last_moment_do_not_decide_how_it_ends(services: Services) -> None:
    services.make("a")
    for _ in range(10):
        with svscan(services) as daemon:
            services.up("a")
            daemon.signal(signal.SIGTERM)
            while daemon.process.poll() is None:
                daemon.signal(signal.SIGHUP)
                daemon.signal(signal.SIGTERM)
                (services.folder / "link").symlink_to("nowhere")
                (services.folder / "link").unlink()
            assert daemon.wait() == 0, daemon.said + daemon.rest()


# Timeouts.

DEAF = "trap '' TERM; echo deaf >&2; while :; do read line <>fifo; done"


def deaf(services: Services, name: str = "a", timeout: str | None = None, log: str | None = None) -> Path:
    """A service that TERM does not end."""
    new = services.prepare(name, run=DEAF, log=log)
    fifo(new)
    if timeout is not None:
        (new / "stop-timeout").write_text(timeout + "\n")
    return new.rename(services.folder / name)


@contextmanager
def takes_at_least(seconds_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began >= seconds_s


def test_what_does_not_go_down_in_time_is_killed(services: Services) -> None:
    folder = deaf(services, timeout="0.4")
    with svscan(services) as daemon:
        for timeout_s in (0.4, 0.0):
            daemon.line(b"deaf")
            pid = services.pid("a")
            with takes_at_least(timeout_s):
                services.svc("-d", "a")
                eventually(lambda: services.pid("a") == 0)
            assert not alive(pid)
            assert daemon.line() == b"svscan: warning: killing a: it did not end in time"
            (folder / "stop-timeout").write_text("0")
            services.svc("-u", "a")
        daemon.line(b"deaf")
        assert daemon.stop() == 0


def test_up_calls_it_off(services: Services) -> None:
    deaf(services, timeout="0.5")
    deaf(services, "b", timeout="0.5")
    with svscan(services) as daemon:
        daemon.line(b"deaf")
        daemon.line(b"deaf")
        pid = services.pid("a")
        services.svc("-d", "a")
        services.svc("-u", "a")
        services.svc("-d", "b")
        assert daemon.line(b"warning") == b"svscan: warning: killing b: it did not end in time"
        assert services.pid("a") == pid and alive(pid)
        assert daemon.stop() == 0


def test_a_stop_that_hangs_has_as_much_time_of_its_own(services: Services) -> None:
    new = services.prepare("a")
    script(new / "stop", "echo stopping >&2; exec sleep 1000")
    (new / "stop-timeout").write_text("0.4")
    new.rename(services.folder / "a")
    with svscan(services) as daemon:
        pid = services.up("a")
        services.svc("-d", "a")
        daemon.line(b"stopping")
        services.svc("-u", "a")
        assert daemon.line() == b"svscan: warning: killing a/stop: it did not end in time"
        services.up("a", since=pid)
        with takes_at_least(0.4):
            assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (lambda path: path.write_text("soon\n"), b"not a number of seconds"),
        (lambda path: path.write_bytes(b"1" * 64 + b"\n"), None),
        (lambda path: path.touch(), b"not a number of seconds"),
        (lambda path: path.mkdir(), b"invalid argument"),
        (os.mkfifo, b"invalid argument"),
        (lambda path: path.symlink_to("/dev/zero"), b"symbolic link loop"),
    ],
    ids=["a word", "a very long time", "nothing", "a folder", "a fifo", "a link"],
)
def test_a_timeout_that_is_none_costs_a_warning(
    services: Services, plant: Callable[[Path], object], why: bytes | None
) -> None:
    folder = deaf(services)
    plant(folder / "stop-timeout")
    deaf(services, "b", timeout="0.2")
    with svscan(services) as daemon:
        daemon.line(b"deaf")
        daemon.line(b"deaf")
        pid = services.pid("a")
        services.svc("-d", "a", "b")
        if why is not None:
            assert daemon.line() == b"svscan: warning: unable to read a/stop-timeout: " + why
        assert daemon.line() == b"svscan: warning: killing b: it did not end in time"
        assert services.pid("a") == pid and alive(pid)
        services.svc("-k", "a")
        eventually(lambda: services.pid("a") == 0)
        assert daemon.stop() == 0


def test_a_logger_that_never_reads_to_the_end(services: Services) -> None:
    """Its pipe is full, and it leaves it so."""
    folder = services.make("a", run="exec yes", log=DEAF)
    fifo(folder / "log")
    (folder / "log/stop-timeout").write_text("0.4")
    with svscan(services) as daemon:
        daemon.line(b"deaf")
        pid = services.up("a/log")
        services.svc("-d", "a")
        eventually(lambda: services.pid("a") == 0)
        with takes_at_least(0.4):
            assert daemon.stop() == 0
        assert not alive(pid)
        assert daemon.rest().endswith(b"svscan: warning: killing a/log: it did not end in time\n")


def test_a_logger_that_is_a_file_shares_its_services_timeout(services: Services) -> None:
    new = services.prepare("a", run=DEAF)
    fifo(new)
    (new / "stop-timeout").write_text("0.3")
    script(new / "log", "echo logger up >&2; exec sleep 1000")
    new.rename(services.folder / "a")
    with svscan(services) as daemon:
        daemon.line(b"deaf")
        services.svc("-dx", "a")
        with takes_at_least(0.3):
            assert daemon.stop() == 0
        said = daemon.said + daemon.rest()
        assert (said.count(b"killing a: "), said.count(b"killing a/log: ")) == (1, 1)


def test_a_deadline_for_all(services: Services) -> None:
    """Whatever it is that does not end: a group, a stop, a logger, all of them; and who ends in time has its
    time."""
    new = services.prepare("group", run="exec pgrphack ./main")
    script(new / "main", f"sleep 1000 & echo $! >helper\n{DEAF}")
    fifo(new)
    group = new.rename(services.folder / "group")
    new = services.prepare("stop")
    script(new / "stop", "echo stopping >&2; exec sleep 1000")
    new.rename(services.folder / "stop")
    services.make("logger", log="trap '' TERM; echo logger up >&2; while :; do read x <>fifo; done")
    fifo(services.folder / "logger/log")
    good = services.make(
        "good", run=LAST_WORDS,
        log="while read line; do echo $line >>log; done; read go <gate; echo end >>log", down=True,
    )  # fmt: skip
    gate = fifo(good / "log", "gate")
    argv = ("svscan", "--stop-timeout", "1", services.folder)
    with Daemon(*argv) as daemon:
        for name in ("group", "stop", "logger", "logger/log", "good/log"):
            services.up(name)
        eventually(lambda: (group / "helper").read_text().endswith("\n"))
        services.svc("-u", "good")
        daemon.line(b"ready")
        pids = [services.pid(name) for name in ("group", "logger", "logger/log", "good", "good/log")]
        pids.append(int((group / "helper").read_text()))
        assert all(map(alive, pids))
        with takes_at_least(2):
            daemon.signal(signal.SIGTERM)
            eventually(lambda: (good / "log/log").read_text() == "last words\n")
            gate.write_text("go\n")
            assert daemon.wait() == 0
        assert [alive(pid) for pid in pids] == [False] * len(pids)
        said = daemon.said + daemon.rest()
        killed = {line.split()[3] for line in said.splitlines() if b"warning" in line}
        assert killed == {b"group:", b"stop/stop:", b"logger/log:"}
    assert (good / "log/log").read_text() == "last words\nend\n"
    for name in ("group", "stop", "logger", "logger/log", "good", "good/log"):
        assert services.pid(name) == 0


def test_a_stop_that_is_due_after_the_deadline_is_not_begun(services: Services) -> None:
    folder = deaf(services)
    script(folder / "stop", "echo stopping >&2")
    with Daemon("svscan", "--stop-timeout", "0.3", services.folder) as daemon:
        daemon.line(b"deaf")
        services.svc("-u", "a")
        services.svc("-t", "a")
        assert daemon.stop() == 0
        assert b"stopping" not in daemon.said + daemon.rest()
    assert services.pid("a") == 0


def test_who_ends_in_time_does_not_wait_for_the_deadline(services: Services) -> None:
    services.make("a", log="exec cat")
    with Daemon("svscan", "--stop-timeout", "1000", services.folder) as daemon:
        services.up("a")
        services.up("a/log")
        assert daemon.stop() == 0
        assert daemon.rest() == b""


# What is left.


def stopping(services: Services, **options: object) -> Daemon:
    """svscan with a deadline."""
    return Daemon("svscan", "--stop-timeout", "0.3", services.folder, **options)


def pid_in(path: Path) -> int:
    eventually(lambda: path.read_text().endswith("\n"), f"a pid in {path}")
    return int(path.read_text())


LEAVES = "setsid sh -c '(sleep 1000 & echo $! >left); sleep 1000 & echo $! >beside; wait' &\n"


def test_what_services_left_behind_is_killed_after_the_deadline(services: Services) -> None:
    """In sessions of their own, without a parent; and loggers read to the end first."""
    new = services.prepare("a", run=LEAVES + DEAF)
    fifo(new)
    folder = new.rename(services.folder / "a")
    with stopping(services) as daemon:
        daemon.line(b"deaf")
        pids = [pid_in(folder / name) for name in ("left", "beside")]
        assert all(map(alive, pids))
        assert daemon.stop() == 0
        assert [alive(pid) for pid in pids] == [False, False]
        assert re.fullmatch(
            rb"svscan: warning: killing a: it did not end in time\n"
            rb"svscan: warning: killed \d processes that services left behind\n",
            daemon.rest(),
        )


def test_what_services_left_behind_is_nobodys_business_when_all_end_in_time(services: Services) -> None:
    folder = services.make("a", run=LEAVES + "echo ready >&2; exec sleep 1000")
    with Daemon("svscan", "--stop-timeout", "60", services.folder) as daemon:
        daemon.line(b"ready")
        pids = [pid_in(folder / name) for name in ("left", "beside")]
        assert daemon.stop() == 0
        assert all(map(alive, pids))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


FORKS_AND_ENDS = f"""#!{sys.executable} -I
import os, sys
if len(sys.argv) == 1:
    if os.fork():
        os.execv("/bin/sh", ["sh", "-c", {DEAF!r}])
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-I", os.path.abspath("run"), "chain-of-forks"])
print("forked", flush=True)
while True:
    if os.fork():
        os._exit(0)
"""


def test_what_forks_and_ends_all_the_time_is_killed(services: Services) -> None:
    """Its pid is another one whenever it is looked at."""
    new = services.prepare("a", run=FORKS_AND_ENDS)
    fifo(new)
    new.rename(services.folder / "a")

    with stopping(services) as daemon:
        daemon.line(b"deaf")
        daemon.line(b"forked")
        assert daemon.stop() == 0
        assert b"killed " in daemon.rest(), "its output has ended: nobody holds it any more"


CGROUP2 = next((Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()
                if line.split()[2] == "cgroup2"), None)  # fmt: skip


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of cgroup2 below our own, with another below it. What is in them at the end is killed."""
    if CGROUP2 is None:
        pytest.skip("no cgroup2 is mounted")
    ours = Path("/proc/self/cgroup").read_text().partition("0::/")[2].partition("\n")[0]
    folder = CGROUP2 / ours / f"svpy-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"cgroup2 cannot be written: {error}")
    try:
        (folder / "below").mkdir()
        yield folder
    finally:
        (folder / "cgroup.kill").write_text("1")
        eventually(lambda: "populated 0" in (folder / "cgroup.events").read_text())
        (folder / "below").rmdir()
        folder.rmdir()


def in_cgroup(folder: Path) -> Callable[[], None]:
    """What a child does to enter it before it begins."""

    def enter() -> None:
        (folder / "cgroup.procs").write_text("0")

    return enter


@pytest.mark.parametrize("before", [None, "", "below"], ids=["alone", "beside another", "above another"])
def test_the_rest_of_a_cgroup_is_killed_if_it_is_our_own(
    services: Services, cgroup: Path, before: str | None
) -> None:
    """It is if nobody else was in it when svscan began."""
    deaf(services)
    with ExitStack() as others:
        if before is not None:
            others.enter_context(Running("sleep", "1000", preexec_fn=in_cgroup(cgroup / before)))
        with stopping(services, preexec_fn=in_cgroup(cgroup)) as daemon:
            daemon.line(b"deaf")
            there = [
                others.enter_context(Running("sleep", "1000", preexec_fn=in_cgroup(cgroup / name)))
                for name in ("", "below")
            ]
            assert daemon.stop() == 0
        if before is None:
            assert [other.wait() for other in there] == [-signal.SIGKILL] * 2
        else:
            assert all(other.process.poll() is None for other in there)


def test_a_cgroup_that_the_service_manager_delegated_is_our_own(services: Services, cgroup: Path) -> None:
    """To the main process of its unit, as SYSTEMD_EXEC_PID says; whoever was in it before."""
    deaf(services)
    try:
        os.setxattr(cgroup, "user.delegate", b"1")
    except OSError as error:
        pytest.skip(f"cgroups have no attributes here: {error}")
    begin = 'SYSTEMD_EXEC_PID=$(($$ + $1)); export SYSTEMD_EXEC_PID; exec svscan --stop-timeout 0.3 "$2"'
    for offset in (1, 0):
        with Running("sleep", "1000", preexec_fn=in_cgroup(cgroup)) as other:
            with Daemon(
                "sh", "-c", begin, "sh", str(offset), services.folder, preexec_fn=in_cgroup(cgroup)
            ) as daemon:
                daemon.line(b"deaf")
                assert daemon.stop() == 0
            if offset:
                assert other.process.poll() is None
            else:
                assert other.wait() == -signal.SIGKILL


def test_what_was_moved_out_of_our_cgroup_is_left_to_who_moved_it(services: Services, cgroup: Path) -> None:
    """A login through a hosted sshd, or a container: its parents are ours, its cgroup is another's."""
    new = services.prepare("a", run=f"""
sleep 1000 & echo $! >stays
setsid sh -c 'echo $$ >{cgroup}/below/cgroup.procs; sleep 1000 & echo $! >moved; wait' >moved-said 2>&1 &
{DEAF}""")  # fmt: skip
    fifo(new)
    folder = new.rename(services.folder / "a")
    ours = cgroup / "ours"
    ours.mkdir()
    try:
        with stopping(services, preexec_fn=in_cgroup(ours)) as daemon:
            daemon.line(b"deaf")
            stays, moved = (pid_in(folder / name) for name in ("stays", "moved"))
            assert daemon.stop() == 0
            assert (alive(stays), alive(moved)) == (False, True)
            assert daemon.rest().endswith(b"killed 1 processes that services left behind\n")
    finally:
        eventually(lambda: "populated 0" in (ours / "cgroup.events").read_text())
        ours.rmdir()


def test_a_cgroup_that_we_were_moved_out_of_is_not_our_own(services: Services, cgroup: Path) -> None:
    deaf(services)
    with stopping(services, preexec_fn=in_cgroup(cgroup)) as daemon:
        daemon.line(b"deaf")
        (cgroup / "below/cgroup.procs").write_text(str(daemon.pid))
        with Running("sleep", "1000", preexec_fn=in_cgroup(cgroup / "below")) as other:
            assert daemon.stop() == 0
            assert other.process.poll() is None


@pytest.mark.skipif(bool(why := namespaces.missing()), reason=why)
@pytest.mark.parametrize("proc", ["", "umount -l /proc", "umount -l /proc; umount -l /proc"])
def test_a_containers_stop_ends(services: Services, proc: str) -> None:
    """With its own /proc, with the machine's, with none."""
    new = services.prepare("a", run=LEAVES + DEAF)
    fifo(new)
    folder = new.rename(services.folder / "a")
    services.make("b", log="trap '' TERM; echo deaf >&2; while :; do read line <>fifo; done")
    fifo(services.folder / "b/log")
    with Container("svscan", "--stop-timeout", "0.3", services.folder, setup=proc) as container:
        container.line(b"deaf")
        container.line(b"deaf")
        for name in ("left", "beside"):
            pid_in(folder / name)
        assert container.stop() == 0
        said = container.rest()
        assert said.startswith(b"svscan: warning: killing a: it did not end in time\n")
        assert b"svscan: warning: killing b/log: it did not end in time\n" in said
        assert (b" processes that services left behind\n" in said) == (proc == "")
