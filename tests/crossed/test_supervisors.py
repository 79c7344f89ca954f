"""Each side's clients on the other's supervise and svscan, and one side taking over from the other."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, eventually, run
from support.services import STAYS, Daemon, Services, alive, c_environment, script, stopped

SIDES = {"C": (PEERS, c_environment()), "svpy": (BIN, environment())}
OTHER = {"C": "svpy", "svpy": "C"}
STUBBORN = "trap '' TERM\necho >ready\nexec sleep 1000"
NUMBERS = f"""
n=0
while [ $n -lt 400 ]; do echo "$(cat life) $n"; n=$((n+1)); done
echo >done
{STAYS}
"""


def say(side: str, *words: str | Path, cwd: Path) -> tuple[int, bytes, bytes]:
    """What one side's command answers."""
    folder, env = SIDES[side]
    done = run(folder / str(words[0]), *words[1:], cwd=cwd, env=env)
    return done.returncode, done.stdout, done.stderr


def states(folder: Path, *names: str) -> list[str]:
    """svstat's lines without pids and seconds, as both sides' clients give them."""
    seen: set[bytes] = set()

    def agree() -> bool:
        # A service may move on between the two answers.
        lines = [say(side, "svstat", *names, cwd=folder) for side in SIDES]
        assert all((code, stderr) == (0, b"") for code, _, stderr in lines)
        seen.clear()
        seen.update(re.sub(rb"pid \d+|\d+ seconds", b"N", said) for _, said, _ in lines)
        return len(seen) == 1

    eventually(agree, f"the same answer from both, of {names}")
    return seen.pop().decode().splitlines()


def start(side: str, *words: str | Path, **options: object) -> Daemon:
    folder, env = SIDES[side]
    return Daemon(folder / str(words[0]), *words[1:], env=env, **options)


@dataclass
class Host:
    """A daemon of one side on a folder of services."""

    side: str
    services: Services
    daemon: Daemon


@pytest.fixture(params=["C-supervise", "C-svscan", "svpy-supervise", "svpy-svscan"])
def host(request: pytest.FixtureRequest, services: Services) -> Iterator[Host]:
    """`a` stays up until it is told, `b` ignores TERM, `c` is normally down."""
    side, _, kind = request.param.partition("-")
    services.make("a")
    services.make("b", run=STUBBORN)
    services.make("c", down=True)
    with ExitStack() as stack:
        if kind == "svscan":
            daemon = stack.enter_context(start(side, "svscan", services.folder))
        else:
            for name in "abc":
                daemon = stack.enter_context(start(side, "supervise", name, cwd=services.folder))
        yield Host(side, services, daemon)


@beside_c
def test_clients_of_both_sides(host: Host) -> None:
    """Each letter through the one side's svc and the next through the other's; both sides' svstat and
    svok must say the same of it, and what is meant."""
    services, folder = host.services, host.services.folder
    turn = iter(["C", "svpy"] * 20)

    def told(letters: str, name: str, expected: str) -> None:
        assert say(next(turn), "svc", letters, name, cwd=folder) == (0, b"", b"")
        pattern = re.compile(f"{name}: {expected}")
        eventually(lambda: pattern.fullmatch(states(folder, name)[0]), f"{letters}: {states(folder, name)}")

    first = services.up("a")
    eventually((folder / "b/ready").exists)
    eventually(lambda: states(folder, "c") == ["c: down N"])
    assert states(folder, "a", "b") == ["a: up (N) N", "b: up (N) N"]
    for side in SIDES:
        for name, code in (("a", 0), ("c", 0), ("making", 111)):
            assert say(side, "svok", name, cwd=folder)[0] == code

    told("-p", "a", r"up \(N\) N, paused")
    eventually(lambda: stopped(first))
    told("-c", "a", r"up \(N\) N")
    eventually(lambda: not stopped(first))
    told("-d", "b", r"up \(N\) N, want down")
    told("-k", "b", r"down N, normally up")
    told("-u", "c", r"up \(N\) N, normally down")
    told("-o", "a", r"up \(N\) N")
    told("-t", "a", r"down N, normally up")
    told("-u", "a", r"up \(N\) N")
    told("-d", "c", r"down N")
    second = services.up("a", since=first)
    told("-i", "a", r"(up \(N\) N|down N, normally up, want up)")
    third = services.up("a", since=second)
    for letter in ("-h", "-a"):
        told(letter, "a", r"(up \(N\) N|down N, normally up, want up)")
        third = services.up("a", since=third)
    # Out of the way, so that svscan does not take up what leaves.
    away = (folder / "a").rename(folder.parent / "away")
    assert say(OTHER[host.side], "svc", "-dx", away, cwd=folder) == (0, b"", b"")
    eventually(lambda: states(folder, str(away)) == [f"{away}: supervise not running"])
    assert not alive(third)
    for side in SIDES:
        assert say(side, "svok", away, cwd=folder) == (100, b"", b"")


