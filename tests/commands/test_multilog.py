"""multilog as a process, where it has to lose nothing. What C shows as well is in tests/oracle."""

from __future__ import annotations

import fcntl
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.peers import PEERS, beside_c
from support.processes import BIN, Running, eventually, run

OURS = BIN / "multilog"
LABEL = re.compile(rb"@[0-9a-f]{24}")
QUICK = """
import sys, time
from svpy.commands.multilog import run
from svpy.system.entry import entry
entry(b"multilog", lambda words: run(words, sleep=lambda delay_s: time.sleep(0.02)))
"""
"""multilog whose pauses are short."""


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("@"))


def logged(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in [*kept(folder), folder / "current"])


def modes(folder: Path) -> list[tuple[str, int]]:
    """Every name, labels without their time, and its mode."""
    return sorted(
        {(LABEL.sub(b"@", os.fsencode(p.name)).decode(), p.stat().st_mode) for p in folder.iterdir()}
    )


NUMBERS = b"".join(b"%d\n" % number for number in range(20000))


@beside_c
def test_takes_over_from_c_and_back(tmp_path: Path) -> None:
    for number, program in enumerate([PEERS / "multilog", OURS, PEERS / "multilog", OURS]):
        assert run(program, "t", "./d", input=b"%d\n" % number, cwd=tmp_path).returncode == 0
    assert LABEL.sub(b"@", logged(tmp_path / "d")) == b"@ 0\n@ 1\n@ 2\n@ 3\n"
    assert not kept(tmp_path / "d")


@beside_c
def test_locks_out_c_and_is_locked_out(tmp_path: Path) -> None:
    for first, second in ((OURS, PEERS / "multilog"), (PEERS / "multilog", OURS)):
        with Running(first, "./d", cwd=tmp_path, stdin=subprocess.PIPE) as running:
            eventually((tmp_path / "d" / "current").exists)
            done = run(second, "./d", cwd=tmp_path)
            assert done.stderr == b"multilog: fatal: unable to lock directory ./d: temporary failure\n"
            assert done.returncode == 111
            running.process.stdin.close()
            assert running.wait() == 0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass


def test_term_never_gets_lost(tmp_path: Path, pipe: tuple[int, int]) -> None:
    """TERM at any moment of a trickle: the process ends though its input does not, and the next goes on."""
    reader, writer = pipe
    stop = threading.Event()
    sent = 0

    def trickle() -> None:
        nonlocal sent
        while not stop.is_set():
            os.write(writer, b"%d\n" % sent)
            sent += 1
            stop.wait(0.0002)

    thread = threading.Thread(target=trickle)
    thread.start()
    chance = random.Random(3)
    current = tmp_path / "d" / "current"
    try:
        for _ in range(25):
            with Running(OURS, "s4096", "n100000", "./d", cwd=tmp_path, stdin=reader) as multilog:
                eventually(lambda: current.exists() and current.stat().st_mode & 0o777 == 0o644)
                stop.wait(chance.random() * 0.01)
                multilog.signal(signal.SIGTERM)
                assert multilog.wait() == 0, multilog.rest()
    finally:
        stop.set()
        thread.join()
    os.close(writer)
    assert run(OURS, "s4096", "n100000", "./d", cwd=tmp_path, stdin=reader).returncode == 0
    assert logged(tmp_path / "d") == b"".join(b"%d\n" % number for number in range(sent))
    assert not [path for path in kept(tmp_path / "d") if path.suffix != ".s"]


@pytest.mark.parametrize("kind", ["file", "null", "socket", "closed", "nonblocking", "tty"])
def test_any_input(tmp_path: Path, kind: str) -> None:
    expected = b"one\ntwo\n"
    (tmp_path / "input").write_bytes(b"one\ntwo")
    before = None
    if kind == "socket":
        ours, theirs = socket.socketpair()
        ours.sendall(b"one\ntwo")
        ours.close()
        fd = theirs.detach()
    elif kind == "nonblocking":
        fd, writer = os.pipe()
        os.set_blocking(fd, False)
        os.write(writer, b"one\ntwo")
        os.close(writer)
    elif kind == "tty":
        master, fd = os.openpty()
        os.write(master, b"one\ntwo\n\x04")
    else:
        fd = os.open(tmp_path / "input" if kind == "file" else "/dev/null", os.O_RDONLY)
        expected = expected if kind == "file" else b""
        if kind == "closed":
            before = lambda: os.close(0)  # noqa: E731
    done = run(OURS, "./d", cwd=tmp_path, stdin=fd, preexec_fn=before)
    os.close(fd)
    assert (done.returncode, done.stderr) == (0, b"")
    assert logged(tmp_path / "d") == expected


