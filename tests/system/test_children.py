"""Starting a run: what is restored afterwards, and what a child gets."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import eventually
from support.services import script

from svpy.system import changes, children, descriptors, folders, oomscore
from svpy.system.children import Starter, reap


def test_what_one_gets_more_stands_alone() -> None:
    """getenv(3) gives the first of a name."""
    more = children.More([b"NOTIFY_SOCKET=@ours"])
    inherited = [b"A=1", b"NOTIFY_SOCKET=/run/theirs", b"A=2", b"NOTIFY_SOCKETS=1"]
    assert more.over(inherited) == [b"A=1", b"A=2", b"NOTIFY_SOCKETS=1", b"NOTIFY_SOCKET=@ours"]
    assert children.More([], (5, 3)).over(inherited) == inherited


def threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


class Start:
    """Starts `run` in a folder of its own; `said` is what it wrote to its stdout."""

    def __init__(
        self, folder: Path, nofile_soft: int = 100, oom_score_adj: tuple[int, int] | None = None
    ) -> None:
        self.folder = folder
        self._threads = threads()
        self._home = folders.open_folder(b"/")
        self._there = folders.open_folder(bytes(folder))
        self._starter = Starter(
            [b"A=1", b"PATH=/usr/bin:/bin", b"A=2"], nofile_soft, self._home, oom_score_adj
        )

    def said(self, text: str) -> bytes:
        script(self.folder / "run", text)
        return self.said_by_run()

    def said_by_run(self) -> bytes:
        read_fd, write_fd = os.pipe()
        try:
            pid = self._starter.start(self._there, 0, write_fd)
        finally:
            os.close(write_fd)
        with os.fdopen(read_fd, "rb") as reader:
            said = reader.read()
        os.waitpid(pid, 0)
        return said

    def start(self, stdin_fd: int, stdout_fd: int) -> int:
        return self._starter.start(self._there, stdin_fd, stdout_fd)

    def close(self) -> None:
        os.close(self._home)
        os.close(self._there)
        if self._starter._spawner is not None:
            self._starter._spawner.close()
            eventually(lambda: threads() <= self._threads)


OURS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""Before any test could have lowered it."""


@pytest.fixture(params=[children.MANY_FDS, 0], ids=["few descriptors", "many descriptors"])
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Start]:
    monkeypatch.chdir("/")
    monkeypatch.setattr(children, "MANY_FDS", request.param)
    starting = Start(tmp_path)
    yield starting
    assert (starting._starter._spawner is None) == (request.param > 0)
    starting.close()


def test_the_folder_is_the_childs_and_ours_stays(start: Start) -> None:
    assert start.said("pwd") == bytes(start.folder) + b"\n"
    assert os.getcwd() == "/"


def test_the_soft_limit_is_the_childs_and_ours_stays(start: Start) -> None:
    assert OURS[0] != 100
    assert start.said("ulimit -n") == b"100\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == OURS


def test_descriptors_that_are_not_below_the_childs_soft_limit(start: Start, tmp_path: Path) -> None:
    """glibc refuses to move such: it looks at the limit of who starts."""
    start.said("")
    script(tmp_path / "run", "cat; ls /proc/self/fd")
    before = sorted(os.listdir("/proc/self/fd"))
    fds = [*os.pipe(), *os.pipe()]
    high_fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in fds]
    for fd in fds:
        os.close(fd)
    in_read, in_write, out_read, out_write = high_fds
    pid = start.start(in_read, out_write)
    os.close(in_read)
    os.close(out_write)
    os.write(in_write, b"what it reads\n")
    os.close(in_write)
    with os.fdopen(out_read, "rb") as reader:
        said = reader.read()
    os.waitpid(pid, 0)
    first, *held = said.splitlines()
    assert first == b"what it reads"
    assert not {b"%d" % fd for fd in high_fds} & {*held}, held
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_environment_keeps_order_and_duplicates(start: Start) -> None:
    assert start.said("#!/usr/bin/env -S cat /proc/self/environ\n").startswith(
        b"A=1\0PATH=/usr/bin:/bin\0A=2\0"
    )


