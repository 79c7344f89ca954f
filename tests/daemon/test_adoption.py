"""svscan or supervise killed with KILL: what it ran goes on, and the next one takes it over."""

from __future__ import annotations

import gc
import itertools
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.namespaces import missing
from support.processes import Running, eventually, run
from support.services import (
    NOTE_THE_START,
    STAYS,
    Daemon,
    Services,
    alive,
    descriptors,
    hold,
    kill,
    script,
    starts,
    stopped,
    svscan,
)

from svpy.core import record, recordline
from svpy.core.record import Record
from svpy.daemon.pair import Pair
from svpy.daemon.supervisor import Supervisor
from svpy.system import folders, processes
from svpy.system.children import Starter
from svpy.system.descriptors import waiting_bytes

LOGGER = "exec cat >>lines"
"""In the folder of the logger, or of the service where the logger is a file."""

OBEYS = "while read line <>orders; do echo $line; done"
"""Writes each line that is written into its `orders`."""


def status(folder: Path) -> bytes:
    return (folder / "supervise/status").read_bytes()


def taken(services: Services, *names: str) -> None:
    """Wait until these are supervised again: their `ok` has a reader."""
    for name in names:
        eventually(lambda name=name: run("svok", name, cwd=services.folder).returncode == 0, name)


def test_a_service_and_its_logger_go_on(services: Services) -> None:
    folder = services.prepare("a", run=OBEYS, log=LOGGER)
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        service, logger = services.up("a"), services.up("a/log")
        before = status(folder), status(folder / "log")
        count = len(descriptors(first.pid))
        expected = ""
        for life in range(3):
            kill(first)
            (folder / "orders").write_text(f"dead {life}\n")
            with svscan(services) as second:
                taken(services, "a", "a/log")
                assert (status(folder), status(folder / "log")) == before
                (folder / "orders").write_text(f"alive {life}\n")
                expected += f"dead {life}\nalive {life}\n"
                eventually(lambda expected=expected: (folder / "log/lines").read_text() == expected)
                assert len(descriptors(second.pid)) == count + 2, "a pidfd for each"
                assert services.pid("a") == service and services.pid("a/log") == logger
                if life < 2:
                    kill(second)
                    continue
                assert second.stop() == 0
                said = second.rest().splitlines()
    unknown = b"svscan: warning: exit code of %s (pid %d) is unknown: another supervise had started it"
    assert said == [unknown % (b"a", service), unknown % (b"a/log", logger)]
    assert not alive(service) and not alive(logger)
    assert (folder / "supervise/lock").read_bytes() == b"", "it ended in order"


def test_what_was_adopted_is_handed_on_by_an_upgrade(services: Services) -> None:
    folder = services.make("a", log=LOGGER)
    with svscan(services) as first:
        pids = services.up("a"), services.up("a/log")
        kill(first)
        with svscan(services) as second:
            taken(services, "a", "a/log")
            before = status(folder), status(folder / "log"), (folder / "supervise/lock").read_bytes()
            open_before = descriptors(second.pid).count("anon_inode:[pidfd]")
            assert run("svpy", "upgrade", services.folder).returncode == 0
            assert (
                status(folder),
                status(folder / "log"),
                (folder / "supervise/lock").read_bytes(),
            ) == before
            assert descriptors(second.pid).count("anon_inode:[pidfd]") == open_before == 2
            services.svc("-t", "a")
            second.line(b"exit code of a (pid %d) is unknown" % pids[0])
            services.up("a", since=pids[0])
            kill(second)
            with svscan(services) as third:
                taken(services, "a", "a/log")
                assert services.pid("a/log") == pids[1]
                assert third.stop() == 0


