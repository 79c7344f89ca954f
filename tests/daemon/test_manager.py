"""svscan and the service manager that started it: what it is told, and when it is told nothing."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import trio
import trio.testing
from support.manager import Listener, hanging
from support.processes import TooLate, environment, eventually, run
from support.services import Daemon, Services, descriptors, svscan

import svpy
import svpy.daemon.svscan as svscan_module
from svpy.daemon.loops import Loops
from svpy.daemon.report import Report
from svpy.system.notify import Manager

WATCHDOG_S = 1.2


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "notify", WATCHDOG_S)
    yield listener
    listener.close()


def test_ready_comes_with_the_first_status_and_then_what_changes(
    services: Services, listener: Listener
) -> None:
    for number in range(3):
        services.make(str(number))
    with svscan(services, env=environment(**listener.env)) as daemon:
        heard = listener.next()
        while heard == ["WATCHDOG=1"]:
            heard = listener.next()
        assert heard[0] == "READY=1"
        assert heard[1].startswith("STATUS=3 services, ")
        if heard[1] != "STATUS=3 services, 3 up":
            listener.until("STATUS=3 services, 3 up")
        services.make("new")
        heard = listener.until("STATUS=4 services, 4 up")
        assert "READY=1" not in heard
        assert daemon.stop() == 0
        assert listener.until("STOPPING=1")[-1].startswith("STATUS=stopping: ")


def test_an_abstract_address(services: Services) -> None:
    listener = Listener(f"svpy-test-{os.getpid()}")
    try:
        with svscan(services, env=environment(**listener.env)) as daemon:
            assert listener.next() == ["READY=1", "STATUS=no services"]
            assert daemon.stop() == 0
            assert listener.next()[0] == "STOPPING=1"
    finally:
        listener.close()


def test_a_status_is_told_once_a_second_however_much_happens(services: Services, listener: Listener) -> None:
    folder = services.make("a") / "supervise"
    with svscan(services, env=environment(NOTIFY_SOCKET=listener.env["NOTIFY_SOCKET"])) as daemon:
        services.up("a")
        listener.until("READY=1")
        began = time.monotonic()
        with (folder / "control").open("wb", buffering=0) as fifo:
            for number in range(500):
                letter, paused = ((b"p", 1), (b"c", 0))[number % 2]
                fifo.write(letter)
                eventually(lambda wanted=paused: (folder / "status").read_bytes()[16] == wanted, "published")
        took_s = time.monotonic() - began
        assert daemon.stop() == 0
        assert len(listener.until("STOPPING=1")) <= took_s + 5


@pytest.mark.parametrize(
    "address", ["/no/such/socket", "", "relative", "@svpy-nobody", "/" + 200 * "x", "vsock:2:1"]
)
def test_a_manager_that_is_not_there_is_nobodys_trouble(services: Services, address: str) -> None:
    services.make("a")
    with svscan(services, env=environment(NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000")) as daemon:
        services.up("a")
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_a_manager_that_does_not_read_holds_up_nobody(services: Services, listener: Listener) -> None:
    services.make("a")
    with svscan(services, env=environment(**listener.env)) as daemon:
        services.up("a")
        listener.fill()
        services.make("b")
        services.up("b")
        # What was not taken is told when there is room.
        listener.until("STATUS=2 services, 2 up")
        listener.until("WATCHDOG=1")
        listener.fill()
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_who_is_not_meant_by_the_watchdog_does_not_answer(services: Services, tmp_path: Path) -> None:
    listener = Listener(tmp_path / "notify", 0.1, watchdog_pid=os.getpid())
    try:
        with svscan(services, env=environment(**listener.env)) as daemon:
            listener.until("READY=1")
            with pytest.raises(TooLate):
                listener.until("WATCHDOG=1", deadline_s=0.5)
            assert daemon.stop() == 0
    finally:
        listener.close()


LOOPS = {
    "control": ("supervisor", "Supervisor", "obey"),
    "clock": ("supervisor", "Supervisor", "wake"),
    "adopted": ("supervisor", "Supervisor", "watch"),
    "stop": ("pair", "Stopper", "work"),
    "signals": ("svscan", "Svscan", "_listen"),
    "scan": ("svscan", "Svscan", "_scan_always"),
    "relay": ("relay", "Relay", "_flush"),
}


def test_every_loop_has_its_row() -> None:
    text = "".join(path.read_text() for path in (Path(svpy.__file__).parent / "daemon").glob("*.py"))
    joined = re.findall(r"loops\.join\((?:b\"(\w+)\"|SCANNING)", text)
    assert sorted(name or svscan_module.SCANNING.decode() for name in joined) == sorted(LOOPS)


def test_a_loop_that_turns_no_more_is_told_of_by_silence(tmp_path: Path) -> None:
    with ExitStack() as stack:
        silent = []
        for name, place in LOOPS.items():
            folder = tmp_path / name
            folder.mkdir()
            services = Services(folder)
            services.make("a")
            listener = stack.enter_context(closing(Listener(folder / "notify", WATCHDOG_S)))
            program = hanging(*place, after_s=2 * WATCHDOG_S)
            command = (sys.executable, "-I", "-c", program, "--log-stdout", services.folder)
            daemon = stack.enter_context(Daemon(*command, env=environment(**listener.env)))
            stack.callback(daemon.process.kill)
            silent.append((name, listener, daemon))
        for name, listener, daemon in silent:
            listener.until("WATCHDOG=1")
            # Said when half the time is over; from then on nothing.
            assert daemon.line(b"watchdog") == (
                b"svscan: warning: no answer to the watchdog: not turning: " + name.encode()
            )
            listener.drop()
        until = time.monotonic() + 2 * WATCHDOG_S
        for name, listener, _ in silent:
            with pytest.raises(TooLate):
                heard = listener.until("WATCHDOG=1", until - time.monotonic())
                raise AssertionError((name, heard))


def test_every_loop_is_asked_and_an_idle_one_answers(services: Services, listener: Listener) -> None:
    with svscan(services, env=environment(**listener.env)) as daemon:
        listener.until("READY=1")
        for _ in range(2):
            listener.until("WATCHDOG=1")
        before = descriptors(daemon.pid)
        for _ in range(2):
            listener.until("WATCHDOG=1")
        assert descriptors(daemon.pid) == before
        assert daemon.stop() == 0
        assert daemon.rest() == b""


@pytest.mark.parametrize("run", ["echo relayed; exec sleep 1000", "exec yes relayed"])
def test_a_relay_that_has_written_answers(services: Services, listener: Listener, run: str) -> None:
    services.make("a", run)
    with Daemon("svscan", "--log-stdout", services.folder, env=environment(**listener.env)) as daemon:
        daemon.line(b"a: relayed")
        listener.until("READY=1")
        for _ in range(4):
            listener.until("WATCHDOG=1")
        assert daemon.stop() == 0
        assert b"watchdog" not in daemon.rest()


def test_it_is_answered_while_everything_stops(services: Services, listener: Listener) -> None:
    folder = services.prepare(
        "slow", "trap 'read line <fifo; exit' TERM; echo up >&2; while :; do sleep 0.1; done"
    )
    os.mkfifo(folder / "fifo")
    folder.rename(services.folder / "slow")
    with svscan(services, env=environment(**listener.env)) as daemon:
        daemon.line(b"up")
        daemon.process.terminate()
        listener.until("STATUS=stopping: 1 service, 1 up")
        for _ in range(2):
            listener.until("WATCHDOG=1")
        (services.folder / "slow/fifo").write_text("\n")
        assert daemon.wait() == 0


FOR_SVSCAN_ALONE = {
    "NOTIFY_SOCKET": "/no/such/socket",
    "WATCHDOG_USEC": "3000000",
    "WATCHDOG_PID": "1",
    "LISTEN_PID": "1",
    "LISTEN_FDS": "0",
    "LISTEN_FDNAMES": "a:b",
    "FDSTORE": "1",
    "INVOCATION_ID": "0123456789abcdef0123456789abcdef",
    "SYSTEMD_EXEC_PID": "1",
}
PASSED_ON = {
    "JOURNAL_STREAM": "8:1",
    "MANAGERPID": "1",
    "MEMORY_PRESSURE_WATCH": "/dev/null",
    "LISTEN_FDS_": "x",
}


@pytest.mark.parametrize("command", ["svscan", "supervise"])
def test_what_a_manager_says_to_svscan_does_not_reach_services(services: Services, command: str) -> None:
    words = "tr '\\0' '\\n' </proc/$$/environ >seen.new; mv seen.new seen; exec sleep 1000"
    folder = services.make("a", words)
    env = {**environment(), **FOR_SVSCAN_ALONE, **PASSED_ON}
    with Daemon(command, services.folder if command == "svscan" else folder, env=env) as daemon:
        eventually((folder / "seen").exists, "what it saw")
        seen = dict(line.partition("=")[::2] for line in (folder / "seen").read_text().splitlines())
        assert seen == {**environment(), **PASSED_ON}
        assert daemon.stop() == 0


def score(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_services_of_a_spared_svscan_are_not_spared(services: Services) -> None:
    """Also of one that could not spare itself: it keeps what it was given."""
    services.make("a", log="exec cat >/dev/null")
    tried = run("choom", "-n", "-500", "true")
    if tried.returncode:
        pytest.skip(f"needs CAP_SYS_RESOURCE: {tried.stderr.decode().strip()}")
    without = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")
    with Daemon("choom", "-n", "-500", *without, "svscan", services.folder) as daemon:
        pids = [services.up("a"), services.up("a/log")]
        assert [score(pid) for pid in (*pids, daemon.pid)] == [0, 0, -500]
        services.svc("-t", "a")
        pid = services.up("a", since=pids[0])
        assert (score(pid), score(daemon.pid)) == (0, -500)
        assert daemon.stop() == 0
        assert daemon.rest() == b""


SHIFTED = """
from svpy.core import manager
from svpy.commands import svscan
manager.oom_score_of_services = lambda own: own + 7
svscan.main()
"""


def test_services_have_another_score_than_svscan_and_it_keeps_its_own(services: Services) -> None:
    """The same without the right to spare oneself: what is lowered here was raised before."""
    services.make("a", log="exec cat >/dev/null")
    ours = score("self")
    with Daemon(sys.executable, "-I", "-c", SHIFTED, services.folder) as daemon:
        pids = [services.up("a"), services.up("a/log")]
        assert [score(pid) for pid in (*pids, daemon.pid)] == [ours + 7, ours + 7, ours]
        assert daemon.stop() == 0
        assert daemon.rest() == b""


def test_services_of_a_svscan_that_is_to_go_first_are_to_go_first(services: Services) -> None:
    services.make("a")
    with Daemon("choom", "-n", "900", "svscan", services.folder) as daemon:
        assert score(services.up("a")) == score(daemon.pid) == 900
        assert daemon.stop() == 0


REFUSED = """
import errno
from svpy.system import oomscore
from svpy.commands import svscan
class Score(oomscore.Score):
    def set(self, score):
        if score < 0:
            raise OSError(errno.EACCES, "refused")
        super().set(score)
oomscore.Score = Score
oomscore.own = lambda: -100
svscan.main()
"""


def test_a_score_that_cannot_be_kept_costs_one_line(services: Services) -> None:
    services.make("a")
    services.make("b")
    with Daemon(sys.executable, "-I", "-c", REFUSED, services.folder) as daemon:
        services.up("a")
        services.up("b")
        assert daemon.stop() == 0
        assert daemon.rest() == (
            b"svscan: warning: unable to keep an oom_score_adj of our own, which services do not get: "
            b"access denied\n"
        )


async def test_what_was_not_taken_is_told_again(listener: Listener) -> None:
    manager = Manager(listener.env["NOTIFY_SOCKET"].encode())
    report = Report(manager, None)
    report.count = lambda: b"STATUS=x"
    listener.fill()
    report.ready()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(report.work, Loops(), lambda line: None)
        await trio.testing.wait_all_tasks_blocked()
        listener.drop()
        heard = await trio.to_thread.run_sync(listener.until, "READY=1")
        assert heard == ["READY=1", "STATUS=x"]
        nursery.cancel_scope.cancel()
    manager.close()
