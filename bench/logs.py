"""Loggers by themselves, fed through a pipe: how much in a second, how much work for a single line."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from types import TracebackType

from common import processor_s
from hosts import EVENT_LIMIT_S, LINE, OURS, RUNIT, S6, C, Installed, Unfit

RARE = b"delivery 5: deferral: Connected_to_10.0.0.9_but_greeting_failed./\n"
SIZE = "n2 s16777215"
STAMPED, SELECTED, TWO = "t", "selection", "two folders and a status file"
PYTHON = "read, stamp, write"

LOGGERS: dict[str, dict[str, str]] = {
    STAMPED: {
        OURS: f"multilog t {SIZE} {{0}}",
        C: f"multilog t {SIZE} {{0}}",
        RUNIT: "svlogd -t {0}",
        S6: f"s6-log t {SIZE} {{0}}",
    },
    SELECTED: {
        OURS: f"multilog t '-*' '+* delivery *' {SIZE} {{0}}",
        C: f"multilog t '-*' '+* delivery *' {SIZE} {{0}}",
        RUNIT: "svlogd -t {2}",
        S6: f"s6-log - '+^delivery ' t {SIZE} {{0}}",
    },
    TWO: {
        OURS: f"multilog t {SIZE} {{0}} {SIZE} {{1}} =status",
        C: f"multilog t {SIZE} {{0}} {SIZE} {{1}} =status",
    },
}
"""What each is told, to do the same; {2} is a folder for svlogd with patterns in its configuration. svlogd
has no status file, and s6-log waits for the disk at each line of its: 0.2 MB/s."""

SHARE = {STAMPED: 1, SELECTED: 2, TWO: 0.25}
"""How much each is fed: for so long that a start is little of it, and not much longer."""

TRICKLERS: dict[str, str] = {
    PYTHON: f"/usr/bin/python3 -IS {Path(__file__).parent / 'trickle'} current",
    OURS: "multilog t ./main",
    C: "multilog t ./main",
    RUNIT: "svlogd -t ./main",
    S6: "s6-log t ./main",
}


def mail_log(path: Path, megabytes: float) -> Path:
    """Lines of a mail server, one of twenty a delivery."""
    block = (LINE * 19 + RARE) * 400
    path.write_bytes(block * max(1, round(megabytes * 1e6 / len(block))))
    return path


def megabytes_per_s(command: str, installed: Installed, host: str, lines: Path, scratch: Path) -> float:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        places = [Path(folder) / name for name in ("main", "second", "patterns")]
        for place in places:
            place.mkdir()
        (places[0] / "config").write_text("s16777215\nn2\n")
        (places[2] / "config").write_text("s16777215\nn2\n-*\n+*delivery *\n")
        words = shlex.split(command.format(*places))
        feeding = subprocess.Popen(["cat", lines], stdout=subprocess.PIPE)
        began = time.monotonic()
        done = subprocess.run(
            words, stdin=feeding.stdout, env=installed.outside(host), cwd=folder, capture_output=True
        )
        took_s = time.monotonic() - began
        feeding.kill()
        feeding.communicate()
        if done.returncode:
            raise Unfit(f"{words[0]} of {host}: {done.stderr.decode(errors='replace').strip()}")
    return lines.stat().st_size / 1e6 / took_s


class Trickler:
    """A logger that is fed line by line for as long as the block lasts."""

    def __init__(self, command: str, installed: Installed, host: str, scratch: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=scratch)
        (Path(self._folder.name) / "main").mkdir()
        self._process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, env=installed.outside(host), cwd=self._folder.name
        )

    def __enter__(self) -> Trickler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()

    def work_us(self, lines: int) -> float:
        """For one of so many lines."""
        assert self._process.stdin is not None
        before_s = processor_s(self._process.pid)
        trickle(self._process.stdin.fileno(), lines)
        return (processor_s(self._process.pid) - before_s) / lines * 1e6


def trickle(fd: int, lines: int) -> None:
    """Into a pipe, each line when the one before was taken."""
    deadline = time.monotonic() + EVENT_LIMIT_S + lines / 100
    for _ in range(lines):
        os.write(fd, LINE)
        while waiting(fd):
            if time.monotonic() > deadline:
                raise Unfit("a logger did not take its lines")
            time.sleep(0.0001)
    time.sleep(0.01)


def waiting(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
