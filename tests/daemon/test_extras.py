"""daemontools-encore's extras: start, stop and notify, exit 100, `log` as a file, signals to a group."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.peers import beside_c
from support.processes import eventually, run
from support.services import (
    STAYS,
    WAITS,
    Daemon,
    Services,
    alive,
    c_environment,
    descriptors,
    script,
    stopped,
    svscan,
)


def make(services: Services, name: str = "a", *, down: bool = False, **scripts: str | None) -> Path:
    """A service with these scripts, whole at once; `run=None` has none. Each notes itself in `said`."""
    new = services.prepare(name, down=down)
    for file, text in {"run": STAYS, **scripts}.items():
        if text is None:
            (new / file).unlink()
        else:
            script(new / file, f"echo {file} $# >>said\n{text}")
    return new.rename(services.folder / name)


def said(folder: Path, file: str = "said") -> list[str]:
    try:
        return (folder / file).read_text().splitlines()
    except FileNotFoundError:
        return []


def supervise(services: Services, name: str = "a") -> Daemon:
    return Daemon("supervise", services.folder / name)


HOSTS: list[Callable[[Services], Daemon]] = [svscan, supervise]


@pytest.mark.parametrize("host", HOSTS)
def test_start_runs_once_and_stop_once(services: Services, host: Callable[[Services], Daemon]) -> None:
    folder = make(services, start="pwd >>said", stop="")
    with host(services) as daemon:
        eventually(lambda: said(folder) == ["start 0", str(folder.resolve()), "run 0"])
        for lives in (2, 3):
            services.svc("-k", "a")
            eventually(lambda lives=lives: said(folder).count("run 0") == lives)
        assert said(folder).count("start 0") == 1
        services.svc("-d", "a")
        eventually(lambda: said(folder)[-1] == "stop 0" and services.pid("a") == 0)
        services.svc("-d", "a")
        assert services.state("a").startswith("down ") and services.state("a").endswith("normally up")
        services.svc("-u", "a")
        eventually(lambda: said(folder)[-1] == "run 0")
        assert said(folder)[-4:-2] == ["stop 0", "start 0"]
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    assert said(folder)[-1] == "stop 0"


def test_what_the_scripts_get(services: Services) -> None:
    """Descriptors, folder, argv and log are those of run; nothing of svscan's is among them."""
    show = "ls /proc/$$/fd >%s.fds; echo $0 $# >>%s.fds; echo %s says"
    new = services.prepare("a", run=show % (("run",) * 3) + "; echo done >&2; " + STAYS, log="exec cat >>log")
    for name in ("start", "stop"):
        script(new / name, show % ((name,) * 3))
    folder = new.rename(services.folder / "a")
    with svscan(services) as daemon:
        daemon.line(b"done")
        assert daemon.stop() == 0
    shown = {name: (folder / f"{name}.fds").read_text().splitlines() for name in ("start", "run", "stop")}
    assert {*shown["run"]} <= {"0", "1", "2", "10", "11", "./run 0"}, "10 and 11 are the shell's"
    for name in ("start", "stop"):
        assert shown[name] == [*shown["run"][:-1], f"./{name} 0"]
    assert (folder / "log/log").read_text() == "start says\nrun says\nstop says\n"


