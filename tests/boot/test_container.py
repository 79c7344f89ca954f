"""svscan as the first process of a container."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from support import namespaces
from support.containers import Container, blocks, parent
from support.processes import environment, eventually, run
from support.services import Daemon, Services, script, svscan

import svpy

pytestmark = pytest.mark.skipif(bool(why := namespaces.missing()), reason=why)

STOPPING = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR, signal.SIGRTMIN + 3]
LAST_WORDS = """
trap 'echo last words >&2; exit' TERM
echo ready >&2
while :; do sleep 0.1; done
"""
"""No `read`: a signal that comes just before it does not interrupt it."""


def with_last_words(services: Services) -> None:
    services.make("a", LAST_WORDS, log="cat >log; echo logger saw the end >&2")


@pytest.mark.parametrize("number", STOPPING)
def test_a_container_is_stopped_in_order(services: Services, number: int) -> None:
    with_last_words(services)
    with Container("svscan", services.folder) as container:
        container.line(b"ready")
        assert container.stop(number) == 0
        assert container.rest() == b"last words\nlogger saw the end\n"


@pytest.mark.parametrize("number", STOPPING)
def test_it_is_stopped_in_order_under_any_pid(services: Services, number: int) -> None:
    with_last_words(services)
    with svscan(services) as daemon:
        daemon.line(b"ready")
        os.kill(daemon.pid, number)
        assert daemon.wait() == 0
        assert daemon.rest() == b"last words\nlogger saw the end\n"


def test_hup_scans(services: Services) -> None:
    folder = services.make("a")
    (folder / "run").rename(folder / "later")
    with Container("svscan", services.folder) as container:
        container.line(b"unable to start a/run")
        services.make("b", "echo b runs; exec sleep 1000")
        container.kill(signal.SIGHUP)
        container.line(b"b runs")
        assert container.stop() == 0


def test_a_signal_of_the_first_moment_is_heard(services: Services) -> None:
    """The earliest there can be: as soon as it is held back, long before trio is imported."""
    services.make("a", "echo a runs; exec sleep 1000")
    for number in STOPPING:
        with Container("svscan", services.folder) as container:
            container.until_named()  # What sh holds back while it forks is another matter.
            eventually(lambda: blocks(container.init_pid, signal.SIGRTMIN + 3))
            assert container.stop(number) == 0
        with svscan(services) as daemon:
            eventually(lambda: blocks(daemon.pid, signal.SIGRTMIN + 3))
            os.kill(daemon.pid, number)
            assert daemon.wait() == 0


def test_a_signal_of_supervises_first_moment_is_heard(services: Services) -> None:
    folder = services.make("a", "echo a runs; exec sleep 1000")
    for number in (signal.SIGTERM, signal.SIGINT):
        with Daemon("supervise", folder) as daemon:
            eventually(lambda: blocks(daemon.pid, signal.SIGTERM))
            os.kill(daemon.pid, number)
            assert daemon.wait() == 0


ORPHAN = "sh -c 'sh -c \"echo \\$\\$ >orphan; read go <gate; echo gone\" &'; exec sleep 1000"


@pytest.mark.parametrize("pid_1", [True, False])
def test_an_orphan_becomes_its_child_and_is_reaped(services: Services, pid_1: bool) -> None:
    folder = services.prepare("a", ORPHAN)
    os.mkfifo(folder / "gate")
    folder.rename(services.folder / "a")
    start = Container if pid_1 else Daemon
    # What /proc says in there is numbered as in there.
    with start("svscan", services.folder) as running:
        host = running.init_pid if isinstance(running, Container) else running.pid
        found: list[int] = []

        def is_a_child() -> bool:
            found[:] = [pid for pid in namespaces.children(host) if waits_at_the_gate(pid)]
            return bool(found)

        eventually(is_a_child, "the orphan a child of svscan")
        assert parent(found[0]) == host
        (services.folder / "a/gate").write_text("go\n")
        running.line(b"gone")
        eventually(lambda: not Path(f"/proc/{found[0]}").exists())
        assert running.stop() == 0


def waits_at_the_gate(pid: int) -> bool:
    return b"gate" in Path(f"/proc/{pid}/cmdline").read_bytes()


FLOOD = """
i=0
while [ $i -lt 40 ]; do
    sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do : & done' &
    i=$((i + 1))
