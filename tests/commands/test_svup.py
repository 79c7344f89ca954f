"""svup, and svstat's options, where nothing or something strange is in the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.processes import eventually, run
from support.services import Services, svscan

USAGE = b"svup: usage: svup [-L] [-l] dir\n"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 100, USAGE),
        (["-l"], 100, USAGE),
        (["-x", "a"], 100, b"svup: illegal option -- x\n" + USAGE),
        (["none"], 111, b"svup: fatal: unable to chdir to none: file does not exist\n"),
        (["file"], 111, b"svup: fatal: unable to chdir to file: not a directory\n"),
        (["empty"], 100, b""),
        (["left"], 100, b""),
        (["planted"], 111, b"svup: fatal: unable to open planted/supervise/ok: symbolic link loop\n"),
        (["missing"], 100, b""),
        (["short"], 111, b"svup: fatal: bad data in short/supervise/status: truncated file\n"),
        (["folder"], 111, b"svup: fatal: unable to open folder/supervise/status: is a directory\n"),
        (["up"], 0, b""),
        (["down"], 100, b""),
        (["-L", "up"], 100, b""),
        (["-lL", "up"], 100, b""),
        (["-Ll", "up"], 0, b""),
        (["--", "up"], 0, b""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words(tmp_path: Path, argv: list[str], code: int, said: bytes) -> None:
    readers = []
    for name in ("empty", "left", "planted", "missing", "short", "folder", "up", "down"):
        (tmp_path / name / "supervise").mkdir(parents=True)
        ok = tmp_path / name / "supervise/ok"
        if name == "planted":
            ok.symlink_to("elsewhere")
        elif name != "empty":
            os.mkfifo(ok)
            if name != "left":
                readers.append(os.open(ok, os.O_RDONLY | os.O_NONBLOCK))
    (tmp_path / "file").touch()
    (tmp_path / "short/supervise/status").write_bytes(bytes(17))
    (tmp_path / "folder/supervise/status").mkdir()
    (tmp_path / "up/supervise/status").write_bytes(bytes(12) + b"\1\0\0\0\0u")
    (tmp_path / "down/supervise/status").write_bytes(bytes(16) + b"\0u")
    done = run("svup", *argv, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", said)
    for fd in readers:
        os.close(fd)


def test_it_follows_a_service(services: Services) -> None:
    services.make("a", down=True)
    with svscan(services):
        eventually(lambda: services.state("a").startswith("down"))
        assert run("svup", services.folder / "a").returncode == 100
        services.svc("-u", "a")
        assert run("svup", "a", cwd=services.folder).returncode == 0
    assert run("svup", services.folder / "a").returncode == 100


def test_a_word_that_does_not_belong_to_the_status_is_not_said(tmp_path: Path) -> None:
    folder = tmp_path / "supervise"
    folder.mkdir()
    os.mkfifo(folder / "ok")
    reader = os.open(folder / "ok", os.O_RDONLY | os.O_NONBLOCK)
    status = bytes.fromhex("400000000000000a00000000") + b"\0\0\0\0\0d"
    (folder / "status").write_bytes(status)
    for state, said in (
        (status + b"failed\n", b", failed\n"),
        (status + b"\x1b[2J\n", b", normally up\n"),
        (status[:-1] + b"ufailed\n", b", normally up\n"),
    ):
        (folder / "state").write_bytes(state)
        assert run("svstat", tmp_path).stdout.endswith(said)
    (folder / "state").unlink()
    (folder / "state").symlink_to("status")
    assert run("svstat", tmp_path).stdout.endswith(b", normally up\n")
    os.close(reader)