def lines(path: Path) -> list[bytes]:
    """Of a file that may not be there yet."""
    return path.read_bytes().splitlines() if path.exists() else []


@beside_c
def test_cs_svscan_with_our_supervise(services: Services) -> None:
    """C's svscan finds `supervise` on PATH; it is ours, for the service and for its logger."""
    only_svscan = services.folder.parent / "bin"
    only_svscan.mkdir()
    (only_svscan / "svscan").symlink_to(PEERS / "svscan")
    folder = services.make("a", run="echo begins\n" + STAYS, log="exec cat >>logged")
    env = {**environment(), "PATH": f"{only_svscan}:{environment()['PATH']}"}
    with Daemon(only_svscan / "svscan", services.folder, env=env) as daemon:
        first, logger = services.up("a"), services.up("a/log")
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        words = sorted(Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") for pid in children)
        assert words == [b"supervise\0a", b"supervise\0log"]
        assert states(services.folder, "a", "a/log") == ["a: up (N) N", "a/log: up (N) N"]
        eventually(lambda: lines(folder / "log/logged") == [b"begins"])
        # The pipe is C svscan's: what comes while there is no logger waits in it.
        say("C", "svc", "-d", "a/log", cwd=services.folder)
        eventually(lambda: not alive(logger))
        say("svpy", "svc", "-t", "a", cwd=services.folder)
        second = services.up("a", since=first)
        say("svpy", "svc", "-u", "a/log", cwd=services.folder)
        eventually(lambda: lines(folder / "log/logged") == [b"begins"] * 2)
        # And C's svscan takes up again what has left, as ours does.
        say("C", "svc", "-dx", "a", cwd=services.folder)
        third = services.up("a", since=second)
        eventually(lambda: lines(folder / "log/logged") == [b"begins"] * 3)
        assert alive(third) and daemon.process.poll() is None


@beside_c
def test_our_svscan_leaves_alone_what_cs_supervise_holds(services: Services) -> None:
    """Ours needs no supervise on PATH. A folder that is held is said once, and taken over when it is free."""
    services.make("a")
    services.make("b")
    with start("C", "supervise", "a", cwd=services.folder) as other:
        theirs = services.up("a")
        empty = services.folder.parent / "empty"
        empty.mkdir()
        env = {**environment(), "PATH": str(empty)}
        services.folder.joinpath("b/run").write_text("#!/bin/sh\nexec /bin/sleep 1000\n")
        with Daemon(BIN / "svscan", services.folder, env=env) as daemon:
            services.up("b")
            assert daemon.line() == b"svscan: warning: unable to acquire a/supervise/lock: temporary failure"
            for _ in range(3):
                daemon.signal(signal.SIGHUP)
                first = services.pid("b")
                services.svc("-t", "b")
                services.up("b", since=first)
            assert services.pid("a") == theirs and alive(theirs)
            script(services.folder / "a/run", "exec /bin/sleep 1000")
            say("C", "svc", "-dx", "a", cwd=services.folder)
            assert other.wait() == 0
            daemon.signal(signal.SIGHUP)
            services.up("a", since=theirs)
            assert daemon.stop() == 0
            assert daemon.said.count(b"\n") == 1 and daemon.rest() == b""


@beside_c
@pytest.mark.parametrize("first", SIDES)
def test_one_takes_over_when_the_other_was_killed(services: Services, first: str) -> None:
    """The lock goes with the process; fifos and status are used again, modes and all."""
    folder = services.make("a", run="echo $$ >>lives\n" + STAYS)
    kept: dict[str, tuple[int, int]] = {}
    previous = 0
    with ExitStack() as stack:
        for side in (first, OTHER[first], first):
            daemon = stack.enter_context(start(side, "supervise", "a", cwd=services.folder))
            pid = services.up("a", since=previous)
            eventually(lambda pid=pid: lines(folder / "lives")[-1:] == [b"%d" % pid])
            eventually(lambda: all(say(of, "svok", "a", cwd=services.folder)[0] == 0 for of in SIDES))
            assert states(services.folder, "a") == ["a: up (N) N"]
            files = {name: os.stat(folder / "supervise" / name) for name in ("control", "ok", "lock")}
            found = {name: (status.st_ino, status.st_mode) for name, status in files.items()}
            assert kept in ({}, found)
            kept = found
            assert (folder / "supervise/status").stat().st_size == 18
            assert not (folder / "supervise/status.new").exists()
            say(OTHER[side], "svc", "-p", "a", cwd=services.folder)
            eventually(lambda: states(services.folder, "a") == ["a: up (N) N, paused"])
            os.kill(daemon.pid, signal.SIGKILL)
            daemon.wait()
            # The status says up, as it was: only the missing reader of ok tells.
            assert states(services.folder, "a") == ["a: supervise not running"]
            assert alive(pid)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: not alive(pid))
            previous = pid
    assert len(lines(folder / "lives")) == 3


