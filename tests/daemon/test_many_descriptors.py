"""svscan with so many descriptors that a thread with few of them starts its services."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import BIN, eventually, run
from support.services import STAYS, Daemon, Services, alive, descriptors, is_hosted, locked

from svpy.system.children import MANY_FDS

HOLD = f"""
import os, resource
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
while os.open("/", os.O_PATH | os.O_CLOEXEC) < {MANY_FDS}:
    pass
resource.setrlimit(resource.RLIMIT_NOFILE, before)
"""
"""As if there were many services already: numbers are given from below."""

PAIRS = [str(number) for number in range(6)]
NAMES = [name + log for name in PAIRS for log in ("", "/log")]
GIVEN_FD = 7


class Many(Services):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        first, rest = (BIN / "svscan").read_text().split("\n", 1)
        self.program = root / "svscan"
        self.program.write_text(f"{first}\n{HOLD}\n{rest}")
        self.program.chmod(0o755)
        for name in PAIRS:
            self.make(name, run="echo started; ulimit -n; " + STAYS, log="exec cat >>lines")

    def lines(self, name: str) -> list[str]:
        return (self.folder / name / "log/lines").read_text().split()


@pytest.fixture
def many(tmp_path: Path) -> Many:
    return Many(tmp_path)


@pytest.fixture
def hosting(many: Many) -> Iterator[Daemon]:
    shell = f"exec {GIVEN_FD}</etc; exec {many.program} {many.folder}"
    with Daemon("sh", "-c", shell) as daemon:
        for name in NAMES:
            many.up(name)
        yield daemon
        assert daemon.said == b""


def thread_table(pid: int) -> list[int]:
    """The descriptors of the thread that is not the process' first."""
    threads = set(os.listdir(f"/proc/{pid}/task")) - {str(pid)}
    (thread,) = threads
    return sorted(map(int, os.listdir(f"/proc/{pid}/task/{thread}/fd")))


def restart_all(many: Many) -> None:
    before = [many.pid(name) for name in NAMES]
    many.svc("-t", *NAMES)
    for name, pid in zip(NAMES, before, strict=True):
        many.up(name, since=pid)


def test_its_descriptors_are_few_and_stay_so(many: Many, hosting: Daemon) -> None:
    held = len(descriptors(hosting.pid))
    assert held > MANY_FDS
    for _ in range(3):
        assert thread_table(hosting.pid) == [0, 1, 2, GIVEN_FD]
        restart_all(many)
    assert len(descriptors(hosting.pid)) == held
    for name in PAIRS:
        eventually(lambda name=name: many.lines(name).count("started") == 4)


def test_services_have_what_they_would_have_without(many: Many, hosting: Daemon) -> None:
    pid, log_pid = many.pid("0"), many.pid("0/log")
    stdin, stderr = (os.readlink(f"/proc/{hosting.pid}/fd/{fd}") for fd in (0, 2))
    pipe = os.readlink(f"/proc/{log_pid}/fd/0")
    expected = {"0": stdin, "1": pipe, "2": stderr, str(GIVEN_FD): "/etc"}
    assert pipe.startswith("pipe:")
    assert {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")} == expected
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{hosting.pid}\n" in status
    assert "SigBlk:\t0000000000000000\n" in status
    # This one is executed without sh.
    many.make("merged", run="exec 2>&1\nexec sleep 1000", log="exec cat >>lines")
    merged = many.up("merged")
    assert os.readlink(f"/proc/{merged}/fd/1") == os.readlink(f"/proc/{merged}/fd/2") != pipe
    soft = run("sh", "-c", "ulimit -Sn").stdout.decode().strip()
    eventually(lambda: many.lines("0")[:2] == ["started", soft])


def test_what_has_left_is_held_by_nobody(many: Many, hosting: Daemon) -> None:
    name = PAIRS[0]
    restart_all(many)
    gone = (many.folder / name).rename(many.folder.parent / "gone")
    logger = int.from_bytes((gone / "log/supervise/status").read_bytes()[12:16], "little")
    for folder in (gone, gone / "log"):
        assert run("svc", "-dx", folder).returncode == 0
    eventually(lambda: not alive(logger))
    for folder in (gone, gone / "log"):
        eventually(lambda folder=folder: not is_hosted(folder))
        eventually(lambda folder=folder: not locked(folder / "supervise/lock"))


def test_a_stop_is_in_order(many: Many, hosting: Daemon) -> None:
    """A logger is not told to end: it does when its pipe has no writer any more."""
    restart_all(many)
    loggers = [many.pid(name + "/log") for name in PAIRS]
    assert hosting.stop() == 0
    assert not any(map(alive, loggers))
    for name in PAIRS:
        assert many.lines(name).count("started") == 2


def test_after_an_upgrade_there_is_one_again_when_it_is_wanted(many: Many, hosting: Daemon) -> None:
    before = [many.pid(name) for name in NAMES]
    done = run("svpy", "upgrade", many.folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [many.pid(name) for name in NAMES] == before
    assert os.listdir(f"/proc/{hosting.pid}/task") == [str(hosting.pid)]
    restart_all(many)
    assert thread_table(hosting.pid) == [0, 1, 2, GIVEN_FD]
    hosting.signal(signal.SIGTERM)
    assert hosting.wait() == 0


def test_a_script_without_an_interpreter_line_and_one_that_is_missing(many: Many, hosting: Daemon) -> None:
    assert thread_table(hosting.pid)
    plain = many.prepare("plain")
    (plain / "run").write_text("exec sleep 1000\n")
    plain.rename(many.folder / "plain")
    many.up("plain")
    broken = many.prepare("broken")
    (broken / "run").unlink()
    broken.rename(many.folder / "broken")
    assert b"unable to start broken/run: file does not exist" in hosting.line(b"broken")
    hosting.said = b""
