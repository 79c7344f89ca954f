"""svscan or supervise killed with KILL: what it ran goes on, and the next one takes it over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.processes import eventually, run
from support.services import (
    STAYS,
    Daemon,
    Services,
    alive,
    descriptors,
    script,
    svscan,
)

from svpy.core import record

LOGGER = "exec cat >>lines"
"""In the folder of the logger, or of the service where the logger is a file."""

OBEYS = "while read line <>orders; do echo $line; done"
"""Writes each line that is written into its `orders`."""


def status(folder: Path) -> bytes:
    return (folder / "supervise/status").read_bytes()


def kill(daemon: Daemon) -> None:
    daemon.signal(signal.SIGKILL)
    daemon.wait()


def taken(services: Services, *names: str) -> None:
    """Wait until these are supervised again: their `ok` has a reader."""
    for name in names:
        eventually(lambda name=name: run("svok", name, cwd=services.folder).returncode == 0, name)


def test_a_service_and_its_logger_go_on(services: Services) -> None:
    folder = services.prepare("a", run=OBEYS, log=LOGGER)
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        service, logger = services.up("a"), services.up("a/log")
        before = status(folder), status(folder / "log")
        count = len(descriptors(first.pid))
        expected = ""
        for life in range(3):
            kill(first)
            (folder / "orders").write_text(f"dead {life}\n")
            with svscan(services) as second:
                taken(services, "a", "a/log")
                assert (status(folder), status(folder / "log")) == before
                (folder / "orders").write_text(f"alive {life}\n")
                expected += f"dead {life}\nalive {life}\n"
                eventually(lambda expected=expected: (folder / "log/lines").read_text() == expected)
                assert len(descriptors(second.pid)) == count + 2, "a pidfd for each"
                assert services.pid("a") == service and services.pid("a/log") == logger
                if life < 2:
                    kill(second)
                    continue
                assert second.stop() == 0
                said = second.rest().splitlines()
    unknown = b"svscan: warning: exit code of %s (pid %d) is unknown: another supervise had started it"
    assert said == [unknown % (b"a", service), unknown % (b"a/log", logger)]
    assert not alive(service) and not alive(logger)
    assert (folder / "supervise/lock").read_bytes() == b"", "it ended in order"


def test_both_are_restarted_with_the_same_pipe(services: Services) -> None:
    folder = services.make("a", run="echo life; exec sleep 1000", log="echo reads >>lines; exec cat >>lines")
    with svscan(services) as first:
        service, logger = services.up("a"), services.up("a/log")
        eventually(lambda: (folder / "log/lines").read_text() == "reads\nlife\n")
        kill(first)
        pipe = os.readlink(f"/proc/{service}/fd/1")
        with svscan(services) as second:
            taken(services, "a", "a/log")
            fresh = descriptors(second.pid)
            services.svc("-t", "a")
            service = services.up("a", since=service)
            second.line(b"exit code of a (pid")
            services.svc("-t", "a/log")
            logger = services.up("a/log", since=logger)
            second.line(b"exit code of a/log (pid")
            eventually(lambda: (folder / "log/lines").read_text() == "reads\nlife\nlife\nreads\n")
            assert os.readlink(f"/proc/{service}/fd/1") == os.readlink(f"/proc/{logger}/fd/0") == pipe
            assert len(descriptors(second.pid)) == len(fresh) - 2, "their pidfds are closed"
            assert second.stop() == 0


def test_a_logger_that_is_a_file(services: Services) -> None:
    folder = services.prepare("a", run=OBEYS)
    script(folder / "log", LOGGER)
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        service = services.up("a")
        eventually(lambda: record.decode((folder / "supervise/log/lock").read_bytes()).pid)  # type: ignore[union-attr]
        before = status(folder), (folder / "supervise/log/status").read_bytes()
        kill(first)
        (folder / "orders").write_text("dead\n")
        with svscan(services) as second:
            taken(services, "a")
            assert (status(folder), (folder / "supervise/log/status").read_bytes()) == before
            (folder / "orders").write_text("alive\n")
            eventually(lambda: (folder / "lines").read_text() == "dead\nalive\n")
            services.svc("-+t", "a")
            second.line(b"exit code of a (pid")
            services.up("a", since=service)
            assert second.stop() == 0


def test_supervise_takes_over_as_well(services: Services) -> None:
    folder = services.make("a")
    with Daemon("supervise", folder) as first:
        pid = services.up("a")
        before = status(folder)
        kill(first)
        with Daemon("supervise", folder) as second:
            taken(services, "a")
            assert status(folder) == before
            services.svc("-dx", "a")
            assert second.wait() == 0
            assert b"exit code of %s (pid %d) is unknown" % (bytes(folder), pid) in second.rest()
            assert not alive(pid)


@pytest.mark.parametrize("wanted", ["-d", "-o"], ids=["down", "once"])
def test_what_ended_unseen_is_treated_as_was_wanted(services: Services, wanted: str) -> None:
    folder = services.make("a")
    up = services.make("up")
    with svscan(services) as first:
        pid, other = services.up("a"), services.up("up")
        if wanted == "-o":
            services.svc("-o", "a")
        else:
            script(folder / "run", "trap '' TERM; echo deaf >&2; while :; do sleep 1000 & wait; done")
            services.svc("-t", "a")
            pid = services.up("a", since=pid)
            first.line(b"deaf")
            services.svc("-d", "a")
        kill(first)
        for victim in (pid, other):
            os.kill(victim, signal.SIGKILL)
            eventually(lambda victim=victim: not alive(victim))
        with svscan(services) as second:
            second.line(b"exit code of a (pid %d) is unknown" % pid)
            services.up("up", since=other)
            assert services.pid("a") == 0
            kill(second)
            with svscan(services) as third:
                taken(services, "a")
                assert services.state("a").startswith("down")
                assert third.stop() == 0
                assert b"exit code of a " not in third.rest(), "it was said"
            script(folder / "run", STAYS)
            with svscan(services) as fourth:
                services.up("a")
                assert fourth.stop() == 0
    assert up.exists()
