"""svscan under a real systemd: the units as they are installed, with a line more where a test says so."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from configparser import RawConfigParser

import pytest
from support.booted import UNITS, Booted, CannotBoot, Unit, why_not
from support.manager import hanging
from support.processes import BIN, environment, eventually
from support.quick import once_within
from support.services import Services, script

from svpy.commands.svscanboot import PATH

pytestmark = pytest.mark.skipif(bool(why := why_not()), reason=why)

START_ONCE_HANGING = """
[ -e /srv/hung ] && exec svscan /service
: >/srv/hung
exec /srv/hangs /service
"""
LAST_WORDS = """
trap 'echo last words; exit' TERM
echo ready
while :; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Booted]:
    try:
        booted = Booted()
    except CannotBoot as why:
        pytest.skip(str(why))
    with booted as machine:
        yield machine


@pytest.fixture
def services(machine: Booted) -> Iterator[Services]:
    """The machine's /service."""
    yield Services(machine.root)
    for name in ("/service", "/making"):
        shutil.rmtree(machine.path(name))


@pytest.fixture
def unit(machine: Booted, services: Services) -> Iterator[Unit]:
    unit = Unit(machine)
    yield unit
    unit.end()


def with_last_words(services: Services, name: str) -> None:
    """A service whose last line comes after TERM, and a logger that only then has read to the end."""
    services.make(name, LAST_WORDS, log="cat >lines; exec echo end >>lines")


def lines(services: Services, name: str) -> str:
    return (services.folder / name / "log/lines").read_text()


def test_start_returns_when_all_is_scanned_and_the_status_counts(unit: Unit, services: Services) -> None:
    for number in range(20):
        services.make(f"s{number}")
    services.make("down", down=True)
    services.make("fails", "exit 100")
    services.make("logged", log="exec cat >lines")
    unit.do("start")
    assert all((services.folder / f"s{number}/supervise/ok").exists() for number in range(20))
    unit.until_shows("StatusText", "23 services, 21 up, 1 failed, 1 down; 1 logger, 1 up")
    services.svc("-d", "s0")
    services.svc("-p", "s1")
    unit.until_shows("StatusText", "23 services, 19 up, 1 paused, 1 failed, 2 down; 1 logger, 1 up")
    assert unit.show("ActiveState") == "active"


def test_start_with_nothing_in_service(unit: Unit) -> None:
    unit.do("start")
    unit.until_shows("StatusText", "no services")


def test_reload_scans_now(unit: Unit, services: Services) -> None:
    folders = [services.make(str(number)) for number in range(5)]
    unit.do("start")

    def log_comes(number: int) -> None:
        services.add_log(folders[number], "echo >here; exec cat")
        unit.do("reload")
        eventually((folders[number] / "log/here").exists, "its logger")

    # The first may be lucky: a regular scan may be due.
    log_comes(0)
    once_within(3, lambda number: log_comes(number + 1), attempts=4)
    assert unit.show("NRestarts") == "0"


def test_restart_stops_in_order_and_starts(unit: Unit, services: Services) -> None:
    with_last_words(services, "a")
    unit.do("start")
    eventually(lambda: lines(services, "a") == "ready\n", "a")
    svscan, first = unit.pid(), services.up("a")
    unit.do("restart")
    assert unit.pid() != svscan
    assert not unit.machine.alive(first)
    services.up("a", since=first)
    assert unit.show("NRestarts") == "0"


def test_stop_ends_services_first_and_loggers_read_to_the_end(unit: Unit, services: Services) -> None:
    for number in range(5):
        with_last_words(services, f"s{number}")
    unit.do("start")
    eventually(lambda: all(lines(services, f"s{number}") == "ready\n" for number in range(5)), "all up")
    assert len(unit.processes()) >= 11, "svscan, the services and the loggers"
    unit.do("stop")
    assert {lines(services, f"s{number}") for number in range(5)} == {"ready\nlast words\nend\n"}
    assert unit.processes() == []
    assert (unit.show("Result"), unit.show("ActiveState")) == ("success", "inactive")


def test_the_status_counts_down(unit: Unit, services: Services) -> None:
    services.make("quick")
    folder = services.prepare(
        "slow", "trap 'read line <fifo; exit' TERM; echo >ready; while :; do sleep 0.1; done"
    )
    os.mkfifo(folder / "fifo")
    folder.rename(services.folder / "slow")
    unit.do("start")
    eventually((services.folder / "slow/ready").exists, "slow")
    unit.machine.systemctl("stop", "--no-block", unit.name)
    unit.until_shows("StatusText", "stopping: 1 service, 1 up")
    assert unit.show("ActiveState") == "deactivating"
    (services.folder / "slow/fifo").write_text("\n")
    unit.until_shows("ActiveState", "inactive")
    assert unit.show("Result") == "success"


