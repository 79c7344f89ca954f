"""svscanboot with a real svscan, in a pid namespace of its own so that nothing can be left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.peers import as_root
from support.processes import BIN, Running, eventually, run

PATH = "/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin:/usr/X11R6/bin"


@pytest.fixture
def services() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="svpy-boot-"))
    try:
        for name, text in (
            ("talker", "echo said by talker; tr '\\0' ' ' </proc/$$/environ >environ; pwd >cwd"),
            ("quiet", ""),
        ):
            (folder / name).mkdir()
            (folder / name / "run").write_text(
                f"#!/bin/sh\n{text}\nls -l /proc/$$/fd >fds\nexec sleep 1000\n"
            )
            (folder / name / "run").chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def children(pid: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def title(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")


@as_root
def test_boots_into_svscan_and_stops_in_order(services: Path) -> None:
    with Running(
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"), BIN / "svscanboot", services,
        env={"PATH": "/usr/bin:/bin", "SECRET": "x"},
    ) as namespace:  # fmt: skip
        eventually(lambda: (services / "quiet/fds").exists() and (services / "talker/fds").exists(), "run")
        (svscan,) = children(namespace.pid)
        assert title(svscan) == [b"svscan", os.fsencode(services)]
        assert Path(f"/proc/{svscan}/comm").read_text() == "svscan\n"
        (readproctitle,) = (pid for pid in children(svscan) if title(pid)[0] == b"readproctitle")
        assert title(readproctitle)[1:3] == [b"service", b"errors:"]
        eventually(lambda: title(readproctitle)[3].endswith(b"..said by talker\n"), "what talker says in ps")
        assert len(title(readproctitle)[3]) == 400
        assert (services / "talker/environ").read_text().split() == [f"PATH={PATH}"]
        assert "0 -> /dev/null" in (services / "quiet/fds").read_text()
        os.kill(svscan, signal.SIGTERM)
        assert namespace.wait() == 0
        assert namespace.rest() == b""


def test_says_how_it_is_used() -> None:
    done = run("svscanboot", "a", "b")
    assert (done.returncode, done.stderr) == (100, b"svscanboot: usage: svscanboot [dir]\n")


@as_root
def test_a_missing_folder_ends_it() -> None:
    words = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        str(BIN / "svscanboot"),
        "/nonexistent",
    ]
    assert run(*words).returncode == 111
