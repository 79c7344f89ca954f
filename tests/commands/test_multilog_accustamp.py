"""`multilog T`: encore's stamp of seconds and microseconds, from the machine's clock to the file."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from support.peers import PEERS, beside_c
from support.processes import Running, eventually, run

STAMPED = re.compile(rb"(\d+\.\d{6}) (.*)\n")


def test_every_line_has_the_time_it_was_read_at(tmp_path: Path) -> None:
    began_s = time.time()
    done = run("multilog", "T", "./d", input=b"one\n\nthree", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    found = STAMPED.findall((tmp_path / "d/current").read_bytes())
    assert [line for _, line in found] == [b"one", b"", b"three"]
    assert len({stamp for stamp, _ in found}) == 1, "one read, one stamp"
    assert began_s - 0.000001 <= float(found[0][0]) <= time.time()


def test_a_later_read_has_a_later_stamp(tmp_path: Path) -> None:
    current = tmp_path / "d/current"
    with Running("multilog", "T", "./d", cwd=tmp_path, stdin=subprocess.PIPE) as log:
        assert log.process.stdin is not None
        for number in range(3):
            log.process.stdin.write(b"%d\nbegun " % number)
            log.process.stdin.flush()
            wanted = b" %d\n" % number
            eventually(lambda wanted=wanted: current.exists() and wanted in current.read_bytes())
        log.process.stdin.close()
        assert log.wait() == 0
    found = STAMPED.findall(current.read_bytes())
    assert [line for _, line in found] == [b"0", b"begun 1", b"begun 2", b"begun "]
    first, begun_with_it, second, third = (stamp for stamp, _ in found)
    assert first == begun_with_it < second < third


def test_selection_status_and_alerts_see_the_stamp(tmp_path: Path) -> None:
    words = ("T", "-*", "+*.* fatal: *", "=status", "e", "./d")
    done = run("multilog", *words, input=b"x: fatal: no\nfatal: yes\ninfo: no\n", cwd=tmp_path)
    line = (tmp_path / "d/current").read_bytes()
    assert STAMPED.fullmatch(line)[2] == b"fatal: yes"  # type: ignore[index]
    assert done.stderr == line
    assert (tmp_path / "status").read_bytes() == line.ljust(1001, b"\n")


@beside_c
@pytest.mark.parametrize("words", [("./d", "T"), ("-x", "T", "./d"), ("", "T", "./d")])
def test_behind_another_action_it_is_ignored_as_in_c(words: tuple[str, ...], tmp_path: Path) -> None:
    for name, program in (("ours", "multilog"), ("theirs", PEERS / "multilog")):
        (tmp_path / name).mkdir()
        assert run(program, *words, input=b"line\n", cwd=tmp_path / name).returncode == 0
        assert (tmp_path / name / "d/current").read_bytes() == b"line\n"


def test_a_rotation_keeps_the_stamps(tmp_path: Path) -> None:
    lines = b"".join(b"%05d\n" % number for number in range(3000))
    done = run("multilog", "T", "s4096", "n99", "./d", input=lines, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    files = [*sorted((tmp_path / "d").glob("@*.s")), tmp_path / "d/current"]
    assert len(files) > 10
    found = STAMPED.findall(b"".join(file.read_bytes() for file in files))
    assert b"".join(line + b"\n" for _, line in found) == lines