done
wait
echo flooded
exec sleep 1000
"""


@pytest.mark.parametrize("pid_1", [True, False])
def test_a_flood_of_orphans_leaves_nothing(services: Services, pid_1: bool) -> None:
    services.make("a", FLOOD)
    with (Container if pid_1 else Daemon)("svscan", services.folder) as running:
        host = running.init_pid if isinstance(running, Container) else running.pid
        running.line(b"flooded")
        # The service alone is left.
        eventually(lambda: len(namespaces.children(host)) == 1, "all reaped")
        assert running.stop() == 0


NO_SUBREAPER = r"""
import ctypes, errno, os, struct, sys
def stmt(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
# Of seccomp_data: the number of the call, its first argument's low half.
program = (stmt(0x20, 0, 0, 0) + stmt(0x15, 0, 3, {"x86_64": 157, "aarch64": 167}[os.uname().machine])
    + stmt(0x20, 0, 0, 16) + stmt(0x15, 0, 1, 36)
    + stmt(0x06, 0, 0, 0x00050000 | errno.EPERM) + stmt(0x06, 0, 0, 0x7FFF0000))
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter) == 0, ctypes.get_errno()
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_where_orphans_cannot_be_taken_in_it_says_so_and_goes_on(services: Services) -> None:
    services.make("a", "echo a runs; exec sleep 1000")
    with Daemon(sys.executable, "-I", "-c", NO_SUBREAPER, "svscan", services.folder) as daemon:
        assert daemon.line() == b"svscan: warning: unable to take in orphans: permission denied"
        daemon.line(b"a runs")
        assert daemon.stop() == 0
        assert daemon.rest() == b""


LOOKS_AT_LO = f"""
exec {sys.executable} -I -c '
import os, socket
server = socket.create_server(("127.0.0.1", 0))
print("lo is up", server.getsockname()[0] == socket.create_connection(server.getsockname()).getpeername()[0])
' || exec sleep 1000
"""


def test_the_first_service_finds_lo_up(services: Services) -> None:
    services.make("a", LOOKS_AT_LO)
    with Container("svscan", services.folder) as container:
        assert container.line() == b"lo is up True"
        assert container.stop() == 0


BRINGS_LO_UP = """
import sys
import svpy.daemon.main
from svpy.system.loopback import Raising, is_down
print(is_down())
Raising(b"svscan").wait()
print(is_down(), [name for name in sys.modules if "pyroute2" in name])
"""


def test_what_brings_lo_up_does_not_stay() -> None:
    done = run(*namespaces.UNSHARE, sys.executable, "-I", "-c", BRINGS_LO_UP)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"True\nFalse []\n", b"")


def test_lo_that_may_not_be_brought_up_costs_one_line(services: Services) -> None:
    services.make("a", "echo a runs; exec sleep 1000")
    denied = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    with Container("svscan", services.folder, wrap=denied) as container:
        assert container.line() == b"svscan: warning: unable to bring lo up: permission denied"
        assert container.line() == b"a runs"
        assert container.stop() == 0
        assert container.rest() == b""


def test_the_containers_environment_is_the_services(services: Services) -> None:
    services.make("a", "cat /proc/self/environ | tr '\\0' '\\n'; echo end; exec sleep 1000")
    env = {**environment(), "LANG": "xx", "BYTES": os.fsdecode(b"\xff\xfe"), "EMPTY": "", "container": "oci"}
    with Container("svscan", services.folder, env=env) as container:
        lines = []
        while (line := container.line()) != b"end":
            lines.append(line)
        assert container.stop() == 0
    wanted = {name: os.fsencode(value) for name, value in env.items()}
    got = dict(line.decode("latin-1").split("=", 1) for line in lines)
    for shells_own in ("PWD", "OLDPWD", "SHLVL", "_"):
        got.pop(shells_own, None)
    assert {name: value.encode("latin-1") for name, value in got.items()} == wanted


READ_ONLY = "mount --bind {0} {0}; mount -o remount,bind,ro {0}"
SAYS_ITS_PID = "echo $$; trap 'echo last words; exit' TERM; while :; do sleep 0.1; done"


