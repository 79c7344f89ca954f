"""TERM to svscan: everything ends in order, and nothing that was written is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.processes import TooLate, eventually
from support.services import Services, alive, svscan
from support.watched import renames_into

from svpy.core.shutdown import EMPTY_LOOKS

LAST_WORDS = """
trap 'echo last words; exit' TERM
echo ready >&2
while :; do read line <>fifo; done
"""


FINISHES_FIRST = """
trap 'echo finishing >&2; read go <gate; echo finished; exit' TERM
echo ready >&2
while :; do read line <>fifo; done
"""


def fifo(folder: Path, name: str = "fifo") -> Path:
    os.mkfifo(folder / name)
    return folder / name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_services_first_then_loggers_then_svscan(services: Services, number: signal.Signals) -> None:
    folder = services.make("a", run=LAST_WORDS, log="cat >>log; echo logger saw the end >&2", down=True)
    fifo(folder)
    services.make("b")
    with svscan(services) as daemon:
        services.up("b")
        services.svc("-u", "a")
        daemon.line(b"ready")
        services.up("a/log")
        daemon.signal(number)
        daemon.line(b"logger saw the end")
        assert not alive(services.pid("a"))
        assert daemon.wait() == 0
        assert daemon.rest() == b""
    assert (folder / "log/log").read_text() == "last words\n"
    assert services.state("a") == services.state("b") == services.state("a/log") == "supervise not running"
    assert services.pid("a") == services.pid("b") == services.pid("a/log") == 0


def test_a_service_takes_the_time_it_needs_and_a_second_term_changes_nothing(services: Services) -> None:
    """What qmail-send does: it finishes its deliveries."""
    folder = services.make("a", run=FINISHES_FIRST, log="exec cat >>log", down=True)
    fifo(folder)
    gate = fifo(folder, "gate")
    services.make("b")
    with svscan(services) as daemon:
        other = services.up("b")
        services.svc("-u", "a")
        daemon.line(b"ready")
        pid, logger = services.pid("a"), services.up("a/log")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"finishing")
        eventually(lambda: not alive(other), "all services are told at once")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            daemon.signal(number)
        services.svc("-w", "a")
        assert alive(pid) and alive(logger) and alive(daemon.pid)
        gate.write_text("go\n")
        assert daemon.wait() == 0
        assert not alive(pid) and not alive(logger)
    assert (folder / "log/log").read_text() == "finished\n"


def test_a_paused_service_is_continued(services: Services) -> None:
    services.make("a", log="exec cat")
    with svscan(services) as daemon:
        pid, logger = services.up("a"), services.up("a/log")
        services.svc("-p", "a", "a/log")
        assert daemon.stop() == 0
        assert not alive(pid) and not alive(logger)


def test_nothing_new_is_started_while_it_stops(services: Services) -> None:
    folder = services.make("a", run=FINISHES_FIRST, down=True)
    fifo(folder)
    gate = fifo(folder, "gate")
    with svscan(services) as daemon:
        eventually(lambda: services.state("a").startswith("down"))
        services.svc("-u", "a")
        daemon.line(b"ready")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"finishing")
        services.make("b", run="echo b runs")
        daemon.signal(signal.SIGHUP)
        gate.write_text("go\n")
        assert daemon.wait() == 0
        assert b"b runs" not in daemon.said + daemon.rest()
    assert not (services.folder / "b/supervise").exists()


def test_a_logger_that_dies_early_is_started_until_the_pipe_is_empty(services: Services) -> None:
    # sh reads a byte at a time, so each of its lives takes one line and leaves the rest in the pipe.
    folder = services.make(
        "a",
        run="echo one; echo two; echo three; echo ready >&2; exec sleep 1000",
        log="read line; echo $line >>log",
    )
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0
    assert (folder / "log/log").read_text() == "one\ntwo\nthree\n"


def test_a_logger_that_gets_nothing_out_of_the_pipe_does_not_hold_up_the_end(services: Services) -> None:
    services.make("a", run="echo one; echo ready >&2; exec sleep 1000", log="exit 1")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0


def test_a_logger_that_has_read_the_end_takes_the_time_it_needs(services: Services) -> None:
    """Longer than a pipe without an end would be waited for."""
    folder = services.make(
        "a",
        run="echo line; echo ready >&2; exec sleep 1000",
        log="cat >>log; echo read all >&2; read go <gate; echo finished >>log",
    )
    gate = fifo(folder / "log", "gate")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"read all")
        looks = EMPTY_LOOKS + 1.5
        with pytest.raises(TooLate):
            daemon.wait(looks)
        gate.write_text("go\n")
        assert daemon.wait() == 0
    assert (folder / "log/log").read_text() == "line\nfinished\n"


def test_a_logger_in_its_second_is_not_asked_again_and_again(services: Services) -> None:
    """Its status is written a few times while all stops, not as often as the machine can."""
    folder = services.make("a", run="echo line; echo ready >&2; exec sleep 1000", log="exit 1")
    with svscan(services) as daemon:
        daemon.line(b"ready")
        eventually(lambda: services.state("a/log").endswith("want up"))
        services.svc("-p", "a")
        with renames_into(folder / "log/supervise") as published:
            assert daemon.stop() == 0
            assert 0 < published() < 10


def test_a_logger_whose_pipe_has_no_end_is_told_to(services: Services) -> None:
    """Something the service left in the background holds the pipe open."""
    folder = services.make(
        "a",
        run="sleep 1000 </dev/null & echo $! >background; echo line; echo ready >&2; exec sleep 1000",
        log="exec cat >>log",
    )
    with svscan(services) as daemon:
        daemon.line(b"ready")
        services.up("a/log")
        assert daemon.stop() == 0
        background = int((folder / "background").read_text())
        assert alive(background), "nothing is killed that was not asked for"
        os.kill(background, signal.SIGKILL)
    assert (folder / "log/log").read_text() == "line\n"


def test_a_logger_that_is_down_stays_down(services: Services) -> None:
    folder = services.make("a", run="echo line; echo ready >&2; exec sleep 1000", log="cat >>log")
    (folder / "log/down").touch()
    with svscan(services) as daemon:
        daemon.line(b"ready")
        assert daemon.stop() == 0
    assert not (folder / "log/log").exists()


def test_stopping_before_anything_runs(services: Services) -> None:
    with svscan(services) as daemon:
        services.make("a")
        services.up("a")
        services.svc("-d", "a")
        eventually(lambda: services.pid("a") == 0)
        assert daemon.stop() == 0


def test_signals_at_the_last_moment_do_not_decide_how_it_ends(services: Services) -> None:
    services.make("a")
    for _ in range(10):
        with svscan(services) as daemon:
            services.up("a")
            daemon.signal(signal.SIGTERM)
            while daemon.process.poll() is None:
                daemon.signal(signal.SIGHUP)
                daemon.signal(signal.SIGTERM)
                (services.folder / "link").symlink_to("nowhere")
                (services.folder / "link").unlink()
            assert daemon.wait() == 0, daemon.said + daemon.rest()
