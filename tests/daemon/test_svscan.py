"""svscan with real folders and real processes."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from support.processes import environment, eventually, run
from support.quick import once_within
from support.services import (
    NOTE_THE_START,
    STAYS,
    Daemon,
    Services,
    alive,
    descriptors,
    script,
    starts,
    svscan,
)

MANY = 1100
DESCRIPTORS_EACH = 3
"""What svscan holds of a service without a logger."""


def test_what_is_there_is_started(services: Services) -> None:
    services.make("a")
    services.make("b", down=True)
    with svscan(services):
        services.up("a")
        eventually(lambda: services.state("b").startswith("down "))
        assert services.pid("b") == 0


def test_a_letter_that_changes_nothing_leaves_the_status_as_it_is(services: Services) -> None:
    """Unless that is gone, or something else."""
    status = services.make("a") / "supervise/status"
    with svscan(services):
        services.up("a")
        before = status.stat().st_ino
        services.svc("-u", "a")
        assert status.stat().st_ino == before
        services.svc("-o", "a")
        assert status.stat().st_ino != before
        services.svc("-u", "a")
        for spoil in (status.unlink, lambda: status.write_text("short")):
            spoil()
            services.svc("-u", "a")
            assert services.state("a").startswith("up ")
        (services.folder / "precious").write_text("18 bytes, as it is")
        status.unlink()
        status.symlink_to(services.folder / "precious")
        services.svc("-u", "a")
        assert not status.is_symlink() and services.state("a").startswith("up ")


def test_what_comes_is_started_at_once(services: Services) -> None:
    """Each comes when the one before it was just found: who looks every five seconds is slow each time."""
    services.make("first")
    with svscan(services) as daemon:
        services.up("first")

        def folder_comes(number: int) -> None:
            services.make(f"folder{number}", run=f"echo {number} runs; {STAYS}")
            daemon.line(b"%d runs" % number)

        def link_comes(number: int) -> None:
            elsewhere = services.prepare(f"elsewhere{number}", run=f"echo linked {number} runs; {STAYS}")
            (services.folder / f"link{number}").symlink_to(elsewhere)
            daemon.line(b"linked %d runs" % number)

        once_within(3, folder_comes, attempts=5)
        once_within(3, link_comes, attempts=5)
        services.svc("-t", "link0")


def test_what_nobody_tells_of_is_found_in_five_seconds(services: Services) -> None:
    """log/ is made inside a service folder: no change of the folder that is watched."""
    folders = [services.make(str(number), run="echo from the service; " + STAYS) for number in range(3)]
    with svscan(services) as daemon:
        first = [services.up(folder.name) for folder in folders]

        def log_comes(number: int) -> None:
            services.add_log(folders[number], f"echo logger {number} runs >&2; exec cat >log")
            daemon.line(b"logger %d runs" % number)

        once_within(8, log_comes, attempts=3)
        services.svc("-t", "0")
        services.up("0", since=first[0])
        eventually(lambda: (folders[0] / "log/log").read_text() == "from the service\n")


def test_a_folder_being_made_is_left_until_it_has_its_run(services: Services) -> None:
    with svscan(services) as daemon:
        services.make("a")
        services.up("a")
        (services.folder / "b").mkdir()
        services.make("c")
        services.up("c")
        script(services.folder / "b/run", STAYS)
        services.up("b")
        assert b"warning" not in daemon.said


def test_hup_scans_now(services: Services) -> None:
    folders = [services.make(str(number)) for number in range(5)]
    with svscan(services) as daemon:
        for folder in folders:
            services.up(folder.name)

        def log_comes(number: int) -> None:
            services.add_log(folders[number], f"echo logger {number} runs >&2; exec cat")
            daemon.signal(signal.SIGHUP)
            daemon.line(b"logger %d runs" % number)

        # The first may be lucky: a regular scan may be due.
        log_comes(0)
        once_within(3, lambda number: log_comes(number + 1), attempts=4)


def test_what_is_no_service_is_ignored(services: Services) -> None:
    services.make("a")
    services.make(".hidden")
    (services.folder / "file").write_text("x")
    (services.folder / "dangling").symlink_to("nowhere")
    (services.folder / "loop").symlink_to("loop")
    with svscan(services) as daemon:
        services.up("a")
        for _ in range(3):
            last = services.pid("a")
            daemon.signal(signal.SIGHUP)
            services.svc("-t", "a")
            services.up("a", since=last)
        assert not (services.folder / ".hidden/supervise").exists()
        assert daemon.stop() == 0
        said = daemon.said + daemon.rest()
    assert sorted(said.splitlines()) == [
        b"svscan: warning: unable to stat dangling: file does not exist",
        b"svscan: warning: unable to stat loop: symbolic link loop",
    ]


def test_a_folder_is_known_by_device_and_inode(services: Services) -> None:
    folder = services.make("a", run="echo a runs; " + STAYS)
    with svscan(services) as daemon:
        pid = services.up("a")
        (services.folder / "second").symlink_to("a")
        folder.rename(services.folder / "renamed")
        (services.folder / "third").symlink_to("renamed")
        services.make("b")
        services.up("b")
        assert services.pid("renamed") == services.pid("third") == pid
        assert daemon.stop() == 0
        assert (daemon.said + daemon.rest()).count(b"a runs") == 1


def test_a_folder_that_is_gone_runs_on_until_it_is_told_to_leave(services: Services) -> None:
    target = services.prepare("a", log="exec cat")
    (services.folder / "a").symlink_to(target)
    services.make("other")
    with svscan(services) as daemon:
        pid, logger = services.up("a"), services.up("a/log")
        services.up("other")
        before = len(descriptors(daemon.pid))
        (services.folder / "a").unlink()
        daemon.signal(signal.SIGHUP)
        services.make("b")
        services.up("b")
        assert alive(pid)
        services.svc("-dx", str(target), str(target / "log"))
        eventually(lambda: not alive(pid) and not alive(logger))
        eventually(lambda: services.state(str(target)) == "supervise not running")
        services.svc("-dx", "b")
        (services.folder / "b").rename(services.folder.parent / "b")
        daemon.signal(signal.SIGHUP)
        # Its folder and pipe are closed by the next scan; `other`'s and svscan's own remain.
        eventually(lambda: len(descriptors(daemon.pid)) == before - 10)


def test_what_left_is_started_again_while_it_is_linked(services: Services) -> None:
    services.make("a")
    with svscan(services):
        pid = services.up("a")
        services.svc("-dx", "a")
        eventually(lambda: not alive(pid))
        services.up("a", since=pid)


def test_no_cap_and_the_soft_limit_stays_the_services_own(services: Services) -> None:
    for number in range(MANY):
        services.make(str(number), down=True)
    services.make("shows", run="ulimit -n; ulimit -Hn; " + STAYS)

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS_EACH * MANY + 100:
        pytest.skip(f"the hard limit on descriptors is {hard}, and we may not raise it")

    def low() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    with svscan(services, preexec_fn=low) as daemon:
        assert daemon.line() == b"256"
        assert daemon.line() == str(hard).encode()
        last = str(services.folder / str(MANY - 1))
        eventually(lambda: all(run("svok", services.folder / str(n)).returncode == 0 for n in (0, 999, 1000)))
        eventually(lambda: run("svok", last).returncode == 0)
        assert len(descriptors(daemon.pid)) >= DESCRIPTORS_EACH * MANY


def test_more_descriptors_than_services_may_have(services: Services) -> None:
    """1024 is what most are started with, and what a hundred services with logs need."""
    names = [f"s{number}" for number in range(12)]
    for name in names:
        services.make(name, run=f"echo {name}; ulimit -n; {STAYS}", log="exec cat >lines")
    with Daemon("sh", "-c", f"ulimit -Sn 40; exec svscan {services.folder}") as daemon:
        for name in names:
            lines = services.folder / name / "log/lines"
            eventually(lambda lines=lines, name=name: lines.read_text() == f"{name}\n40\n", name)
        assert len(descriptors(daemon.pid)) > 80
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""


def test_closed_standard_descriptors_stay_closed(services: Services) -> None:
    services.make("a", run="ls -l /proc/self/fd >fds 2>&1; exec sleep 1000", log="exec cat >>logged")
    starter = "exec svscan " + str(services.folder) + " <&- >&- 2>&-"
    daemon = subprocess.Popen(["sh", "-c", starter], env=environment())
    try:
        services.up("a")
        eventually(lambda: (services.folder / "a/fds").exists() and services.pid("a/log"))
        eventually(lambda: "/proc/" in (services.folder / "a/fds").read_text())
        links = (services.folder / "a/fds").read_text()
        assert "/dev/null" not in links
        assert not any("fifo" in link or "control" in link for link in links.splitlines())
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_a_service_that_cannot_be_supervised_holds_up_nobody(services: Services) -> None:
    services.make("aa")
    (services.folder / "aa/supervise").write_text("a file")
    planted = services.make("bb")
    (planted / "supervise").mkdir()
    (planted / "supervise/control").write_text("a file")
    linked = services.make("cc")
    (linked / "supervise").mkdir()
    victim = services.folder.parent / "victim"
    victim.write_text("precious")
    (linked / "supervise/status.new").symlink_to(victim)
    (linked / "supervise/lock").symlink_to(victim)
    (services.make("dd\nforged", down=True) / "run").unlink()
    services.make("ee")
    with svscan(services) as daemon:
        services.up("ee")
        services.svc("-o", "dd\nforged")
        assert daemon.stop() == 0
        said = sorted((daemon.said + daemon.rest()).splitlines())
    assert said == [
        b"svscan: warning: unable to acquire aa/supervise/lock: not a directory",
        b"svscan: warning: unable to acquire cc/supervise/lock: symbolic link loop",
        b"svscan: warning: unable to read bb/supervise/control: not a stream device",
        b"svscan: warning: unable to start dd?forged/run: file does not exist",
    ]
    assert victim.read_text() == "precious"


def test_supervise_may_be_a_symlink_to_a_writable_place(services: Services, tmp_path: Path) -> None:
    folder = services.make("a")
    (tmp_path / "writable").mkdir()
    (folder / "supervise").symlink_to(tmp_path / "writable")
    with svscan(services):
        services.up("a")
        assert (tmp_path / "writable/status").stat().st_size == 18


def test_modes(services: Services) -> None:
    folder = services.make("a", log="exec cat")
    with svscan(services):
        services.up("a")
        services.up("a/log")
        for part in (folder, folder / "log"):
            seen = {path.name: oct(path.stat().st_mode) for path in (part / "supervise").iterdir()}
            assert seen == {"control": "0o10600", "lock": "0o100600", "ok": "0o10600", "status": "0o100644"}
            assert oct((part / "supervise").stat().st_mode) == "0o40700"
            assert (part / "supervise/status").stat().st_size == 18


def test_a_fifo_that_is_replaced_by_a_file_ends_nothing(services: Services) -> None:
    """While svscan runs it has the fifo still; the next one refuses the folder until the file is gone."""
    control = services.make("a") / "supervise/control"
    services.make("b")
    with svscan(services) as daemon:
        pid, other = services.up("a"), services.up("b")
        control.unlink()
        control.write_text("d")
        done = run("svc", "-d", services.folder / "a")
        assert done.returncode == 0 and b"warning: unable to control" in done.stderr
        services.svc("-t", "b")
        services.up("b", since=other)
        daemon.signal(signal.SIGHUP)
        assert services.pid("a") == pid and alive(pid)
        assert daemon.stop() == 0
        assert not alive(pid)
    with svscan(services) as daemon:
        assert daemon.line(b"warning").startswith(b"svscan: warning: unable to read a/supervise/control: ")
        services.up("b")
        assert services.pid("a") == 0
        control.unlink()
        daemon.signal(signal.SIGHUP)
        services.up("a")
        assert daemon.stop() == 0


def test_a_full_disk_is_told_and_made_good(services: Services, tmp_path: Path) -> None:
    """supervise/ on a full filesystem of its own: the service is obeyed, the status follows later."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    folder = services.make("a", run="echo started >>starts; " + STAYS)
    small = tmp_path / "small"
    small.mkdir()
    (folder / "supervise").symlink_to(small)
    mounted = run("mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=64", "none", small)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr!r}")
    try:
        with svscan(services) as daemon:
            first = services.up("a")
            filler = small / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(512))
            services.svc("-t", "a")
            daemon.line(b"svscan: warning: unable to write a/supervise/status.new: out of disk space")
            eventually(lambda: (folder / "starts").read_text() == "started\n" * 2)
            services.svc("-p", "a")
            for _ in range(3):
                daemon.signal(signal.SIGHUP)
            filler.unlink()
            daemon.signal(signal.SIGHUP)
            eventually(lambda: services.state("a").endswith("paused"))
            assert services.pid("a") not in (0, first)
            assert daemon.stop() == 0
            warnings = (daemon.said + daemon.rest()).splitlines()
            assert len(warnings) <= 4, "a warning for each change that could not be shown, none for a scan"
    finally:
        assert run("umount", "-l", small).returncode == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("missing", b"svscan: fatal: unable to chdir to %s: file does not exist\n"),
        ("file", b"svscan: fatal: unable to chdir to %s: not a directory\n"),
    ],
)
def test_a_wrong_folder(tmp_path: Path, make: str, said: bytes) -> None:
    where = tmp_path / make
    if make == "file":
        where.touch()
    done = run("svscan", where)
    assert (done.returncode, done.stdout, done.stderr) == (111, b"", said % bytes(where))