@beside_c
def test_svstat_says_starting_and_stopping_and_c_reads_its_18_bytes(services: Services) -> None:
    folder = make(services, start="read go <gate", stop="read go <gate")
    os.mkfifo(folder / "gate")
    with supervise(services):
        starting = services.up("a")
        assert services.state("a").endswith(" seconds, starting")
        status = folder / "supervise/status"
        assert len(status.read_bytes()) == 18
        seen_by_c = run("svstat", "a", cwd=services.folder, env=c_environment()).stdout
        assert seen_by_c.startswith(b"a: up (pid %d) " % starting) and seen_by_c.endswith(b" seconds\n")
        (folder / "gate").write_text("go\n")
        running = services.up("a", since=starting)
        assert services.state("a").endswith(" seconds")
        services.svc("-d", "a")
        stopping = services.up("a", since=running)
        assert services.state("a").endswith(", want down, stopping")
        seen_by_c = run("svstat", "a", cwd=services.folder, env=c_environment()).stdout
        assert seen_by_c.startswith(b"a: up (pid %d) " % stopping) and seen_by_c.endswith(b", want down\n")
        services.svc("-d", "a")
        assert services.pid("a") == stopping and alive(stopping), "down does not end what brings it down"
        (folder / "gate").write_text("go\n")
        eventually(lambda: services.pid("a") == 0)
        assert services.state("a").endswith("normally up")
        assert len(status.read_bytes()) == 18


@beside_c
@pytest.mark.parametrize(
    ("scripts", "state"),
    [
        ({"start": "exit 1"}, "failed"),
        ({"start": "kill -9 $$"}, "failed"),
        ({"run": "exit 100"}, "failed"),
        ({"start": "", "run": None}, "started"),
    ],
    ids=["start exits 1", "start is killed", "run exits 100", "no run"],
)
def test_what_stays_down_says_why(services: Services, scripts: dict[str, str | None], state: str) -> None:
    folder = make(services, stop="", **scripts)
    with supervise(services) as daemon:
        eventually(lambda: services.state("a").endswith(f"normally up, {state}"))
        up = 0 if state == "started" else 100
        assert run("svup", services.folder / "a").returncode == up
        before = said(folder)
        seen_by_c = run("svstat", "a", cwd=services.folder, env=c_environment()).stdout
        assert seen_by_c.startswith(b"a: down ") and seen_by_c.endswith(b", normally up\n")
        assert "stop 0" not in before
        services.svc("-d", "a")
        eventually(lambda: said(folder) == [*before, "stop 0"])
        eventually(lambda: services.state("a").endswith("normally up"))
        services.svc("-u", "a")
        eventually(lambda: said(folder) == [*before, "stop 0", *before])
        eventually(lambda: services.state("a").endswith(state))
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("scripts", "letters", "before", "after"),
    [
        ({"run": "exit 100"}, "-d", "normally up, failed", "seconds, normally up"),
        ({"start": "", "run": "#!/nowhere/sh"}, "-o", "want up, starting", "seconds, normally up"),
    ],
    ids=["failed", "starting"],
)
def test_a_word_is_taken_back(
    services: Services, scripts: dict[str, str], letters: str, before: str, after: str
) -> None:
    """Also where the 18 bytes stay what they were when it was said."""
    folder = make(services, **scripts)
    if "start" in scripts:
        script(folder / "run", scripts["run"])
    with svscan(services):
        eventually(lambda: services.state("a").endswith(before))
        services.svc(letters, "a")
        eventually(lambda: services.state("a").endswith(after))
        assert len((folder / "supervise/status").read_bytes()) == 18


def test_what_failed_is_not_started_again_by_itself(services: Services) -> None:
    """Another service shows that the second in which it would have been has passed."""
    folder = make(services, run="exit 100")
    make(services, "b", run="exit 99")
    with svscan(services) as daemon:
        eventually(lambda: services.state("a").endswith("failed"))
        lives = len(said(services.folder / "b"))
        eventually(lambda: len(said(services.folder / "b")) >= lives + 3)
        assert said(folder) == ["run 0"]
        assert daemon.stop() == 0


@beside_c
def test_another_supervise_makes_the_word_stale(services: Services) -> None:
    folder = make(services, run="exit 100")
    with supervise(services) as daemon:
        eventually(lambda: services.state("a").endswith("failed"))
        assert daemon.stop() == 0
    assert (folder / "supervise/state").exists()
    with Daemon("supervise", services.folder / "a", env=c_environment()):
        eventually(lambda: len(said(folder)) == 3, "C starts it again and again")
        assert "failed" not in services.state("a")