def test_both_are_restarted_with_the_same_pipe(services: Services) -> None:
    folder = services.make("a", run="echo life; exec sleep 1000", log="echo reads >>lines; exec cat >>lines")
    with svscan(services) as first:
        service, logger = services.up("a"), services.up("a/log")
        eventually(lambda: (folder / "log/lines").read_text() == "reads\nlife\n")
        kill(first)
        pipe = os.readlink(f"/proc/{service}/fd/1")
        with svscan(services) as second:
            taken(services, "a", "a/log")
            fresh = descriptors(second.pid)
            services.svc("-t", "a")
            service = services.up("a", since=service)
            second.line(b"exit code of a (pid")
            eventually(lambda: (folder / "log/lines").read_text() == "reads\nlife\nlife\n")
            services.svc("-t", "a/log")
            logger = services.up("a/log", since=logger)
            second.line(b"exit code of a/log (pid")
            eventually(lambda: (folder / "log/lines").read_text() == "reads\nlife\nlife\nreads\n")
            assert os.readlink(f"/proc/{service}/fd/1") == os.readlink(f"/proc/{logger}/fd/0") == pipe
            assert len(descriptors(second.pid)) == len(fresh) - 2, "their pidfds are closed"
            assert second.stop() == 0


def test_a_logger_that_is_a_file(services: Services) -> None:
    folder = services.prepare("a", run=OBEYS)
    script(folder / "log", LOGGER)
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        service = services.up("a")
        eventually(lambda: record.decode((folder / "supervise/log/lock").read_bytes()).pid)  # type: ignore[union-attr]
        before = status(folder), (folder / "supervise/log/status").read_bytes()
        kill(first)
        (folder / "orders").write_text("dead\n")
        with svscan(services) as second:
            taken(services, "a")
            assert (status(folder), (folder / "supervise/log/status").read_bytes()) == before
            (folder / "orders").write_text("alive\n")
            eventually(lambda: (folder / "lines").read_text() == "dead\nalive\n")
            services.svc("-+t", "a")
            second.line(b"exit code of a (pid")
            services.up("a", since=service)
            assert second.stop() == 0


def test_supervise_takes_over_as_well(services: Services) -> None:
    folder = services.make("a")
    with Daemon("supervise", folder) as first:
        pid = services.up("a")
        before = status(folder)
        kill(first)
        with Daemon("supervise", folder) as second:
            taken(services, "a")
            assert status(folder) == before
            services.svc("-dx", "a")
            assert second.wait() == 0
            assert b"exit code of %s (pid %d) is unknown" % (bytes(folder), pid) in second.rest()
            assert not alive(pid)


@pytest.mark.parametrize("wanted", ["-d", "-o"], ids=["down", "once"])
def test_what_ended_unseen_is_treated_as_was_wanted(services: Services, wanted: str) -> None:
    folder = services.make("a")
    up = services.make("up")
    with svscan(services) as first:
        pid, other = services.up("a"), services.up("up")
        if wanted == "-o":
            services.svc("-o", "a")
        else:
            script(folder / "run", "trap '' TERM; echo deaf >&2; while :; do sleep 1000 & wait; done")
            services.svc("-t", "a")
            pid = services.up("a", since=pid)
            first.line(b"deaf")
            services.svc("-d", "a")
        kill(first)
        for victim in (pid, other):
            os.kill(victim, signal.SIGKILL)
            eventually(lambda victim=victim: not alive(victim))
        with svscan(services) as second:
            second.line(b"exit code of a (pid %d) is unknown" % pid)
            services.up("up", since=other)
            assert services.pid("a") == 0
            kill(second)
            with svscan(services) as third:
                taken(services, "a")
                assert services.state("a").startswith("down")
                assert third.stop() == 0
                assert b"exit code of a " not in third.rest(), "it was said"
            script(folder / "run", STAYS)
            with svscan(services) as fourth:
                services.up("a")
                assert fourth.stop() == 0
    assert up.exists()


def recorded(folder: Path) -> Record:
    found = record.decode((folder / "supervise/lock").read_bytes()[: recordline.SIZE_BYTES])
    assert found is not None
    return found


def forge(folder: Path, **fields: object) -> None:
    """Change what the dead supervise has recorded."""
    changed = replace(recorded(folder), **fields)  # type: ignore[arg-type]
    (folder / "supervise/lock").write_bytes(record.encode(changed))


def ended(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))


