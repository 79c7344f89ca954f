"""svpy new, link and unlink: a service from its command line to its end, as root would do it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest
from support.namespaces import missing
from support.package import TREE
from support.peers import PEERS, beside_c
from support.processes import environment, eventually, run
from support.services import Daemon, Services, alive, c_environment, is_hosted, script
from support.services import svscan as start_svscan

from svpy.core.catalogue import COMMANDS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for other accounts")
USER, LOG_USER = "nobody", "daemon"
DISTINCT = ("--user", USER, "--log-user", LOG_USER)


class Place:
    """Folders beside those of `Services`: `svc.d` and `logs`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.svc_d = services.folder.parent / "svc.d"
        self.logs = services.folder.parent / "logs"
        self.svc_d.mkdir()
        self.logs.mkdir()

    def new(self, *words: str | bytes, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
        done = run("svpy", "new", "--dir", self.svc_d, "--log-dir", self.logs, *words, cwd=cwd)
        return done.returncode, done.stdout, done.stderr

    def link(self, *words: str | bytes | Path, cwd: Path | None = None) -> tuple[int, bytes]:
        return self._do("link", *words, cwd=cwd)

    def unlink(self, *words: str | bytes | Path, cwd: Path | None = None) -> tuple[int, bytes]:
        return self._do("unlink", *words, cwd=cwd)

    def _do(self, verb: str, *words: str | bytes | Path, cwd: Path | None) -> tuple[int, bytes]:
        done = run("svpy", verb, "--service", self.services.folder, *words, cwd=cwd)
        assert done.stdout == b""
        return done.returncode, done.stderr

    def contents(self) -> list[str]:
        return sorted(str(path) for folder in (self.svc_d, self.logs) for path in folder.rglob("*"))


@pytest.fixture
def place(reachable: Path) -> Place:
    """That every account can reach."""
    return Place(Services(reachable))


def svscan(services: Services) -> Daemon:
    """One that has begun: `svpy link` waits for one that begins, but not as long as a test may."""
    daemon = start_svscan(services)
    eventually(lambda: Path(f"/proc/{daemon.pid}/cwd").readlink() == services.folder)
    return daemon


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@needs_root
def test_from_a_command_line_to_its_end(place: Place) -> None:
    """Made, linked, running as it was asked for, its logger native, all of its lines kept; and gone."""
    say_all = "id -un; ulimit -n; for word; do echo \"<$word>\"; done; trap 'echo last; exit' TERM; "
    words = ["sh", "-c", say_all + "while :; do sleep 0.05; done", "sh", "a b", "$HOME", "it's", ""]
    code, said, complaint = place.new("a", *DISTINCT, "--limit", "files=33", "--", *words)
    assert (code, complaint) == (0, b"")
    assert said == b"made %s/a, next: svpy link %s/a\n" % ((bytes(place.svc_d),) * 2)
    current = place.logs / "a/current"
    with svscan(place.services):
        assert place.link(place.svc_d / "a") == (0, b"")
        assert place.services.how("a/log") == "native"
        eventually(lambda: current.read_bytes().count(b"\n") == 6)
        pid = place.services.pid("a")
        assert place.link("a", cwd=place.svc_d) == (0, b"")
        assert os.readlink(place.services.folder / "a") == str(place.svc_d / "a")
        assert place.unlink("a", cwd=place.services.folder / "a") == (0, b"")
        assert not alive(pid) and not is_hosted(place.svc_d / "a") and not is_hosted(place.svc_d / "a/log")
        assert place.unlink("a")[0] == 111
    lines = [line.split(b" ", 1)[1] for line in current.read_bytes().splitlines()]
    assert lines == [USER.encode(), b"33", b"<a b>", b"<$HOME>", b"<it's>", b"<>", b"last"]
    assert not list(place.services.folder.iterdir())
    assert run("stat", "-c", "%U %a", place.logs / "a").stdout == f"{LOG_USER} 700\n".encode()


@needs_root
def test_a_port_is_bound_by_root_and_served_by_the_user(place: Place) -> None:
    if shutil.which("tcpserver") is None:
        pytest.skip("needs tcpserver, which is not installed (ucspi-tcp)")
    port = free_port()
    assert place.new("t", *DISTINCT, "--tcp", f"127.0.0.1:{port}", "--", "id", "-un")[0] == 0
    with svscan(place.services):
        assert place.link(place.svc_d / "t") == (0, b"")

        def answer() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", port), 10) as caller:
                    return caller.recv(100) == f"{USER}\n".encode()
            except ConnectionRefusedError:
                return False

        eventually(answer)
        assert place.unlink("t") == (0, b"")
    assert b"tcpserver: status: 0/40" in (place.logs / "t/current").read_bytes()


@needs_root
@pytest.mark.skipif(b"svcheck" not in COMMANDS, reason="there is no svcheck to ask")
@pytest.mark.skipif(shutil.which("tcpserver") is None, reason="needs tcpserver, which is not installed")
def test_svcheck_finds_nothing_to_say_of_what_was_made(place: Place) -> None:
    assert place.new("a", *DISTINCT, "--limit", "memory=30000000", "--limit", "files=99", "--", "cat")[0] == 0
    address = f"127.0.0.1:{free_port()}"
    assert place.new("t", *DISTINCT, "--tcp", address, "--limit", "processes=50", "--", "cat", "a b")[0] == 0
    assert place.new("plain", "--log-user", LOG_USER, "--", "sh", "-c", "exec sleep 1000")[0] == 0
    done = run("svcheck", *sorted(place.svc_d.iterdir()))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_without_tcpserver_its_package_is_named(place: Place, tmp_path: Path) -> None:
    (tmp_path / "svpy").symlink_to(shutil.which("svpy", path=environment()["PATH"]) or "")
    me = f"{os.geteuid()}:{os.getegid()}"
    words = ("svpy", "new", tmp_path / "x", "--log-user", me, "--tcp", "25", "--", "true")
    done = run(*words, env=environment(PATH=str(tmp_path)))
    assert done.returncode == 111
    assert done.stderr.endswith(b": there is no tcpserver: apt-get install ucspi-tcp\n")


@needs_root
@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("x", *DISTINCT, "--user", "nosuch", "--", "p"), 111, b"x: unknown account nosuch"),
        (("x", "--log-user", "nosuch", "--", "p"), 111, b"nosuch (--log-user names another)"),
        (("there", *DISTINCT, "--", "p"), 111, b"there: file already exists"),
        (("dangling", *DISTINCT, "--", "p"), 111, b"dangling: file already exists"),
        (("others", *DISTINCT, "--", "p"), 111, b"logs/others: file already exists"),
        (("planted", *DISTINCT, "--", "p"), 111, b"logs/planted: file already exists"),
        (("x" * 256, *DISTINCT, "--", "p"), 111, b": file name too long"),
        (("a\nb\x1b[1m", "--log-user", "nosuch", "--", "p"), 111, b"a?b?[1m: unknown account nosuch"),
        ((".x", *DISTINCT, "--", "p"), 100, b".x: svscan passes over such a name"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(place: Place, words: tuple[str, ...], code: int, why: bytes) -> None:
    (place.svc_d / "there").mkdir()
    (place.svc_d / "dangling").symlink_to("nowhere")
    (place.logs / "others").mkdir()
    (place.logs / "planted").symlink_to(place.svc_d)
    before = place.contents()
    got, said, complaint = place.new(*words)
    assert (got, said, complaint.count(b"\n")) == (code, b"", 1)
    assert complaint.startswith(b"svpy: fatal: unable to make ") and why in complaint
    assert place.contents() == before


@needs_root
def test_a_log_folder_its_user_cannot_reach_is_refused(place: Place) -> None:
    place.logs.chmod(0o700)
    code, _, complaint = place.new("x", *DISTINCT, "--", "p")
    assert code == 111
    assert complaint.endswith(b": %s may not write to %s/x\n" % (LOG_USER.encode(), bytes(place.logs)))
    assert place.contents() == []


@needs_root
def test_a_log_folder_of_its_own_user_goes_on(place: Place) -> None:
    assert place.new("x", *DISTINCT, "--", "p")[0] == 0
    (place.logs / "x/current").write_bytes(b"old\n")
    shutil.rmtree(place.svc_d / "x")
    assert place.new("x", *DISTINCT, "--", "p")[0] == 0
    assert (place.logs / "x/current").read_bytes() == b"old\n"


@needs_root
def test_by_nobody_it_logs_beside_itself(place: Place) -> None:
    place.svc_d.chmod(0o777)
    done = run("svpy", "new", "--dir", place.svc_d, "x", "--", "p", user=USER, group="nogroup", umask=0o077)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (place.svc_d / "x/log/run").read_text() == "#!/bin/sh\nexec multilog t ./main\n"
    assert oct((place.svc_d / "x/run").stat().st_mode) == "0o100755"


@needs_root
def test_the_classic_ones(place: Place) -> None:
    """qmail-send as it was published but for its logger; qmail-smtpd wants its accounts first."""
    assert place.new("qmail-send", "--log-user", LOG_USER)[0] == 0
    published = TREE / "service/qmail-send"
    made = place.svc_d / "qmail-send"
    assert (made / "run").read_bytes() == (published / "run").read_bytes()
    assert os.access(made / "run", os.X_OK) and os.access(made / "log/run", os.X_OK)
    wanted = f"exec setuidgid {LOG_USER} multilog t {place.logs}/qmail-send"
    assert (made / "log/run").read_text().splitlines()[1:] == [wanted]
    if run("id", "qmaild").returncode != 0:
        assert b": unknown account qmaild\n" in place.new("qmail-smtpd", "--log-user", LOG_USER)[2]


OWN_VAR = """
mount --bind /var/cache /mnt && mount -t tmpfs none /var && mkdir /var/cache && mount --bind /mnt /var/cache
mount --bind accounts /etc/passwd
umask 077
for words in qmail-send qmail-smtpd 'x -- true'; do
    svpy new $words || exit
done
stat -c '%n %u %a' /var/svc.d /var/multilog /var/svc.d/qmail-smtpd/log/run /var/multilog/*
cp -R /var/svc.d made
"""


@pytest.mark.skipif(bool(missing("tcpserver")), reason=missing("tcpserver") or "-")
def test_unless_told_otherwise_it_is_where_readme_has_it(tmp_path: Path) -> None:
    """In a /var of its own, with qmail's accounts: the classic services are as published, byte for byte."""
    accounts = Path("/etc/passwd").read_text()
    for uid, name in ((64001, "multilog"), (64002, "qmaild")):
        if f"\n{name}:" not in accounts:
            accounts += f"{name}:x:{uid}:65534::/:/bin/false\n"
    (tmp_path / "accounts").write_text(accounts)
    done = run("unshare", "--mount", "--propagation", "private", "sh", "-ec", OWN_VAR, cwd=tmp_path)
    said = done.stdout.decode().splitlines()
    made = [
        f"made /var/svc.d/{name}, next: svpy link /var/svc.d/{name}"
        for name in ("qmail-send", "qmail-smtpd", "x")
    ]
    assert done.returncode == 0, done.stderr
    assert said[:3] == made
    logger = next(line.split(":")[2] for line in accounts.splitlines() if line.startswith("multilog:"))
    assert said[3:] == [
        "/var/svc.d 0 755", "/var/multilog 0 755", "/var/svc.d/qmail-smtpd/log/run 0 755",
        *(f"/var/multilog/{name} {logger} 700" for name in ("qmail-send", "qmail-smtpd", "x")),
    ]  # fmt: skip
    for name in ("qmail-send/run", "qmail-send/log/run", "qmail-smtpd/run", "qmail-smtpd/log/run"):
        assert (tmp_path / "made" / name).read_bytes() == (TREE / "service" / name).read_bytes()
    if not Path("/etc/tcprules/smtp.cdb").exists():
        warning = b"svpy: warning: without /etc/tcprules/smtp.cdb it lets nobody in: see tcprules(1) and "
        assert re.fullmatch(re.escape(warning) + rb"\S+/service/smtp\.rules\n", done.stderr)


def test_link_says_why_not(services: Services, tmp_path: Path) -> None:
    place = Place(services)
    for name in ("no-run", "no-program", ".hidden", "x", "y"):
        (tmp_path / name).mkdir()
    (tmp_path / "no-program/run").write_text("#!/bin/sh\n")
    for name in (".hidden", "x", "y"):
        script(tmp_path / name / "run", "exec sleep 1000")
    (services.folder / "y").symlink_to(tmp_path / "x")
    for name, why in (
        ("nowhere", b"file does not exist"),
        ("no-program/run", b"not a directory"),
        ("no-run", b"there is no run in it"),
        ("no-program", b"its run is no program: chmod +x"),
        (".hidden", b"svscan passes over a name that begins with a dot"),
        ("x", b"it is linked as %s/y" % bytes(services.folder)),
        ("y", b"%s/y is another: it leads to %s/x" % (bytes(services.folder), bytes(tmp_path))),
    ):
        assert place.link(name, cwd=tmp_path) == (
            111,
            b"svpy: fatal: unable to link " + name.encode() + b": " + why + b"\n",
        )
    assert place.link()[0] == place.link("")[0] == 100
    assert sorted(os.listdir(services.folder)) == ["y"]


def test_link_where_no_svscan_runs_says_so(services: Services) -> None:
    place = Place(services)
    folder = services.prepare("later")
    code, said = place.link(folder)
    assert (code, said.startswith(b"svpy: warning: no svscan runs on ")) == (0, True)
    with svscan(services):
        services.up("later")
        assert place.link(folder) == (0, b"")
        assert place.unlink(folder) == (0, b"")
    assert not list(services.folder.iterdir())


@pytest.mark.parametrize("is_c", [False, pytest.param(True, marks=beside_c)], ids=["svpy", "C"])
def test_unlink_loses_no_line(services: Services, is_c: bool) -> None:
    """A logger that is slow has all that its service said, however soon that ends; beside C's svscan, too."""
    place = Place(services)
    folder = services.prepare(
        "slow",
        "trap 'i=0; while [ $i -lt 200 ]; do echo last $i; i=$((i+1)); done; exit' TERM\n"
        "echo ready\nwhile :; do sleep 0.05; done",
        log='exec >>said\nwhile read -r line; do echo "$line"; sleep 0.002; done',
    )
    said = folder / "log/said"
    (services.folder / "slow").symlink_to(folder)
    env = c_environment() if is_c else environment()
    with Daemon(PEERS / "svscan" if is_c else "svscan", services.folder, env=env):
        eventually(lambda: said.read_bytes() == b"ready\n")
        assert place.unlink("slow") == (0, b"")
        assert not is_hosted(folder) and not is_hosted(folder / "log")
        assert said.read_bytes().splitlines()[1:] == [b"last %d" % number for number in range(200)]


def test_unlink_of_a_logger_that_is_a_file_and_of_one_that_is_down(services: Services) -> None:
    place = Place(services)
    as_file = services.prepare("file", "echo hello; exec sleep 1000")
    script(as_file / "log", "cat >>said; sleep 0.1; echo end >>said")
    down = services.prepare("down", "echo hello; exec sleep 1000", log="exec cat >>said", down=True)
    (down / "log/down").touch()
    with svscan(services):
        assert place.link(as_file, down) == (0, b"")
        services.up("file")
        assert place.unlink(as_file, services.folder / "down") == (0, b"")
        assert (as_file / "said").read_text() == "hello\nend\n"
        assert not any(is_hosted(folder) for folder in (as_file, down, down / "log"))
    assert not list(services.folder.iterdir())


def test_unlink_says_why_not_and_what_is_left(services: Services, tmp_path: Path) -> None:
    place = Place(services)
    services.make("real")
    stubborn = services.prepare(
        "stubborn", "trap '' TERM; echo ready; while :; do sleep 0.05; done", log="cat"
    )
    (services.folder / "dangling").symlink_to("nowhere")
    (services.folder / "twice").symlink_to("real")
    with svscan(services) as daemon:
        assert place.link(stubborn) == (0, b"")
        daemon.line(b"ready")
        pid = services.up("stubborn")
        here = bytes(services.folder)
        assert place.unlink("no") == (111, b"svpy: fatal: unable to unlink no: file does not exist\n")
        assert place.unlink("real") == (
            111,
            b"svpy: fatal: unable to unlink real: it is no link. To end it: mv %s/real %s/.real && "
            b"svc -dx %s/.real %s/.real/log\n" % (here, here, here, here),
        )
        assert place.unlink("twice") == (
            111,
            b"svpy: fatal: unable to unlink twice: it is linked as real, too; rm one of the two first\n",
        )
        never = b"svpy: fatal: unable to unlink %s: no link in %s leads there\n" % (bytes(tmp_path), here)
        assert place.unlink(tmp_path) == (111, never)
        code, said = place.unlink("dangling")
        assert code == 0 and said.endswith(
            b"dangling led nowhere: what may still run of it is out of reach\n"
        )
        assert place.unlink("--timeout", "0", "stubborn") == (
            111,
            b"svpy: fatal: stubborn is unlinked, but its service (pid %d) is still there; it is not started "
            b"again. When it has ended: svc -dx %s/log\n" % (pid, bytes(stubborn)),
        )
        assert not (services.folder / "stubborn").is_symlink() and is_hosted(stubborn / "log")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not is_hosted(stubborn))
        assert run("svc", "-dx", stubborn / "log").returncode == 0
        eventually(lambda: not is_hosted(stubborn / "log"))
    for words in ((), ("",), ("--timeout", "x", "real"), ("--nonsense",)):
        assert place.unlink(*words)[0] == 100


def test_what_runs_on_behind_a_killed_svscan_is_not_unlinked(services: Services) -> None:
    """There is nobody to end it; with the next svscan there is."""
    place = Place(services)
    folder = services.prepare("left", log="exec cat")
    (services.folder / "left").symlink_to(folder)
    with svscan(services) as daemon:
        pid = services.up("left")
        eventually(lambda: services.pid("left/log"))
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        assert place.unlink(folder) == (
            111,
            b"svpy: fatal: unable to unlink %s: it runs (pid %d) without svscan: start that first\n"
            % (bytes(folder), pid),
        )
        with svscan(services):
            assert place.link(folder) == (0, b"")
            assert place.unlink(folder / ".") == (0, b"")
            assert not alive(pid)


def test_a_link_in_another_scanned_folder_is_meant_by_its_path(services: Services, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Services(tmp_path / "other")
    folder = services.prepare("twice")
    for scanned in (services, other):
        (scanned.folder / "twice").symlink_to(folder)
    place = Place(services)
    with svscan(other):
        other.up("twice")
        assert place.unlink(other.folder / "twice/") == (0, b"")
    assert (services.folder / "twice").is_symlink() and not (other.folder / "twice").is_symlink()
