"""The process that looks what is ready, and svscan's side of it: when there is much to look at, and when it
hangs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.processes import BIN, environment, eventually, run
from support.services import script

from svpy import __version__
from svpy.core.readywire import COMMAND
from svpy.daemon import readiness
from svpy.daemon.hosted import Hosted
from svpy.daemon.readiness import Asking, Readiness
from svpy.system.waiting import Readable

LOOKS = f"""
import sys
import svpy.native.watcher as w
{{first}}
sys.exit(w.run([sys.argv[1].encode(), b"{__version__}"], b"{__version__}"))
"""


class Scene:
    """A Readiness with services that are nothing but a folder. What it asks for later is done by `turn`."""

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._ears = Readable()
        self.later: list[Any] = []
        self.children: dict[int, Any] = {}
        self.begun: list[int] = []
        self.folder_fds: list[int] = []
        self.warned: list[bytes] = []
        self.ready: list[bytes] = []
        self.readiness = Readiness(
            cast(Any, self),
            b"/nowhere/svscan",
            self._ears,
            self.children,
            self.warned.append,
            lambda mono_s, do: self.later.append(do),
            lambda hosted: self.ready.append(hosted.name),
        )

    def start_program(self, argv: list[bytes], handed_on_fd: int) -> int:
        """Stands in the place of svscan's Starter."""
        assert argv[1] == COMMAND
        os.set_inheritable(handed_on_fd, True)
        words = [word.replace("FD", str(handed_on_fd)) for word in self._argv]
        self.begun.append(os.posix_spawnp(words[0], words, environment()))
        return self.begun[-1]

    def host(self, folder: Path, name: str, ready: str) -> Hosted:
        """A process that is up and is asked that."""
        asking = Asking(ready.encode())
        asking.understand()
        hosted = SimpleNamespace(
            asking=asking,
            service=SimpleNamespace(pid=os.getpid(), status=lambda: bytes(18)),
            folder_fd=os.open(folder, os.O_PATH),
            name=name.encode(),
            write_note=lambda note, warn: None,
        )
        self.readiness.begin(cast(Hosted, hosted))
        self.folder_fds.append(hosted.folder_fd)
        return cast(Hosted, hosted)

    def restart(self, hosted: Hosted) -> None:
        asking = hosted.asking
        self.readiness.ended(hosted)
        hosted.asking = asking
        self.readiness.begin(hosted)

    def close(self) -> None:
        self.readiness.let_go()
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for fd in self.folder_fds:
            os.close(fd)

    def turn(self) -> None:
        for fd in self._ears.ready():
            self.readiness.heard(fd)
        for pid in self.begun:
            if pid in self.children and os.waitpid(pid, os.WNOHANG)[0]:
                self.readiness.watcher_ended(self.children.pop(pid))
        later, self.later[:] = self.later[:], []
        for do in later:
            do()

    def becomes_ready(self, *names: str) -> None:
        def are() -> bool:
            self.turn()
            return set(self.ready) >= {name.encode() for name in names}

        eventually(are, f"{len(self.ready)} of {len(names)} are ready; warned: {self.warned}")

    def ends(self, *pids: int) -> None:
        def have() -> bool:
            self.turn()
            return not self.children.keys() & {*pids}

        eventually(have)


@pytest.fixture
def scenes() -> Iterator[list[Scene]]:
    made: list[Scene] = []
    yield made
    for scene in made:
        scene.close()


def test_more_than_there_is_room_for(scenes: list[Scene], tmp_path: Path) -> None:
    """More orders than fit into a connection, and more folders than a program may have open."""
    shell = 'ulimit -Sn 100; kill -STOP $$; exec "$@"'
    program = f"{BIN}/svpy"
    scene = Scene(["sh", "-c", shell, "sh", program, COMMAND.decode(), "FD", __version__])
    scenes.append(scene)
    names = [f"a{number}" for number in range(600)]
    script(tmp_path / "check", "[ $(ulimit -Sn) = 100 ] && [ -e there ]")
    for name in names:
        scene.host(tmp_path, name, "file there")
    names.append("checks")
    scene.host(tmp_path, "checks", "exec ./check")
    assert len(scene.readiness._orders) > 100, "this is no test if all fits"
    (pid,) = scene.begun
    eventually(lambda: "(stopped)" in Path(f"/proc/{pid}/status").read_text())
    os.kill(pid, signal.SIGCONT)

    def all_taken() -> bool:
        scene.turn()
        return not scene.readiness._orders

    # Nothing is ready, so there is no other news than that there is room.
    eventually(all_taken, "orders are left that nobody gives")
    (tmp_path / "there").touch()
    scene.becomes_ready(*names)
    assert scene.begun == [pid]


def test_one_that_hangs_is_replaced_and_nothing_grows(
    scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "BEGIN_AGAIN_S", 0)
    scene = Scene(["sh", "-c", "exec sleep 1000"])
    scenes.append(scene)
    hosted = scene.host(tmp_path, "a", "file there")
    (pid,) = scene.begun
    for _ in range(2 * readiness.MOST_ORDERS):
        scene.restart(hosted)
        assert len(scene.readiness._orders) < 2 * readiness.MOST_ORDERS
    scene.ends(pid)


def test_one_that_ends_without_a_word_is_complained_of_once(scenes: list[Scene], tmp_path: Path) -> None:
    scene = Scene([f"{BIN}/svpy", COMMAND.decode(), "FD", "another"])
    scenes.append(scene)
    scene.host(tmp_path, "a", "file there")

    def begun() -> bool:
        scene.turn()
        return len(scene.begun) > 1 and len(scene.children) < 1

    eventually(begun)
    said = b"it ended at once; svpy upgrade helps if another svpy was installed"
    assert scene.warned == [b"unable to start what looks whether services are ready: " + said]


def test_nothing_grows_while_it_cannot_be_begun(scenes: list[Scene], tmp_path: Path) -> None:
    scene = Scene(["/nowhere/svpy"])
    scenes.append(scene)
    hosted = scene.host(tmp_path, "a", "file there")
    scene.turn()
    for _ in range(100):
        scene.restart(hosted)
    # Beside looks whether it is idle, which are over in two seconds.
    again = [do for do in scene.later if do == scene.readiness._begin_now]
    assert (len(again), len(scene.readiness._orders)) == (1, 0)
    assert scene.warned == [b"unable to start what looks whether services are ready: file does not exist"]


def test_programs_that_never_end_keep_no_other_waiting(scenes: list[Scene], tmp_path: Path) -> None:
    program = LOOKS.format(first="w.PROGRAM_S, w.MOST_PROGRAMS = 0.2, 2")
    scene = Scene([sys.executable, "-c", program, "FD"])
    scenes.append(scene)
    script(tmp_path / "hangs", "echo >>hung; exec sleep 1000")
    for number in range(4):
        scene.host(tmp_path, f"hangs{number}", "exec ./hangs")
    scene.host(tmp_path, "ends", "exec true")
    scene.becomes_ready("ends")
    assert len((tmp_path / "hung").read_text()) <= 6, "each had a turn before one had its third"
    # It ends in order, and those with it.
    scene.readiness.let_go()
    scene.ends(*scene.begun)


def test_run_by_hand_it_says_so() -> None:
    done = run("svpy", COMMAND, "9", "another")
    assert (done.returncode, done.stdout) == (111, b"")