@pytest.mark.parametrize("what", ["pid", "start", "boot", "PID 1"])
def test_a_process_of_another_life_is_never_touched(services: Services, what: str) -> None:
    """A pid that is somebody else's by now, by number or by its start, and a record of another boot."""
    folder = services.make("a")
    with svscan(services) as first, Running("sleep", "1000") as other:
        pid = services.up("a")
        services.svc("-d", "a")
        eventually(lambda: not services.pid("a"))
        services.svc("-o", "a")
        pid = services.up("a", since=pid)
        kill(first)
        ended(pid)
        start = processes.look(other.pid).start_ticks
        boot_id, _, init = recorded(folder).boot.partition(b"/")
        forged: dict[str, dict[str, object]] = {
            "pid": {"pid": other.pid},
            "start": {"pid": other.pid, "start_ticks": start - 1},
            "boot": {"pid": other.pid, "start_ticks": start, "boot": boot_id[::-1] + b"/" + init},
            "PID 1": {"pid": other.pid, "start_ticks": start, "boot": boot_id + b"/%d" % (int(init) + 1)},
        }
        forge(folder, **forged[what])
        with svscan(services) as second:
            taken(services, "a")
            if what in ("boot", "PID 1"):
                services.up("a", since=pid)
            else:
                assert services.pid("a") == 0, "once was wanted, and once it ran"
            services.svc("-+tkd", "a")
            assert second.stop() == 0
        assert alive(other.pid)


def as_link(lock: Path) -> None:
    os.link(lock, lock.with_name("second-name"))


def as_others(lock: Path) -> None:
    os.chown(lock, 65534, 65534)


def as_symlink(lock: Path) -> None:
    lock.symlink_to(lock.rename(lock.with_name("other")))


def change(data: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda lock: lock.write_bytes(data(lock.read_bytes())) and None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("plant", "is_overwritten"),
    [
        (change(lambda data: data[:70]), True),
        (change(lambda data: data[:6] + os.urandom(400)), True),
        (change(lambda data: b"not ours"), False),
        (change(lambda data: b"\0" * 5000), False),
        (lambda lock: lock.chmod(0o620), False),
        (lambda lock: lock.chmod(0o644), False),
        (as_link, False),
        pytest.param(
            as_others, False, marks=pytest.mark.skipif(os.geteuid() != 0, reason="chown needs root")
        ),
    ],
    ids=[
        "half",
        "garbage",
        "foreign",
        "zeros",
        "writable by others",
        "readable by others",
        "two names",
        "another owner",
    ],
)
def test_what_is_no_record_of_ours_is_not_believed(
    services: Services, plant: Callable[[Path], None], is_overwritten: bool
) -> None:
    folder = services.make("a")
    with svscan(services) as first, Running("sleep", "1000") as other:
        pid = services.up("a")
        kill(first)
        ended(pid)
        forge(folder, pid=other.pid, start_ticks=processes.look(other.pid).start_ticks)
        lock = folder / "supervise/lock"
        plant(lock)
        before = lock.read_bytes()
        with svscan(services) as second:
            taken(services, "a")
            services.up("a", since=pid)
            assert (lock.read_bytes() != before) == is_overwritten
            assert not is_overwritten or record.decode(lock.read_bytes()[: recordline.SIZE_BYTES])
            assert second.stop() == 0
            assert (lock.read_bytes() == b"") == is_overwritten
        assert alive(other.pid)


def test_files_that_are_no_more_what_they_were_cost_nothing_else(services: Services) -> None:
    """A lock that is a symlink, a fifo that is a file: said, what runs runs on, and all others too."""
    names = ("a", "b", "c")
    for name in names:
        services.make(name)
    with svscan(services) as first:
        pids = {name: services.up(name) for name in names}
        kill(first)
        lock, control = services.folder / "a/supervise/lock", services.folder / "b/supervise/control"
        as_symlink(lock)
        control.unlink()
        control.touch()
        with svscan(services) as second:
            second.line(b"unable to acquire a/supervise/lock: symbolic link loop")
            second.line(b"unable to read b/supervise/control: not a stream device")
            taken(services, "c")
            assert {name: services.pid(name) for name in names} == pids
            lock.unlink()
            lock.with_name("other").rename(lock)
            control.unlink()
            second.signal(signal.SIGHUP)
            taken(services, *names)
            assert {name: services.pid(name) for name in names} == pids
            assert second.stop() == 0
        assert not any(map(alive, pids.values()))


