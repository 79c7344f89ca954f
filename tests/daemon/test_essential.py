"""A service that is essential: when it ends by itself, everything does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.processes import eventually
from support.services import Services, alive, script, svscan

ENDS_ON_ORDER = "echo up >&2; read how <gate; $how"


def essential(services: Services, **scripts: str) -> Path:
    """A service `a` that ends as is written into its `gate`, and others beside it."""
    new = services.prepare("a", run=scripts.pop("run", ENDS_ON_ORDER), log=scripts.pop("log", None))
    for name, text in scripts.items():
        script(new / name, text)
    os.mkfifo(new / "gate")
    (new / "essential").touch()
    services.make("other", log="cat >>log; echo end >>log", run="echo line; exec sleep 1000")
    return new.rename(services.folder / "a")


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("exit 0", 0, b"exited with 0"),
        ("exit 7", 7, b"exited with 7"),
        ("exit 100", 100, b"exited with 100"),
        ("kill -9 $$", 137, b"was killed by signal 9"),
    ],
)
def test_everything_stops_in_order_with_its_code(
    services: Services, how: str, code: int, words: bytes
) -> None:
    folder = essential(services, run=f"echo up >&2; read go <gate; {how}")
    with svscan(services) as daemon:
        daemon.line(b"up")
        other = services.up("other")
        services.up("other/log")
        (folder / "gate").write_text("go\n")
        assert daemon.line(b"warning") == (
            b"svscan: warning: a is essential and " + words + b": stopping everything"
        )
        assert daemon.wait() == code
        assert not alive(other)
        assert daemon.rest() == b"", "it is not started again"
    assert (services.folder / "other/log/log").read_text() == "line\nend\n"


@pytest.mark.parametrize("letters", ["-t", "-k", "-i", "-q", "-d", "-du"])
def test_what_svc_told_to_end_has_not_ended_by_itself(services: Services, letters: str) -> None:
    essential(services, run="echo up >&2; exec sleep 1000")
    with svscan(services) as daemon:
        daemon.line(b"up")
        pid = services.pid("a")
        services.svc(letters, "a")
        eventually(lambda: not alive(pid))
        services.svc("-u", "a")
        pid = services.up("a", since=pid)
        daemon.line(b"up")
        os.kill(pid, 15)
        assert daemon.wait() == 128 + 15, "and the next time it is asked again"


def test_once_that_runs_to_its_end_ends_by_itself(services: Services) -> None:
    folder = essential(services)
    with svscan(services) as daemon:
        daemon.line(b"up")
        services.svc("-o", "a")
        (folder / "gate").write_text("exit 3\n")
        assert daemon.wait() == 3


def test_a_start_that_fails_ends_by_itself_others_and_stop_do_not(
    services: Services,
) -> None:
    folder = essential(services, start="test ! -e broken || exit 4", stop="echo stopped >&2; exit 5")
    with svscan(services) as daemon:
        daemon.line(b"up")
        services.svc("-d", "a")
        daemon.line(b"stopped")
        services.svc("-u", "a")
        daemon.line(b"up")
        services.svc("-d", "a")
        daemon.line(b"stopped")
        (folder / "broken").touch()
        services.svc("-u", "a")
        assert daemon.wait() == 4
        assert b"stopped" in daemon.rest(), "its stop is run: it was told to go down"


def test_a_start_that_cannot_be_executed_ends_by_itself(services: Services) -> None:
    essential(services, start="#!/nowhere/sh\n")
    with svscan(services) as daemon:
        assert daemon.wait() == 111


def test_its_stop_is_run_and_its_log_is_whole(services: Services) -> None:
    folder = essential(services, log="cat >>log", stop="echo stopped")
    with svscan(services) as daemon:
        daemon.line(b"up")
        (folder / "gate").write_text("echo last\n")
        assert daemon.wait() == 0
    assert (folder / "log/log").read_text() == "last\nstopped\n"


def test_the_file_is_looked_for_when_it_ends(services: Services) -> None:
    folder = essential(services)
    (folder / "essential").unlink()
    with svscan(services) as daemon:
        daemon.line(b"up")
        (folder / "gate").write_text("exit 9\n")
        daemon.line(b"up")
        (folder / "essential").symlink_to("nowhere")
        (folder / "essential").unlink()
        (folder / "essential").mkdir()
        (folder / "gate").write_text("exit 8\n")
        assert daemon.wait() == 8


def test_the_first_decides(services: Services) -> None:
    """What an essential service exits with while all stops is not heard."""
    essential(services, run="trap 'exit 6' TERM; echo up >&2; while :; do sleep 0.1; done")
    with svscan(services) as daemon:
        daemon.line(b"up")
        assert daemon.stop() == 0
        assert b"essential" not in daemon.said + daemon.rest()
