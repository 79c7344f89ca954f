"""supervise with a real folder and real processes: starts, letters, locks, floods."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from support.processes import eventually, run
from support.services import (
    NOTE_THE_START,
    PEERS,
    WAITS,
    Daemon,
    Services,
    alive,
    c_environment,
    descriptors,
    hold,
    script,
    starts,
    stopped,
    svscan,
)


def supervise(services: Services, name: str = "a", **options: object) -> Daemon:
    return Daemon("supervise", services.folder / name, **options)


def test_at_most_one_start_a_second(services: Services) -> None:
    folder = services.make("a", run=NOTE_THE_START)
    with supervise(services):
        eventually(lambda: len(starts(folder)) >= 4)
        # It is down most of the time, as svstat can see.
        eventually(lambda: services.state("a").endswith("normally up, want up"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts(folder))]
    assert all(gap >= 0.98 for gap in gaps), gaps


def test_letters_are_obeyed_in_the_second_between_two_starts(services: Services) -> None:
    """C sleeps through it and cannot show `d` before it has passed. That we do is seen if it is seen once."""
    folder = services.make("a", run=NOTE_THE_START)
    after: list[float] = []
    with supervise(services):
        eventually(lambda: starts(folder))
        while not after or after[-1] >= 0.95:
            assert len(after) < 20, f"deaf: {after}"
            lives = len(starts(folder))
            services.svc("-u", "a")
            eventually(lambda lives=lives: len(starts(folder)) > lives and services.pid("a") == 0)
            services.svc("-d", "a")
            eventually(lambda: (folder / "supervise/status").read_bytes()[17:] == b"d")
            after.append(time.clock_gettime(time.CLOCK_BOOTTIME) - starts(folder)[-1])


def test_a_down_file_and_the_wants(services: Services) -> None:
    folder = services.make("a", down=True)
    with supervise(services):
        eventually(lambda: services.state("a").startswith("down "))
        assert services.state("a").endswith(" seconds")
        services.svc("-u", "a")
        pid = services.up("a")
        assert services.state("a").endswith("seconds, normally down")
        (folder / "down").unlink()
        assert services.state("a").startswith(f"up (pid {pid}) ")
        services.svc("-d", "a")
        eventually(lambda: services.state("a").endswith("seconds, normally up"))
        assert not alive(pid)


def test_want_down_is_shown_until_it_is_down(services: Services) -> None:
    services.make("a", run=f"trap : TERM\necho ready\n{WAITS}")
    with supervise(services) as daemon:
        daemon.line(b"ready")
        pid = services.pid("a")
        services.svc("-d", "a")
        assert services.state("a").endswith(", want down")
        services.svc("-u", "a")
        assert services.state("a") == f"up (pid {pid}) 0 seconds" or "want" not in services.state("a")
        services.svc("-dk", "a")
        eventually(lambda: not alive(pid))


def test_once(services: Services) -> None:
    folder = services.make("a", run=NOTE_THE_START, down=True)
    with supervise(services):
        eventually(lambda: services.state("a").startswith("down"))
        services.svc("-o", "a")
        eventually(lambda: starts(folder))
        eventually(lambda: services.pid("a") == 0)
        services.svc("-o", "a")
        eventually(lambda: len(starts(folder)) == 2)
        eventually(lambda: services.pid("a") == 0)
        assert "want up" not in services.state("a")


def test_pause_and_continue(services: Services) -> None:
    services.make("a")
    with supervise(services):
        pid = services.up("a")
        services.svc("-p", "a")
        assert services.state("a").endswith(", paused")
        eventually(lambda: stopped(pid))
        services.svc("-c", "a")
        assert "paused" not in services.state("a")
        eventually(lambda: not stopped(pid))


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("h", "HUP"),
        ("a", "ALRM"),
        ("i", "INT"),
        ("t", "TERM"),
        ("q", "QUIT"),
        ("1", "USR1"),
        ("2", "USR2"),
        ("w", "WINCH"),
    ],
)
def test_each_signal_reaches_the_service(services: Services, letter: str, name: str) -> None:
    services.make("a", run=f"trap 'echo got {name}' {name}\necho ready\n{WAITS}")
    with supervise(services) as daemon:
        daemon.line(b"ready")
        services.svc(f"-{letter}", "a")
        daemon.line(f"got {name}".encode())


def test_a_signal_goes_to_the_pid_and_not_to_its_group(services: Services) -> None:
    child = f"sh -c 'trap \"echo helper hit\" TERM; echo helper ready; {WAITS}' &"
    services.make("a", run=f"trap 'echo main hit' TERM\n{child}\n{WAITS}")
    with supervise(services) as daemon:
        daemon.line(b"helper ready")
        services.svc("-t", "a")
        daemon.line(b"main hit")
        services.svc("-t", "a")
        daemon.line(b"main hit")
        assert b"helper hit" not in daemon.said


def test_exit_leaves_the_folder_unlocked(services: Services) -> None:
    services.make("a")
    with supervise(services) as daemon:
        pid = services.up("a")
        services.svc("-x", "a")
        assert alive(pid)
        services.svc("-d", "a")
        assert daemon.wait() == 0
        assert not alive(pid)
        assert services.state("a") == "supervise not running"
        assert run("svok", services.folder / "a").returncode == 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_supervise_told_to_end_stops_its_service_first(services: Services, number: signal.Signals) -> None:
    services.make("a")
    with supervise(services) as daemon:
        pid = services.up("a")
        daemon.signal(number)
        assert daemon.wait() == 0
        assert not alive(pid)


def test_told_twice_to_end_it_ends_once(services: Services) -> None:
    services.make("a", down=True)
    for _ in range(5):
        with supervise(services) as daemon:
            eventually(lambda: services.state("a").startswith("down"))
            hold(daemon.pid)
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGINT)
            os.kill(daemon.pid, signal.SIGCONT)
            assert daemon.wait() == 0
            assert daemon.rest() == b""


def test_one_supervise_a_folder(services: Services) -> None:
    services.make("a")
    with supervise(services):
        services.up("a")
        refusal = b"unable to acquire a/supervise/lock: temporary failure\n"
        second = run("supervise", "a", cwd=services.folder)
        assert (second.returncode, second.stderr) == (111, b"supervise: fatal: " + refusal)
        with svscan(services) as other:
            assert other.line() == b"svscan: warning: " + refusal.rstrip(b"\n")
            # Said once, though every scan meets it again.
            services.make("b")
            services.up("b")
            other.signal(signal.SIGHUP)
            services.svc("-x", "a")
            assert other.stop() == 0
            assert other.said.count(b"acquire") == 1


def test_the_lock_holds_against_cs_supervise_and_the_reverse(services: Services) -> None:
    if not (PEERS / "supervise").exists():
        pytest.skip(f"C daemontools is not in {PEERS}: set SVPY_PEERS")
    services.make("a")
    refusal = b"supervise: fatal: unable to acquire a/supervise/lock: temporary failure\n"
    for first, second in ((None, c_environment()), (c_environment(), None)):
        options = {"env": first} if first else {}
        with supervise(services, **options):
            services.up("a")
            more = {"env": second} if second else {}
            refused = run("supervise", "a", cwd=services.folder, **more)
            assert (refused.returncode, refused.stderr) == (111, refusal)
            services.svc("-dx", "a")
            eventually(lambda: services.state("a") == "supervise not running")


def test_a_flooded_fifo_is_read_and_forgotten(services: Services) -> None:
    folder = services.make("a")
    services.make("b")
    with svscan(services) as daemon:
        pid = services.up("a")
        services.up("b")
        before = descriptors(daemon.pid)
        fifo = os.open(folder / "supervise/control", os.O_WRONLY)
        rubbish = bytes(byte for byte in range(256) if byte not in b"udopchaitkxq12w") * 17
        for _ in range(250):
            os.write(fifo, rubbish)
        services.svc("-t", "b")
        os.write(fifo, b"p")
        eventually(lambda: services.state("a").endswith("paused"))
        assert services.pid("a") == pid
        assert descriptors(daemon.pid) == before
        os.close(fifo)
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""


def test_a_stranger_holding_the_fifo_changes_nothing(services: Services) -> None:
    folder = services.make("a")
    with supervise(services):
        services.up("a")
        reader = os.open(folder / "supervise/control", os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(folder / "supervise/control", os.O_WRONLY | os.O_NONBLOCK)
        ok = os.open(folder / "supervise/ok", os.O_WRONLY | os.O_NONBLOCK)
        os.write(ok, bytes(4096))
        os.close(reader)
        os.close(writer)
        services.svc("-p", "a")
        assert services.state("a").endswith("paused")
        os.close(ok)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.unlink(), b"file does not exist"),
        (lambda path: path.chmod(0o644), b"access denied"),
        (lambda path: script(path, "#!/nowhere/sh\n"), b"file does not exist"),
        (lambda path: (path.unlink(), path.mkdir()), b"access denied"),
    ],
    ids=["missing", "not executable", "no interpreter", "a folder"],
)
def test_a_run_that_cannot_be_executed(services: Services, make: object, why: bytes) -> None:
    """One warning an attempt, an attempt a second, and it starts as soon as it can."""
    folder = services.make("a")
    assert callable(make)
    make(folder / "run")
    with supervise(services) as daemon:
        for _ in range(2):
            assert (
                daemon.line()
                == b"supervise: warning: unable to start " + os.fsencode(folder) + b"/run: " + why
            )
        assert services.state("a").endswith("normally up, want up")
        if (folder / "run").is_dir():
            (folder / "run").rmdir()
        script(folder / "mended", "exec sleep 1000")
        (folder / "mended").rename(folder / "run")
        services.up("a")


def test_a_run_without_an_interpreter_line_is_run_by_sh(services: Services) -> None:
    folder = services.make("a")
    (folder / "run").write_text("# a comment first\necho $0 $#\nexec sleep 1000\n")
    with supervise(services) as daemon:
        assert daemon.line() == b"./run 0"


def test_a_time_set_back_does_not_stop_a_service(services: Services) -> None:
    """The label goes back with the clock; the second between starts is counted on another."""
    folder = services.make("a", run=NOTE_THE_START)
    status = folder / "supervise/status"
    with supervise(services):
        eventually(lambda: starts(folder))
        future = bytes.fromhex("7fffffffffffffff3b9ac9ff")
        eventually(status.exists)
        status.write_bytes(future + status.read_bytes()[12:])
        assert "0 seconds" in services.state("a")
        eventually(lambda: len(starts(folder)) >= 2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 100, b"supervise: usage: supervise dir\n"),
        (["a", "b"], 100, b"supervise: usage: supervise dir\n"),
        (["missing"], 111, b"supervise: fatal: unable to chdir to missing: file does not exist\n"),
    ],
)
def test_bad_words(tmp_path: Path, words: list[str], code: int, said: bytes) -> None:
    done = run("supervise", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", said)


def test_a_service_that_locks_us_out_is_only_its_own_loss(services: Services) -> None:
    """A service's user holding the lock from before: one line, and the others run."""
    folder = services.make("a")
    (folder / "supervise").mkdir()
    with (folder / "supervise/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        services.make("b")
        with svscan(services) as daemon:
            daemon.line(b"unable to acquire a/supervise/lock: temporary failure")
            services.up("b")