@beside_c
@pytest.mark.parametrize("first", SIDES)
def test_one_takes_over_when_the_other_has_left(services: Services, first: str) -> None:
    """In order, with `svc -dx`, and what the one left down the other starts: `down` alone decides."""
    services.make("a")
    previous = 0
    for side in (first, OTHER[first]):
        with start(side, "supervise", "a", cwd=services.folder) as daemon:
            previous = services.up("a", since=previous)
            say(OTHER[side], "svc", "-dx", "a", cwd=services.folder)
            assert daemon.wait() == 0
            assert daemon.rest() == b""
            status = (services.folder / "a/supervise/status").read_bytes()
            assert (len(status), status[12:]) == (18, b"\0\0\0\0\0d")


@beside_c
@pytest.mark.parametrize("host_side", SIDES)
def test_the_others_multilog_as_logger(services: Services, host_side: str) -> None:
    """No line is lost while the service and its logger are sent away, and killed, again and again."""
    multilog = SIDES[OTHER[host_side]][0] / "multilog"
    folder = services.make(
        "a",
        run="echo x >>lives; wc -l <lives >life\n" + NUMBERS,
        log=f"exec {multilog} t s4096 n999 ./main",
    )
    with start(host_side, "svscan", services.folder) as daemon:
        pid = logger = 0
        for life in range(1, 5):
            pid = services.up("a", since=pid)
            logger = services.up("a/log", since=logger)
            eventually((folder / "done").exists)
            assert len(lines(folder / "lives")) == life
            (folder / "done").unlink()
            say(host_side, "svc", "-t", "a", cwd=services.folder)
            if life % 2:
                say(host_side, "svc", "-t", "a/log", cwd=services.folder)
            else:
                eventually(lambda life=life: count(folder) >= life * 400)
                os.kill(logger, signal.SIGKILL)
        services.up("a", since=pid)
        eventually((folder / "done").exists)
        eventually(lambda: count(folder) >= 5 * 400)
        assert daemon.process.poll() is None
    logged = b"".join(path.read_bytes() for path in main_files(folder)).splitlines()
    assert all(re.match(rb"@[0-9a-f]{24} ", line) for line in logged)
    numbers = [tuple(map(int, line.split()[1:])) for line in logged]
    assert sorted(set(numbers)) == [(life, n) for life in range(1, 6) for n in range(400)]


def main_files(folder: Path) -> list[Path]:
    main = folder / "log/main"
    return [*sorted(path for path in main.iterdir() if path.name.startswith("@")), main / "current"]


def count(folder: Path) -> int:
    try:
        return sum(path.read_bytes().count(b"\n") for path in main_files(folder))
    except FileNotFoundError:
        return 0