def test_what_ps_shows(tmp_path: Path) -> None:
    with Running(OURS, "t", "e", "./d", cwd=tmp_path, stdin=subprocess.PIPE) as multilog:
        multilog.process.stdin.write(b"x\n")
        multilog.process.stdin.flush()
        multilog.line(b"x")
        cmdline = Path(f"/proc/{multilog.pid}/cmdline").read_bytes().rstrip(b"\0")
        assert cmdline.split(b"\0") == [b"multilog", b"t", b"e", b"./d"]
        assert Path(f"/proc/{multilog.pid}/comm").read_text() == "multilog\n"


def test_nothing_is_imported_once_it_runs(tmp_path: Path) -> None:
    """By then its privileges may be gone, and with them the way to the package."""
    program = """
import sys
import svpy.commands.multilog as multilog
from svpy.core.logscript import import_for
words = [b"t", b"e", b"-*", b"+*1*", b"=s", b"s4096", b"!cat", b"./d"]
import_for(words)
before = set(sys.modules)
sys.path[:] = []
code = multilog.run(words)
print(code, *set(sys.modules) - before)
"""
    done = run(sys.executable, "-I", "-c", program, input=NUMBERS + b"x" * 9000, cwd=tmp_path)
    assert done.stdout == b"0\n", done.stderr[-500:]


def being_filled(current: Path) -> bool:
    """Whether a `current` in use has something in it; it may be renamed at any moment."""
    try:
        found = current.stat()
    except FileNotFoundError:
        return False
    return found.st_size > 0 and found.st_mode & 0o100 == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_ended_again_and_again_while_lines_come(
    tmp_path: Path, pipe: tuple[int, int], how: signal.Signals
) -> None:
    """Lines stay in order; only KILL loses any, and then only what was read and not yet written."""
    reader, writer = pipe
    enough = threading.Event()
    lines = 0

    def write() -> None:
        nonlocal lines
        while not enough.is_set():
            os.write(writer, b"".join(b"%d\n" % number for number in range(lines, lines + 100)))
            lines += 100
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    chance = random.Random(5)
    current = tmp_path / "d" / "current"
    try:
        for round_ in range(15):
            script = ["s65536", "n1000000", *(["!cat"] if round_ % 3 == 2 else []), "./d"]
            with Running(OURS, *script, cwd=tmp_path, stdin=reader) as multilog:
                eventually(lambda: being_filled(current))
                with pytest.raises(subprocess.TimeoutExpired):
                    multilog.process.wait(chance.random() * 0.05)
                multilog.signal(how)
                assert multilog.wait() == (0 if how == signal.SIGTERM else -how), multilog.rest()
    finally:
        enough.set()
        # The writer may be waiting for room.
        last = run(OURS, "s65536", "n1000000", "./d", cwd=tmp_path, stdin=reader)
        thread.join()
    assert last.returncode == 0
    numbers = []
    for path in [*kept(tmp_path / "d"), current]:
        *whole, cut = path.read_bytes().split(b"\n")
        assert not cut or path.suffix == ".u"
        numbers += [int(line) for line in whole]
    assert numbers == sorted(set(numbers)) and numbers[-1] == lines - 1
    gaps = [(a, b) for a, b in zip([-1, *numbers], numbers, strict=False) if b != a + 1]
    # Two kills may meet in one gap: the second before that multilog had written anything.
    kills = 0 if how == signal.SIGTERM else 15
    assert len(gaps) <= kills
    lost_bytes = sum(len(b"%d\n" % number) for a, b in gaps for number in range(a + 1, b))
    assert lost_bytes <= kills * (65536 + 1000)
    assert dict(modes(tmp_path / "d"))["current"] == 0o100744