def lives(container: Container, services: Services, log: Path) -> None:
    """A service `a` is started, logs, is restarted, goes down and up, and ends in order."""
    eventually(lambda: log.read_text().endswith("\n"), f"a first line; it said {container.said!r}")
    pid = services.up("a")
    services.svc("-t", "a")
    services.up("a", pid)
    services.svc("-d", "a")
    eventually(lambda: services.pid("a") == 0)
    assert services.state("a").startswith("down ")
    services.svc("-u", "a")
    pid = services.up("a")
    assert services.state("a").startswith(f"up (pid {pid}) ")
    eventually(lambda: log.read_text().endswith(f"{pid}\n"))
    assert container.stop() == 0
    assert log.read_text().endswith("last words\n")


WITHOUT_PROC = "umount -l /proc"
EMPTY_DEV = "mount -t tmpfs -o size=4k none /dev"


@pytest.mark.parametrize(
    "setup",
    [
        WITHOUT_PROC,
        "mount -t tmpfs none /proc",
        EMPTY_DEV,
        "exec <&-",
        "exec >&-",
        f"{WITHOUT_PROC}; {EMPTY_DEV}; exec <&-",
        f"{WITHOUT_PROC}; {EMPTY_DEV}; exec <&- >&-",
    ],
)
@pytest.mark.parametrize("option", [(), ("--log-stdout",)], ids=["", "log-stdout"])
def test_it_needs_neither_proc_nor_dev_nor_streams(
    services: Services, setup: str, option: tuple[str, ...]
) -> None:
    services.make("a", SAYS_ITS_PID, log="exec cat >>log")
    services.make("b", "echo b runs >&2; exec sleep 1000")
    with Container("svscan", *option, services.folder, setup=setup) as container:
        container.line(b"b runs")
        lives(container, services, services.folder / "a/log/log")
        assert b"warning" not in container.said + container.rest()


def with_supervise_elsewhere(services: Services, root: Path) -> tuple[Path, str]:
    """`a` and its logger have their `supervise` and log in a place that can be written to. Returns the log,
    and what makes all else read-only."""
    writable = root / "writable"
    writable.mkdir(mode=0o777)
    writable.chmod(0o777)
    folder = services.prepare("a", SAYS_ITS_PID, log=f"exec cat >>{writable}/log")
    (folder / "supervise").symlink_to(writable / "a")
    (folder / "log/supervise").symlink_to(writable / "a-log")
    folder.rename(services.folder / "a")
    return writable / "log", f"mount --bind {writable} {writable}; mount -o remount,bind,ro /"


def test_everything_read_only_but_what_supervise_leads_to(services: Services, tmp_path: Path) -> None:
    log, read_only = with_supervise_elsewhere(services, tmp_path)
    with Container("svscan", services.folder, setup=f"{read_only}; ! touch {tmp_path}/x") as container:
        lives(container, services, log)
        assert container.rest().splitlines()[1:] == []


def test_a_service_runs_where_nothing_can_be_written(services: Services) -> None:
    """It and its logger are started again, and end in order; there is nothing to control them through."""
    services.make(
        "a", "echo a $$; trap 'echo last words; exit' TERM; while :; do sleep 0.1; done", log="cat >&2"
    )
    folder = services.prepare("b", "echo b runs; exec sleep 1000")
    script(folder / "log", "cat >&2")
    folder.rename(services.folder / "b")
    (services.make("c", "echo c runs >&2; exec sleep 1000") / "supervise").mkdir()
    with Container("svscan", services.folder, setup=READ_ONLY.format(services.folder)) as container:
        pid = 0
        until = {b"a runs", b"b runs", b"c runs"}
        said = []
        while until:
            said.append(container.line())
            if said[-1].startswith(b"a "):
                pid = int(said[-1].split()[1])
                said[-1] = b"a runs"
            until.discard(said[-1])
        warnings = [line for line in said if b"warning" in line]
        assert warnings == [
            b"svscan: warning: unable to let svc control %s: read-only file system" % name
            for name in (b"a/log", b"a", b"b", b"b", b"c")
        ]
        run("nsenter", "-t", str(container.init_pid), "-p", "-m", "--", "kill", str(pid))
        assert container.line() == b"last words"
        assert container.line().startswith(b"a ")
        assert services.state("a") == "unable to open supervise/ok: file does not exist"
        enter = ("nsenter", "-t", str(container.init_pid), "-m", "--")
        with Daemon(*enter, "svscan", services.folder) as other:
            assert other.line(b" a/s").endswith(b"unable to acquire a/supervise/lock: temporary failure")
            assert other.stop() == 0
        assert container.stop() == 0
        assert container.rest() == b"last words\n"
    assert list(services.folder.glob("*/supervise/*")) == []