def test_dispositions_and_mask_are_the_default(start: Start) -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        said = start.said("grep -E '^Sig(Ign|Blk)' /proc/self/status")
    finally:
        signal.signal(signal.SIGHUP, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    internal_to_glibc = 0b11 << 31
    ignored, blocked = (int(line.split()[1], 16) for line in sorted(said.splitlines(), reverse=True))
    assert ignored & ~internal_to_glibc == 0
    assert blocked == 0


def test_no_descriptor_of_ours_is_handed_on_and_those_we_were_given_are(start: Start) -> None:
    given = os.open("/", os.O_RDONLY)
    os.set_inheritable(given, True)
    inheritable = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(name)):
                inheritable.add(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    said = start.said("#!/bin/sh\nexec ls -l /proc/self/fd").decode()
    os.close(given)
    links = {line.partition(" -> ")[2] for line in said.splitlines() if " -> " in line}
    own = {link for link in links if link.startswith("/proc/")}
    assert "/" in links
    assert {link for link in links - own if not link.startswith("pipe:")} <= inheritable


def test_a_failed_start_changes_nothing(start: Start) -> None:
    with pytest.raises(OSError) as failure:
        start.said_by_run()
    assert failure.value.errno == errno.ENOENT
    assert os.getcwd() == "/"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == OURS
    assert reap({}, 1) == ([], 0)


def ended_child(ends: Callable[[], object]) -> int:
    """A child of the test's own that waits to be reaped."""
    pid = os.fork()
    if pid == 0:
        ends()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_ours_are_told_from_others() -> None:
    first = ended_child(lambda: os._exit(3))
    ended_child(lambda: os._exit(4))
    second = ended_child(lambda: os.kill(os.getpid(), signal.SIGKILL))
    ours = {first: "first", second: "second", 1: "runs"}
    ended, taken = reap(ours, 100)
    assert (sorted(ended), taken) == ([("first", 3), ("second", -signal.SIGKILL)], 3)
    assert ours == {1: "runs"}


def test_a_flood_is_taken_in_parts() -> None:
    last = [ended_child(lambda: os._exit(5)) for _ in range(3)][-1]
    ours = {last: "last"}
    assert [reap(ours, 2), reap(ours, 2), reap(ours, 2)] == [([], 2), ([("last", 5)], 1), ([], 0)]


def test_a_pid_that_is_used_twice_in_one_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    children = iter([(11, 0x300), (11, 0x400), (0, 0)])
    monkeypatch.setattr(os, "waitpid", lambda pid, options: next(children))
    assert reap({11: "first"}, 100) == ([("first", 3)], 2)


def test_a_run_without_an_interpreter_line(start: Start) -> None:
    (start.folder / "run").write_text("echo $0 $#\n")
    (start.folder / "run").chmod(0o755)
    assert start.said_by_run() == b"./run 0\n"


def test_the_other_end_that_is_gone_is_seen() -> None:
    pipe = descriptors.Pipe()
    assert pipe.has_writer()
    pipe.close_writing_end()
    assert not pipe.has_writer()
    assert pipe.waiting_bytes() == 0
    pipe.close()
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"12345")
    assert descriptors.waiting_bytes(write_fd) == descriptors.waiting_bytes(read_fd) == 5
    assert descriptors.has_reader(write_fd)
    os.close(read_fd)
    assert not descriptors.has_reader(write_fd)
    os.close(write_fd)


@pytest.mark.parametrize("change", ["make", "remove", "rename in", "rename out", "symlink"])
def test_a_change_sends_a_signal(tmp_path: Path, change: str) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "old").mkdir()
    (tmp_path / "outside").mkdir()
    heard: list[int] = []
    before = signal.signal(changes.SIGNAL, lambda number, frame: heard.append(number))
    scanned = folders.open_folder(bytes(watched))
    hung_on = changes.tell_changes(scanned)
    try:
        assert hung_on >= 0
        # Listing closes a duplicate of what it lists, which would end it if it hung on that.
        folders.entries(scanned)
        match change:
            case "make":
                (watched / "new").mkdir()
            case "remove":
                (watched / "old").rmdir()
            case "rename in":
                (tmp_path / "outside").rename(watched / "new")
            case "rename out":
                (watched / "old").rename(tmp_path / "elsewhere")
            case "symlink":
                (watched / "link").symlink_to("nowhere")
        assert heard
    finally:
        os.close(hung_on)
        os.close(scanned)
        signal.signal(changes.SIGNAL, before)


def test_a_score_is_the_childs_and_ours_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To raise it, and to lower it again, needs no right."""
    monkeypatch.chdir("/")
    ours = oomscore.own()
    start = Start(tmp_path, oom_score_adj=(ours + 7, ours))
    try:
        assert start.said("cat /proc/self/oom_score_adj") == b"%d\n" % (ours + 7)
        assert oomscore.own() == ours
        (tmp_path / "run").unlink()
        with pytest.raises(FileNotFoundError):
            start.said_by_run()
        assert oomscore.own() == ours
    finally:
        start.close()
