"""A thread with few descriptors that starts programs: what they get, what it holds, where there is none."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import eventually, run

import svpy
from svpy.system import spawner
from svpy.system.descriptors import soft_limit
from svpy.system.limits import set_soft_limit
from svpy.system.passing import Channel
from svpy.system.spawner import Spawner

ENVIRON = {b"PATH": b"/usr/bin:/bin", b"A": b"1"}
ROOT = Path(svpy.__file__).parent.parent


def threads() -> set[str]:
    """The ids of this process' threads but the first."""
    return set(os.listdir("/proc/self/task")) - {str(os.getpid())}


def sh(spawning: Spawner, text: bytes, *fds: int) -> int:
    pid = spawning.spawn(b"/bin/sh", [b"sh", b"-c", text], ENVIRON, fds)
    assert pid is not None
    return pid


def said(spawning: Spawner, text: bytes) -> bytes:
    """What a shell writes."""
    read_fd, write_fd = os.pipe()
    pid = sh(spawning, text, 0, write_fd, write_fd)
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as reader:
        whole = reader.read()
    assert os.waitpid(pid, 0) == (pid, 0)
    return whole


@pytest.fixture
def given() -> Iterator[int]:
    """A descriptor that is handed on to all programs."""
    fd = os.open("/etc", os.O_RDONLY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


@pytest.fixture
def spawning(given: int) -> Iterator[Spawner]:
    # Other tests may have left some, which end in their own time.
    before = threads()
    held = [os.open("/", os.O_PATH | os.O_CLOEXEC) for _ in range(100)]
    made = Spawner()
    its_own = threads() - before
    yield made
    made.close()
    for fd in held:
        os.close(fd)
    eventually(lambda: not its_own & threads())


def table() -> set[int]:
    """What the youngest thread has open."""
    thread = max(map(int, threads()))
    return set(map(int, os.listdir(f"/proc/self/task/{thread}/fd")))


def inheritable() -> set[int]:
    found = set()
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.get_inheritable(fd):
                found.add(fd)
        except OSError:
            continue
    return found


def test_what_is_started_is_our_child_in_our_folder_with_our_limits(
    spawning: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o27)
    try:
        first, *rest = said(spawning, b"echo $PPID; pwd; umask; echo $A; echo to stderr >&2").split(b"\n")
    finally:
        os.umask(before)
    assert (int(first), rest) == (os.getpid(), [bytes(tmp_path), b"0027", b"1", b"to stderr", b""])


def test_no_signal_is_blocked_in_it_and_every_one_in_the_thread(spawning: Spawner) -> None:
    lines = said(spawning, b"exec cat /proc/self/status").splitlines()
    assert b"SigBlk:\t0000000000000000" in lines
    thread = max(map(int, threads()))
    status = Path(f"/proc/self/task/{thread}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert all(blocked >> number - 1 & 1 for number in spawner.ALL)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_the_thread_holds_what_is_handed_on_to_all_and_nothing_else(spawning: Spawner, given: int) -> None:
    standing = {0, 1, 2} | {fd for fd in inheritable() if fd > 2}
    assert given in standing
    assert table() == standing
    for _ in range(20):
        said(spawning, b"")
        with pytest.raises(FileNotFoundError):
            spawning.spawn(b"/nowhere", [b"nowhere"], ENVIRON, (0, 1, 2))
    assert table() == standing
    open_there = set(map(int, said(spawning, b"exec ls /proc/self/fd").split()))
    assert standing <= open_there
    assert len(open_there - standing) == 1, "what ls reads"
    assert said(spawning, b"readlink /proc/$$/fd/%d" % given) == b"/etc\n"


def test_a_pipe_has_its_end_and_a_lock_is_free_when_we_close_them(spawning: Spawner, tmp_path: Path) -> None:
    """Also one that was there before the thread."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    read_fd, write_fd = os.pipe()
    second = Spawner()
    try:
        for one in (spawning, second):
            os.waitpid(sh(one, b"exit 0", read_fd, write_fd, lock), 0)
        os.close(write_fd)
        assert os.read(read_fd, 1) == b""
        os.close(lock)
        with (tmp_path / "lock").open() as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        second.close()
        os.close(read_fd)


def test_a_standard_descriptor_that_is_not_handed_on_is_closed_there(spawning: Spawner) -> None:
    """As svscan's are that it was started without."""
    saved = os.dup(0)
    os.dup2(os.open("/", os.O_PATH | os.O_CLOEXEC), 0, inheritable=False)
    try:
        assert said(spawning, b"[ ! -e /proc/$$/fd/0 ] && echo closed") == b"closed\n"
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_errors_of_exec_are_the_callers(spawning: Spawner, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo no line for an interpreter\n")
    for mode, number in ((0o644, errno.EACCES), (0o755, errno.ENOEXEC)):
        script.chmod(mode)
        with pytest.raises(OSError) as error:
            spawning.spawn(bytes(script), [b"script"], ENVIRON, (0, 1, 2))
        assert error.value.errno == number


def test_what_python_refuses_is_left_to_the_caller(spawning: Spawner) -> None:
    assert spawning.spawn(b"/bin/sh", [b"a\0b"], ENVIRON, (0, 1, 2)) is None
    assert said(spawning, b"echo still here") == b"still here\n"


def test_descriptors_that_cannot_be_had_there_leave_it_to_the_caller(spawning: Spawner) -> None:
    standing = table()
    before = soft_limit()
    set_soft_limit("NOFILE", 4)
    try:
        assert spawning.spawn(b"/bin/sh", [b"sh", b"-c", b":"], ENVIRON, (0, 1, 2)) is None
    finally:
        set_soft_limit("NOFILE", before)
    assert said(spawning, b"echo still here") == b"still here\n"
    assert table() == standing


def test_one_that_has_ended_is_noticed(spawning: Spawner) -> None:
    thread = max(threads(), key=int)
    # Nobody asked for anything.
    spawning._channel.send(b"\0")
    eventually(lambda: thread not in threads())
    for _ in range(3):
        assert spawning.spawn(b"/bin/true", [b"true"], ENVIRON, (0, 1, 2)) is None


def test_what_is_not_begun_in_time_is_taken_back(given: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started later."""
    before = threads()
    go_on = threading.Event()
    receive = Channel.receive

    def late(self: Channel, most_bytes: int = 0) -> tuple[bytes, list[int]]:
        found = receive(self, most_bytes)
        assert go_on.wait(60)
        return found

    monkeypatch.setattr(Channel, "receive", late)
    monkeypatch.setattr(spawner, "_ANSWER_S", 0.01)
    made = Spawner()
    read_fd, write_fd = os.pipe()
    assert made.spawn(b"/bin/echo", [b"echo", b"twice"], ENVIRON, (0, write_fd, 2)) is None
    os.close(write_fd)
    go_on.set()
    with os.fdopen(read_fd, "rb") as reader:
        assert reader.read() == b""
    eventually(lambda: threads() <= before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_what_is_begun_is_waited_for(given: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gave it up would start it twice."""
    before = threads()
    go_on = threading.Event()
    start = spawner._start

    def late(request: spawner.Request, fds: list[int]) -> int | OSError | None:
        assert go_on.wait(60)
        return start(request, fds)

    monkeypatch.setattr(spawner, "_start", late)
    monkeypatch.setattr(spawner, "_ANSWER_S", 0.01)
    made = Spawner()
    later = threading.Timer(0.3, go_on.set)
    later.start()
    pid = made.spawn(b"/bin/true", [b"true"], ENVIRON, (0, 1, 2))
    assert pid is not None
    assert os.waitpid(pid, 0) == (pid, 0)
    later.join()
    made.close()
    eventually(lambda: threads() <= before)


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_thread_that_ends_at_it_is_not_waited_for(
    given: int, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    before = threads()
    go_on = threading.Event()

    def ends(request: object, fds: list[int]) -> int | None:
        assert not is_killed or go_on.wait(60)
        raise SystemExit

    monkeypatch.setattr(spawner, "_start", ends)
    monkeypatch.setattr(spawner, "_ANSWER_S", 0.01)
    made = Spawner()
    if is_killed:
        # As the kernel would have it, which leaves a lock to nobody.
        made._thread = b"/proc/self/task/0"
    for _ in range(2):
        assert made.spawn(b"/bin/true", [b"true"], ENVIRON, (0, 1, 2)) is None
    go_on.set()
    eventually(lambda: threads() <= before)


REFUSING = """
import ctypes, os, resource, struct, sys
sys.path.insert(0, {root!r})
from svpy.system import children, folders, spawner

ERRNO, KILL_THREAD, ALLOW = 0x50000, 0, 0x7FFF0000

def refuse(action):
    # Load the system call's number; close_range has the same one everywhere.
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, 436), (6, 0, 0, action), (6, 0, 0, ALLOW)]
    rows = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    filter = ctypes.create_string_buffer(struct.pack("HL", 4, ctypes.addressof(rows)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, filter, 0, 0) == 0, os.strerror(ctypes.get_errno())

def no_memory():
    pages = int(open("/proc/self/statm").read().split()[0])
    most = (pages + 30) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (most, most))

children.MANY_FDS = 0
spawner._BEGIN_S = {begin_s}
home = folders.open_folder(b"/")
there = folders.open_folder(b".")
starter = children.Starter([b"PATH=/usr/bin:/bin"], 1000, home)
held = sorted(os.listdir("/proc/self/fd"))
{refused}
for _ in range(2):
    pid = starter.start(there, 0, 1)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert starter._spawner is None
after = sorted(os.listdir("/proc/self/fd"))
assert len(after) == len(held) + {left}, (held, after)
os.fstat(there)
print("as before", flush=True)
"""


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ("refuse(ERRNO | 1)", 0),
        ("refuse(ERRNO)", 0),
        # Of a thread that may be late its end of the socket stays.
        ("refuse(KILL_THREAD)", 1),
        ("no_memory()", 0),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (len(held), 4000))", 0),
        ("sys.modules['ctypes'] = None", 0),
    ],
    ids=["EPERM", "a kernel that only pretends", "killed", "RLIMIT_AS", "RLIMIT_NOFILE", "no ctypes"],
)
def test_where_it_cannot_be_had_all_is_as_without(tmp_path: Path, refused: str, left: int) -> None:
    script = tmp_path / "run"
    script.write_text("#!/bin/sh\necho started\n")
    script.chmod(0o755)
    begin_s = 0.2 if "KILL" in refused else 60
    program = REFUSING.format(root=str(ROOT), refused=refused, left=left, begin_s=begin_s)
    done = run(sys.executable, "-I", "-c", program, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (b"started\nstarted\nas before\n", b"")
