"""multilog's input: nothing that comes is lost, neither a line nor a signal, whatever it waits by."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svpy.native import turns
from svpy.system import loginput, spawner

DEADLINE_S = 20
SIGNALS = 2000

READER = """
import os, resource, sys
from svpy.system.loginput import Input
if sys.argv[1] == "polled":
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    os.setuid(65534)
source = Input()
os.write(1, b"%d threads;" % len(os.listdir("/proc/self/task")))
while not source.leave:
    data = source.read(65536)
    if source.rotate:
        source.rotate = False
        os.write(1, b"ALRM;")
    if data == b"":
        os.write(1, b"end;")
        break
    if data:
        os.write(1, data)
os.write(1, b"left;")
"""


class Reader:
    def __init__(self, how: str, stdin: int) -> None:
        words = [sys.executable, "-c", READER, how]
        self._process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.says(b"1 threads;" if how == "polled" else b"2 threads;")

    def says(self, text: bytes) -> None:
        assert self._process.stdout is not None
        fd, said = self._process.stdout.fileno(), b""
        while len(said) < len(text):
            assert select.select([fd], [], [], DEADLINE_S)[0], said
            more = os.read(fd, len(text) - len(said))
            assert more, said
            said += more
        assert said == text

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=["threaded", "polled"])
def how(request: pytest.FixtureRequest) -> str:
    if request.param == "polled" and os.geteuid():
        pytest.skip("needs root: RLIMIT_NPROC is set for another account")
    return str(request.param)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def reader(how: str, pipe: tuple[int, int]) -> Iterator[Reader]:
    started = Reader(how, pipe[0])
    yield started
    started.end()


def test_each_signal_is_heard_at_whatever_moment_before_a_read(reader: Reader) -> None:
    # What it says of one comes just before its next read: the next one meets it on the way there.
    for _ in range(SIGNALS):
        os.kill(reader.pid, signal.SIGALRM)
        reader.says(b"ALRM;")
    os.kill(reader.pid, signal.SIGTERM)
    reader.says(b"left;")


def test_no_line_is_lost_between_signals(reader: Reader, pipe: tuple[int, int]) -> None:
    for number in range(SIGNALS):
        line = b"%d\n" % number
        os.write(pipe[1], line)
        reader.says(line)
        os.kill(reader.pid, signal.SIGALRM)
        reader.says(b"ALRM;")


def test_a_signal_of_somebody_else_changes_nothing(reader: Reader, pipe: tuple[int, int]) -> None:
    for _ in range(100):
        os.kill(reader.pid, signal.SIGURG)
    os.write(pipe[1], b"line\n")
    reader.says(b"line\n")
    os.kill(reader.pid, signal.SIGTERM)
    reader.says(b"left;")


def test_an_input_that_does_not_block_is_waited_for(reader: Reader, pipe: tuple[int, int]) -> None:
    # Whoever has the pipe may say so, at any time.
    os.set_blocking(pipe[0], False)
    for line in (b"one\n", b"two\n"):
        os.write(pipe[1], line)
        reader.says(line)
        os.kill(reader.pid, signal.SIGALRM)
        reader.says(b"ALRM;")
    before_s = _processor_s(reader.pid)
    os.kill(reader.pid, signal.SIGALRM)
    reader.says(b"ALRM;")
    assert not select.select([pipe[0]], [], [], 0.2)[0]
    assert _processor_s(reader.pid) - before_s < 0.1
    os.kill(reader.pid, signal.SIGTERM)
    reader.says(b"left;")


def test_what_cannot_be_read_has_ended_whatever_signals_come(how: str, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    reader = Reader(how, fd)
    os.close(fd)
    try:
        reader.says(b"end;left;")
    finally:
        reader.end()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_file_is_read_to_its_end(how: str, tmp_path: Path, count: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 65535 * count + b"\n" * (count > 0))
    with path.open("rb") as file:
        reader = Reader(how, file.fileno())
    try:
        reader.says(path.read_bytes() + b"end;left;")
    finally:
        reader.end()


@pytest.mark.parametrize("module", [loginput, spawner, turns], ids=lambda module: module.__name__)
def test_a_thread_has_the_stack_that_glibc_wants_elsewhere(module: Any) -> None:
    """PTHREAD_STACK_MIN of aarch64 and powerpc: less is refused, and nobody here would see that."""
    assert module._STACK_BYTES >= 131072


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