def test_a_link_planted_in_supervise_leads_nowhere(services: Services, tmp_path: Path) -> None:
    """Who has `supervise/`, to be able to use svc, must not have files of others written over."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "status").write_text("precious")
    folder = services.prepare("a")
    script(folder / "log", LOGGER)
    (folder / "supervise").mkdir(0o700)
    (folder / "supervise/log").symlink_to(victim)
    folder = folder.rename(services.folder / "a")
    services.make("b")
    with svscan(services) as daemon:
        daemon.line(b"unable to acquire a/supervise/log/lock: not a directory")
        services.up("b")
        assert os.listdir(victim) == ["status"] and (victim / "status").read_text() == "precious"
        (folder / "supervise/log").unlink()
        daemon.signal(signal.SIGHUP)
        services.up("a")
        status = folder / "supervise/log/status"
        eventually(status.read_bytes)
        status.unlink()
        status.mkdir()
        services.svc("-Lt", "a")
        daemon.line(b"unable to rename a/supervise/log/status.new to status: ")
        assert daemon.stop() == 0


def test_two_svscans_on_one_folder(services: Services) -> None:
    folder = services.make("a", log=LOGGER)
    with svscan(services) as first:
        pids = services.up("a"), services.up("a/log")
        with svscan(services) as second:
            second.line(b"unable to acquire a/log/supervise/lock: temporary failure")
            second.line(b"unable to acquire a/supervise/lock: temporary failure")
            pipe = os.readlink(f"/proc/{pids[0]}/fd/1")
            assert pipe not in descriptors(second.pid), "who has not the lock has not the pipe"
            before = status(folder), status(folder / "log")
            kill(first)
            second.signal(signal.SIGHUP)
            taken(services, "a", "a/log")
            assert (status(folder), status(folder / "log")) == before
            assert descriptors(second.pid).count(pipe) == 2
            assert second.stop() == 0


def test_a_paused_one_and_its_group(services: Services) -> None:
    services.make("a", run=f"exec pgrphack sh -c 'sleep 1000 & echo ready >&2; {STAYS}'")
    with svscan(services) as first:
        first.line(b"ready")
        pid = services.up("a")
        services.svc("-p", "a")
        eventually(lambda: stopped(pid))
        kill(first)
        with svscan(services) as second:
            taken(services, "a")
            assert services.state("a").endswith(", paused")
            services.svc("-c", "a")
            eventually(lambda: not stopped(pid))
            assert not services.state("a").endswith(", paused")
            group = [
                int(name) for name in os.listdir("/proc") if name.isdigit() and group_of(int(name)) == pid
            ]
            assert len(group) == 2
            services.svc("-+t", "a")
            services.up("a", since=pid)
            eventually(lambda: not any(map(alive, group)))
            assert second.stop() == 0


def group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def test_one_that_is_going_down(services: Services) -> None:
    """It says what it has to say, and only then the stop of everything is over."""
    folder = services.prepare(
        "a", run="trap 'echo asked >&2; read line <>orders; echo $line; exit' TERM\necho ready >&2\n"
        "while :; do sleep 1000 & wait; done", log=LOGGER,
    )  # fmt: skip
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        first.line(b"ready")
        services.up("a/log")
        pid = services.up("a")
        services.svc("-d", "a")
        first.line(b"asked")
        kill(first)
        with svscan(services) as second:
            taken(services, "a", "a/log")
            assert services.pid("a") == pid
            assert services.state("a").endswith(", want down")
            (folder / "orders").write_text("bye\n")
            second.line(b"exit code of a (pid")
            assert services.pid("a") == 0
            assert second.stop() == 0
        assert (folder / "log/lines").read_text() == "bye\n"


@pytest.mark.parametrize("is_down", [True, False], ids=["ended meanwhile", "still ends"])
def test_killed_while_everything_stops(services: Services, is_down: bool) -> None:
    """What svscan itself wanted down to end is up again with the next one, its logger too."""
    folder = services.make(
        "a", run="trap 'echo asked >&2' TERM; echo ready >&2; while :; do sleep 1000 & wait; done", log=LOGGER
    )
    with svscan(services) as first:
        first.line(b"ready")
        logger = services.up("a/log")
        pid = services.up("a")
        first.signal(signal.SIGTERM)
        first.line(b"asked")
        kill(first)
        script(folder / "run", STAYS)
        if is_down:
            ended(pid)
        with svscan(services) as second:
            taken(services, "a", "a/log")
            if not is_down:
                ended(pid)
            services.up("a", since=pid)
            assert "want" not in services.state("a") + services.state("a/log")
            assert services.pid("a/log") in (logger, services.up("a/log"))
            assert second.stop() == 0


def test_one_in_the_second_behind_its_start(services: Services) -> None:
    folder = services.make("a", run=f"{NOTE_THE_START}\necho noted >&2")
    with svscan(services) as first:
        for _ in range(3):
            first.line(b"noted")
            kill(first)
            first.__exit__(None, None, None)
            first = svscan(services)
        first.line(b"noted")
        assert first.stop() == 0
        first.__exit__(None, None, None)
    noted = starts(folder)
    assert len(noted) >= 4
    assert all(later - earlier >= 0.98 for earlier, later in itertools.pairwise(noted)), noted


def test_a_logger_killed_meanwhile_leaves_what_is_in_the_pipe(services: Services) -> None:
    folder = services.prepare("a", run=OBEYS, log=LOGGER)
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        service, logger = services.up("a"), services.up("a/log")
        hold(logger)
        (folder / "orders").write_text("in the pipe\n")
        eventually(lambda: waiting_in_its_pipe(service))
        kill(first)
        ended(logger)
        with svscan(services) as second:
            second.line(b"exit code of a/log (pid %d) is unknown" % logger)
            eventually(lambda: (folder / "log/lines").read_text() == "in the pipe\n")
            assert services.pid("a") == service
            assert second.stop() == 0


def waiting_in_its_pipe(pid: int) -> int:
    fd = os.open(f"/proc/{pid}/fd/1", os.O_RDONLY)
    try:
        return waiting_bytes(fd)
    finally:
        os.close(fd)


def test_a_service_whose_output_leads_elsewhere_now(services: Services) -> None:
    services.make("a", run=f"exec >elsewhere; echo ready >&2; {STAYS}", log=LOGGER)
    with svscan(services) as first:
        first.line(b"ready")
        service, logger = services.up("a"), services.up("a/log")
        kill(first)
        eventually(lambda: not alive(logger), "it has read to the end")
        with svscan(services) as second:
            second.line(b"exit code of a/log (pid %d) is unknown" % logger)
            services.up("a/log", since=logger)
            assert services.pid("a") == service
            assert second.stop() == 0


@pytest.mark.parametrize("which", ["start", "stop"])
def test_start_and_stop_go_on(services: Services, which: str) -> None:
    """The `start` whose end nobody saw is begun again; the `stop` was all that was to be done."""
    folder = services.prepare("a")
    waits = f"echo {which} >>done; echo {which} >&2; read line <>orders"
    script(folder / "start", waits if which == "start" else "exit 0")
    script(folder / "stop", waits if which == "stop" else "exit 0")
    os.mkfifo(folder / "orders")
    folder = folder.rename(services.folder / "a")
    with svscan(services) as first:
        if which == "stop":
            services.up("a")
            eventually(lambda: "starting" not in services.state("a"))
            services.svc("-d", "a")
        first.line(which.encode())
        word = "starting" if which == "start" else "want down, stopping"
        eventually(lambda: services.state("a").endswith(word))
        before = services.pid("a"), status(folder)
        kill(first)
        with svscan(services) as second:
            taken(services, "a")
            assert (services.pid("a"), status(folder)) == before
            assert services.state("a").endswith(word)
            (folder / "orders").write_text("go on\n")
            second.line(b"exit code of a (pid")
            if which == "stop":
                eventually(lambda: services.state("a").startswith("down"))
                assert (folder / "done").read_text() == "stop\n"
            else:
                services.up("a", since=before[0])
                (folder / "orders").write_text("go on\n")
                eventually(
                    lambda: services.state("a").startswith("up") and "starting" not in services.state("a")
                )
                assert (folder / "done").read_text() == "start\nstart\n"
            assert second.stop() == 0


async def test_a_pipe_that_cannot_be_had_is_said_and_no_second_logger_is_begun(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.make("a", log=LOGGER)
    with svscan(services) as first:
        pids = services.up("a"), services.up("a/log")
        kill(first)

        def refused(*what: object) -> None:
            raise PermissionError(13, "EACCES")

        monkeypatch.setattr(processes, "find_pipe", refused)
        home_fd = folders.open_folder(b".")
        hosting = Supervisor(b"svscan", Starter([], 100, home_fd))
        said: list[bytes] = []
        monkeypatch.setattr(hosting, "warn", said.append)
        pair = Pair(hosting, b"a", folders.open_folder(bytes(folder)), lambda pair: None)
        pair.host_logger(is_file=False)
        pair.host_service(has_log=True)
        assert pair.service is not None and pair.logger is not None
        assert (pair.service.service.pid, pair.logger.service.pid) == pids
        refusal = b"unable to get back the log pipe of a: access denied; svc -t a a/log makes a new one"
        assert said == [refusal]
        for hosted in (pair.service, pair.logger):
            hosting.release(hosted)
        pair.close()
        os.close(home_fd)
        assert all(map(alive, pids)), "given back as they were"


async def test_a_child_of_our_own_is_reaped_once_with_its_code(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that begins again in the same process."""
    folder = services.make("a", run="read line <>orders; exit 100")
    os.mkfifo(folder / "orders")
    home_fd = folders.open_folder(b".")
    before_us = Supervisor(b"svscan", Starter([b"PATH=/bin:/usr/bin"], 100, home_fd))
    pair = Pair(before_us, b"a", folders.open_folder(bytes(folder)), lambda pair: None)
    pair.host_service()
    assert pair.service is not None
    pid = pair.service.service.pid
    before_us.release(pair.service)
    pair.close()
    hosting = Supervisor(b"svscan", Starter([b"PATH=/bin:/usr/bin"], 100, home_fd))
    gc.collect()  # What earlier tests have left may hold descriptors, too.
    count = len(descriptors(os.getpid()))
    pair = Pair(hosting, b"a", folders.open_folder(bytes(folder)), lambda pair: None)
    pair.host_service()
    assert pair.service is not None
    assert (pair.service.service.pid, pair.service.pidfd) == (pid, -1)
    (folder / "orders").write_text("end\n")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    hosting.reap()
    assert pair.service.service.word == b"failed", "100 was heard"
    hosting.command(pair.service, b"x")
    assert pair.service is None
    pair.close()
    assert len(descriptors(os.getpid())) == count
    os.close(home_fd)


