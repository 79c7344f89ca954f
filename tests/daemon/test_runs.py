"""Services with multilog lose no line, whoever is killed, whether that runs natively or was executed."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.natives import template
from support.processes import eventually, run
from support.services import Daemon, Services, alive, hold, is_hosted, svscan

from svpy.system.descriptors import waiting_bytes
from svpy.system.loginput import READ_BYTES

SERVICES = 4
KILLS = 8
LINE_BYTES = 9
LONGEST_LIFE_S = 0.2

COUNTS = """#!/usr/bin/python3 -IS
import os, signal, time
on = []
signal.signal(signal.SIGTERM, lambda *_: on.append(1))
number = 0
while not on:
    number += 1
    os.write(1, b"%08d\\n" % number)
    time.sleep(0.0005)
os.write(1, b"%08d\\n" % (number + 1))
open("last", "w").write(str(number + 1))
"""
"""Writes numbers; after TERM one more, and notes it."""

OBEYS = "while read line <>orders; do echo $line; done"
LOG = "exec multilog s4096 n1000 ./main"
"""A new file every 455 lines: kills come while files are changed, too."""


def made(services: Services, run: str = COUNTS) -> list[str]:
    """The names of services with loggers."""
    names = [f"s{number}" for number in range(SERVICES)]
    for name in names:
        folder = services.prepare(name, run=run, log=LOG)
        if run == OBEYS:
            os.mkfifo(folder / "orders")
        folder.rename(services.folder / name)
    return names


def logged(services: Services, name: str) -> bytes:
    """All that is in its log folder, oldest first."""
    main = services.folder / name / "log/main"
    files = sorted(file for file in os.listdir(main) if file.startswith("@"))
    return b"".join((main / file).read_bytes() for file in [*files, "current"])


def last(services: Services, name: str) -> int:
    return int((services.folder / name / "last").read_text())


def numbers(count: int) -> bytes:
    return b"".join(b"%08d\n" % number for number in range(1, count + 1))


def all_up(services: Services, names: list[str]) -> None:
    for name in names:
        services.up(name)
        services.up(f"{name}/log")


def taken(services: Services, names: list[str]) -> None:
    for name in names:
        for half in (services.folder / name, services.folder / name / "log"):
            eventually(lambda half=half: is_hosted(half), str(half))


def again(services: Services, name: str) -> None:
    """End its logger in order, and wait until it was started again."""
    status = services.folder / name / "log/supervise/status"
    eventually(lambda: is_hosted(services.folder / name / "log"))
    before = status.read_bytes()
    services.svc("-t", f"{name}/log")
    eventually(lambda: services.pid(f"{name}/log") and status.read_bytes() != before)


def waits(services: Services, name: str) -> int:
    """Bytes in its log pipe."""
    fd = os.open(f"/proc/{services.pid(name)}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return waiting_bytes(fd)
    finally:
        os.close(fd)


class Lives:
    """svscan, as often as it is killed. `kill` ends a random one of `whom`: svscan, the template, which comes
    back by itself, or the process of a logger. `losses`: how often each logger was in one of those.

    There is always somebody who holds the log pipes, svscan or the loggers: one that nobody could read any
    more ends its writer, with C's as well."""

    def __init__(self, services: Services, names: list[str], stack: ExitStack) -> None:
        self._services = services
        self._names = names
        self._stack = stack
        self._chance = random.Random(76)
        self.daemon = self._begin()
        self.losses = dict.fromkeys(names, 0)
        self.killed: list[str] = []

    def _begin(self) -> Daemon:
        # Not a pipe: nobody reads it meanwhile.
        said = self._stack.enter_context((self._services.folder.parent / "said").open("ab"))
        return self._stack.enter_context(svscan(self._services, stdout=said, stderr=said))

    def kill(self, whom: list[str]) -> None:
        time.sleep(self._chance.uniform(0, LONGEST_LIFE_S))  # Any moment will do.
        kind = self._chance.choice(whom)
        if kind != "template":
            taken(self._services, self._names)
            for name in self._names:
                eventually(lambda name=name: alive(self._services.pid(f"{name}/log") or -1), name)
        if kind == "svscan":
            self.begin_afresh()
        elif kind == "template":
            pid = template(self.daemon.pid)
            if not pid:
                return
            os.kill(pid, signal.SIGKILL)
        elif not self._kill_logger(self._services.pid(f"{self._chance.choice(self._names)}/log")):
            return
        self.killed.append(kind)

    def begin_afresh(self) -> None:
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()
        self.daemon = self._begin()

    def _kill_logger(self, pid: int) -> bool:
        if not pid or not alive(pid):
            return False
        of_it = [name for name in self._names if self._services.pid(f"{name}/log") == pid]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not alive(pid))
        for name in of_it:
            self.losses[name] += 1
        return True

    def stop(self) -> None:
        """When all is hosted and up."""
        taken(self._services, self._names)
        all_up(self._services, self._names)
        for name in self._names:
            eventually(lambda name=name: logged(self._services, name), name)
        assert self.daemon.stop() == 0


