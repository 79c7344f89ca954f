"""Loggers that run natively: many in one process, each as if it were alone in one that was executed."""

from __future__ import annotations

import os
import pwd
import random
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.disks import dead_disk
from support.natives import (
    LOG,
    Natives,
    children,
    cmdline,
    comm,
    counts,
    nothing_is_lost,
    template,
    wchars,
)
from support.processes import PATH, environment, eventually, run
from support.services import Daemon, alive, descriptors, hold, script, stopped

from svpy.core import nativewire, record, recordline

LETTERS = "dtahkpcxi12qw"
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def natives(reachable: Path) -> Natives:
    return Natives(reachable)


@pytest.fixture
def three(natives: Natives) -> Iterator[tuple[Daemon, list[str]]]:
    names = natives.pairs(3)
    with natives.svscan() as daemon:
        natives.all_up(names)
        yield daemon, names


def ended(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, number)
    eventually(lambda: not alive(pid))


def up_again(natives: Natives, names: list[str], since: int) -> list[int]:
    return [natives.up(name, since=since) for name in names]


def test_loggers_share_one_process_that_looks_like_a_logger(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as daemon:
        pids = set(natives.all_up(names))
        assert len(pids) == 1
        (pid,) = pids
        assert (comm(pid), cmdline(pid)) == ("multilog", [b"multilog", b"./main"])
        assert comm(template(daemon.pid)) == "svpy"
        assert [natives.how(name) for name in (*names, "s0")] == ["native"] * 3 + ["executed"]
        held = descriptors(pid)
        assert not [
            link for link in held if "supervise" in link or ("/service" in link and "log" not in link)
        ]
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
        assert not alive(pid) and not children(os.getpid()).count(pid)
    for name in names:
        assert (natives.folder / name / "supervise/lock").read_bytes() == b"", "it ended in order"


def test_what_is_written_at_the_end_is_read_to_the_end(natives: Natives) -> None:
    names = natives.pairs(3, run=counts())
    with natives.svscan() as daemon:
        natives.all_up(names)
        for name in names:
            eventually(lambda name=name: natives.logged(name).count(b"\n") > 10)
        assert daemon.stop() == 0
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


def test_only_what_svscan_was_started_with_is_handed_on(natives: Natives) -> None:
    """Descriptors 1, 2, and one above that were svscan's, to the template and to loggers; none of its own."""
    names = natives.pairs(2)
    shell = f"exec 7</dev/zero; exec {natives.bin}/svscan {natives.folder}"
    with Daemon("sh", "-c", shell) as daemon:
        pid = natives.all_up(names)[0]
        for other in (template(daemon.pid), pid):
            assert os.readlink(f"/proc/{other}/fd/7") == "/dev/zero"
            for number in (1, 2):
                found = os.readlink(f"/proc/{other}/fd/{number}")
                assert found == os.readlink(f"/proc/{daemon.pid}/fd/{number}")
        svscans = {link for link in descriptors(daemon.pid) if link.startswith("pipe:")}
        pipes = {os.readlink(f"/proc/{natives.up(name[:-4])}/fd/1") for name in names}
        assert pipes <= svscans
        held = descriptors(template(daemon.pid))
        assert (
            not pipes.intersection(held) and len([link for link in held if link.startswith("socket:")]) == 1
        )
        # Reading ends only: with a writer in it a log pipe never ends.
        for name in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{name}") in pipes:
                flags = Path(f"/proc/{pid}/fdinfo/{name}").read_text().split("flags:")[1].split()[0]
                assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY
        assert daemon.stop() == 0


def test_with_the_option_everything_is_executed(natives: Natives) -> None:
    names = natives.pairs(2)
    with natives.svscan("--no-native") as daemon:
        assert len(set(natives.all_up(names))) == 2
        assert not template(daemon.pid)
        assert natives.how(names[0]) == "executed"
        assert daemon.stop() == 0


UNKNOWN = {
    "variable": "exec multilog $HOME/main",
    "operator": "exec multilog ./main || exit 1",
    "not ours": "exec cat >/dev/null",
    "relative": "exec ./multilog ./main",
    "very long": "exec multilog ./main\n" + "#" * (10 << 20),
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_is_executed(natives: Natives, text: str) -> None:
    folder = natives.prepare("a", log=text)
    (folder / "log/multilog").symlink_to(natives.bin / "multilog")
    folder.rename(natives.folder / "a")
    with natives.svscan() as daemon:
        natives.up("a/log")
        assert not template(daemon.pid)
        assert daemon.stop() == 0


def test_another_multilog_that_comes_first_is_executed(natives: Natives) -> None:
    first = natives.bin.parent / "first"
    first.mkdir()
    script(first / "multilog", "echo other >&2; exec cat >/dev/null")
    natives.make("a", log=LOG)
    with natives.svscan(env={"PATH": f"{first}:{os.environ['PATH']}:{natives.bin}"}) as daemon:
        daemon.line(b"other")
        assert natives.how("a/log") == "executed"
        assert daemon.stop() == 0


@pytest.mark.parametrize("more", [{}, {"PATH": f"{PATH}:"}, {"PATH": f"{PATH}:~/bin"}])
def test_a_path_that_is_not_the_same_to_every_shell_is_left_to_it(
    natives: Natives, more: dict[str, str]
) -> None:
    natives.make("a", log=f"exec {natives.bin}/multilog ./main")
    with natives.svscan(env=more) as daemon:
        natives.up("a/log")
        assert natives.how("a/log") == "executed" and not template(daemon.pid)
        assert daemon.stop() == 0


def test_a_closed_stdout_is_closed_to_them_too(natives: Natives) -> None:
    """Nothing can be made like it: sh ends, as ever. Who leaves stderr alone does not care."""
    folder = natives.prepare("a", log=f"exec 2>&1\n{LOG}")
    script(folder / "log/notify", "echo $1 $2 $4 >>told")
    folder.rename(natives.folder / "a")
    natives.make("b", log=LOG)
    with Daemon("sh", "-c", f"exec {natives.bin}/svscan {natives.folder} >&-") as daemon:
        pid = natives.up("b/log")
        assert natives.how("b/log") == "native"
        assert os.readlink(f"/proc/{pid}/fd/1") == "/", "its place is held by what cannot be written to"
        told = natives.folder / "a/log/told"
        eventually(lambda: told.exists() and "run exit 2\n" in told.read_text())
        assert daemon.stop() == 0


@pytest.mark.parametrize("planted", ["fifo", "folder", "not executable", "nothing"])
def test_a_run_that_cannot_be_executed_holds_nobody_up(natives: Natives, planted: str) -> None:
    folder = natives.prepare("a", log=LOG)
    path = folder / "log/run"
    path.unlink()
    if planted == "fifo":
        os.mkfifo(path, 0o755)
    elif planted == "folder":
        path.mkdir()
    elif planted == "not executable":
        path.write_text(f"#!/bin/sh\n{LOG}\n")
    folder.rename(natives.folder / "a")
    natives.make("b", log=LOG)
    with natives.svscan() as daemon:
        natives.up("b/log")
        daemon.line(b"svscan: warning: unable to start a/log/run: ")
        assert natives.how("b/log") == "native"
        assert daemon.stop() == 0


def test_a_run_that_is_a_link_is_followed(natives: Natives) -> None:
    folder = natives.prepare("a", log=LOG)
    (folder / "log/run").rename(natives.bin.parent / "shared-run")
    (folder / "log/run").symlink_to(natives.bin.parent / "shared-run")
    folder.rename(natives.folder / "a")
    with natives.svscan() as daemon:
        natives.up("a/log")
        assert natives.how("a/log") == "native"
        assert daemon.stop() == 0


def test_it_is_decided_afresh_at_each_start(natives: Natives, three: tuple[Daemon, list[str]]) -> None:
    daemon, names = three
    run_file = natives.folder / names[0] / "run"
    pid = natives.pid(names[0])
    for text, how in (("exec cat >>other", "executed"), (LOG, "native"), ("exec cat >>other", "executed")):
        script(run_file.with_name("new"), text)
        run_file.with_name("new").rename(run_file)
        before = natives.pid(names[0])
        natives.svc("-t", names[0])
        eventually(lambda how=how: natives.pid(names[0]) and natives.how(names[0]) == how)
        assert (natives.pid(names[0]) == pid) == (how == "native"), before
        assert natives.pid(names[1]) == pid
    assert daemon.stop() == 0


def states(natives: Natives, names: list[str]) -> list[bytes]:
    return [(natives.folder / name / "supervise/status").read_bytes() for name in names]


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_for_one_touches_no_other(
    natives: Natives, three: tuple[Daemon, list[str]], letter: str
) -> None:
    daemon, (name, *others) = three
    pid = natives.pid(name)
    before, before_its = states(natives, others), states(natives, [name])
    natives.svc(f"-{letter}", name)
    if letter == "p":
        assert natives.state(name).endswith("paused")
    elif letter in "dt" + "hki12q":
        eventually(lambda: states(natives, [name]) != before_its)
    if letter == "d":
        eventually(lambda: natives.pid(name) == 0)
    else:
        eventually(lambda: natives.pid(name) == pid)
    assert states(natives, others) == before and alive(pid)
    assert daemon.stop() == 0


def test_any_letters_on_one_of_several(natives: Natives, three: tuple[Daemon, list[str]]) -> None:
    """What they make of it is what svstat shows, and in the end it logs again."""
    daemon, (name, *others) = three
    chance = random.Random(5)
    before = states(natives, others)
    for _ in range(60):
        letters = "".join(chance.choice("udopcahitk12qw+=") for _ in range(chance.randint(1, 4)))
        natives.svc(f"-{letters}", name)
    natives.svc("-cu", name)
    eventually(lambda: natives.state(name).startswith("up") and "want" not in natives.state(name))
    assert states(natives, others) == before
    assert daemon.stop() == 0
    assert daemon.said + daemon.rest() == b""


def test_a_paused_one_reads_later(natives: Natives) -> None:
    names = natives.pairs(2, run="while read line <>orders; do echo $line; done", log=LOG)
    for name in names:
        os.mkfifo(natives.folder / name[:-4] / "orders")
    with natives.svscan() as daemon:
        natives.all_up(names)
        natives.svc("-p", names[0])
        for name in names:
            (natives.folder / name[:-4] / "orders").write_text("a line\n")
        eventually(lambda: natives.logged(names[1]) == b"a line\n")
        assert natives.logged(names[0]) == b""
        natives.svc("-c", names[0])
        eventually(lambda: natives.logged(names[0]) == b"a line\n")
        assert daemon.stop() == 0


def test_a_killed_process_restarts_all_and_loses_no_line(natives: Natives) -> None:
    """None that is in a pipe. What was read and not written yet is lost with any multilog: there is none."""
    names = natives.pairs(3, run=counts())
    with natives.svscan() as daemon:

        def killed_at_rest() -> None:
            services = [natives.pid(name.partition("/")[0]) for name in names]
            for service in services:
                hold(service)
            wrote = [wchars(service) for service in services]
            eventually(lambda: [len(natives.kept(name)) for name in names] == wrote)
            hold(pid)
            for service in services:
                os.kill(service, signal.SIGCONT)
            eventually(lambda: all(wchars(s) > before for s, before in zip(services, wrote, strict=True)))
            os.kill(pid, signal.SIGKILL)

        pid = natives.all_up(names)[0]
        for _ in range(3):
            eventually(lambda: all(natives.logged(name).count(b"\n") > 10 for name in names))
            killed_at_rest()
            (again,) = {*up_again(natives, names, since=pid)}
            pid = again
        held = len(descriptors(daemon.pid))
        killed_at_rest()
        (pid,) = {*up_again(natives, names, since=pid)}
        assert len(descriptors(daemon.pid)) == held, "flat"
        assert daemon.stop() == 0
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_template_that_is_no_more_or_is_stopped_costs_nobody_anything(
    natives: Natives, three: tuple[Daemon, list[str]], how: signal.Signals
) -> None:
    daemon, names = three
    first, pid = template(daemon.pid), natives.pid(names[0])
    os.kill(first, how)
    eventually(lambda: not alive(first) or stopped(first))
    # All of a process that was killed need another, and that needs a template.
    os.kill(pid, signal.SIGKILL)
    up_again(natives, names, since=pid)
    if how == signal.SIGKILL:
        assert [natives.how(name) for name in names] == ["native"] * 3
        assert template(daemon.pid) not in (0, first)
    else:
        daemon.line(b"unable to run loggers natively: timed out; they are executed")
        assert [natives.how(name) for name in names] == ["executed"] * 3
        eventually(lambda: not alive(first))
    assert daemon.stop() == 0


def test_a_template_that_cannot_begin_is_said_once(natives: Natives) -> None:
    natives.install("svpy", "sys.exit(3)")
    names = natives.pairs(3)
    with natives.svscan() as daemon:
        natives.all_up(names)
        assert {natives.how(name) for name in names} == {"executed"}
        assert daemon.stop() == 0
        said = daemon.said + daemon.rest()
    assert said.count(b"unable to run loggers natively: connection reset") == said.count(b"\n") == 1, said


def test_a_template_without_descriptors_says_so(natives: Natives, three: tuple[Daemon, list[str]]) -> None:
    daemon, names = three
    pid = natives.pid(names[0])
    of_it = template(daemon.pid)
    limits = resource.prlimit(of_it, resource.RLIMIT_NOFILE)
    resource.prlimit(of_it, resource.RLIMIT_NOFILE, (len(descriptors(of_it)) + 3, limits[1]))
    os.kill(pid, signal.SIGKILL)
    up_again(natives, names, since=pid)
    daemon.line(b"unable to run loggers natively: process cannot open more files; they are executed")
    assert {natives.how(name) for name in names} == {"executed"}
    resource.prlimit(of_it, resource.RLIMIT_NOFILE, limits)
    natives.svc("-t", *names)
    eventually(lambda: [natives.how(name) for name in names] == ["native"] * 3)
    assert template(daemon.pid) == of_it
    assert daemon.stop() == 0


@pytest.mark.parametrize("which", [1, 2], ids=["first", "second"])
def test_a_fork_that_fails_costs_that_start(natives: Natives, which: int) -> None:
    natives.install(
        "svpy",
        "import os\nreal, forks = os.fork, []\n"
        "def fork():\n forks.append(1)\n"
        f" if len(forks) == {which}: raise BlockingIOError(11, 'EAGAIN')\n"
        " return real()\n"
        "os.fork = fork\n",
    )
    names = natives.pairs(1)
    with natives.svscan() as daemon:
        natives.all_up(names)
        daemon.line(b"unable to run loggers natively: temporary failure; they are executed")
        assert natives.how(names[0]) == "executed"
        if which == 1:
            natives.svc("-t", *names)
            eventually(lambda: natives.how(names[0]) == "native")
        assert daemon.stop() == 0


@pytest.mark.parametrize("log", [LOG, "exec pgrphack multilog ./main"], ids=["shared", "alone"])
def test_a_template_that_makes_no_sense_is_given_up(natives: Natives, log: str) -> None:
    """What had been forked by then does nothing: it would have the log folder, and nobody would know it."""
    natives.install("svpy", "import svpy.core.templatewire as t\nt.encode_answer = lambda forked: b'?'")
    (name,) = natives.pairs(1, run=counts(), log=log)
    with natives.svscan() as daemon:
        natives.all_up([name])
        daemon.line(b"unable to run loggers natively: protocol error; they are executed")
        assert natives.how(name) == "executed"
        eventually(lambda: not template(daemon.pid))
        eventually(lambda: natives.logged(name).count(b"\n") > 10)
        assert daemon.stop() == 0
        assert b"lock" not in daemon.said + daemon.rest()


def test_what_was_installed_meanwhile_is_used(natives: Natives, three: tuple[Daemon, list[str]]) -> None:
    daemon, names = three
    first, pid = template(daemon.pid), natives.pid(names[0])
    natives.install("svpy")
    ended(pid)
    assert len({*up_again(natives, names, since=pid)}) == 1
    assert [natives.how(name) for name in names] == ["native"] * 3
    eventually(lambda: not alive(first))
    assert template(daemon.pid) != first
    assert daemon.stop() == 0
    assert daemon.said + daemon.rest() == b""


def test_a_template_of_another_version_is_not_used(natives: Natives) -> None:
    natives.install("svpy", "import svpy; svpy.__version__ = '0'")
    names = natives.pairs(1)
    with natives.svscan() as daemon:
        natives.all_up(names)
        assert natives.how(names[0]) == "executed"
        assert daemon.stop() == 0


def test_a_process_that_was_stopped_gets_no_more_and_is_left_alone(
    natives: Natives, three: tuple[Daemon, list[str]]
) -> None:
    daemon, names = three
    pid = natives.pid(names[0])
    hold(pid)
    natives.make("new", log=LOG)
    other = natives.up("new/log")
    assert other != pid and natives.how("new/log") == "native"
    natives.svc("-c", names[0])
    eventually(lambda: not stopped(pid))
    assert daemon.stop() == 0


def test_kill_reaches_a_process_that_was_stopped(natives: Natives, three: tuple[Daemon, list[str]]) -> None:
    daemon, names = three
    pid = natives.pid(names[0])
    hold(pid)
    natives.svc("-k", names[0])
    up_again(natives, names, since=pid)
    assert daemon.stop() == 0


@pytest.mark.parametrize("options", [[], ["--no-native"]], ids=["native", "executed"])
def test_a_logger_that_somebody_has_stopped_does_not_hold_up_the_end(
    natives: Natives, options: list[str]
) -> None:
    names = natives.pairs(3)
    with natives.svscan(*options, "--stop-timeout", "1") as daemon:
        pid = natives.all_up(names)[0]
        hold(pid)
        assert daemon.stop() == 0
        assert not alive(pid)


def test_a_disk_that_does_not_answer_holds_up_nobody(natives: Natives) -> None:
    """Neither other loggers, nor svc, nor a stop with a deadline: what even KILL does not end is let be."""
    with dead_disk(natives.folder.with_name("disk")) as disk:
        stuck, *names = natives.pairs(3, run=counts())
        script(natives.folder / stuck / "run", f"exec multilog {disk.folder}/main")
        with natives.svscan("--stop-timeout", "1") as daemon:
            (pid,) = {*natives.all_up([stuck, *names])}
            disk.silent("write")
            disk.line(b"held write")
            for name in names:
                before = natives.logged(name).count(b"\n")
                eventually(lambda name=name, before=before: natives.logged(name).count(b"\n") > before + 10)
            natives.svc("-d", stuck)
            before = states(natives, names)
            natives.svc("-t", names[0])
            eventually(lambda before=before: states(natives, names) != before)
            eventually(lambda: natives.pid(names[0]) == pid)
            assert natives.state(stuck).endswith("want down") and natives.pid(stuck) == pid
            assert daemon.stop() == 0
            assert natives.pid(names[0]) == natives.pid(names[1]) == 0
            daemon.line(b"killing s0/log: it did not end in time")
            daemon.line(b"killed 1 processes")
            disk.silent()
            eventually(lambda: not alive(pid))
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


@pytest.mark.parametrize("word", ["{disk}/prog", "prog"], ids=["by its path", "through a link"])
def test_a_program_on_a_disk_that_does_not_answer_holds_up_its_service_only(
    natives: Natives, word: str
) -> None:
    natives.make("b")
    with dead_disk(natives.folder.with_name("disk")) as disk:
        (natives.bin / "prog").symlink_to(disk.folder / "prog")
        disk.silent("lookup", "getattr", "open", "read")
        natives.make("a", run=f"exec {word.format(disk=disk.folder)} 1000")
        with Daemon(
            natives.bin / "svscan", natives.folder, env=environment(PATH=f"{natives.bin}:{PATH}")
        ) as daemon:
            disk.line(b"held")
            pid, other = natives.up("a"), natives.up("b")
            assert comm(pid) == "run"
            natives.svc("-t", "b")
            natives.up("b", since=other)
            natives.svc("-k", "a")
            disk.silent()
            eventually(lambda: natives.pid("a") != pid)
            assert daemon.stop() == 0


def test_one_that_does_not_end_in_time_is_killed_alone(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as daemon:
        pid = natives.all_up(names)[0]
        (natives.folder / names[0] / "stop-timeout").write_text("0.2\n")
        # While it is paused TERM waits.
        natives.svc("-p", names[0])
        fd = os.open(natives.folder / names[0] / "supervise/control", os.O_WRONLY)
        os.write(fd, b"dp")
        os.close(fd)
        eventually(lambda: natives.pid(names[0]) == 0)
        assert natives.pid(names[1]) == pid
        assert daemon.stop() == 0


def test_two_hundred_loggers_in_one_process(natives: Natives) -> None:
    names = natives.pairs(200)
    with natives.svscan() as daemon:
        (pid,) = {*natives.all_up(names)}
        held = len(descriptors(daemon.pid)), len(descriptors(pid))
        for _ in range(3):
            chosen = names[::20]
            before = states(natives, chosen)
            natives.svc("-t", *chosen)
            eventually(lambda before=before, chosen=chosen: all(
                old != new for old, new in zip(before, states(natives, chosen), strict=True)
            ))  # fmt: skip
            eventually(lambda chosen=chosen: {natives.pid(name) for name in chosen} == {pid})
        assert held == (len(descriptors(daemon.pid)), len(descriptors(pid))), "flat"
        os.kill(pid, signal.SIGKILL)
        assert len({*up_again(natives, names, since=pid)}) == 1
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""


def test_a_process_takes_only_as_many_as_its_limit_allows(natives: Natives) -> None:
    names = natives.pairs(8)
    shell = f"ulimit -n 90; exec {natives.bin}/svscan {natives.folder}"
    with Daemon("sh", "-c", shell) as daemon:
        # Not all can be supervised with so few descriptors.
        eventually(lambda: len([name for name in names if natives.pid(name)]) >= 5)
        pids = [natives.pid(name) for name in names if natives.pid(name)]
        assert max(map(pids.count, pids)) <= (90 - 64) // 6
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0


@NEEDS_ROOT
def test_each_account_has_a_process_of_its_own(natives: Natives) -> None:
    for number in range(4):
        account = ("nobody", "daemon")[number % 2]
        folder = natives.prepare(f"a{number}", log=f"exec 2>&1\nexec setuidgid {account} multilog ./main")
        (folder / "log/main").mkdir()
        entry = pwd.getpwnam(account)
        os.chown(folder / "log/main", entry.pw_uid, entry.pw_gid)
        folder.rename(natives.folder / f"a{number}")
    with natives.svscan() as daemon:
        pids = natives.all_up([f"a{number}/log" for number in range(4)])
        assert pids[:2] == pids[2:] and len({*pids}) == 2
        for pid, account in zip(pids[:2], ("nobody", "daemon"), strict=True):
            entry = pwd.getpwnam(account)
            text = Path(f"/proc/{pid}/status").read_text()
            assert f"Uid:\t{entry.pw_uid}\t{entry.pw_uid}\t{entry.pw_uid}\t" in text
            assert f"Groups:\t{entry.pw_gid} \n" in text
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""


@NEEDS_ROOT
def test_who_does_not_stand_in_the_file_of_accounts_shares_nothing(natives: Natives) -> None:
    """Whoever that is elsewhere may change, and is looked up at each start."""
    for name in ("a", "b"):
        folder = natives.prepare(name, log="exec setuidgid 65534:65534 multilog ./main")
        (folder / "log/main").mkdir()
        os.chown(folder / "log/main", 65534, 65534)
        folder.rename(natives.folder / name)
    with natives.svscan() as daemon:
        pids = natives.all_up(["a/log", "b/log"])
        assert len({*pids}) == 2
        assert [natives.how(name) for name in ("a/log", "b/log")] == ["native"] * 2
        assert all("Uid:\t65534\t" in Path(f"/proc/{pid}/status").read_text() for pid in pids)
        assert daemon.stop() == 0


@NEEDS_ROOT
def test_an_account_that_was_removed_is_noticed_at_the_next_start(natives: Natives) -> None:
    """Those that run are left alone; one of that name that comes later is another."""
    accounts = natives.bin.parent / "accounts"
    accounts.write_text("root:x:0:0::/:/bin/sh\nlogs:x:4242:4242::/:/bin/sh\n")
    for name in ("a", "b"):
        folder = natives.prepare(name, log="exec setuidgid logs multilog ./main")
        (folder / "log/main").mkdir()
        os.chown(folder / "log/main", 4242, 4242)
        folder.rename(natives.folder / name)
    shell = f"mount --bind {accounts} /etc/passwd && exec {natives.bin}/svscan {natives.folder}"
    with Daemon("unshare", "--mount", "sh", "-c", shell) as daemon:
        (pid,) = {*natives.all_up(["a/log", "b/log"])}
        accounts.write_text("root:x:0:0::/:/bin/sh\n")
        natives.svc("-t", "a/log")
        assert daemon.line(b"setuidgid") == b"setuidgid: fatal: unknown account logs"
        accounts.write_text("root:x:0:0::/:/bin/sh\nlogs:x:4242:4343::/:/bin/sh\n")
        other = natives.up("a/log", since=pid)
        eventually(lambda: "\nGid:\t4343\t" in Path(f"/proc/{natives.up('a/log')}/status").read_text())
        assert natives.pid("b/log") == pid != other
        assert [natives.how(name) for name in ("a/log", "b/log")] == ["native"] * 2
        assert daemon.stop() == 0


def test_an_unknown_account_is_said_as_ever_and_tried_again(natives: Natives) -> None:
    natives.make("a", log="exec setuidgid no-such-account multilog ./main")
    natives.make("b", log=LOG)
    with natives.svscan() as daemon:
        for _ in range(2):
            assert daemon.line(b"setuidgid") == b"setuidgid: fatal: unknown account no-such-account"
        assert natives.how("b/log") == "native"
        assert daemon.stop() == 0


@NEEDS_ROOT
def test_a_chain_that_leads_elsewhere_as_another_user_is_executed(natives: Natives) -> None:
    """What root finds first on PATH the account cannot reach: it finds the next."""
    closed, second = natives.bin.parent / "closed", natives.bin.parent / "second"
    closed.mkdir(0o700)
    second.mkdir()
    (closed / "multilog").symlink_to(natives.bin / "multilog")
    script(second / "multilog", "echo the second >&2; exec cat >/dev/null")
    natives.make("a", log="exec setuidgid nobody multilog ./main")
    with natives.svscan(env={"PATH": f"{closed}:{second}:{natives.bin}:/bin:/usr/bin"}) as daemon:
        daemon.line(b"the second")
        natives.up("a/log")
        assert natives.how("a/log") == "executed"
        assert daemon.stop() == 0


@NEEDS_ROOT
def test_an_account_without_room_for_threads_has_its_loggers_executed(natives: Natives) -> None:
    """Whoever has an account can take all its processes away; a multilog that is executed needs but one."""
    folder = natives.prepare("a", run=counts(), log="exec setuidgid nobody multilog ./main")
    (folder / "log/main").mkdir()
    shutil.chown(folder / "log/main", "nobody")
    folder.rename(natives.folder / "a")
    shell = f"ulimit -u 1; exec {natives.bin}/svscan {natives.folder}"
    with Daemon("bash", "-c", shell) as daemon:
        eventually(lambda: natives.pid("a/log") and natives.how("a/log") == "executed")
        eventually(lambda: natives.logged("a/log").count(b"\n") > 10)
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    nothing_is_lost(natives.folder / "a")


@pytest.mark.parametrize(
    "loaders", ["softlimit -o 60", "pgrphack", "envdir env", "setlock one"], ids=lambda text: text.split()[0]
)
def test_other_chains_have_a_process_each_that_is_as_any_other(natives: Natives, loaders: str) -> None:
    folder = natives.prepare("a", run=counts(), log=f"exec {loaders} multilog ./main")
    (folder / "log/env").mkdir()
    folder.rename(natives.folder / "a")
    with natives.svscan() as daemon:
        pid = natives.up("a/log")
        eventually(lambda: natives.logged("a/log").count(b"\n") > 10)
        assert natives.how("a/log") == "native" and comm(pid) == "multilog"
        assert cmdline(pid) == [b"multilog", b"./main"]
        assert os.readlink(f"/proc/{pid}/cwd") == str(natives.folder / "a/log/main")
        natives.svc("-p", "a/log")
        eventually(lambda: stopped(pid))
        natives.svc("-c", "a/log")
        if loaders == "pgrphack":
            assert os.getpgid(pid) == pid
            natives.svc("-+t", "a/log")
        else:
            natives.svc("-t", "a/log")
        natives.up("a/log", since=pid)
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    nothing_is_lost(natives.folder / "a")


def test_it_is_told_to_notify_as_ever(natives: Natives) -> None:
    folder = natives.prepare("a", log=LOG)
    script(folder / "log/notify", "echo $1 $2 $4 >>told")
    folder.rename(natives.folder / "a")
    natives.make("b", log=LOG)
    with natives.svscan() as daemon:
        natives.up("a/log")
        natives.svc("-k", "a/log")
        told = natives.folder / "a/log/told"
        eventually(lambda: told.read_text().count("run start 0") == 2)
        assert sorted(told.read_text().split("\n")[:3]) == ["run killed 9", "run start 0", "run start 0"]
        assert daemon.stop() == 0


def taken(names: list[str], natives: Natives) -> None:
    for name in names:
        eventually(lambda name=name: run("svok", name, cwd=natives.folder).returncode == 0, name)


def killed(daemon: Daemon) -> None:
    daemon.signal(signal.SIGKILL)
    daemon.wait()


def test_deaths_of_svscan_change_no_pid_and_lose_no_line(natives: Natives) -> None:
    names = natives.pairs(3, run=counts())
    with ExitStack() as lives:
        daemon = lives.enter_context(natives.svscan())
        pid = natives.all_up(names)[0]
        held = 0
        for _ in range(12):
            of_it = template(daemon.pid)
            killed(daemon)
            eventually(lambda of_it=of_it: not of_it or not alive(of_it), "a template ends with its svscan")
            daemon = lives.enter_context(natives.svscan())
            taken([*names, "s0", "s1", "s2"], natives)
            assert {natives.pid(name) for name in names} == {pid}
            held = held or len(descriptors(daemon.pid))
            assert len(descriptors(daemon.pid)) == held
        assert daemon.stop() == 0
        said = daemon.said + daemon.rest()
    # What it has reported is known, whoever had started it.
    assert b"/log (pid" not in said
    eventually(lambda: not alive(pid), "which is nobody's child")
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


def test_one_alone_is_found_again_whenever_its_svscan_dies(natives: Natives) -> None:
    """Killed when the logger has just been let go."""
    natives.install(
        "svscan",
        "import os\nimport svpy.system.descriptors as d\nreal = d.write_now\n"
        "def write_now(fd, data):\n real(fd, data)\n"
        " if os.path.exists(os.environ['NOW']): os.kill(os.getpid(), 9)\n"
        "d.write_now = write_now",
    )
    (name,) = natives.pairs(1, run=counts(), log="exec pgrphack multilog ./main")
    now = natives.folder.parent / "now"
    with natives.svscan(env={**environment(), "NOW": str(now)}) as first:
        before = natives.all_up([name])[0]
        assert natives.how(name) == "native"
        now.touch()
        natives.svc("-t", name)
        first.wait()
        natives.install("svscan")
        found = record.decode(
            (natives.folder / name / "supervise/lock").read_bytes()[: recordline.SIZE_BYTES]
        )
        assert found is not None
        assert (found.pid != before, found.held) == (True, record.ALONE)
        with natives.svscan() as daemon:
            taken([name, name.removesuffix("/log")], natives)
            assert natives.pid(name) == found.pid
            assert daemon.stop() == 0
            assert b"lock" not in daemon.said + daemon.rest()
    nothing_is_lost((natives.folder / name).parent)


def test_one_that_was_adopted_takes_letters_and_restarts_elsewhere(natives: Natives) -> None:
    names = natives.pairs(3, run=counts())
    with natives.svscan() as first:
        pid = natives.all_up(names)[0]
        natives.svc("-p", names[2])
        killed(first)
        with natives.svscan() as daemon:
            taken(names, natives)
            natives.svc("-c", names[2])
            natives.svc("-t", names[0])
            other = natives.up(names[0], since=pid)
            assert natives.how(names[0]) == "native"
            assert [natives.pid(name) for name in names[1:]] == [pid, pid]
            natives.svc("-t", *names[1:])
            assert up_again(natives, names[1:], since=pid) == [other, other]
            eventually(lambda: not alive(pid), "it has no logger any more")
            assert daemon.stop() == 0
            assert b"/log (pid" not in daemon.said + daemon.rest()
        for name in names:
            nothing_is_lost((natives.folder / name).parent)


def test_one_that_ended_while_nobody_heard_is_started_again(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as first:
        pid = natives.all_up(names)[0]
        found = record.decode(
            (natives.folder / names[0] / "supervise/lock").read_bytes()[: recordline.SIZE_BYTES]
        )
        assert found is not None and found.held is not None
        killed(first)
        with Path(f"/proc/{pid}/fd/{found.held[0]}").open("wb", buffering=0) as orders:
            orders.write(nativewire.record(found.pipe[1], signal.SIGTERM))
        inode = f"pipe:[{found.pipe[1]}]"
        eventually(lambda: inode not in descriptors(pid))
        with natives.svscan() as daemon:
            natives.up(names[0], since=pid)
            assert [natives.pid(name) for name in names[1:]] == [pid, pid]
            assert daemon.stop() == 0


def test_a_process_killed_between_two_svscans_is_replaced(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as first:
        pid = natives.all_up(names)[0]
        killed(first)
        ended(pid)
        with natives.svscan() as daemon:
            assert len({*up_again(natives, names, since=pid)}) == 1
            assert daemon.stop() == 0


def test_a_process_that_may_not_be_looked_into_is_replaced(natives: Natives) -> None:
    names = natives.pairs(3, run=counts())
    with natives.svscan() as first:
        pid = natives.all_up(names)[0]
        killed(first)
        natives.install(
            "svscan",
            "import svpy.system.processes as p\n"
            "def refused(*words): raise PermissionError(13, 'EACCES')\n"
            "p.open_pipes = refused",
        )
        with natives.svscan() as daemon:
            assert len({*up_again(natives, names, since=pid)}) == 1
            eventually(lambda: not alive(pid))
            assert daemon.stop() == 0
        for name in names:
            nothing_is_lost((natives.folder / name).parent)


def linked(natives: Natives, name: str, *names: str) -> Path:
    """Another folder of services, with links to some."""
    folder = natives.folder.with_name(name)
    folder.mkdir()
    for each in names:
        (folder / each).symlink_to(natives.folder / each)
    return folder


@pytest.mark.parametrize("second", ["svscan", "supervise"])
def test_who_takes_over_one_of_several_takes_nothing_from_the_others(natives: Natives, second: str) -> None:
    """Reports are read by one; the other one sees what has ended."""
    names = natives.pairs(3, run=counts())
    with ExitStack() as hosts:
        first = hosts.enter_context(natives.svscan())
        pid = natives.all_up(names)[0]
        killed(first)
        if second == "supervise":
            hosts.enter_context(Daemon(natives.bin / "supervise", natives.folder / "s0/log"))
        else:
            hosts.enter_context(Daemon(natives.bin / "svscan", linked(natives, "one", "s0")))
        taken(names[:1], natives)
        daemon = hosts.enter_context(Daemon(natives.bin / "svscan", linked(natives, "two", "s1", "s2")))
        taken(names, natives)
        assert {natives.pid(name) for name in names} == {pid}
        natives.svc("-p", names[2])
        # Each says that it has ended; none is missed, whoever has read it.
        natives.svc("-t", names[1])
        other = natives.up(names[1], since=pid)
        assert natives.how(names[1]) == "native"
        natives.svc("-t", names[0])
        assert natives.up(names[0], since=pid) != other
        assert natives.pid(names[2]) == pid
        natives.upgraded(natives.folder.with_name("two"))
        natives.svc("-c", names[2])
        natives.svc("-t", names[2])
        natives.up(names[2], since=pid)
        eventually(lambda: not alive(pid), "it has no logger any more")
        assert daemon.stop() == 0
    for name in names[1:]:
        nothing_is_lost((natives.folder / name).parent)


def test_a_log_pipe_is_got_back_from_a_process_with_very_many(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as first:
        pid = natives.all_up(names)[0]
        services = [natives.pid(name[:-4]) for name in names]
        # One that reads would see that nobody can write any more.
        natives.svc("-p", *names)
        killed(first)
        pipes = [os.readlink(f"/proc/{service}/fd/1") for service in services]
        for service in services:
            ended(service)
        natives.install("svscan", "import svpy.system.processes as p\np.MOST_LOOKED_AT = 1")
        with natives.svscan() as daemon:
            again = [
                natives.up(name[:-4], since=service) for name, service in zip(names, services, strict=True)
            ]
            assert [os.readlink(f"/proc/{service}/fd/1") for service in again] == pipes
            assert {natives.pid(name) for name in names} == {pid}
            natives.svc("-c", *names)
            assert daemon.stop() == 0


def test_upgrades_change_no_pid_and_lose_no_line(natives: Natives) -> None:
    names = natives.pairs(3, run=counts())
    with natives.svscan() as daemon:
        pid = natives.all_up(names)[0]
        natives.upgraded()
        held = len(descriptors(daemon.pid)), len(descriptors(pid))
        for _ in range(6):
            natives.upgraded()
            assert {natives.pid(name) for name in names} == {pid}
        assert (len(descriptors(daemon.pid)), len(descriptors(pid))) == held
        natives.svc("-t", names[0])
        other = natives.up(names[0], since=pid)
        assert natives.how(names[0]) == "native" and alive(pid)
        natives.upgraded()
        assert [natives.pid(name) for name in names] == [other, pid, pid]
        natives.svc("-p", names[1])
        natives.svc("-c", names[1])
        killed(daemon)
        with natives.svscan() as last:
            taken(names, natives)
            assert [natives.pid(name) for name in names] == [other, pid, pid]
            last.signal(signal.SIGTERM)
            assert last.wait() == 0
        # Not its children: they end when they have no loggers any more, and nobody waits for that.
        eventually(lambda: not alive(pid) and not alive(other))
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


def test_the_end_of_a_process_is_heard_after_an_upgrade(natives: Natives) -> None:
    names = natives.pairs(3)
    with natives.svscan() as daemon:
        pid = natives.all_up(names)[0]
        natives.upgraded()
        os.kill(pid, signal.SIGKILL)
        assert len({*up_again(natives, names, since=pid)}) == 1
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""


def test_a_program_that_knows_nothing_of_it_does_not_follow(natives: Natives) -> None:
    names = natives.pairs(2)
    with natives.svscan() as daemon:
        pid = natives.all_up(names)[0]
        natives.install("svscan", "import svpy.core.handover as h\nh.WITH_NATIVES = h.FORMAT")
        done = run("svpy", "upgrade", natives.folder)
        assert done.returncode == 111 and b"a state of another format" in done.stderr, done.stderr
        assert {natives.pid(name) for name in names} == {pid}
        assert daemon.stop() == 0


def test_a_failed_takeover_hosts_them_afresh(natives: Natives) -> None:
    names = natives.pairs(2, run=counts())
    with natives.svscan() as daemon:
        pid = natives.all_up(names)[0]
        natives.install("svscan", "import svpy.daemon.svscan as s\ns.Svscan.take_over = lambda self: 1 / 0")
        done = run("svpy", "upgrade", natives.folder)
        assert done.returncode == 111, done.stderr
        taken(names, natives)
        assert {natives.pid(name) for name in names} == {pid}
        natives.svc("-t", names[0])
        natives.up(names[0], since=pid)
        natives.install("svscan")
        assert natives.pid(names[1]) == pid
        assert daemon.stop() == 0
    for name in names:
        nothing_is_lost((natives.folder / name).parent)


def test_plain_svstat_is_as_ever_and_a_folder_may_be_called_l(natives: Natives) -> None:
    shutil.copytree(natives.prepare("-l"), natives.folder / "-l")
    names = natives.pairs(1)
    natives.make("down", down=True)
    with natives.svscan() as daemon:
        natives.all_up([*names, "-l"])
        for name in (*names, "down"):
            plain = run("svstat", name, cwd=natives.folder).stdout
            assert b"native" not in plain and len(plain.splitlines()) == 1
            assert natives.how(name) == ("native" if natives.pid(name) else "")
        assert run("svstat", "-l", cwd=natives.folder).stdout.startswith(b"-l: up (pid ")
        assert daemon.stop() == 0