IN_A_FOLDER_THAT_BECOMES_READ_ONLY = """
set -e
mount -t tmpfs none {0}
mkdir -p {0}/a/log
printf '#!/bin/sh\\nexec sleep 1000\\n' >{0}/a/run
printf '#!/bin/sh\\nexec cat\\n' >{0}/a/log/run
chmod +x {0}/a/run {0}/a/log/run
svscan {0} &
until [ "$(svstat {0}/a {0}/a/log | grep -c 'up (pid')" = 2 ]; do :; done
kill -9 $!
wait $! || :
mount -o remount,ro {0}
exec svscan {0}
"""


@pytest.mark.skipif(missing() != "", reason=missing())
def test_a_folder_that_is_read_only_when_svscan_comes_again(services: Services) -> None:
    folder = services.folder
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    with Daemon(*words, IN_A_FOLDER_THAT_BECOMES_READ_ONLY.format(folder)) as daemon:
        eventually(lambda: descriptors(daemon.pid).count("anon_inode:[pidfd]") == 2)
        inside = Path(f"/proc/{daemon.pid}/root") / str(folder)[1:]
        pids = [int.from_bytes(status(inside / part)[12:16], "little") for part in ("a", "a/log")]
        assert all(map(alive, pids))
        assert [os.readlink(f"/proc/{pid}/cwd") for pid in pids] == [f"{folder}/a", f"{folder}/a/log"]
        assert not Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text(), "nothing was started"
        assert daemon.stop() == 0
        assert not any(map(alive, pids))
