"""Saying a line when nobody takes it."""

from __future__ import annotations

import os
import pty
import socket
import sys
from pathlib import Path

import pytest
from support.processes import eventually, run

SAY = """
import os
from svpy.system.tell import never_block, say
never_block()
for number in range(20000):
    say(b"%d %s" % (number, b"x" * 40))
os._exit(0)
"""


def said_into(fd: int) -> int:
    """Exit code of a process that says twenty thousand lines into a stderr that nobody reads."""
    return run(sys.executable, "-I", "-c", SAY, stderr=fd, capture_output=False).returncode


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_a_full_stderr_takes_what_it_can_in_whole_lines(kind: str) -> None:
    match kind:
        case "pipe":
            reading, writing = os.pipe()
        case "socket":
            reading, writing = (end.detach() for end in socket.socketpair())
        case _:
            reading, writing = pty.openpty()
    assert said_into(writing) == 0
    assert os.get_blocking(writing), "the services have the same open file"
    os.set_blocking(reading, False)
    got = os.read(reading, 100_000)
    assert got.startswith(b"0 xxx")
    if kind == "pipe":
        assert got.endswith(b"x\n")
    os.close(reading)
    os.close(writing)


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as file:
        assert said_into(file.fileno()) == 0
    eventually(lambda: (tmp_path / "said").read_bytes().count(b"\n") == 20000)


def test_a_closed_stderr_is_nobodys_business() -> None:
    done = run("sh", "-c", 'exec "$0" -I -c "$1" 2>&-', sys.executable, SAY)
    assert (done.returncode, done.stderr) == (0, b"")


NEVER_WAITS = """
import os
from svpy.system import tell
def cannot(fd):
    raise PermissionError(13, "")
tell._to_file_opened_again = cannot
write = tell.non_blocking(2)
try:
    while True:
        write(b"x" * 10000)
except BlockingIOError:
    os._exit(0)
"""


def test_a_pipe_that_cannot_be_opened_again_is_not_waited_for() -> None:
    """There is no /proc, or it is another user's."""
    reading, writing = os.pipe()
    assert run(sys.executable, "-I", "-c", NEVER_WAITS, stderr=writing, capture_output=False).returncode == 0
    os.close(reading)
    os.close(writing)