def test_a_stop_ends_whatever_a_service_does(unit: Unit, services: Services) -> None:
    unit.settings("ExecStart=", "ExecStart=/usr/bin/svscan --stop-timeout 0.5 /service")
    folder = services.prepare(
        "deaf", "trap '' TERM; echo >ready; while :; do sleep 0.1; done", log="exec cat"
    )
    os.mkfifo(folder / "y")
    folder.rename(services.folder / "deaf")
    unit.do("start")
    eventually((services.folder / "deaf/ready").exists, "deaf")
    unit.do("stop")
    assert unit.processes() == []
    assert unit.show("Result") == "success"


def test_a_killed_svscan_takes_no_service_with_it(unit: Unit, services: Services) -> None:
    """Seven times: no limit is in the way. The next svscan has them as if it had started them itself."""
    unit.settings("RestartSec=50ms")
    services.make("a", log="exec cat >lines")
    unit.do("start")
    pids = [services.up("a"), services.up("a/log")]
    svscan = unit.pid()
    for time_killed in range(1, 8):
        unit.machine.kill(svscan, "KILL")
        svscan = unit.pid(since=svscan)
        assert unit.show("NRestarts") == str(time_killed)
        assert all(map(unit.machine.alive, pids))
        unit.until_shows("StatusText", "1 service, 1 up; 1 logger, 1 up")
        assert [services.pid("a"), services.pid("a/log")] == pids
    assert len(unit.processes()) == 3
    unit.do("stop")
    assert unit.processes() == []


def test_the_watchdog_is_answered_by_an_idle_svscan(unit: Unit, services: Services) -> None:
    unit.settings("WatchdogSec=3")
    services.make("a")
    unit.do("start")
    svscan = unit.pid()
    answered = set()

    def often() -> bool:
        answered.add(unit.show("WatchdogTimestampMonotonic"))
        return len(answered) == 4

    eventually(often, "four answers")
    assert (unit.pid(), unit.show("NRestarts")) == (svscan, "0")


def test_an_upgrade_in_place_goes_on_telling(unit: Unit, services: Services) -> None:
    unit.settings("WatchdogSec=3")
    services.make("a", SEEN, log="exec cat >lines")
    unit.do("start")
    svscan, pids = unit.pid(), [services.up("a"), services.up("a/log")]
    done = unit.machine.command("svpy", "upgrade")
    assert done.returncode == 0, done
    answered = {unit.show("WatchdogTimestampMonotonic")}

    def often() -> bool:
        answered.add(unit.show("WatchdogTimestampMonotonic"))
        return len(answered) == 4

    eventually(often, "three more answers")
    assert (unit.pid(), unit.show("NRestarts")) == (svscan, "0")
    assert [services.pid("a"), services.pid("a/log")] == pids
    services.svc("-t", "a")
    services.up("a", since=pids[0])
    assert "NOTIFY_SOCKET" not in (services.folder / "a/seen").read_text()
    services.svc("-d", "a")
    unit.until_shows("StatusText", "1 service, 1 down; 1 logger, 1 up")
    unit.do("stop")
    assert unit.processes() == []


def test_a_svscan_that_does_not_answer_is_replaced(unit: Unit, services: Services) -> None:
    unit.settings("WatchdogSec=3", "RestartSec=50ms", "LimitCORE=0")
    services.make("a")
    unit.do("start")
    svscan, service = unit.pid(), services.up("a")
    unit.machine.kill(svscan, "STOP")
    eventually(lambda: unit.show("NRestarts") == "1", "a restart")
    assert unit.pid(since=svscan) != svscan
    assert unit.machine.alive(service)


def test_a_svscan_of_which_one_loop_hangs_is_replaced(unit: Unit, services: Services) -> None:
    program = hanging("supervisor", "Supervisor", "obey", after_s=1)
    for name, text in (("hangs", f"#!{BIN}/python3 -I\n{program}"), ("start", START_ONCE_HANGING)):
        script(unit.machine.path(f"/srv/{name}"), text)
    unit.settings("WatchdogSec=3", "LimitCORE=0", "ExecStart=", "ExecStart=/srv/start")
    services.make("a")
    unit.do("start")
    svscan, service = unit.pid(), services.up("a")
    eventually(lambda: "no answer to the watchdog: not turning: control\n" in unit.said(), "a warning")
    assert unit.pid(since=svscan) != svscan
    assert unit.show("NRestarts") == "1"
    assert unit.machine.alive(service)
    services.svc("-d", "a")
    eventually(lambda: not services.pid("a"), "control again")