def test_kills_of_svscan_and_template_lose_nothing(services: Services, runs: str) -> None:
    """Loggers end in order meanwhile, too."""
    names = made(services)
    with ExitStack() as stack:
        lives = Lives(services, names, stack)
        all_up(services, names)
        assert {services.how(f"{name}/log") for name in names} == {runs}
        for number in range(KILLS):
            lives.kill(["svscan", "template"] if runs == "native" else ["svscan"])
            again(services, names[number % SERVICES])
        lives.stop()
    assert "svscan" in lives.killed
    for name in names:
        assert logged(services, name) == numbers(last(services, name)), name
        assert last(services, name) > 455, "files were changed, too"


def test_a_killed_logger_loses_what_it_had_read(services: Services, runs: str) -> None:
    """What a logger has taken out of its pipe and not yet written when it is killed is lost, as with C's: at
    most one read of each logger in the process, a tail of lines that follow each other. Nothing else is: what
    was still in a pipe, what came while nobody read, and what was written once."""
    names = made(services)
    with ExitStack() as stack:
        lives = Lives(services, names, stack)
        all_up(services, names)
        for _ in range(KILLS):
            lives.kill(["svscan", "template", "logger", "logger", "logger"])
        lives.stop()
    assert {"svscan", "logger"} <= {*lives.killed}
    for name in names:
        whole, torn = lines(logged(services, name))
        assert whole == sorted({*whole}), "in order, and none twice"
        gaps = [then - now - 1 for now, then in zip([0, *whole], whole, strict=False) if then > now + 1]
        assert whole[-1] == last(services, name)
        assert len(gaps) <= lives.losses[name] and torn <= lives.losses[name], (gaps, torn)
        assert all(gap * LINE_BYTES <= READ_BYTES for gap in gaps), gaps


def lines(data: bytes) -> tuple[list[int], int]:
    """The numbers of whole lines, and how many others there are: cut off by a kill."""
    found = data.splitlines()
    whole = [int(line) for line in found if len(line) == LINE_BYTES - 1 and line.isdigit()]
    return whole, len(found) - len(whole)


@pytest.mark.parametrize("whom", ["logger", "all"])
def test_what_is_in_a_pipe_is_never_lost(services: Services, runs: str, whom: str) -> None:
    """Loggers are paused, so it is known where each line is when somebody is killed."""
    names = made(services, run=OBEYS)
    loggers = [f"{name}/log" for name in names]
    with ExitStack() as stack:
        lives = Lives(services, names, stack)
        all_up(services, names)
        pids = {services.pid(logger) for logger in loggers}
        services.svc("-p", *loggers)
        for number, name in enumerate(names):
            (services.folder / name / "orders").write_text(f"line {number}\n")
            eventually(lambda name=name: waits(services, name) == len("line 0\n"), f"{name} has written")
        end(lives, whom, pids)
        taken(services, names)
        services.svc("-c", *loggers)
        for number, name in enumerate(names):
            expected = b"line %d\n" % number
            eventually(lambda name=name, expected=expected: logged(services, name) == expected, name)
        assert lives.daemon.stop() == 0
    for number, name in enumerate(names):
        assert logged(services, name) == b"line %d\n" % number


def end(lives: Lives, whom: str, loggers: set[int]) -> None:
    if whom == "all":
        # It must not begin them again before it is killed itself.
        hold(lives.daemon.pid)
        if pid := template(lives.daemon.pid):
            os.kill(pid, signal.SIGKILL)
    for pid in loggers:
        os.kill(pid, signal.SIGKILL)
    if whom == "all":
        lives.begin_afresh()


def test_last_words_are_read(services: Services, runs: str) -> None:
    names = made(services, run="trap 'echo last words; exit' TERM; echo up; while :; do sleep 0.1; done")
    with svscan(services) as daemon:
        all_up(services, names)
        for name in names:
            eventually(lambda name=name: logged(services, name) == b"up\n", name)
        assert {services.how(f"{name}/log") for name in names} == {runs}
        loggers = {services.pid(f"{name}/log") for name in names}
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    assert not any(alive(pid) for pid in loggers)
    for name in names:
        assert logged(services, name) == b"up\nlast words\n"
        assert file_mode(services.folder / name / "log/main/current") == 0o744, "closed in order"


def file_mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_an_upgrade_changes_nothing(services: Services, runs: str) -> None:
    names = made(services)
    loggers = [f"{name}/log" for name in names]
    with svscan(services) as daemon:
        all_up(services, names)
        pids = [services.pid(name) for name in (*names, *loggers)]
        done = run("svpy", "upgrade", services.folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert [services.pid(name) for name in (*names, *loggers)] == pids
        assert {services.how(logger) for logger in loggers} == {runs}
        before = [len(logged(services, name)) for name in names]
        for name, length in zip(names, before, strict=True):
            eventually(lambda name=name, length=length: len(logged(services, name)) > length, name)
        again(services, names[0])
        assert services.how(loggers[0]) == runs
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    for name in names:
        assert logged(services, name) == numbers(last(services, name)), name
