"""svc, svok and svstat: words, exit codes, and what a hostile or broken folder makes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.processes import eventually, run
from support.services import PEERS, Services, c_environment, svscan

NAMED = b"u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, k kill"
ENCORE = b", q quit, 1 usr1, 2 usr2, w winch"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["svc", "-Z"], 100, b"svc: illegal option -- Z\nsvc options: " + NAMED + ENCORE + b"\n"),
        (["svc", "-d", "none"], 0, b"svc: warning: unable to chdir to none: file does not exist\n"),
        (["svc", "-d", "empty"], 0, b"svc: warning: unable to control empty: file does not exist\n"),
        (["svc", "-d", "file"], 0, b"svc: warning: unable to chdir to file: not a directory\n"),
        (["svc", "-d", "left"], 0, b"svc: warning: unable to control left: supervise not running\n"),
        (["svc", "-d", "planted"], 0, b"svc: warning: unable to control planted: symbolic link loop\n"),
        (["svc", "-d", "plain"], 0, b"svc: warning: unable to control plain: not a stream device\n"),
        (["svc"], 0, b""),
        (["svc", "--", "-d"], 0, b"svc: warning: unable to chdir to -d: file does not exist\n"),
        (["svok"], 100, b"svok: usage: svok dir\n"),
        (["svok", "none"], 111, b"svok: fatal: unable to chdir to none: file does not exist\n"),
        (["svok", "empty"], 100, b""),
        (["svok", "left"], 100, b""),
        (["svok", "file"], 111, b"svok: fatal: unable to chdir to file: not a directory\n"),
        (["svstat"], 0, b""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words(tmp_path: Path, argv: list[str], code: int, said: bytes) -> None:
    for name in ("empty", "left", "planted", "plain"):
        (tmp_path / name / "supervise").mkdir(parents=True)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "left/supervise/control")
    os.mkfifo(tmp_path / "left/supervise/ok")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "planted/supervise/control").symlink_to(tmp_path / "precious")
    (tmp_path / "plain/supervise/control").touch()
    done = run(*argv, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", said)
    assert (tmp_path / "precious").read_text() == "precious"


STATES = [
    ("none", b"unable to chdir: file does not exist"),
    ("file", b"unable to chdir: not a directory"),
    ("empty", b"unable to open supervise/ok: file does not exist"),
    ("left", b"supervise not running"),
    ("short", b"unable to read supervise/status: bad format"),
    ("missing", b"unable to open supervise/status: file does not exist"),
    ("folder", b"unable to read supervise/status: is a directory"),
]


def test_svstat_says_what_is_wrong_on_stdout_and_exits_0(tmp_path: Path) -> None:
    for name in ("empty", "left", "short", "missing", "folder"):
        (tmp_path / name / "supervise").mkdir(parents=True)
    (tmp_path / "file").touch()
    readers = []
    for name in ("left", "short", "missing", "folder"):
        ok = tmp_path / name / "supervise/ok"
        os.mkfifo(ok)
        if name != "left":
            readers.append(os.open(ok, os.O_RDONLY | os.O_NONBLOCK))
    (tmp_path / "short/supervise/status").write_bytes(bytes(17))
    (tmp_path / "folder/supervise/status").mkdir()
    expected = b"".join(name.encode() + b": " + words + b"\n" for name, words in STATES)
    names = [name for name, _ in STATES]
    done = run("svstat", *names, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")
    if (PEERS / "svstat").exists():
        # C takes what is on its stack for a status where reading one failed.
        without = expected[: expected.index(b"folder: ")]
        assert run("svstat", *names[:-1], cwd=tmp_path, env=c_environment()).stdout == without
    for fd in readers:
        os.close(fd)


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
    began = time.monotonic()
    done = run("svc", "-ddux", tmp_path / "a")
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - began < 5
    assert os.read(reader, 100) == b"dux\n"
    os.close(reader)


@pytest.mark.parametrize("where", ["&-", "/dev/full"])
def test_an_output_that_takes_nothing(tmp_path: Path, where: str) -> None:
    done = run("sh", "-c", f"svstat a b >{where}; echo $? >&2", cwd=tmp_path)
    assert done.stderr == b"0\n"


def test_a_closed_pipe_ends_svstat_as_it_ends_c(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run("svstat", "a", cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, capture_output=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
