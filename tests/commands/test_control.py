"""svc and svstat with a supervise of ours: many at once, seen at once. Words and folders: tests/oracle."""

from __future__ import annotations

import os
from pathlib import Path

from support.processes import eventually, run
from support.quick import once_within
from support.services import Services, svscan


def test_several_folders_and_letters_at_once(services: Services) -> None:
    for name in "abc":
        services.make(name, down=True)
    with svscan(services):
        for name in "abc":
            eventually(lambda name=name: services.state(name).startswith("down"))
        services.svc("-up", "a", "b", "c")
        for name in "abc":
            assert services.state(name).endswith("normally down, paused"), services.state(name)
        said = run("svstat", "a", "nope", "b", cwd=services.folder).stdout.splitlines()
        assert [line.partition(b":")[0] for line in said] == [b"a", b"nope", b"b"]


def test_the_effect_is_visible_at_once(services: Services) -> None:
    services.make("a")
    with svscan(services):
        services.up("a")
        for _ in range(30):
            services.svc("-p", "a")
            # The file itself, not svstat: nothing slow stands between the two.
            assert (services.folder / "a/supervise/status").read_bytes()[16:17] == b"\1"
            services.svc("-c", "a")
            assert (services.folder / "a/supervise/status").read_bytes()[16:17] == b"\0"


def test_five_hundred_folders_in_one_call(services: Services) -> None:
    names = [str(number) for number in range(500)]
    for name in names:
        services.make(name, run="#!/bin/sh\nexec sleep 1000")
    with svscan(services) as daemon:
        eventually(lambda: run("svstat", *names, cwd=services.folder).stdout.count(b": up ") == 500)
        services.svc("-p", *names)
        assert run("svstat", *names, cwd=services.folder).stdout.count(b", paused") == 500
        assert daemon.stop() == 0


def test_svc_does_not_wait_for_a_deaf_supervise(tmp_path: Path) -> None:
    """A fifo that nobody empties costs a moment."""
    (tmp_path / "a/supervise").mkdir(parents=True)
    os.mkfifo(tmp_path / "a/supervise/control")
    reader = os.open(tmp_path / "a/supervise/control", os.O_RDONLY | os.O_NONBLOCK)

    def tell(number: int) -> None:
        done = run("svc", "-ddux", tmp_path / "a")
        assert (done.returncode, done.stderr) == (0, b"")
        assert os.read(reader, 100) == b"dux\n"

    once_within(5, tell, attempts=5)
    os.close(reader)