def test_a_wrong_folder_is_said_and_tried_again_once_a_second(unit: Unit) -> None:
    unit.settings("ExecStart=", "ExecStart=/usr/bin/svscan /srv/later")
    began = time.monotonic()
    assert unit.machine.command("systemctl", "start", unit.name).returncode != 0
    message = "svscan: fatal: unable to chdir to /srv/later: file does not exist\n"
    eventually(lambda: unit.said().count(message) >= 3, "the message three times")
    starts = unit.said().count(message)
    assert unit.said() == message * starts
    assert starts <= time.monotonic() - began + 2
    unit.machine.path("/srv/later").mkdir()
    unit.until_shows("ActiveState", "active")


def test_wrong_words_are_not_tried_again(unit: Unit) -> None:
    unit.settings("ExecStart=", "ExecStart=/usr/bin/svscan --no-such-option /service")
    assert unit.machine.command("systemctl", "start", unit.name).returncode != 0
    unit.until_shows("ActiveState", "failed")
    assert unit.show("NRestarts") == "0"
    assert unit.said().startswith("svscan: usage: svscan ")


SEEN = """exec >seen.new 2>&1
tr '\\0' '\\n' </proc/self/environ
echo "score $(cat /proc/self/oom_score_adj) soft $(ulimit -n)"
grep Sig /proc/self/status
ls -l /proc/self/fd
mv seen.new seen
exec sleep 1000
"""