def test_scripts_that_are_not_executable_are_none(services: Services) -> None:
    folder = make(services, start="exit 1", stop="", notify="")
    for name in ("start", "stop", "notify"):
        (folder / name).chmod(0o644)
    with supervise(services) as daemon:
        eventually(lambda: said(folder) == ["run 0"])
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    assert said(folder) == ["run 0"]


def test_a_start_or_stop_that_cannot_be_executed(services: Services) -> None:
    folder = make(services, start="", stop="")
    for name in ("start", "stop"):
        (folder / name).write_text("#!/nowhere/sh\n")
    with svscan(services) as daemon:
        assert daemon.line() == b"svscan: warning: unable to start a/start: file does not exist"
        eventually(lambda: services.state("a").endswith("normally up, failed"))
        (folder / "start").unlink()
        services.svc("-u", "a")
        services.up("a")
        services.svc("-d", "a")
        assert daemon.line() == b"svscan: warning: unable to start a/stop: file does not exist"
        eventually(lambda: services.pid("a") == 0)
        assert daemon.stop() == 0


def test_stopping_all_waits_for_each_stop(services: Services) -> None:
    new = services.prepare("a", log="exec cat >>log")
    script(new / "stop", "echo stopping >&2; read go <gate; echo last words")
    folder = new.rename(services.folder / "a")
    os.mkfifo(folder / "gate")
    script(folder / "log/stop", "echo logger stopped >>log")
    with svscan(services) as daemon:
        pid = services.up("a")
        services.up("a/log")
        daemon.signal(signal.SIGTERM)
        daemon.line(b"stopping")
        pid = services.up("a", since=pid)
        for number in (signal.SIGTERM, signal.SIGTERM):
            daemon.signal(number)
        services.svc("-w", "a/log")
        assert alive(pid)
        (folder / "gate").write_text("go\n")
        assert daemon.wait() == 0
    assert (folder / "log/log").read_text() == "last words\nlogger stopped\n"


NOTE = 'echo "$@" >>notes'


def test_notify_is_told_of_every_process(services: Services) -> None:
    folder = make(services, start="", run="read how <gate; $how", stop="exit 3", notify=NOTE)
    os.mkfifo(folder / "gate")
    with supervise(services) as daemon:
        eventually(lambda: len(said(folder, "notes")) == 3)
        pid = services.pid("a")
        (folder / "gate").write_text("exit 7\n")
        second = services.up("a", since=pid)
        services.svc("-kd", "a")
        eventually(lambda: len(said(folder, "notes")) == 8)
        assert daemon.stop() == 0
    # Nobody waits for them, so they may overtake each other.
    notes = [line.split() for line in said(folder, "notes")]
    start, stop = (next(pid for script, _, pid, _ in notes if script == name) for name in ("start", "stop"))
    assert sorted(notes) == sorted(
        [
            ["start", "start", start, "0"],
            ["start", "exit", start, "0"],
            ["run", "start", str(pid), "0"],
            ["run", "exit", str(pid), "7"],
            ["run", "start", str(second), "0"],
            ["run", "killed", str(second), "9"],
            ["stop", "start", stop, "0"],
            ["stop", "exit", stop, "3"],
        ]
    )


def test_notify_sees_what_it_is_told_of(services: Services) -> None:
    """The status is published before: it may ask svstat."""
    new = services.prepare("a")
    script(new / "notify", 'echo "$2 $(svstat .)" >>notes')
    folder = new.rename(services.folder / "a")
    with supervise(services) as daemon:
        pid = services.up("a")
        eventually(lambda: len(said(folder, "notes")) == 1)
        assert said(folder, "notes")[0].startswith(f"start .: up (pid {pid}) ")
        services.svc("-d", "a")
        eventually(lambda: len(said(folder, "notes")) == 2)
        assert (
            said(folder, "notes")[1].startswith("exit .: down ")
            or "killed .: down " in said(folder, "notes")[1]
        )
        assert daemon.stop() == 0