def test_as_an_ordinary_user(tmp_path: Path) -> None:
    """nobody hosts a folder of nobody's own; a setuidgid in it fails in C's words."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    home = Path(run("mktemp", "-d", "/tmp/svpy-nobody-XXXXXX").stdout.decode().strip())
    try:
        services = Services(home)
        services.make("a", run="echo as $(id -u); " + STAYS)
        services.make("b", run="#!/bin/sh\nexec setuidgid daemon true 2>&1\n")
        run("chown", "-R", "nobody:nogroup", home)
        home.chmod(0o755)
        with svscan(services, user="nobody", group="nogroup", extra_groups=[]) as daemon:
            services.up("a")
            daemon.line(b"setuidgid: fatal: unable to setgid: permission denied")
            assert f"as {run('id', '-u', 'nobody').stdout.decode().strip()}".encode() in daemon.said
            assert daemon.stop() == 0
    finally:
        run("rm", "-rf", home)


def test_the_command_line_and_name_are_what_scripts_look_for(services: Services) -> None:
    services.make("a")
    with svscan(services, cwd="/") as daemon:
        services.up("a")
        words = Path(f"/proc/{daemon.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert words == [b"svscan", os.fsencode(services.folder)]
        assert Path(f"/proc/{daemon.pid}/comm").read_text() == "svscan\n"
        assert Path(f"/proc/{daemon.pid}/cwd").resolve() == services.folder.resolve()
        opened = descriptors(daemon.pid)
        assert not any(link.endswith(("/mem", "/comm")) for link in opened)


def test_an_unreadable_folder_is_told_once_and_what_runs_goes_on() -> None:
    """Not root: svscan may neither list its folder nor come back to it, and loses sight of nothing."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    home = Path(run("mktemp", "-d", "/tmp/svpy-nobody-XXXXXX").stdout.decode().strip())
    try:
        services = Services(home)
        services.make("a", run="echo $$ >>pids; " + STAYS)
        run("chown", "-R", "nobody:nogroup", home)
        home.chmod(0o755)
        pids = services.folder / "a/pids"
        with svscan(services, user="nobody", group="nogroup", extra_groups=[]) as daemon:
            first = services.up("a")
            services.folder.chmod(0)
            daemon.signal(signal.SIGHUP)
            daemon.line(b"svscan: warning: unable to read directory: access denied")
            for lives in (1, 2):
                eventually(lambda lives=lives: pids.read_text().count("\n") == lives)
                os.kill(int(pids.read_text().split()[-1]), signal.SIGKILL)
            eventually(lambda: pids.read_text().count("\n") == 3)
            services.folder.chmod(0o755)
            assert daemon.stop() == 0
            seen = [int(pid) for pid in pids.read_text().split()]
            assert len(seen) == 3 and seen[0] == first, "a life a kill, none beside it"
            assert not any(alive(pid) for pid in seen)
    finally:
        run("rm", "-rf", home)


