"""svscan --log-stdout: services without a logger in svscan's own output, line by line."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from support.peers import as_root
from support.processes import DEADLINE_S, eventually, run
from support.services import Daemon, Services, alive, descriptors

from svpy.system.descriptors import waiting_bytes

GATED = "echo before; printf half >&1; read go <gate; echo ' whole'; exec sleep 1000"


def relaying(services: Services, **options: object) -> Daemon:
    return Daemon("svscan", "--log-stdout", services.folder, **options)


def gated(services: Services, name: str, run: str, **more: str) -> Path:
    """A service with a fifo `gate`. Returns the fifo."""
    folder = services.prepare(name, run, **more)
    os.mkfifo(folder / "gate")
    folder.rename(services.folder / name)
    return services.folder / name / "gate"


def test_a_line_stands_behind_its_services_name_when_it_is_whole(services: Services) -> None:
    gate = gated(services, "a", GATED)
    with relaying(services) as daemon:
        assert daemon.line() == b"a: before"
        services.make("b", "echo of b; exec sleep 1000")
        assert daemon.line() == b"b: of b"
        gate.write_text("go\n")
        assert daemon.line() == b"a: half whole"
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_a_service_with_a_logger_is_not_relayed_and_stderr_stays(services: Services) -> None:
    services.make(
        "a", "echo logged; echo to stderr >&2; exec sleep 1000", log="read x; echo logger: $x; exec cat"
    )
    with relaying(services) as daemon:
        assert sorted([daemon.line(), daemon.line()]) == [b"logger: logged", b"to stderr"]
        assert daemon.stop() == 0


def test_names_that_cannot_be_printed_forge_nothing(services: Services) -> None:
    services.make("a\nb", "echo said; exec sleep 1000")
    with relaying(services) as daemon:
        assert daemon.line() == b"a?b: said"
        assert daemon.stop() == 0


def test_a_last_line_gets_its_end_when_its_process_ends(services: Services) -> None:
    gate = gated(services, "a", "printf 'no end'; echo ready >&2; read go <gate")
    with relaying(services) as daemon:
        assert daemon.line() == b"ready"
        gate.write_text("go\n")
        assert sorted([daemon.line(), daemon.line()]) == [b"a: no end", b"ready"]
        assert daemon.stop() == 0
        assert daemon.rest() == b"a: no end\n"


def test_a_line_that_is_too_long_is_cut(services: Services) -> None:
    services.make("a", "head -c 150000 /dev/zero | tr '\\0' x; echo; echo next; exec sleep 1000")
    with relaying(services) as daemon:
        assert [daemon.line() for _ in range(4)] == [
            b"a: " + b"x" * 65536, b"a: " + b"x" * 65536, b"a: " + b"x" * (150000 - 131072), b"a: next"
        ]  # fmt: skip
        assert daemon.stop() == 0


NUMBERED = """
trap 'echo end; exit' TERM
i=0
while [ $i -lt 3000 ]; do echo "line $i of a service"; i=$((i + 1)); done
echo written >&2
while :; do sleep 0.1; done
"""


def read_within(fd: int, most_s: float) -> bytes | None:
    """What there is to read, nothing at the end, None if nothing came within that time."""
    ready, _, _ = select.select([fd], [], [], most_s)
    return os.read(fd, 65536) if ready else None


def test_many_services_at_once_lose_nothing_and_mix_nothing(services: Services, tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(8)]
    for name in names:
        gated(services, name, NUMBERED)
    wanted = [f"line {number} of a service".encode() for number in range(3000)] + [b"end"]
    reading, writing = os.pipe()
    with (
        (tmp_path / "stderr").open("wb") as stderr,
        relaying(services, stdout=writing, stderr=stderr) as daemon,
    ):
        os.close(writing)
        got = b""
        stopped = False
        # Not only after a read: the last `written` may come when there is nothing more to read.
        until = time.monotonic() + DEADLINE_S
        while (data := read_within(reading, 0.1)) != b"":
            assert time.monotonic() < until, got[-1000:]
            got += data or b""
            if not stopped and (tmp_path / "stderr").read_bytes().count(b"written") == len(names):
                daemon.signal(signal.SIGTERM)
                stopped = True
        os.close(reading)
        assert daemon.wait() == 0
    lines = got.splitlines()
    assert {line.partition(b": ")[0].decode() for line in lines} == set(names)
    for name in names:
        prefix = f"{name}: ".encode()
        assert [line.removeprefix(prefix) for line in lines if line.startswith(prefix)] == wanted


def test_one_that_floods_leaves_the_others_their_turn(services: Services) -> None:
    services.make("flood", "exec yes")
    with relaying(services) as daemon:
        daemon.line(b"flood: y")
        services.make("a", "echo of a; exec sleep 1000")
        daemon.line(b"a: of a")
        assert alive(services.pid("flood"))


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_while_stdout_takes_nothing_services_wait_and_svscan_does_not(services: Services, kind: str) -> None:
    match kind:
        case "pipe":
            reading, writing = os.pipe()
        case "socket":
            reading, writing = (end.detach() for end in socket.socketpair())
        case _:
            reading, writing = pty.openpty()
    services.make(
        "a", "i=0; while [ $i -lt 60000 ]; do echo $i; i=$((i + 1)); done; echo done >&2; exec sleep 1000"
    )
    with relaying(services, stdout=writing, stderr=-1) as daemon:
        services.up("a")
        assert os.get_blocking(writing), "the services have the same open file"
        os.close(writing)
        # Everything else goes on: scans, control, restarts, reaping.
        services.make("b")
        pid = services.up("b")
        services.svc("-t", "b")
        services.up("b", pid)
        pipe = os.readlink(f"/proc/{services.pid('a')}/fd/1")
        eventually(lambda: blocked_in_write(services.pid("a")), "a waits for room")
        assert pipe in descriptors(daemon.pid)
        got = b""
        while b"a: 59999" not in got:
            assert select.select([reading], [], [], 30)[0]
            got += os.read(reading, 65536)
        numbers = [int(line.removeprefix(b"a: ")) for line in got.split()[1::2]]
        assert numbers == list(range(60000))
        assert daemon.stop() == 0
    os.close(reading)


def blocked_in_write(pid: int) -> bool:
    return Path(f"/proc/{pid}/wchan").read_text() in ("pipe_write", "anon_pipe_write")


def test_a_stuck_stdout_does_not_hold_the_stop(services: Services) -> None:
    gated(services, "a", "trap 'echo last; exit' TERM; yes | head -c 65000; echo ready >&2; "
          "while :; do sleep 0.1; done")  # fmt: skip
    services.make("b", "exec yes")
    reading, writing = os.pipe()
    with relaying(services, stdout=writing, stderr=-1) as daemon:
        os.close(writing)
        eventually(lambda: blocked_in_write(services.pid("b")))
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert daemon.process.stderr is not None
        assert b"svscan: warning: unable to write to stdout: timed out\n" in daemon.process.stderr.read()
    os.close(reading)


def test_last_lines_of_many_processes_are_not_joined(services: Services) -> None:
    """They are all in the pipe, and read at once, when standard output takes something again."""
    flood = services.make("flood", "exec yes")
    reading, writing = os.pipe()
    with relaying(services, stdout=writing, stderr=-1) as daemon:
        os.close(writing)
        eventually(lambda: blocked_in_write(services.pid(flood.name)))
        folder = services.make("a", "printf part; echo >>starts")
        eventually(lambda: len((folder / "starts").read_text()) >= 3)
        services.svc("-d", "a", "flood")
        eventually(lambda: services.pid("a") == 0)
        daemon.signal(signal.SIGTERM)
        got = b""
        while data := os.read(reading, 65536):
            got += data
        assert daemon.wait() == 0
    parts = [line for line in got.splitlines() if line.startswith(b"a:")]
    assert set(parts) == {b"a: part"} and len(parts) >= 3
    os.close(reading)


def test_a_slow_stdout_gets_everything_at_the_stop(services: Services) -> None:
    """Nothing is given up as long as something is taken now and then."""
    gated(services, "a", NUMBERED)
    reading, writing = os.pipe()
    with relaying(services, stdout=writing, stderr=-1) as daemon:
        os.close(writing)
        assert daemon.process.stderr is not None
        daemon.process.stderr.readline()
        daemon.signal(signal.SIGTERM)
        got = b""
        while data := os.read(reading, 4096):
            got += data
        assert daemon.wait() == 0
    assert got.count(b"\n") == 3001 and got.endswith(b"a: end\n")
    os.close(reading)


def test_a_log_added_later_takes_over_the_pipe(services: Services) -> None:
    # Opened for both: a second reader would find the end of what was written for the first.
    run = "echo one; printf tw; read go <>gate; echo o; echo three; read go <>gate; echo four; sleep 1000"
    gate = gated(services, "a", run)
    with relaying(services) as daemon:
        assert daemon.line() == b"a: one"
        pid = services.pid("a")
        services.add_log(services.folder / "a", "while read line; do echo logger: $line; done")
        daemon.signal(signal.SIGHUP)
        assert daemon.line() == b"a: tw"
        services.up("a/log")
        gate.write_text("go\n")
        assert [daemon.line(), daemon.line()] == [b"logger: o", b"logger: three"]
        # And the other way round.
        (services.folder / "a/log").rename(services.folder.parent / "log")
        services.svc("-dx", "../log")
        eventually(lambda: services.state("../log") == "supervise not running")
        daemon.signal(signal.SIGHUP)
        gate.write_text("go\n")
        assert daemon.line() == b"a: four"
        assert services.pid("a") == pid
        assert daemon.stop() == 0


def test_what_leaves_and_disappears_is_read_to_its_end(services: Services) -> None:
    gated(services, "a", "(read go <gate; echo last; printf words) & echo first; exec sleep 1000")
    with relaying(services) as daemon:
        assert daemon.line() == b"a: first"
        pipe = os.readlink(f"/proc/{services.pid('a')}/fd/1")
        (services.folder / "a").rename(services.folder / ".a")
        services.svc("-dx", ".a")
        eventually(lambda: descriptors(daemon.pid).count(pipe) == 1, "only the reading end")
        (services.folder / ".a/gate").write_text("go\n")
        assert [daemon.line(), daemon.line()] == [b"a: last", b"a: words"]
        eventually(lambda: pipe not in descriptors(daemon.pid))
        assert daemon.stop() == 0


def test_a_broken_stdout_is_said_once_and_ends_nothing(services: Services) -> None:
    services.make("a", "while :; do echo line; echo tick >&2; sleep 0.01; done")
    reading, writing = os.pipe()
    os.close(reading)
    with relaying(services, stdout=writing, stderr=-1) as daemon:
        os.close(writing)
        assert daemon.process.stderr is not None
        said = [daemon.process.stderr.readline() for _ in range(30)]
        assert [line for line in said if line != b"tick\n"] == [
            b"svscan: warning: unable to write to stdout: broken pipe\n"
        ]
        assert daemon.stop() == 0


def test_a_closed_stdout_ends_nothing(services: Services) -> None:
    services.make("a", "while :; do echo line; echo tick >&2; sleep 0.01; done")
    with Daemon("sh", "-c", 'exec svscan --log-stdout "$0" 2>&1 >&-', services.folder) as daemon:
        said = [daemon.line() for _ in range(30)]
        assert [line for line in said if line != b"tick"] == [
            b"svscan: warning: unable to write to stdout: file descriptor not open"
        ]
        assert daemon.stop() == 0


def test_a_killed_svscan_is_survived_and_the_next_reads_on(services: Services) -> None:
    services.make("a", "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.01; done")
    with relaying(services, stderr=subprocess.DEVNULL) as killed:
        seen = int(killed.line(b"a: 5").removeprefix(b"a: "))
        pid = services.pid("a")
        killed.signal(signal.SIGKILL)
        killed.wait()
        for line in killed.rest().splitlines():
            seen = int(line.removeprefix(b"a: "))
        eventually(lambda: waiting_in(pid) >= 40, "it goes on writing")
        with relaying(services) as daemon:
            numbers = [int(daemon.line(b"a: ").removeprefix(b"a: ")) for _ in range(50)]
            assert numbers == list(range(numbers[0], numbers[0] + 50))
            # What was read and not written when it was killed is one turn at most.
            assert numbers[0] - seen in (1, 2)
            assert services.pid("a") == pid
            assert daemon.stop() == 0


def waiting_in(pid: int) -> int:
    """Bytes in the pipe that is a process's stdout."""
    fd = os.open(f"/proc/{pid}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return waiting_bytes(fd)
    finally:
        os.close(fd)


@as_root
def test_a_full_disk_loses_nothing(services: Services, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    assert run("mount", "-t", "tmpfs", "-o", "size=16k", "none", disk).returncode == 0
    try:
        (disk / "filler").write_bytes(bytes(12288))
        services.make("a", "i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i + 1)); done; exec sleep 1000")
        with (disk / "out").open("ab") as out, relaying(services, stdout=out, stderr=-1) as daemon:
            assert daemon.process.stderr is not None
            assert select.select([daemon.process.stderr], [], [], DEADLINE_S)[0]
            said = daemon.process.stderr.readline()
            assert said == b"svscan: warning: unable to write to stdout: out of disk space\n"
            (disk / "filler").unlink()
            eventually(lambda: (disk / "out").read_bytes().endswith(b"a: 999\n"))
            assert daemon.stop() == 0
            assert daemon.process.stderr.read() == b""
        assert (disk / "out").read_bytes() == b"".join(b"a: %d\n" % number for number in range(1000))
    finally:
        run("umount", disk)