def test_notify_that_fails_or_hangs_holds_up_nobody(services: Services) -> None:
    folder = make(services, notify="echo $$ >>hung; exec sleep 1000")
    with svscan(services) as daemon:
        pid = services.up("a")
        eventually(lambda: len(said(folder, "hung")) == 1)
        (folder / "notify").write_text("#!/nowhere/sh\n")
        services.svc("-t", "a")
        daemon.line(b"svscan: warning: unable to start a/notify: file does not exist")
        services.up("a", since=pid)
        assert daemon.stop() == 0
        assert alive(int(said(folder, "hung")[0]))


def test_a_service_with_all_scripts_leaves_nothing_behind(services: Services) -> None:
    folder = make(services, start="", stop="", notify="", run="echo $$ >>pids")
    with svscan(services) as daemon:
        services.up("a")

        def lives(count: int) -> None:
            while len(said(folder, "pids")) < count:
                services.svc("-d", "a")
                eventually(lambda: services.pid("a") == 0)
                services.svc("-o", "a")
                seen = len(said(folder, "pids"))
                eventually(lambda seen=seen: len(said(folder, "pids")) > seen)

        def at_rest() -> int:
            """How many descriptors there are when nothing happens."""
            services.svc("-d", "a")
            children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
            eventually(lambda: services.pid("a") == 0 and children.read_text() == "", "all are reaped")
            return min(len(descriptors(daemon.pid)) for _ in range(20))

        lives(2)
        before = at_rest()
        lives(6)
        assert at_rest() == before
        assert daemon.stop() == 0


# A logger that is a file.

LOG_FILE = 'echo "log in $(pwd)" >&2; exec cat >>logged'


@pytest.mark.parametrize("host", HOSTS)
def test_log_may_be_a_file(services: Services, host: Callable[[Services], Daemon]) -> None:
    folder = make(services, run="echo one line; " + STAYS, log=LOG_FILE, notify=NOTE)
    with host(services) as daemon:
        daemon.line(b"log in " + os.fsencode(folder.resolve()))
        eventually(lambda: said(folder, "logged")[-1:] == ["one line"])
        service, logger = services.state("a").splitlines()
        assert service == f"up (pid {services.pid('a')}) " + service.split(") ")[1]
        assert logger.startswith("a log: up (pid ")
        assert len((folder / "supervise/status").read_bytes()) == 18
        assert len((folder / "supervise/log/status").read_bytes()) == 18
        eventually(lambda: len(said(folder, "notes")) == 2)
        assert sorted(line.split()[0] for line in said(folder, "notes")) == ["log", "run"]
        assert daemon.stop() == 0
        assert not any(b"warning" in line for line in (daemon.said + daemon.rest()).splitlines())
    assert services.state("a") == "supervise not running"


def log_pid(folder: Path) -> int:
    try:
        return int.from_bytes((folder / "supervise/log/status").read_bytes()[12:16], "little")
    except FileNotFoundError:
        return 0


def test_both_restart_and_lose_nothing(services: Services) -> None:
    text = "echo a line; echo wrote it >&2; " + STAYS
    folder = make(services, run=text, log="read line && echo $line >>logged")
    with svscan(services) as daemon:
        for _ in range(3):
            daemon.line(b"wrote it")
            services.svc("-t", "a")
        daemon.line(b"wrote it")
        assert daemon.stop() == 0
    assert said(folder, "logged") == ["a line"] * 4