def test_a_full_stderr_holds_up_nobody(services: Services) -> None:
    """A service has filled the pipe that svscan's messages go to, and nobody reads it."""
    services.make("noisy", run="exec yes >&2")
    (services.make("broken") / "run").unlink()
    services.make("good")
    with svscan(services) as daemon:
        pid = services.up("good")
        noisy = services.up("noisy")
        eventually(lambda: "write" in Path(f"/proc/{noisy}/wchan").read_text())
        eventually(lambda: services.state("broken").endswith("want up"))
        services.svc("-t", "good")
        services.up("good", since=pid)
        assert daemon.stop() == 0


def test_a_signal_mask_is_not_inherited(services: Services) -> None:
    services.make("a", run="sed -n 's/^SigBlk:[^0-9]*//p' /proc/self/status; " + STAYS)
    everything = signal.valid_signals()

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, everything)

    with svscan(services, preexec_fn=block) as daemon:
        assert int(daemon.line(), 16) == 0
        pid = services.up("a")
        services.svc("-t", "a")
        services.up("a", since=pid)
        assert daemon.stop() == 0


def test_children_that_came_with_the_exec_are_reaped(services: Services) -> None:
    """As when a shell started something and then executed svscan."""
    services.make("a")

    def leave_a_zombie() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    with svscan(services, preexec_fn=leave_a_zombie) as daemon:
        mine = services.up("a")
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
        eventually(lambda: children.read_text().split() == [str(mine)])