def test_what_a_service_gets(unit: Unit, services: Services) -> None:
    """Of systemd nothing but what is as true for a service as for svscan."""
    unit.settings("WatchdogSec=60", "FileDescriptorStoreMax=3")
    services.make("a", SEEN)
    unit.do("start")
    seen = services.folder / "a/seen"
    eventually(seen.exists, "what it saw")
    text = seen.read_text()
    variables, _, rest = text.partition("score ")
    names = {line.partition("=")[0] for line in variables.splitlines()}
    assert f"PATH={PATH.decode()}" in variables.splitlines()
    # USER: systemd 257.
    usual = {"PATH", "LANG", "USER", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"}
    assert names <= {*usual, "PWD", "OLDPWD", "_", "SHLVL"}
    assert rest.splitlines()[0] == "0 soft 1024"
    masks = dict(line.split(":\t") for line in rest.splitlines() if line.startswith("Sig"))
    # glibc's posix_spawn leaves its own two ignored, which nothing can send.
    assert int(masks["SigIgn"], 16) & ~0x180000000 == 0
    assert int(masks["SigBlk"], 16) == 0
    svscan = unit.machine.path(f"/proc/{unit.pid()}/environ").read_bytes().split(b"\0")
    own = {b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"WATCHDOG_PID", b"INVOCATION_ID", b"SYSTEMD_EXEC_PID"}
    assert own <= {entry.partition(b"=")[0] for entry in svscan}


def test_what_a_socket_unit_opened_is_passed_on_without_its_names(unit: Unit, services: Services) -> None:
    """Descriptors above 2 are inherited, as C's services inherit them; who they were for is not said."""
    socket = unit.machine.path("/etc/systemd/system/svpy.socket")
    socket.write_text("[Socket]\nListenStream=/run/svpy-test\n")
    unit.machine.systemctl("daemon-reload")
    services.make("a", SEEN)
    try:
        unit.machine.systemctl("start", "svpy.socket")
        unit.do("start")
        seen = services.folder / "a/seen"
        eventually(seen.exists, "what it saw")
        assert " 3 -> socket:" in seen.read_text()
        assert "LISTEN" not in seen.read_text()
    finally:
        unit.do("stop")
        unit.machine.systemctl("stop", "svpy.socket")
        socket.unlink()


def test_systemd_finds_no_fault_with_the_units(machine: Booted) -> None:
    for where, name in (
        ("--system", "svpy.service"),
        ("--system", "svpy@srv.service"),
        ("--user", "svpy.service"),
    ):
        env = environment(XDG_RUNTIME_DIR="/run")
        done = machine.command("systemd-analyze", "verify", "--man=no", where, name, env=env)
        said = [line for line in done.stderr.splitlines() if b"svpy" in line]
        assert (done.returncode, done.stdout, said) == (0, b"", []), done.stderr


def settings(name: str) -> dict[str, dict[str, str]]:
    parser = RawConfigParser(strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_the_units_differ_in_their_folder_only() -> None:
    plain, other, users = (settings(name) for name in ("svpy.service", "svpy@.service", "user/svpy.service"))
    assert plain["Service"].pop("ExecStart") == "/usr/bin/svscan --stop-timeout 60 /service"
    assert other["Service"].pop("ExecStart") == "/usr/bin/svscan --stop-timeout 60 %f"
    assert users["Service"].pop("ExecStart") == "/usr/bin/svscan --stop-timeout 60 %h/service"
    assert plain["Service"] == other["Service"]
    assert plain["Service"].pop("Environment") == f"PATH={PATH.decode()}"
    assert [plain["Service"].pop(name) for name in ("OOMScoreAdjust", "LimitNOFILE")] == [
        "-900",
        "1024:524288",
    ]
    assert plain["Service"] == users["Service"]
    assert "StartLimitIntervalSec" in plain["Unit"].keys() & other["Unit"].keys() & users["Unit"].keys()


def test_another_folder(machine: Booted) -> None:
    """Named as systemd-escape has it, with a `-` and a blank."""
    folder = "/srv/my-own web"
    name = (
        machine.command("systemd-escape", "--path", "--template=svpy@.service", folder)
        .stdout.decode()
        .strip()
    )
    machine.path(folder).mkdir()
    services = Services(machine.path(folder))
    services.folder.rmdir()
    services.folder = machine.path(folder)
    shutil.rmtree(machine.path(folder) / "making")
    services._making = machine.path("/srv/making")
    services._making.mkdir()
    services.make("a")
    unit = Unit(machine, name)
    try:
        unit.do("start")
        services.up("a")
        unit.until_shows("StatusText", "1 service, 1 up")
        unit.do("stop")
        assert not services.pid("a")
    finally:
        unit.end()


def test_a_users_own(machine: Booted) -> None:
    """Under a real `systemd --user` of someone who may nothing, started by hand: no PAM is asked."""
    home = machine.path("/srv/home")
    home.mkdir()
    services = Services(home)
    services.make("a", SEEN)
    assert machine.command("chown", "-R", "daemon:daemon", "/srv/home").returncode == 0
    machine.path("/run/daemon").mkdir(mode=0o700)
    assert machine.command("chown", "daemon:daemon", "/run/daemon").returncode == 0
    manager = (
        "systemd-run", "--quiet", "--unit=users", "--property=Type=notify", "--property=Delegate=yes",
        "--property=User=daemon", "--setenv=HOME=/srv/home", "--setenv=XDG_RUNTIME_DIR=/run/daemon",
        "/lib/systemd/systemd", "--user",
    )  # fmt: skip

    def systemctl(*words: str) -> str:
        as_user = ("setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups")
        env = environment(XDG_RUNTIME_DIR="/run/daemon")
        done = machine.command(*as_user, "systemctl", "--user", *words, env=env)
        assert done.returncode == 0, (words, done)
        return done.stdout.decode()

    done = machine.command(*manager)
    assert done.returncode == 0, done
    try:
        systemctl("start", "svpy.service")
        seen = services.folder / "a/seen"
        eventually(seen.exists, "what it saw")
        assert "NOTIFY_SOCKET" not in seen.read_text()
        eventually(
            lambda: systemctl("show", "-P", "StatusText", "svpy.service") == "1 service, 1 up\n", "its status"
        )
        systemctl("stop", "svpy.service")
        assert not services.pid("a")
    finally:
        machine.systemctl("stop", "users.service")


def test_a_stop_that_takes_too_long_leaves_nothing_in_the_cgroup(unit: Unit, services: Services) -> None:
    """Not even what a svscan that was killed had started: systemd gave the one after it the cgroup."""
    folder = services.prepare(
        "a", "trap '' TERM; setsid sleep 1000 & echo $! >left; while :; do read x <>fifo; done"
    )
    os.mkfifo(folder / "fifo")
    folder = folder.rename(services.folder / "a")
    unit.settings("ExecStart=", "ExecStart=/usr/bin/svscan --stop-timeout 1 /service")
    unit.do("start")
    eventually(lambda: (folder / "left").read_text().endswith("\n"), "its background")
    service, left = services.pid("a"), int((folder / "left").read_text())
    svscan = unit.pid()
    unit.machine.kill(svscan, "KILL")
    unit.pid(since=svscan)
    assert services.pid("a") == service and unit.machine.alive(left)
    unit.do("stop")
    assert unit.processes() == []
    assert not unit.machine.alive(left)
    assert unit.show("Result") == "success"
