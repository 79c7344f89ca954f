"""Many multilogs in one process: real pipes, real folders, and disks that do not answer."""

from __future__ import annotations

import fcntl
import marshal
import os
import random
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.disks import DeadDisk, dead_disk
from support.loggers import SHORT_PAUSES, Host, Log
from support.natives import kept
from support.processes import BIN, Running, eventually, run
from support.services import alive, descriptors, hold

from svpy.core import nativewire

LABEL = re.compile(rb"@[0-9a-f]{24}")
NOBODY = 65534
THREADS = 3
"""The main one and two that wait."""


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as host:
        yield host


@pytest.fixture
def hasty() -> Iterator[Host]:
    """Its pauses are short."""
    with Host(SHORT_PAUSES) as host:
        yield host


@pytest.fixture
def patient() -> Iterator[Host]:
    """A thread may hang for a second before another one does the rest."""
    with Host("from svpy.native import turns; turns.LOOK_S = 0.5") as host:
        yield host


def start(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


def logs(log: Log, lines: bytes) -> None:
    """What is written from now on gets there."""
    before = kept(log.start / "main")
    log.write(lines)
    eventually(lambda: kept(log.start / "main") == before + lines)


def is_open(log: Log) -> None:
    eventually(lambda: (log.start / "main/current").exists())


def is_read(log: Log) -> None:
    eventually(lambda: not log.waiting_bytes())


def threads(host: Host) -> int:
    return len(os.listdir(f"/proc/{host.pid}/task"))


def anonymous_kb(pid: int) -> int:
    found = re.search(r"Pss_Anon: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found
    return int(found[1])


def full() -> bytes:
    """What fills a file of 4096 bytes: it is rotated."""
    return b"x" * 2200 + b"\n"


def test_each_logs_as_if_it_were_alone(host: Host, tmp_path: Path) -> None:
    a = host.add(start(tmp_path, "a"), "./main")
    b = host.add(start(tmp_path, "b"), "t", "-*", "+*yes*", "=status", "./main")
    for log in (a, b):
        log.write(b"one no\ntwo yes\nthree")
    assert host.finish() == b""
    assert kept(a.start / "main") == b"one no\ntwo yes\nthree\n"
    assert LABEL.sub(b"@", kept(b.start / "main")) == b"@ two yes\n"
    assert LABEL.sub(b"@", (b.start / "status").read_bytes().rstrip(b"\n")) == b"@ two yes"
    assert sorted(host.reported(2)) == sorted([(a.name, 0), (b.name, 0)])
    for log in (a, b):
        assert (log.start / "main/current").stat().st_mode & 0o777 == 0o744


# Disks that do not answer, and a stderr that nobody reads.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[DeadDisk]:
    with dead_disk(tmp_path / "disk") as disk:
        yield disk


HANGS = {"write": b"a line\n", "fsync": full(), "create": full(), "rename": full(), "unlink": full()}


@pytest.mark.parametrize("what", HANGS)
def test_a_disk_that_does_not_answer_holds_up_its_own_logger_only(
    host: Host, tmp_path: Path, disk: DeadDisk, what: str
) -> None:
    stuck = host.add(start(disk.folder, "s"), "s4096", "./main")
    other = host.add(start(tmp_path, "a"), "s4096", "./main")
    is_open(stuck)
    is_open(other)
    disk.silent(what)
    stuck.write(HANGS[what])
    disk.line(b"held " + what.encode())
    for number in range(20):
        logs(other, b"%d\n" % number)
    logs(other, full())
    third = host.add(start(tmp_path, "b"), "./main")
    is_open(third)
    logs(third, b"new\n")
    host.tell(stuck, signal.SIGTERM)
    host.end(other)
    disk.silent()
    assert host.status(stuck) == 0
    assert kept(stuck.start / "main") == HANGS[what]
    eventually(lambda: threads(host) == THREADS)
    assert host.finish() == b""


def test_a_disk_may_be_dead_from_the_beginning(host: Host, tmp_path: Path, disk: DeadDisk) -> None:
    folders = [start(disk.folder, f"s{number}") for number in range(8)]
    disk.silent("mkdir")
    stuck = [host.add(folder, "./main") for folder in folders]
    other = host.add(start(tmp_path, "a"), "./main")
    is_open(other)
    logs(other, b"a line\n")
    for _ in stuck:
        disk.line(b"held mkdir")
    host.signal(signal.SIGALRM)
    eventually(lambda: (other.start / "main/current").read_bytes() == b"")
    disk.silent()
    for log in stuck:
        is_open(log)
        logs(log, b"late\n")
    eventually(lambda: threads(host) == THREADS)
    assert host.finish() == b""


def test_what_is_for_all_reaches_all_whoever_is_stuck(host: Host, tmp_path: Path, disk: DeadDisk) -> None:
    stuck = [host.add(start(disk.folder, f"s{number}"), "./main") for number in range(3)]
    others = [host.add(start(tmp_path, f"a{number}"), "./main") for number in range(3)]
    for log in (*stuck, *others):
        is_open(log)
        logs(log, b"a line\n")
    disk.silent("rename", "fsync")
    host.signal(signal.SIGALRM)
    for log in others:
        eventually(lambda log=log: list((log.start / "main").glob("@*.s")))
    disk.silent()
    for log in stuck:
        eventually(lambda log=log: list((log.start / "main").glob("@*.s")))
    assert host.finish() == b""
    eventually(lambda: not alive(host.pid))


def test_one_that_is_stuck_dies_when_its_disk_answers(host: Host, tmp_path: Path, disk: DeadDisk) -> None:
    stuck = host.add(start(disk.folder, "s"), "./main")
    other = host.add(start(tmp_path, "a"), "./main")
    is_open(stuck)
    disk.silent("write")
    stuck.write(b"a line\n")
    disk.line(b"held write")
    host.tell(stuck, signal.SIGKILL)
    host.end(other)
    disk.silent()
    assert host.status(stuck) == signal.SIGKILL


def test_a_stderr_that_nobody_reads_holds_up_who_writes_to_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    try:
        while True:
            filled += os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    with Host(stderr=writing) as host:
        stuck = [host.add(start(tmp_path, f"e{number}"), "e", "./main") for number in range(3)]
        other = host.add(start(tmp_path, "a"), "./main")
        is_open(other)
        for log in stuck:
            is_open(log)
            log.write(b"shown\n")
            is_read(log)
        for number in range(20):
            logs(other, b"%d\n" % number)
        host.channel.send(nativewire.add(7, [b"./main"], []))
        assert host.reported() == [(7, 111 << 8)], "its descriptors are missing"
        host.end(host.add(start(tmp_path, "b"), "./main"))
        assert [kept(log.start / "main") for log in stuck] == [b""] * 3
        while filled:
            filled -= len(os.read(reading, min(filled, 65536)))
        for log in stuck:
            eventually(lambda log=log: kept(log.start / "main") == b"shown\n")
        eventually(lambda: threads(host) == THREADS)
        host.finish()
    os.close(writing)
    said = b"multilog: fatal: unable to take input: process cannot open more files\n"
    assert sorted(os.read(reading, 1000).splitlines(True)) == sorted([*[b"shown\n"] * 3, said])
    os.close(reading)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    folder = start(tmp_path, "small")
    program = f"mount -t tmpfs -o size=64k,mode=755 none {folder} && echo ready && exec cat"
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", program)
    with Running(*words, stdin=subprocess.PIPE) as keeper:
        try:
            keeper.line(b"ready")
        except EOFError:
            pytest.skip(f"needs a mount namespace: {keeper.said.decode()}")
        yield Path(f"/proc/{keeper.pid}/root{folder}")


def test_a_full_disk_pauses_its_logger_only(hasty: Host, tmp_path: Path, small: Path) -> None:
    full_up = hasty.add(start(small, "s"), "./main")
    other = hasty.add(start(tmp_path, "a"), "./main")
    is_open(full_up)
    is_open(other)
    filler = small / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    full_up.write(b"one\n" * 3000)
    warning = b"multilog: warning: unable to write to ./main/current, pausing: out of disk space"
    hasty.line(warning)
    for number in range(20):
        logs(other, b"%d\n" % number)
    hasty.line(warning)
    hasty.tell(full_up, signal.SIGTERM)
    hasty.line(warning)
    filler.unlink()
    assert hasty.status(full_up) == 0
    assert kept(full_up.start / "main") == b"one\n" * 3000
    hasty.finish()


def test_a_pause_is_no_shelter(tmp_path: Path) -> None:
    with Host("loggers.PAUSE_S = 1000.0") as host:
        log = host.add(start(tmp_path, "a"), "s4096", "./main")
        is_open(log)
        (log.start / "main/current").unlink()
        log.write(full())
        host.line(b"unable to rename current to previous in directory ./main, pausing")
        host.tell(log, signal.SIGTERM)
        host.end(host.add(start(tmp_path, "b"), "./main"))
        host.tell(log, signal.SIGHUP)
        assert host.status(log) == signal.SIGHUP


def test_a_folder_that_is_gone_is_its_loggers_trouble_only(hasty: Host, tmp_path: Path) -> None:
    gone = hasty.add(start(tmp_path, "g"), "s4096", "./main")
    other = hasty.add(start(tmp_path, "a"), "./main")
    is_open(gone)
    is_open(other)
    logs(gone, b"a line\n")
    for path in (gone.start / "main").iterdir():
        path.unlink()
    (gone.start / "main").rmdir()
    gone.write(full())
    for _ in range(3):
        hasty.line(b"multilog: warning: unable to rename current to previous in directory ./main, pausing")
        logs(other, b"a line\n")


# What is wrong with one logger.


def locked(folder: Path) -> int:
    (folder / "main").mkdir()
    fd = os.open(folder / "main/lock", os.O_WRONLY | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


FATAL = {
    "folder that is a file": ("touch main", ["./main"]),
    "folder below nothing": ("true", ["./no/main"]),
    "status file below nothing": ("true", ["=no/status", "./main"]),
    "current that is a folder": ("mkdir -p main/current", ["./main"]),
    "lock that is a link": ("mkdir main; ln -s x main/lock", ["./main"]),
    "lock that is locked": ("true", ["./main"]),
}


@pytest.mark.parametrize("what", FATAL)
def test_what_ends_a_multilog_ends_this_one_with_its_words(host: Host, tmp_path: Path, what: str) -> None:
    command, words = FATAL[what]
    other = host.add(start(tmp_path, "other"), "./main")
    is_open(other)
    logs(other, b"a line\n")
    folders = [start(tmp_path, name) for name in "ab"]
    locks = []
    for folder in folders:
        run("sh", "-c", command, cwd=folder)
        if what == "lock that is locked":
            locks.append(locked(folder))
    done = run("multilog", *words, cwd=folders[0])
    assert done.returncode == 111
    held = descriptors(host.pid)
    log = host.add(folders[1], *words)
    assert host.status(log) == 111 << 8
    assert host.line() + b"\n" == done.stderr
    assert descriptors(host.pid) == held
    for lock_fd in locks:
        os.close(lock_fd)
    logs(other, b"another\n")


def test_a_folder_that_may_be_read_and_not_entered_is_one_that_cannot_be_opened(tmp_path: Path) -> None:
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = start(tmp_path, "a")
    start(folder, "main").chmod(0o444)
    done = run(BIN / "multilog", "./main", cwd=folder, **nobody)
    with Host(**nobody) as host:
        assert host.status(host.add(folder, "./main")) == 111 << 8
        assert host.line() + b"\n" == done.stderr
    assert done.stderr == b"multilog: fatal: unable to open directory ./main: access denied\n"


def test_a_bug_ends_one_logger(host: Host, tmp_path: Path) -> None:
    struck = host.add(start(tmp_path, "a"), "s4096", "!cat", "./main", environ=[1])
    other = host.add(start(tmp_path, "b"), "s4096", "!cat", "./main")
    is_open(struck)
    is_open(other)
    struck.write(full())
    assert b"multilog: fatal: unexpected AttributeError" in host.line()
    assert host.status(struck) == 111 << 8
    logs(other, full())


SENSELESS = ((), 5, ("add", 7), ("add", 7, [1], []), ("add", 7, 1, 1), ("signal", 7), ("signal", [], 1))


def test_messages_that_make_no_sense_change_nothing(host: Host, tmp_path: Path) -> None:
    log = host.add(start(tmp_path, "a"), "./main")
    is_open(log)
    logs(log, b"a line\n")
    held = descriptors(host.pid)
    for message in SENSELESS:
        host.channel.send(marshal.dumps(message), [0, 0])
    host.channel.send(b"nonsense", [0])
    host.channel.send(nativewire.add(log.name, [b"./twice"], []), [0, 0])
    os.write(host.orders_fd, b"half" + nativewire.record(12345, 9))
    for number in (0, 65, 1 << 31):
        host.order(log, number)
    logs(log, b"another\n")
    host.tell(log, signal.SIGTERM)
    while host.reported() != [(log.name, 0)]:
        pass
    log = host.add(start(tmp_path, "b"), "./main")
    is_open(log)
    eventually(lambda: len(descriptors(host.pid)) == len(held))
    assert not (tmp_path / "a/twice").exists()


def test_without_room_for_descriptors_a_logger_fails_and_the_others_do_not(tmp_path: Path) -> None:
    limit = 60

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    with Host(preexec_fn=lower) as host:
        fine, failed = [], 0
        for number in range(limit // 2):
            log = host.add(start(tmp_path, f"s{number}"), "./main")
            eventually(lambda log=log: (log.start / "main/current").exists() or host.is_reported())
            if host.is_reported():
                assert host.status(log) == 111 << 8
                assert b"multilog: fatal: unable to " in host.line()
                failed += 1
            else:
                fine.append(log)
        assert len(fine) > 5 and failed > 5
        for log in fine:
            logs(log, b"a line\n")
        for log in fine[:2]:
            host.end(log)
        log = host.add(start(tmp_path, "again"), "./main")
        is_open(log)
        logs(log, b"a line\n")
        host.finish()


# Processors.


def test_a_processor_gets_what_the_commands_gets(tmp_path: Path) -> None:
    asks = ("env", "ulimit -n", "pwd", "umask", "ls -l /proc/self/fd")
    command = "!" + "".join(f"{ask} >../{ask.split()[0]}; " for ask in asks) + "cat"
    environ = [b"A=1", b"PATH=/usr/bin:/bin", b"B=2"]

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 2000))

    told = {}
    for name in ("command", "shared"):
        folder = start(tmp_path, name)
        if name == "command":
            env = dict(each.decode().split("=") for each in environ)
            words = [BIN / "multilog", "s4096", command, "./main"]
            assert run(*words, cwd=folder, input=full(), env=env, preexec_fn=limits).returncode == 0
        else:
            with Host(preexec_fn=limits) as host:
                log = host.add(folder, "s4096", command, "./main", environ=environ)
                is_open(log)
                log.write(full())
                host.end(log)
                assert os.readlink(f"/proc/{host.pid}/cwd") == "/"
                soft = re.search(r"open files +(\d+)", Path(f"/proc/{host.pid}/limits").read_text())
                assert soft and soft[1] == "2000"
        assert kept(folder / "main") == full()
        told[name] = {
            file: (folder / file).read_text().replace(str(folder), "")
            for file in (ask.split()[0] for ask in asks)
        }
        fds = dict(re.findall(r" (\d+) -> (.*)", told[name]["ls"]))
        told[name]["ls"] = str([fds.get(number) for number in "045"] + sorted(fds))
    assert told["command"] == told["shared"]
    assert sorted(told["shared"]["env"].split())[:2] == ["A=1", "B=2"]
    assert told["shared"]["ulimit"] == "100\n"


@pytest.mark.parametrize(("command", "how"), [("exit 3", b"failed"), ("kill -9 $$", b"crashed")])
def test_a_processor_that_fails_is_its_loggers_trouble_only(
    hasty: Host, tmp_path: Path, command: str, how: bytes
) -> None:
    fails = hasty.add(start(tmp_path, "a"), "s4096", f"!test -e ../go || {command}; cat", "./main")
    other = hasty.add(start(tmp_path, "b"), "s4096", "!tr x y", "./main")
    is_open(fails)
    is_open(other)
    fails.write(full())
    for _ in range(2):
        hasty.line(b"multilog: warning: processor " + how + b" in ./main, pausing")
    other.write(full())
    eventually(lambda: kept(other.start / "main") == b"y" * 2200 + b"\n")
    (fails.start / "go").touch()
    eventually(lambda: kept(fails.start / "main") == full())
    hasty.finish()


def children(host: Host) -> list[str]:
    tasks = Path(f"/proc/{host.pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("kill", [False, True], ids=["goes on", "is left"])
def test_a_processor_that_hangs_is_waited_for_by_its_logger_only(
    host: Host, tmp_path: Path, kill: bool
) -> None:
    hangs = host.add(start(tmp_path, "a"), "s4096", "!cat; echo begun >../begun; read x <../fifo", "./main")
    other = host.add(start(tmp_path, "b"), "s4096", "!cat", "./main")
    os.mkfifo(hangs.start / "fifo")
    is_open(hangs)
    is_open(other)
    hangs.write(full())
    eventually(lambda: (hangs.start / "begun").exists())
    host.tell(hangs, signal.SIGTERM)
    host.tell(hangs, signal.SIGALRM)
    for _ in range(3):
        logs(other, full())
    eventually(lambda: len(children(host)) == 1)
    if kill:
        host.tell(hangs, signal.SIGKILL)
        assert host.status(hangs) == signal.SIGKILL
        # It has let go of the folder: the next one may have it while the processor lives on.
        host.end(host.add(hangs.start, "./main"))
    (hangs.start / "fifo").write_text("go\n")
    if not kill:
        assert host.status(hangs) == 0
        assert kept(hangs.start / "main") == full()
    eventually(lambda: not children(host), "nobody stays unreaped")
    host.finish()


# Signals.


@pytest.mark.parametrize("way", ["tell", "order"])
def test_term_ends_a_logger_after_its_line(host: Host, tmp_path: Path, way: str) -> None:
    reading, writing = os.pipe()
    keeps = os.dup(reading)
    log = host.add(start(tmp_path, "a"), "./main", pipe=(reading, writing))
    is_open(log)
    log.write(b"begun")
    is_read(log)
    getattr(host, way)(log, signal.SIGTERM)
    host.end(host.add(start(tmp_path, "b"), "./main"))
    assert not host.is_reported()
    log.write(b" done\nfor the next\n")
    assert host.status(log) == 0
    assert kept(log.start / "main") == b"begun done\n"
    assert os.read(keeps, 100) == b"for the next\n"
    os.close(keeps)


def test_a_logger_comes_back_with_its_pipe(host: Host, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    for number in range(5):
        log = host.add(start(tmp_path, f"s{number}"), "./main", pipe=(os.dup(reading), os.dup(writing)))
        is_open(log)
        logs(log, b"a line\n")
        host.tell(log, signal.SIGTERM)
        assert host.status(log) == 0
    assert host.finish() == b""
    os.close(reading)
    os.close(writing)


def test_term_at_rest_ends_it_at_once(host: Host, tmp_path: Path) -> None:
    log = host.add(start(tmp_path, "a"), "./main")
    is_open(log)
    host.tell(log, signal.SIGTERM)
    assert host.status(log) == 0


def test_its_pipe_is_closed_before_its_end_is_told(host: Host, tmp_path: Path) -> None:
    for number in range(50):
        log = host.add(start(tmp_path, f"s{number}"), "./main")
        host.tell(log, signal.SIGTERM)
        assert host.status(log) == 0
        with pytest.raises(BrokenPipeError):
            os.write(log.fd, b"x")


@pytest.mark.parametrize("way", ["tell", "order"])
def test_alrm_rotates_one_logger(host: Host, tmp_path: Path, way: str) -> None:
    a, b = (host.add(start(tmp_path, name), "./main") for name in "ab")
    for log in (a, b):
        is_open(log)
        logs(log, b"a line\n")
    getattr(host, way)(a, signal.SIGALRM)
    eventually(lambda: list((a.start / "main").glob("@*.s")))
    eventually(lambda: (a.start / "main/current").read_bytes() == b"")
    logs(a, b"more\n")
    assert not list((b.start / "main").glob("@*"))


DEADLY = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "VTALRM")


@pytest.mark.parametrize("name", DEADLY)
def test_other_signals_end_one_logger_at_once(host: Host, tmp_path: Path, name: str) -> None:
    log, other = (host.add(start(tmp_path, each), "./main") for each in "ab")
    is_open(log)
    is_open(other)
    log.write(b"half a line")
    is_read(log)
    host.tell(log, signal.Signals["SIG" + name])
    assert host.status(log) == signal.Signals["SIG" + name]
    assert (log.start / "main/current").stat().st_mode & 0o777 == 0o644, "not closed in order"
    logs(other, b"a line\n")


def test_signals_that_do_nothing_do_nothing(host: Host, tmp_path: Path) -> None:
    log = host.add(start(tmp_path, "a"), "./main")
    is_open(log)
    for name in ("CHLD", "WINCH", "URG", "CONT", "PIPE", "XFSZ"):
        host.tell(log, signal.Signals["SIG" + name])
    logs(log, b"a line\n")
    host.end(log)


def test_one_that_is_stopped_reads_nothing(host: Host, tmp_path: Path) -> None:
    a, b = (host.add(start(tmp_path, name), "./main") for name in "ab")
    for log in (a, b):
        is_open(log)
    for number in range(3):
        host.tell(a, signal.SIGSTOP)
        # What was told before is heard before.
        host.end(host.add(start(tmp_path, f"c{number}"), "./main"))
        before = kept(a.start / "main")
        a.write(b"later\n")
        logs(b, b"now\n")
        assert a.waiting_bytes() == 6
        host.tell(a, signal.SIGCONT)
        eventually(lambda before=before: kept(a.start / "main") == before + b"later\n")
    host.tell(a, signal.SIGSTOP)
    host.tell(a, signal.SIGTERM)
    host.end(b)
    host.tell(a, signal.SIGCONT)
    assert host.status(a) == 0


def test_one_that_is_stopped_in_a_pause_does_not_go_on_after_it(hasty: Host, tmp_path: Path) -> None:
    a, b = (hasty.add(start(tmp_path, name), "s4096", f"./{name}") for name in "ab")
    warning = b"unable to rename current to previous in directory ./"
    for log in (a, b):
        current = log.start / log.start.name / "current"
        eventually(lambda current=current: current.exists())
        current.rename(current.with_name("away"))
        log.write(full())
        hasty.line(warning + log.start.name.encode())
    hasty.tell(a, signal.SIGSTOP)
    hasty.end(hasty.add(start(tmp_path, "c"), "./main"))
    (a.start / "a/away").rename(a.start / "a/current")
    for _ in range(3):
        hasty.line(warning + b"b")
    assert not list((a.start / "a").glob("@*"))
    hasty.tell(a, signal.SIGCONT)
    eventually(lambda: kept(a.start / "a") == full())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_one_that_is_stopped_can_be_killed_and_dies_later_of_others(
    host: Host, tmp_path: Path, number: signal.Signals
) -> None:
    log = host.add(start(tmp_path, "a"), "./main")
    host.tell(log, signal.SIGSTOP)
    host.tell(log, number)
    if number != signal.SIGKILL:
        host.end(host.add(start(tmp_path, "b"), "./main"))
        host.tell(log, signal.SIGCONT)
    assert host.status(log) == number


def five_at_work(host: Host, tmp_path: Path) -> list[Log]:
    added = [host.add(start(tmp_path, f"s{number}"), "./main") for number in range(5)]
    for log in added:
        is_open(log)
        logs(log, b"a line\n")
    return added


def test_term_to_the_process_ends_all_and_takes_no_more(host: Host, tmp_path: Path) -> None:
    added = five_at_work(host, tmp_path)
    host.signal(signal.SIGTERM)
    assert sorted(host.reported(5)) == sorted((log.name, 0) for log in added)
    assert host.wait() == 0
    with pytest.raises(ConnectionError):
        host.channel.send(b"x")
    for log in added:
        assert (log.start / "main/current").stat().st_mode & 0o777 == 0o744


def test_term_takes_no_more_at_once_while_lines_are_waited_for(host: Host, tmp_path: Path) -> None:
    log = host.add(start(tmp_path, "a"), "./main")
    is_open(log)
    log.write(b"begun")
    is_read(log)
    host.signal(signal.SIGTERM)

    def refuses() -> bool:
        try:
            host.channel.send(nativewire.signal(1, 1))
        except ConnectionError:
            return True
        return False

    eventually(refuses)
    log.write(b" done\n")
    assert host.wait() == 0
    assert kept(log.start / "main") == b"begun done\n"


def test_what_comes_after_term_is_refused(patient: Host, tmp_path: Path, disk: DeadDisk) -> None:
    """Nobody would tell it to end. While a thread hangs, what comes through the socket waits, and TERM does
    not."""
    stuck = patient.add(start(disk.folder, "s"), "./main")
    is_open(stuck)
    disk.silent("write")
    stuck.write(b"a line\n")
    disk.line(b"held write")
    late = patient.add(start(tmp_path, "late"), "./main")
    patient.signal(signal.SIGTERM)

    def is_refused() -> bool:
        try:
            late.write(b"x\n")
        except BrokenPipeError:
            return True
        return False

    eventually(is_refused)
    disk.silent()
    assert patient.wait() == 0
    assert (stuck.name, 0) in nativewire.records(os.read(patient.reports_fd, 4096))


def test_term_ends_a_process_that_has_nothing(host: Host, tmp_path: Path) -> None:
    host.end(host.add(start(tmp_path, "a"), "./main"))
    host.signal(signal.SIGTERM)
    assert host.wait() == 0


def test_alrm_to_the_process_rotates_all(host: Host, tmp_path: Path) -> None:
    added = five_at_work(host, tmp_path)
    host.signal(signal.SIGALRM)
    for log in added:
        eventually(lambda log=log: list((log.start / "main").glob("@*.s")))


def test_other_signals_to_the_process_act_on_it(host: Host, tmp_path: Path) -> None:
    is_open(host.add(start(tmp_path, "a"), "./main"))
    host.signal(signal.SIGUSR1)
    assert host.wait() == -signal.SIGUSR1


# What it costs, and that nothing stays.


def test_it_stays_while_the_socket_is_open_and_leaves_with_its_last_logger(
    host: Host, tmp_path: Path
) -> None:
    host.end(host.add(start(tmp_path, "a"), "./main"))
    log = host.add(start(tmp_path, "b"), "./main")
    host.channel.close()
    is_open(log)
    logs(log, b"a line\n")
    assert alive(host.pid)
    host.order(log, signal.SIGTERM)
    assert host.status(log) == 0
    assert host.wait() == 0


def test_what_does_not_fit_into_the_reports_pipe_waits(host: Host, tmp_path: Path) -> None:
    fcntl.fcntl(host.reports_fd, fcntl.F_SETPIPE_SZ, 4096)
    room = fcntl.fcntl(host.reports_fd, fcntl.F_GETPIPE_SZ) // nativewire.RECORD_BYTES
    names = set()
    for number in range(room * 2 + 44):
        # All pipes are there until the end: their inode numbers are not used again.
        log = host.add(tmp_path, f"=status{number % 2}")
        names.add(log.name)
        host.tell(log, signal.SIGUSR1)
    last = host.add(start(tmp_path, "a"), "./main")
    is_open(last)
    logs(last, b"a line\n")
    assert {name for name, _ in host.reported(len(names))} == names
    host.end(last)


def test_nothing_stays_of_a_thousand_loggers(host: Host, tmp_path: Path) -> None:
    folder = start(tmp_path, "a")

    def one(number: int) -> None:
        words = ("t", f"s{4096 + number}", "!cat", "./main")
        log = host.add(folder, *words, environ=[b"A=%d" % number])
        if number % 3 == 1:
            host.tell(log, signal.SIGKILL)
        else:
            log.write(full() if number % 20 == 0 else b"a line\n")
            log.close()
        assert host.status(log) == (signal.SIGKILL if number % 3 == 1 else 0)
        log.close()
        host.logs.clear()

    for number in range(300):
        one(number)
    held, memory_kb = descriptors(host.pid), anonymous_kb(host.pid)
    for number in range(700):
        one(number)
    assert descriptors(host.pid) == held
    assert threads(host) == THREADS
    assert anonymous_kb(host.pid) - memory_kb < 300


def test_a_logger_costs_four_descriptors_and_less_than_four_kilobytes(host: Host, tmp_path: Path) -> None:
    def costs(begin: int, end: int) -> tuple[int, int]:
        for number in range(begin, end):
            log = host.add(start(tmp_path, f"s{number}"), "t", "./main")
            is_open(log)
            log.write(b"a line\n")
            is_read(log)
        return len(descriptors(host.pid)), anonymous_kb(host.pid)

    before = costs(0, 50)
    after = costs(50, 250)
    assert after[0] - before[0] == 4 * 200
    assert (after[1] - before[1]) / 200 < 4


def test_at_rest_nothing_happens(host: Host, tmp_path: Path) -> None:
    five_at_work(host, tmp_path)

    def switches() -> list[str]:
        tasks = sorted(Path(f"/proc/{host.pid}/task").iterdir())
        texts = [(task / "status").read_text() for task in tasks]
        return [line for text in texts for line in text.split("\n") if "ctxt" in line]

    def rests() -> bool:
        before = switches()
        threading.Event().wait(0.3)
        return switches() == before

    eventually(rests)
    assert threads(host) == THREADS


def test_no_line_is_lost_that_is_in_a_pipe(tmp_path: Path) -> None:
    pipes = [os.pipe() for _ in range(3)]
    keeps = [os.dup(reading) for reading, _ in pipes]
    folders = [start(tmp_path, f"s{number}") for number in range(3)]
    with Host() as host:
        added = [host.add(folder, "./main", pipe=pipe) for folder, pipe in zip(folders, pipes, strict=True)]
        for log in added:
            is_open(log)
            logs(log, b"one\n")
        hold(host.pid)
        for log in added:
            log.write(b"two\n" * 1000)
        host.kill()
        with Host() as second:
            for folder, keeps_fd, log in zip(folders, keeps, added, strict=True):
                second.add(folder, "./main", pipe=(keeps_fd, os.dup(log.fd)))
                log.close()
            second.finish()
    for folder in folders:
        assert kept(folder / "main") == b"one\n" + b"two\n" * 1000


# All together.


def test_floods_are_logged_whole_and_keep_nobody_from_being_heard(host: Host, tmp_path: Path) -> None:
    chosen = random.Random(5)
    floods = [host.add(start(tmp_path, f"s{number}"), "s16384", "n1000", "./main") for number in range(6)]
    texts = [b"".join(b"%d %s\n" % (n, b"x" * chosen.randrange(300)) for n in range(5000)) for _ in floods]
    pairs = [*zip(floods, texts, strict=True)]
    writers = [threading.Thread(target=log.write, args=(text,)) for log, text in pairs]
    quiet = host.add(start(tmp_path, "quiet"), "./main")
    endless = host.add(start(tmp_path, "endless"), "n2", "./main")
    with Running("yes", stdout=endless.fd, stderr=subprocess.DEVNULL) as flood:
        for writer in writers:
            writer.start()
        is_open(quiet)
        for number in range(50):
            logs(quiet, b"%d\n" % number)
        for writer in writers:
            writer.join()
        for log, text in pairs:
            host.end(log)
            assert kept(log.start / "main") == text
        assert alive(flood.pid)
        host.tell(endless, signal.SIGTERM)
        assert host.status(endless) == 0


SCRIPTS = (
    ["./main"],
    ["t", "s4096", "n3", "./main"],
    ["s4096", "!tr a b", "./main", "=status"],
    ["-*", "+*a*", "s5000", "./main"],
    ["t", "./main", "-*", "+*z*", "n2", "s4096", "./second"],
)
pieces = st.sampled_from([b"a", b"z", b" ", b"\n", b"\n", b"az" * 500, b"c" * 3000, b"\n" * 700])
data = st.lists(pieces, max_size=6).map(b"".join)
step = st.tuples(st.integers(0, 2), st.one_of(data, data, data, st.just(b"")))
"""Who is written to, and what; nothing: its files are rotated."""


class Alone(Log):
    """The command, of which tests/oracle shows that it does what C does."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        reading, writing = os.pipe()
        super().__init__(folder, writing, 0)
        self.running = Running(BIN / "multilog", *words, cwd=folder, stdin=reading)
        os.close(reading)


def rotated(log: Log, ask: Callable[[], None]) -> None:
    """What was written before is there, and is rotated."""
    currents = [path for path in log.start.glob("*/current") if path.stat().st_size]
    before = [path.stat().st_ino for path in currents]
    ask()
    eventually(
        lambda: (
            not any(
                path.stat().st_ino == inode or path.with_name("previous").exists()
                for path, inode in zip(currents, before, strict=True)
            )
        )
    )


def tree(folder: Path) -> list[tuple[str, int, bytes]]:
    """All files, in their order; labels without their time."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return [
        (
            LABEL.sub(b"@", os.fsencode(path.relative_to(folder))).decode(),
            path.stat().st_mode & 0o777,
            LABEL.sub(b"@", path.read_bytes()),
        )
        for path in found
    ]


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from(range(len(SCRIPTS))), min_size=3, max_size=3),
    st.lists(step, max_size=12),
    st.booleans(),
)
def test_any_interleaving_leaves_each_what_it_leaves_when_alone(
    tmp_path_factory: pytest.TempPathFactory,
    scripts: list[int],
    steps: list[tuple[int, bytes]],
    by_term: bool,
) -> None:
    folder = tmp_path_factory.mktemp("together")
    with Host() as host, ExitStack() as lives:
        shared = [host.add(start(folder, f"s{n}"), *SCRIPTS[which]) for n, which in enumerate(scripts)]
        alone = [Alone(start(folder, f"a{n}"), SCRIPTS[which]) for n, which in enumerate(scripts)]
        for each in alone:
            lives.enter_context(each.running)
        pairs = [*zip(shared, alone, strict=True)]
        for log in (*shared, *alone):
            is_open(log)
        for number, what in steps:
            ours, theirs = pairs[number]
            for log in (ours, theirs):
                log.write(what or b"\n")
                is_read(log)
            if not what:
                rotated(ours, lambda ours=ours: host.tell(ours, signal.SIGALRM))  # type: ignore[misc]
                rotated(theirs, lambda theirs=theirs: theirs.running.signal(signal.SIGALRM))  # type: ignore[misc]
        for ours, theirs in pairs:
            if by_term:
                for log in (ours, theirs):
                    log.write(b"\n")
                    is_read(log)
                host.tell(ours, signal.SIGTERM)
                theirs.running.signal(signal.SIGTERM)
            else:
                ours.close()
                theirs.close()
            assert host.status(ours) == theirs.running.wait() == 0
            theirs.close()
            assert tree(ours.start) == tree(theirs.start)
        assert host.finish() == b""