def test_a_gigabyte_without_a_newline(tmp_path: Path) -> None:
    """A quarter of it here: memory does not grow with it."""
    with Running(
        "sh", "-c", 'head -c 268435456 /dev/zero | "$1" t s16777215 n2 =s ./d', "sh", OURS, cwd=tmp_path
    ) as both:
        peak_kb = 0
        while both.process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/comm"):
                try:
                    if path.read_text() == "multilog\n" and (path.parent / "cwd").resolve() == tmp_path / "d":
                        peak = re.search(r"VmHWM:\s+(\d+)", (path.parent / "status").read_text())
                        peak_kb = max(peak_kb, int(peak[1]) if peak else 0)
                except OSError:
                    pass
        assert both.wait() == 0
    assert 0 < peak_kb < 30_000
    assert (tmp_path / "d" / "current").read_bytes().endswith(b"\0\n")
    assert (tmp_path / "s").stat().st_size == 1001


def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    """RLIMIT_FSIZE below the size: told, and gone on with in a new file."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = run(
        sys.executable, "-I", "-c", QUICK, "n1000", "./d", input=NUMBERS, cwd=tmp_path, preexec_fn=limit
    )
    assert done.returncode == 0
    assert set(done.stderr.splitlines()) == {
        b"multilog: warning: unable to write to ./d/current, pausing: file too big"
    }
    assert logged(tmp_path / "d") == NUMBERS


def test_current_gone_and_back(tmp_path: Path, pipe: tuple[int, int]) -> None:
    """What is in the way of a rotation is told until it is mended, and nothing is lost meanwhile."""
    reader, writer = pipe
    with Running(sys.executable, "-I", "-c", QUICK, "e", "./d", cwd=tmp_path, stdin=reader) as multilog:
        os.write(writer, b"one\n")
        multilog.line(b"one")
        current = tmp_path / "d" / "current"
        eventually(lambda: current.stat().st_size)
        current.rename(tmp_path / "away")
        multilog.signal(signal.SIGALRM)
        trouble = b"unable to rename current to previous in directory ./d, pausing: file does not exist"
        for _ in range(3):
            assert multilog.line(b"multilog: ") == b"multilog: warning: " + trouble
        multilog.signal(signal.SIGTERM)
        os.write(writer, b"two\n")
        (tmp_path / "away").rename(current)
        assert multilog.wait() == 0
    assert logged(tmp_path / "d") == b"one\n"
    assert os.read(reader, 10) == b"two\n"


def test_processor_that_fails_is_run_again(tmp_path: Path) -> None:
    command = (
        "!cat; test -e ../ok || { touch ../ok; exit 3; }; test -e ../ok2 || { touch ../ok2; kill -9 $$; }"
    )
    done = run(
        sys.executable, "-I", "-c", QUICK, "s4096", command, "./d", input=b"x" * 2100 + b"\n", cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stderr == (
        b"multilog: warning: processor failed in ./d, pausing\n"
        b"multilog: warning: processor crashed in ./d, pausing\n"
    )
    assert logged(tmp_path / "d") == b"x" * 2100 + b"\n"


def test_descriptors_do_not_pile_up(tmp_path: Path, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with Running(OURS, "s4096", "n5", "!cat", "./d", "e", cwd=tmp_path, stdin=reader) as multilog:

        def open_after(lines: int) -> int:
            for _ in range(lines):
                os.write(writer, b"x" * 2000 + b"\n")
            for _ in range(2):
                # A line is shown before it is written: by the second, the first and all before it are.
                os.write(writer, b"now\n")
                multilog.line(b"now")
            return len(os.listdir(f"/proc/{multilog.pid}/fd"))

        open_after(3)
        assert open_after(2) == open_after(60)


def test_only_what_is_meant_is_inherited(tmp_path: Path) -> None:
    """A lock that a processor leaves behind would outlive multilog."""
    command = "!cat; sleep 60 </dev/null >/dev/null 2>&1 4<&- 5>&- & echo $! >../pid"
    assert run(OURS, "s4096", command, "./d", input=b"x" * 2100 + b"\n", cwd=tmp_path).returncode == 0
    try:
        with (tmp_path / "d" / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