def test_an_environment_that_is_none(services: Services) -> None:
    """Entries without a name or a `=`: what posix_spawn cannot pass on is left out."""
    services.make("a", run="echo odd is $ODD; " + STAYS)
    program = (
        "import sys; from svpy.system.execute import executor; "
        f"executor([b'NOTHING', b'=x', b'ODD=here', b'PATH={environment()['PATH']}'])"
        "(sys.argv[1].encode(), [word.encode() for word in sys.argv[1:]])"
    )
    path = run("sh", "-c", "command -v svscan").stdout.decode().strip()
    with Daemon(sys.executable, "-I", "-c", program, path, services.folder) as daemon:
        assert daemon.line() == b"odd is here"


def test_a_service_that_sends_svscan_away_is_still_started_once_a_second(services: Services) -> None:
    folder = services.make("a", run=NOTE_THE_START + "; svc -x .")
    with svscan(services) as daemon:
        eventually(lambda: starts(folder))

        def three() -> bool:
            daemon.signal(signal.SIGHUP)
            return len(starts(folder)) >= 3

        eventually(three)
    gaps = [later - earlier for earlier, later in pairwise(starts(folder))]
    assert all(gap >= 0.98 for gap in gaps), gaps


def test_the_last_descriptors_are_for_those_that_are_supervised(services: Services) -> None:
    for number in range(20):
        services.make(f"{number:02}")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    with svscan(services, preexec_fn=few) as daemon:
        said = daemon.line(b"unable to")
        assert said.endswith(b": process cannot open more files")
        services.up("00")
        services.svc("-d", "00")
        eventually(lambda: services.state("00").startswith("down "))
        assert daemon.stop() == 0