def test_svc_reaches_the_logger(services: Services) -> None:
    folder = make(services, log=LOG_FILE)
    with supervise(services) as daemon:
        pid = services.up("a")
        eventually(lambda: log_pid(folder))
        first = log_pid(folder)
        services.svc("-Lt", "a")
        eventually(lambda: log_pid(folder) not in (0, first))
        second = log_pid(folder)
        services.svc("-Lplh", "a")
        eventually(lambda: services.pid("a") not in (0, pid), "l: the service again, which HUP ended")
        eventually(lambda: stopped(second))
        assert run("svstat", "a", cwd=services.folder).stdout.endswith(b", paused\n")
        services.svc("-Lcd", "a")
        eventually(lambda: log_pid(folder) == 0)
        assert run("svup", "-l", folder).returncode == 0
        assert run("svup", folder).returncode == run("svup", "-L", folder).returncode == 100
        services.svc("-Lu", "a")
        eventually(lambda: log_pid(folder))
        assert daemon.stop() == 0


@pytest.mark.parametrize("host", HOSTS)
def test_down_and_exit_end_the_service_then_the_logger(
    services: Services, host: Callable[[Services], Daemon]
) -> None:
    """It reads to the end; under svscan both are then taken up again, as long as the folder is there."""
    folder = make(
        services, run="trap 'echo last words; exit' TERM\necho ready >&2\nread x <gate", log=LOG_FILE
    )
    os.mkfifo(folder / "gate")
    with host(services) as daemon:
        daemon.line(b"ready")
        eventually(lambda: log_pid(folder))
        pid, logger = services.pid("a"), log_pid(folder)
        if host is svscan:
            moved = folder.rename(services.folder.parent / "gone")
            make(services, "b")
            services.up("b")
            assert run("svc", "-dx", moved).stderr == b""
        else:
            moved = folder
            services.svc("-dx", "a")
            assert daemon.wait() == 0
        eventually(lambda: not alive(logger))
        assert not alive(pid)
        assert said(moved, "logged") == ["last words"]
        eventually(lambda: run("svok", moved).returncode == 100)
        if host is svscan:
            moved.rename(folder)
            daemon.line(b"ready")
            eventually(lambda: log_pid(folder) not in (0, logger))
            assert daemon.stop() == 0


@pytest.mark.parametrize("host", HOSTS)
def test_a_logger_that_outlives_its_service_is_still_controlled(
    services: Services, host: Callable[[Services], Daemon]
) -> None:
    """And the folder stays locked for as long: it would be a second logger's."""
    folder = make(services, log="echo log ready >&2; " + STAYS)
    with host(services) as daemon:
        daemon.line(b"log ready")
        pid, logger = services.up("a"), log_pid(folder)
        services.svc("-dx", "a")
        eventually(lambda: not alive(pid))
        eventually(lambda: services.state("a").startswith("down "))
        assert run("svok", folder).returncode == 0
        second = run("supervise", "a", cwd=services.folder)
        assert second.stderr == b"supervise: fatal: unable to acquire a/supervise/lock: temporary failure\n"
        assert alive(logger), "it has the end of its input, and takes the time it needs"
        services.svc("-Lk", "a")
        if host is svscan:
            daemon.signal(signal.SIGHUP)
            daemon.line(b"log ready")
            assert services.up("a") != pid
        else:
            assert daemon.wait() == 0
            assert run("svok", folder).returncode == 100


def test_both_are_taken_up_again_and_nothing_is_lost(services: Services) -> None:
    """A logger that reads nothing is not told to read on for ever, and what it left is there for the next."""
    folder = make(services, run="echo a line; echo ready >&2; " + STAYS, log="exit 0")
    with svscan(services) as daemon:
        for _ in range(2):
            daemon.line(b"ready")
            services.svc("-dx", "a")
            eventually(lambda: services.state("a") == "supervise not running" or services.pid("a"))
            daemon.signal(signal.SIGHUP)
        daemon.line(b"ready")
        script(folder / "mended", LOG_FILE)
        (folder / "mended").rename(folder / "log")
        eventually(lambda: said(folder, "logged") == ["a line"] * 3)
        assert daemon.stop() == 0


