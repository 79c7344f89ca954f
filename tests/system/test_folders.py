"""The files of supervise/, in a folder that may be hostile."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import run

from svpy.system import folders


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder with `supervise/` in it, and its descriptor."""
    fd = folders.open_folder(bytes(tmp_path))
    folders.make_supervise(fd)
    yield tmp_path, fd
    os.close(fd)


def test_status_is_replaced_as_a_whole(folder: tuple[Path, int]) -> None:
    path, fd = folder
    for data in (b"first", b"second"):
        folders.replace(b"supervise/status", data, fd)
        assert (path / "supervise/status").read_bytes() == data
    assert sorted(os.listdir(path / "supervise")) == ["status"]


@pytest.mark.parametrize("planted", ["symlink", "file", "fifo"])
def test_what_is_planted_at_the_new_status_is_removed_not_followed(
    folder: tuple[Path, int], planted: str
) -> None:
    path, fd = folder
    victim = path / "victim"
    victim.write_text("precious")
    place = path / "supervise/status.new"
    match planted:
        case "symlink":
            place.symlink_to(victim)
        case "file":
            place.write_text("old")
        case "fifo":
            os.mkfifo(place)
    folders.replace(b"supervise/status", b"new", fd)
    assert victim.read_text() == "precious"
    assert (path / "supervise/status").read_bytes() == b"new"
    assert not (path / "supervise/status").is_symlink()


def test_a_status_that_cannot_be_written_says_where(folder: tuple[Path, int]) -> None:
    path, fd = folder
    (path / "supervise").rmdir()
    with pytest.raises(folders.NotPublished) as trouble:
        folders.replace(b"supervise/status", b"new", fd)
    assert (trouble.value.what, trouble.value.name) == (b"unable to open ", b"supervise/status.new")
    (path / "supervise/status").mkdir(parents=True)
    with pytest.raises(folders.NotPublished) as trouble:
        folders.replace(b"supervise/status", b"new", fd)
    assert (trouble.value.what, trouble.value.name) == (
        b"unable to rename ",
        b"supervise/status.new to status",
    )


def test_a_lock_is_held_once(folder: tuple[Path, int]) -> None:
    _, fd = folder
    held = folders.lock(b"supervise/lock", fd)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as refusal:
        folders.lock(b"supervise/lock", fd)
    assert refusal.value.errno == errno.EAGAIN
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(held)
    os.close(folders.lock(b"supervise/lock", fd))


@pytest.mark.parametrize(
    ("planted", "number"),
    [("file", errno.ENOSTR), ("symlink", errno.ELOOP), ("folder", errno.EISDIR), ("socket", errno.ENXIO)],
)
def test_a_fifo_must_be_one(folder: tuple[Path, int], planted: str, number: int) -> None:
    path, fd = folder
    place = path / "supervise/control"
    match planted:
        case "file":
            place.touch()
        case "symlink":
            os.mkfifo(path / "fifo")
            place.symlink_to("../fifo")
        case "folder":
            place.mkdir()
        case "socket":
            os.mknod(place, stat.S_IFSOCK | 0o600)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as refusal:
        folders.open_fifo(b"supervise/control", fd, os.O_RDWR)
    assert refusal.value.errno == number
    assert len(os.listdir("/proc/self/fd")) == before


def test_everything_is_close_on_exec(folder: tuple[Path, int]) -> None:
    _, fd = folder
    opened = [
        fd,
        folders.lock(b"supervise/lock", fd),
        folders.open_fifo(b"supervise/control", fd, os.O_RDWR),
        folders.open_fifo(b"supervise/ok", fd, os.O_RDONLY),
    ]
    assert not any(os.get_inheritable(one) for one in opened)
    for one in opened[1:]:
        os.close(one)


def test_identify(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "file").touch()
    fd = folders.open_folder(bytes(tmp_path))
    found = (tmp_path / "folder").stat()
    assert folders.identify(b"folder", fd) == folders.identify(b"link", fd) == (found.st_dev, found.st_ino)
    assert folders.identify(b"file", fd) is None
    listed = {"file": 0, "folder": found.st_ino, "link": 0}
    assert dict(folders.entries(fd)) == listed and folders.device(fd) == found.st_dev
    os.close(fd)


def test_folder_or_program(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "program").touch(mode=0o700)
    (tmp_path / "link").symlink_to("program")
    os.mkfifo(tmp_path / "fifo", 0o700)
    fd = folders.open_folder(bytes(tmp_path))
    names = [os.fsencode(name) for name, _ in sorted(folders.entries(fd))]
    looked = {name: folders.folder_or_program(name, fd) for name in [*names, b"none"]}
    assert looked == {
        b"folder": (True, False),
        b"program": (False, True),
        b"link": (False, True),
        b"file": (False, False),
        b"fifo": (False, False),
        b"none": (False, False),
    }
    assert [name for name in looked if folders.is_program(name, fd)] == [b"link", b"program"]
    with pytest.raises(NotADirectoryError):
        folders.folder_or_program(b"file/log", fd)
    assert not folders.is_program(b"file/log", fd)
    os.close(fd)


def test_names_are_bytes(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe")
    fd = folders.open_folder(bytes(tmp_path))
    assert [os.fsencode(name) for name, _ in folders.entries(fd)] == [b"\xff\xfe"]
    os.close(fd)


def test_a_program_that_is_still_being_written_is_not_read(folder: tuple[Path, int]) -> None:
    """exec refuses it (ETXTBSY), and half of it may be anything."""
    path = folder[0] / "run"
    with path.open("wb") as writer:
        writer.write(b"exec rm -rf /")
        writer.flush()
        path.chmod(0o755)
        assert folders.read_program(b"run", folder[1], 100) is None
        writer.write(b"nowhere\n")
    for _ in range(2):
        assert folders.read_program(b"run", folder[1], 100) == b"exec rm -rf /nowhere\n"
    with path.open("rb"):
        assert folders.read_program(b"run", folder[1], 100) == b"exec rm -rf /nowhere\n"


WRITES_MEANWHILE = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from svpy.system import folders
real, writers = os.read, []

def read(fd, most_bytes):
    with open("/proc/locks") as locks:
        assert "LEASE" in locks.read()
    writers.append(threading.Thread(target=lambda: os.close(os.open("run", os.O_WRONLY))))
    writers[0].start()
    while True:
        with open("/proc/locks") as locks:
            if "BREAKING" in locks.read():
                return real(fd, most_bytes)

os.read = read
print(folders.read_program(b"run", os.open(".", os.O_PATH), 100))
writers[0].join()
"""


def test_who_wants_to_write_to_a_program_that_is_read_waits_and_kills_nobody(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("exec true\n")
    path.chmod(0o755)
    root = Path(folders.__file__).parent.parent.parent
    done = run(sys.executable, "-I", "-c", WRITES_MEANWHILE, root, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"b'exec true\\n'\n", b"")