AS_A_USER = ("setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--inh-caps", "-all")


def test_pid_1_need_not_be_root(reachable: Path) -> None:
    services = Services(reachable)
    log, read_only = with_supervise_elsewhere(services, reachable)
    with Container("svscan", services.folder, setup=read_only, wrap=AS_A_USER) as container:
        assert container.line(b"svscan") == b"svscan: warning: unable to bring lo up: permission denied"
        lives(container, services, log)
        assert b"svscan" not in container.rest()
    assert (reachable / "writable/a/status").stat().st_uid == 12345


def test_a_user_namespace(services: Services) -> None:
    services.make("a", SAYS_ITS_PID, log="exec cat >>log")
    with Container("svscan", services.folder, unshared=("--user", "--map-root-user")) as container:
        lives(container, services, services.folder / "a/log/log")
        assert container.rest() == b""


def inside(container: Container, script: str) -> None:
    """A shell command among the container's mounts."""
    done = run("nsenter", "-t", str(container.init_pid), "-m", "--", "sh", "-ec", script)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_folder_that_becomes_read_only_ends_nothing(services: Services) -> None:
    """Its service runs on, is started again and obeys; its status is published when that can be again."""
    folder = services.make("a", SAYS_ITS_PID)
    services.make("b")
    with Container("svscan", services.folder) as container:
        pid = services.up("a")
        supervise = folder / "supervise"
        inside(container, f"mount --bind {supervise} {supervise}; mount -o remount,bind,ro {supervise}")
        services.svc("-t", "a")
        container.line(b"last words")
        said = container.line()
        assert said == b"svscan: warning: unable to open a/supervise/status.new: read-only file system"
        eventually(lambda: container.line().isdigit())
        assert services.pid("a") == pid, "the old status"
        other = services.up("b")
        services.svc("-t", "b")
        services.up("b", other)
        services.svc("-d", "a")
        container.line(b"last words")
        inside(container, f"umount {supervise}")
        eventually(lambda: services.pid("a") == 0)
        assert services.state("a").startswith("down ")
        assert container.stop() == 0


IMAGE = f"""
root={{}}
mount -t tmpfs none $root
for link in bin lib lib64 sbin; do [ ! -L /$link ] || ln -s usr/$link $root/$link; done
for folder in /usr {sys.base_prefix} {sys.prefix} {Path(svpy.__file__).parent}; do
    mkdir -p $root$folder
    mount --rbind $folder $root$folder
done
mkdir -p $root/service/a/log $root/run
for half in a a/log; do ln -s /run/$(echo $half | tr / -) $root/service/$half/supervise; done
cat >$root/service/a/run <<'RUN'
#!/bin/sh
trap 'echo last words; exit' TERM
echo "in $container"
while :; do sleep 0.1; done
RUN
printf '#!/bin/sh\\nexec cat >&2\\n' >$root/service/a/log/run
chmod +x $root/service/a/run $root/service/a/log/run
mount -t tmpfs none $root/run
mount -o remount,ro $root
"""
"""What a container is made of: a read-only root, /run, and nothing in /proc, /sys, /dev and /tmp, which are
not there."""


def test_a_container_needs_nothing_else(tmp_path: Path) -> None:
    """`ENTRYPOINT ["svscan", "/service"]`, started as with `--read-only --tmpfs /run`."""
    root = tmp_path / "root"
    root.mkdir()
    with Container(
        "svscan", "/service", setup=IMAGE.format(root), wrap=("chroot", root),
        env=environment(container="oci"),
    ) as container:  # fmt: skip
        assert container.line() == b"in oci"
        within = ("nsenter", "-t", str(container.init_pid), "-m", "-r", "--", "env")
        said = run(*within, "svstat", "/service/a", "/service/a/log").stdout
        assert [line.split()[1] for line in said.splitlines()] == [b"up", b"up"]
        assert not {b"proc", b"sys", b"dev", b"etc"} & set(run(*within, "ls", "/").stdout.split())
        run(*within, "svc", "-t", "/service/a")
        assert [container.line(), container.line()] == [b"last words", b"in oci"]
        assert container.stop() == 0
        assert container.rest() == b"last words\n"
