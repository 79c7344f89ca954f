"""Looking at services."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.processes import eventually
from support.services import STAYS, Services, script, svscan

from svpy.core.exits import OFFSET_BYTES
from svpy.core.readiness import NOT, NOTHING_SAID, encode_note
from svpy.core.status import UP
from svpy.system.seeing import see, services


def test_services_are_what_svscan_takes(services_folder: Path) -> None:
    assert services(bytes(services_folder)) == [bytes(services_folder / name) for name in ("a", "b", "c")]
    for missing in (b"missing", b"a/file"):
        with pytest.raises(OSError):
            services(bytes(services_folder) + b"/" + missing)


@pytest.fixture
def services_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    for name in ("c", "a", ".hidden"):
        (folder / name).mkdir(parents=True)
    (folder / "b").symlink_to("a")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "a/file").touch()
    return folder


def test_a_service_and_its_logger_are_seen(services: Services) -> None:
    """Up, down, with a log folder and with one that is a file, of which nothing is left open."""
    both = services.make("both", log="exec cat >/dev/null")
    services.make("down", down=True)
    encore = services.prepare("encore")
    script(encore / "log", "exec cat >/dev/null")
    encore.rename(services.folder / "encore")
    asks = services.make("asks")
    (asks / "ready").write_text("file x\n")
    with svscan(services):
        for name in ("both", "both/log", "encore", "asks"):
            services.up(name)
        eventually(lambda: len(see(bytes(services.folder / "encore"))) == 2)
        eventually(lambda: see(bytes(services.folder / "encore"))[1].pid)
        eventually(lambda: see(bytes(services.folder / "down"))[0].status)
        here, fds = os.getcwdb(), os.listdir("/proc/self/fd")
        service, logger = see(bytes(both))
        assert (service.name, service.is_logger, service.pid) == (bytes(both), False, services.pid("both"))
        assert (logger.name, logger.is_logger, logger.pid) == (
            bytes(both) + b"/log", True, services.pid("both/log"),
        )  # fmt: skip
        for half in (service, logger):
            assert (half.trouble, half.is_supervised, half.normally_up) == (b"", True, True)
            assert half.status is not None and half.status.want == UP
            assert (half.is_wanted, half.ready, half.asks_ready, half.note) == (True, True, False, b"")
            assert half.exits is not None and (half.exits.exits, half.restarts) == (0, 0)
        assert (service.native, logger.native is None) == (False, False)
        service, logger = see(bytes(services.folder / "encore"))
        assert logger.is_file and logger.pid and logger.pid != service.pid
        assert logger.is_wanted and logger.name.endswith(b"encore/log")
        (down,) = see(bytes(services.folder / "down"))
        assert (down.pid, down.normally_up, down.is_wanted, down.ready) == (0, False, True, False)
        assert down.native is None and down.uptime_s(2**40) > 0
        (one,) = see(bytes(asks))
        assert one.asks_ready
        note = encode_note(one.raw, NOT, b"there is no x")
        (asks / "supervise/ready.new").write_bytes(note)
        (asks / "supervise/ready.new").rename(asks / "supervise/ready")
        (one,) = see(bytes(asks))
        assert (one.ready, one.note) in ((False, b"there is no x"), (False, NOTHING_SAID))
        # Who holds no lock can write one nevertheless, here: what is half or nonsense says nothing.
        with (asks / "supervise/lock").open("r+b") as lock:
            lock.seek(OFFSET_BYTES)
            lock.write(b"svpy-exits 1 nonsense")
        (one,) = see(bytes(asks))
        assert one.exits is not None and one.exits.exits == 0
        assert (os.getcwdb(), os.listdir("/proc/self/fd")) == (here, fds)


def test_what_cannot_be_seen_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    left = tmp_path / "left"
    (left / "supervise").mkdir(parents=True)
    os.mkfifo(left / "supervise/ok")
    (left / "supervise/status").write_bytes(bytes(18))
    script(left / "log", STAYS)
    half = tmp_path / "half"
    (half / "supervise").mkdir(parents=True)
    (half / "log").mkdir()
    os.mkfifo(half / "supervise/ok")
    (half / "supervise/status").write_bytes(bytes(17))
    fds = os.listdir("/proc/self/fd")
    reader = os.open(half / "supervise/ok", os.O_RDONLY | os.O_NONBLOCK)
    try:
        for name, *troubles in (
            (b"missing", b"unable to chdir: file does not exist"),
            (b"file", b"unable to chdir: not a directory"),
            (b"empty", b"unable to open supervise/ok: file does not exist"),
            (b"left", b"supervise not running", b"unable to open supervise/log/ok: file does not exist"),
            (b"half", b"unable to read supervise/status: bad format",
             b"unable to open supervise/ok: file does not exist"),
        ):  # fmt: skip
            seen = see(bytes(tmp_path) + b"/" + name)
            assert [each.trouble for each in seen] == troubles
            assert not any(each.pid or each.is_up or each.is_wanted or each.ready for each in seen)
        assert see(b"")[0].trouble == b"unable to chdir: file does not exist"
    finally:
        os.close(reader)
    assert os.listdir("/proc/self/fd") == fds


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_is_not_ours_to_read_is_not_known(reachable: Path) -> None:
    made = Services(reachable)
    folder = made.make("a")
    with svscan(made):
        made.up("a")
        os.seteuid(65534)
        try:
            (seen,) = see(bytes(folder))
            assert seen.trouble == b"unable to open supervise/ok: access denied"
            os.seteuid(0)
            (folder / "supervise").chmod(0o755)
            (folder / "supervise/ok").chmod(0o666)
            os.seteuid(65534)
            (seen,) = see(bytes(folder))
        finally:
            os.seteuid(0)
        assert (seen.trouble, seen.pid) == (b"", made.pid("a"))
        assert (seen.native, seen.exits, seen.restarts) == (None, None, None)