def test_a_folder_that_finds_no_room_is_taken_up_when_there_is_some(services: Services) -> None:
    for number in range(20):
        services.make(f"{number:02}")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    with svscan(services, preexec_fn=few) as daemon:
        (refused,) = re.findall(r" (\d\d)\b", daemon.line(b"unable to").decode())
        for number in range(4):
            gone = services.folder.parent / f"{number:02}"
            (services.folder / f"{number:02}").rename(gone)
            services.svc("-dx", str(gone))
        services.up(refused)


def test_folders_that_find_no_room_do_not_use_up_the_reserve(services: Services) -> None:
    for number in range(60):
        services.make(f"{number:02}", log="exec cat" if number % 2 else None)

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    with svscan(services, preexec_fn=few) as daemon:
        daemon.line(b": process cannot open more files")
        services.up("00")
        daemon.signal(signal.SIGHUP)
        services.svc("-d", "00")
        eventually(lambda: services.state("00").startswith("down "))
        eventually(lambda: len(descriptors(daemon.pid)) <= 92)
        assert b"status.new" not in daemon.said
        assert daemon.stop() == 0


def test_hup_while_it_starts_does_not_end_it(services: Services) -> None:
    services.make("a")
    with svscan(services) as daemon:

        def up() -> bool:
            daemon.signal(signal.SIGHUP)
            return services.pid("a") != 0

        eventually(lambda: ignores_hup(daemon.pid))
        eventually(up)
        assert daemon.stop() == 0


def ignores_hup(pid: int) -> bool:
    """From svscan's first lines on: ignored, then caught. The interpreter's own start is before them."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool((int(fields["SigIgn"], 16) | int(fields["SigCgt"], 16)) & 1)


def test_without_an_argument_it_is_the_current_folder(services: Services) -> None:
    services.make("a")
    with svscan(services) as daemon:
        services.up("a")
        assert daemon.stop() == 0
    with Daemon("svscan", cwd=services.folder):
        services.up("a")