def test_a_log_file_that_comes_later_is_seen_by_the_next_scan(services: Services) -> None:
    folder = make(services, run="echo a line; " + STAYS)
    with svscan(services) as daemon:
        pid = services.up("a")
        script(services.folder.parent / "log", LOG_FILE)
        (services.folder.parent / "log").rename(folder / "log")
        daemon.signal(signal.SIGHUP)
        daemon.line(b"log in")
        services.svc("-t", "a")
        services.up("a", since=pid)
        eventually(lambda: said(folder, "logged") == ["a line"])
        assert daemon.stop() == 0


def test_a_log_that_is_no_program_is_nothing(services: Services) -> None:
    folder = make(services, run="echo into the output; " + STAYS)
    (folder / "log").write_text("not a program")
    with svscan(services) as daemon:
        daemon.line(b"into the output")
        assert "log" not in services.state("a")
        assert daemon.stop() == 0


def test_a_log_file_that_is_locked_elsewhere_keeps_both_down(services: Services) -> None:
    """The service alone would block as soon as the pipe is full."""
    folder = make(services, log=LOG_FILE)
    with supervise(services):
        services.up("a")
        second = run("supervise", "a", cwd=services.folder)
        assert second.stderr == b"supervise: fatal: unable to acquire a/supervise/lock: temporary failure\n"
    (folder / "supervise/log/lock").unlink()
    (folder / "supervise/log/lock").mkdir()
    third = run("supervise", "a", cwd=services.folder)
    assert third.stderr == b"supervise: fatal: unable to acquire a/supervise/log/lock: is a directory\n"
    assert services.pid("a") == 0


def test_a_logger_in_its_own_folder_is_not_reached_by_svc_l(services: Services) -> None:
    """As in daemontools-encore: it has a supervise of its own, `svc a/log`."""
    services.make("a", log="exec cat")
    with svscan(services) as daemon:
        services.up("a")
        logger = services.up("a/log")
        services.svc("-Lk", "a")
        services.svc("-Lp", "a")
        assert services.pid("a/log") == logger and "paused" not in services.state("a/log")
        assert "paused" not in services.state("a")
        assert run("svup", "-L", services.folder / "a").returncode == 100
        assert daemon.stop() == 0


# Signals to a group.

HELPER = f'sh -c "trap \\"echo helper hit >&2\\" HUP; echo helper ready >&2; {WAITS}" &'
MAIN = f"trap 'echo main hit >&2' HUP\n{HELPER}\n{WAITS}"


def test_plus_reaches_the_group_of_one_that_leads_it(services: Services) -> None:
    folder = services.prepare("a", run="exec pgrphack ./main")
    script(folder / "main", MAIN)
    folder.rename(services.folder / "a")
    with supervise(services) as daemon:
        daemon.line(b"helper ready")
        services.svc("-h", "a")
        daemon.line(b"main hit")
        services.svc("-+h", "a")
        assert sorted((daemon.line(b" hit"), daemon.line(b" hit"))) == [b"helper hit", b"main hit"]
        services.svc("-+h=h", "a")
        services.svc("-h", "a")
        daemon.line(b"main hit")
        assert daemon.said.count(b"helper hit") <= 2, "behind = and in the next message it is alone again"
        services.svc("-+dk", "a")
        eventually(lambda: services.pid("a") == 0)
        assert daemon.stop() == 0


def test_plus_reaches_only_the_process_that_leads_no_group(services: Services) -> None:
    """Its group is svscan's, and whoever started that: none of them may be hit."""
    services.make("a", run=MAIN)
    with svscan(services) as daemon:
        daemon.line(b"helper ready")
        assert os.getpgid(services.up("a")) == os.getpgid(daemon.pid)
        services.svc("-+h", "a")
        daemon.line(b"main hit")
        services.svc("-+h", "a")
        daemon.line(b"main hit")
        assert b"helper hit" not in daemon.said
        services.svc("-+k", "a")
        assert alive(daemon.pid)
        daemon.line(b"helper ready")
        assert daemon.process.poll() is None
