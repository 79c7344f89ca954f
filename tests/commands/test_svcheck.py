"""svcheck: a folder for each rule that gives that finding alone, and one that is mended and gives none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import namespaces
from support.processes import Running, environment, eventually, run
from support.schema import faults

from svpy.core.check import RULES

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/svcheck.schema.json").read_text())
NOBODY = 65534
SLEEP = "#!/bin/sh\nexec 2>&1\nexec sleep 1000\n"
LOG = "#!/bin/sh\nexec setuidgid nobody multilog t ./main\n"

Build = Callable[[Path], None]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may see everything")


def script(text: str, name: str = "run", mode: int = 0o755) -> Build:
    def build(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(mode)

    return build


def chain(words: str) -> Build:
    """A service without a log that becomes this."""
    return script(f"#!/bin/sh\nexec 2>&1\nexec {words}\n")


def limited(words: str) -> Build:
    return chain(f"softlimit {words} sleep 9")


def logger(text: str = LOG, main: bool = True) -> Build:
    """A service with a logger, whose folder main is its user's."""

    def build(folder: Path) -> None:
        script(SLEEP)(folder)
        script(text, "log/run")(folder)
        if main:
            (folder / "log/main").mkdir()
            shutil.chown(folder / "log/main", NOBODY, NOBODY)

    return build


def both(*builds: Build) -> Build:
    def build(folder: Path) -> None:
        for each in builds:
            each(folder)

    return build


def file(name: str, text: str = "") -> Build:
    return both(script(SLEEP), script(text, name, 0o644))


def link_of(uid: int) -> Build:
    def build(folder: Path) -> None:
        script(SLEEP, "versions-1")(folder)
        (folder / "run").symlink_to("versions-1")
        os.lchown(folder / "run", uid, uid)

    return build


def owned(uid: int, supervised: bool) -> Build:
    def build(folder: Path) -> None:
        script(SLEEP)(folder)
        os.chown(folder / "run", uid, uid)
        if supervised:
            (folder / "supervise").mkdir(0o700)

    return build


def node(kind: int) -> Build:
    return lambda folder: os.mknod(folder / "run", kind | 0o755, os.makedev(1, 3))


def program(name: str, words: str) -> Build:
    """A program of that name in the folder, which is all of it that is asked for."""
    return both(chain(f"./{name} {words}"), script("#!/bin/sh\n", name))


def rules(source_is_newer: bool) -> Build:
    def build(folder: Path) -> None:
        chain("tcpserver -x ./smtp.cdb 0 25 cat")(folder)
        script("compiled", "smtp.cdb", 0o644)(folder)
        script(":allow", "smtp.rules", 0o644)(folder)
        now = time.time()
        for name, age_s in (("smtp.cdb", 100), ("smtp.rules", 50 if source_is_newer else 150)):
            os.utime(folder / name, (now - age_s, now - age_s))

    return build


@dataclass(frozen=True)
class Row:
    """`finding`: the only one of the bad folder; where in it, `file:line`."""

    finding: str
    where: str
    bad: Build
    good: Build


GOOD = script(SLEEP)
ROWS = [
    Row("no-run", "run", lambda folder: None, GOOD),
    Row("no-run", "run", script("needed once", "notes"), script("#!/bin/sh\n", "start")),
    Row("no-log-run", "log/run", both(GOOD, lambda f: (f / "log").mkdir()), logger()),
    Row("not-a-file", "run", lambda folder: os.mkfifo(folder / "run"), GOOD),
    Row("not-a-file", "run", node(0o020000), GOOD),
    Row("not-a-file", "run", lambda folder: (folder / "run").mkdir(), GOOD),
    Row("strange-link", "run", link_of(NOBODY), link_of(0)),
    Row("no-exec-bit", "run", script(SLEEP, mode=0o644), GOOD),
    Row("no-exec-bit", "log/run", both(logger(), script(LOG, "log/run", 0o644)), logger()),
    Row("crlf", "run:1", script("#!/bin/sh\r\nexec sleep 1000\r\n"), GOOD),
    Row("crlf", "run:3", script("#!/bin/sh\n# \r\nexec 2>&1\r\nexec sleep 1000\n"), GOOD),
    Row("byte-order-mark", "run:1", script("\ufeff#!/bin/sh\nexec sleep 1000\n"), GOOD),
    Row("no-shebang", "run:1", script("exec sleep 1000\n"), GOOD),
    Row("no-interpreter", "run:1", script("#!/usr/local/nowhere/sh\nexec sleep 1000\n"), GOOD),
    Row("no-command", "run", script("#!/bin/sh\n# not yet\n"), GOOD),
    Row("not-read", "run", script("#!/bin/sh\n" + "#\n" * 40000), GOOD),
    Row("down", "down", file("down"), GOOD),
    Row("log-is-nothing", "log", file("log", SLEEP), both(GOOD, script("#!/bin/sh\nexec cat\n", "log"))),
    Row("finish", "finish", both(GOOD, script(SLEEP, "finish")), both(GOOD, script(SLEEP, "stop"))),
    Row("bad-stop-timeout", "stop-timeout:1", file("stop-timeout", "30s"), file("stop-timeout", "0.5\n")),
    Row(
        "bad-stop-timeout",
        "stop-timeout",
        both(GOOD, lambda folder: (folder / "stop-timeout").symlink_to("run")),
        GOOD,
    ),
    Row("world-writable", "run", script(SLEEP, mode=0o777), GOOD),
    Row("world-writable", "run", both(GOOD, lambda folder: folder.chmod(0o1777)), GOOD),
    Row("strange-owner", "run", owned(NOBODY, True), owned(0, True)),
    Row("other-owner", "run", owned(NOBODY, False), owned(0, False)),
    Row("bad-usage", "run:3", chain("setuidgid nobody"), chain("setuidgid nobody sleep 1000")),
    Row("bad-usage", "run:3", chain("softlimit -m 8m sleep 1000"), chain("softlimit -m8000000 sleep 1000")),
    Row("unknown-user", "run:3", chain("setuidgid nobdy sleep 1000"), chain("setuidgid 12:13 sleep 1000")),
    Row("unknown-user", "run:3", chain("envuidgid nobdy sleep 9"), chain("envuidgid nobody sleep 9")),
    Row("unknown-user", "run:3", chain("setuser nobdy sleep 1000"), chain("setuser nobody sleep 1000")),
    Row(
        "second-user",
        "run:4",
        chain("setuidgid nobody \\\n setuidgid root sleep 1000"),
        chain("setuidgid root \\\n setuidgid nobody sleep 1000"),
    ),
    Row("no-program", "run:3", chain("slep 1000"), chain("sleep 1000")),
    Row("no-program", "run:3", chain("./slep 1000"), both(chain("./slep 9"), script(SLEEP, "slep"))),
    Row(
        "no-program",
        "run:3",
        script("#!/bin/sh\nPATH=/nowhere:/none\nexec sleep 1000\n"),
        script("#!/bin/sh\nPATH=/nowhere:/usr/bin:/bin\nexec sleep 1000\n"),
    ),
    Row("softlimit-too-low", "run:3", limited("-m 1000000"), limited("-m 3000000")),
    Row("softlimit-too-low", "run:3", limited("-a 1000000"), limited("-a 3000000")),
    Row("softlimit-too-low", "run:3", limited("-d 50000"), limited("-d 250000")),
    Row(
        "softlimit-too-low",
        "run:3",
        both(chain("softlimit -m 1500000 ./daemon"), script("#!/bin/sh\nexec sleep 9\n", "daemon")),
        both(chain("softlimit -m 9000000 ./daemon"), script("#!/bin/sh\nexec sleep 9\n", "daemon")),
    ),
    Row(
        "softlimit-too-low",
        "run:4",
        script('#!/bin/sh\nexec 2>&1\nLOW=1000000\nexec softlimit -m "$LOW" sleep 9\n'),
        script('#!/bin/sh\nexec 2>&1\nLOW=$(cat low)\nexec softlimit -m "$LOW" sleep 9\n'),
    ),
    Row("no-exec", "run:3", script("#!/bin/sh\nexec 2>&1\nsetuidgid nobody sleep 1000\n"), GOOD),
    Row("no-exec", "log/run:2", logger(LOG.replace("exec ", "")), logger()),
    Row("no-stderr", "run:2", both(logger(), script("#!/bin/sh\nexec sleep 1000\n")), logger()),
    Row("ends-at-once", "run:3", script("#!/bin/sh\nexec 2>&1\nsetuidgid nobody sleep 1000 &\n"), GOOD),
    Row(
        "left-behind",
        "run:2",
        script("#!/bin/sh\nsetuidgid nobody sleep 100 &\nexec sleep 1000\n"),
        script("#!/bin/sh\ntrap 'kill $!' TERM\nsetuidgid nobody sleep 100 &\nwait\n"),
    ),
    Row("goes-background", "run:3", program("cron", ""), program("cron", "-f")),
    Row("goes-background", "run:3", program("exim4", "-bd -q30m"), program("exim4", "-bdf -q30m")),
    Row("goes-background", "run:3", program("sshd", "-e"), program("sshd", "-eD")),
    Row("no-envdir", "run:3", chain("envdir ./env /bin/sleep 9"), both(chain("envdir ./env /bin/sleep 9"),
        lambda folder: (folder / "env").mkdir())),
    Row("log-not-writable", "log/run:2", logger(main=False), logger()),
    Row(
        "log-not-writable",
        "log/run:2",
        both(logger(), lambda folder: (folder / "log/main/current").touch(0o600)),
        logger(),
    ),
    Row("log-not-writable", "log/run:2", logger("#!/bin/sh\nexec multilog t /no/where/main\n"), logger()),
    Row("multilog-clamped", "log/run:2", logger(LOG.replace(" t ", " t s50000000 ")), logger()),
    Row("multilog-clamped", "log/run:2", logger(LOG.replace(" t ", " t n1 ")), logger()),
    Row("multilog-ignored", "log/run:2", logger(LOG.replace(" t ", " t z9 ")), logger()),
    Row("multilog-nowhere", "log/run:2", logger(LOG.replace("./main", "s99999"), False), logger()),
    Row(
        "low-port",
        "run:3",
        chain("setuidgid nobody tcpserver -H 0 25 cat"),
        chain("envuidgid nobody tcpserver -HU 0 25 cat"),
    ),
    Row(
        "low-port",
        "run:3",
        chain("setuidgid nobody tcpserver -l x -c 20 0 smtp cat"),
        chain("setuidgid nobody tcpserver -l x -c 20 0 2525 cat"),
    ),
    Row("stale-rules", "run:3", rules(True), rules(False)),
    Row("no-rules", "run:3", chain("tcpserver -x ./no 0 25 cat"), chain("tcpserver -X -x ./no 0 25 cat")),
    Row("bad-ready", "ready:1", file("ready", "listen smtp\n"), file("ready", "listen 25\n")),
    Row("bad-ready", "ready:1", file("ready", "exec ./check\n"), file("ready", "exec ./run\n")),
    Row("bad-needs", "needs:2", file("needs", "# both\nnowhere\n"), file("needs", "# both\n\n")),
]  # fmt: skip
APART = {"port-taken", "queue-left", "unseen"}
"""Rules that a test of their own below is about."""

OF_TCPSERVER = {"low-port", "stale-rules", "no-rules"}

Found = dict[str, list[tuple[str, str, str]]]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    # Not pytest's tmp_path: that is for root alone.
    folder = Path(tempfile.mkdtemp(prefix="svpy-check-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def make(root: Path, name: str, build: Build) -> Path:
    folder = root / name
    folder.mkdir()
    build(folder)
    return folder


def checked(*argv: str | Path, before: tuple[str | Path, ...] = (), **options: object) -> Found:
    """What is found, by folder: id, severity and place."""
    done = run(*before, "svcheck", "--json", *argv, **options)
    assert done.returncode in (0, 1, 2) and done.stderr == b"", done
    document = json.loads(done.stdout)
    assert faults(document, SCHEMA, SCHEMA) == []
    found: Found = {str(folder): [] for folder in argv}
    for each in document["findings"]:
        where = each["file"] or ""
        where += f":{each['line']}" if each["line"] else ""
        found[each["folder"]].append((each["id"], each["severity"], where))
    worst = max(
        (["note", "warning", "error"].index(one[1]) for all_ in found.values() for one in all_), default=0
    )
    assert done.returncode == worst
    return found


@pytest.fixture(scope="module")
def results(root: Path) -> tuple[Found, Found]:
    """All bad folders and all mended ones, each at once; in a network where nobody listens."""
    bad = [make(root, f"bad{at}", row.bad) for at, row in enumerate(ROWS)]
    good = [make(root, f"good{at}", row.good) for at, row in enumerate(ROWS)]
    before = ("unshare", "--net") if not namespaces.missing() else ()
    return checked(*bad, before=before), checked(*good, before=before)


@pytest.mark.parametrize("at", range(len(ROWS)), ids=lambda at: f"{ROWS[at].finding}-{at}")
def test_a_rule(at: int, results: tuple[Found, Found], root: Path) -> None:
    severity = {rule.name.decode(): rule.severity.decode() for rule in RULES}
    row = ROWS[at]
    if row.finding in OF_TCPSERVER and shutil.which("tcpserver") is None:
        pytest.skip("tcpserver is not installed")
    bad, good = results
    assert bad[f"{root}/bad{at}"] == [(row.finding, severity[row.finding], row.where)]
    assert good[f"{root}/good{at}"] == []


def test_every_rule_has_a_folder_and_no_other_name() -> None:
    names = [rule.name.decode() for rule in RULES]
    assert len(names) == len({*names})
    assert {row.finding for row in ROWS} | APART == {*names}


def test_a_port_that_another_holds(root: Path) -> None:
    if reason := namespaces.missing("tcpserver"):
        pytest.skip(reason)
    folder = make(root, "port", chain("tcpserver -H 0 2525 cat"))
    other = make(root, "port-other", chain("tcpserver -H 127.0.0.2 2525 cat"))
    script_ = (
        "import os, socket, subprocess, sys\n"
        "held = socket.create_server(('0.0.0.0', 2525))\n"
        "print(os.getpid(), flush=True)\n"
        "subprocess.run(['svcheck', *sys.argv[1:]])\n"
    )
    done = run("unshare", "--net", "/usr/bin/python3", "-I", "-c", script_, folder, other)
    pid, *lines = done.stdout.decode().splitlines()
    assert [line.partition("; mend")[0] for line in lines] == [
        f"{folder}/run:3: error: port 2525 is held by pid {pid} (python3)",
        f"{other}/run:3: error: port 2525 is held by pid {pid} (python3)",
    ]


def test_a_port_that_the_service_itself_holds_is_not_taken(root: Path) -> None:
    """Nor is one that is held on another address."""
    if shutil.which("tcpserver") is None:
        pytest.skip("tcpserver is not installed")
    service = make(root, "own-port", lambda folder: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    held = (
        f"import os, socket, time; s = socket.create_server(('127.0.0.1', {port})); open('up', 'w');"
        " time.sleep(1000)"
    )
    (service / "server").mkdir()
    script(f"#!/usr/bin/python3 -I\n{held}\n", "server/tcpserver")(service)
    chain(f"./server/tcpserver 127.0.0.1 {port} cat")(service)
    stranger = make(root, "not-own-port", chain(f"tcpserver 127.0.0.1 {port} cat"))
    away = make(root, "away", chain(f"tcpserver 127.0.0.9 {port} cat"))
    with Running("supervise", service):
        eventually((service / "up").exists, "the server listens")
        found = checked(service, stranger, away)
        run("svc", "-dx", service)
        assert found[str(service)] == found[str(away)] == []
        assert [each[0] for each in found[str(stranger)]] == ["port-taken"]


QUEUES = {
    "postfix": ("postfix/master", ["postfix/deferred/A/ABC", "postfix/incoming/DEF"]),
    "exim": ("exim4", ["exim4/input/1abc-000-H", "exim4/input/1abc-000-D", "exim4/input/2/2abc-H"]),
    "sendmail": ("sendmail-mta", ["mqueue/qf1", "mqueue/df1", "mqueue-client/qf2"]),
}
"""The program that would deliver it, and the queue: two messages."""


@pytest.mark.parametrize("name", QUEUES)
def test_mail_that_waits_for_another(name: str, root: Path) -> None:
    if reason := namespaces.missing("tcpserver"):
        pytest.skip(reason)
    folder = make(root, f"smtpd-{name}", chain("envuidgid nobody tcpserver -U 0 smtp cat"))
    other = make(root, f"other-{name}", chain("envuidgid nobody tcpserver -U 0 2525 cat"))
    program, queue = QUEUES[name]
    mta = root / program
    mta.parent.mkdir(exist_ok=True)
    mta.symlink_to("/bin/sleep")
    build = "mount -t tmpfs none /var/spool; " + "".join(
        f"mkdir -p /var/spool/{Path(path).parent}; : >/var/spool/{path}; " for path in queue
    )
    deliver = f'{mta} 1000 & until [ "$(cat /proc/$!/comm)" = {mta.name} ]; do :; done; '
    for before, said in (
        (build, [f"mail waits in {name}'s queue (2), and nothing of it runs"]),
        (build + deliver, []),
    ):
        done = run(
            "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c",
            before + 'exec svcheck "$@"', "sh", folder, other,
        )  # fmt: skip
        lines = done.stdout.decode().splitlines()
        assert [line.partition(": warning: ")[2].partition("; mend")[0] for line in lines] == said
        assert (done.returncode, done.stderr) == (bool(said), b"")


def test_needs(root: Path) -> None:
    for name, needs in (("one", "two\n"), ("two", "three"), ("three", "one\n"), ("four", "one\n")):
        make(root, name, file("needs", needs))
    found = checked(root / "one", root / "four")
    assert found[str(root / "one")] == [("bad-needs", "error", "needs")]
    said = run("svcheck", root / "two").stdout
    assert b"/needs: error: it needs itself: two -> three -> one -> two; mend: " in said, "in svscan's words"
    assert found[str(root / "four")] == []


def test_what_root_cannot_read_is_not_called_good(root: Path) -> None:
    folder = make(root, "a", logger())
    hidden = 'mount -t tmpfs none /proc && exec svcheck "$@"'
    done = run("unshare", "--mount", "sh", "-c", hidden, "sh", folder)
    assert done.returncode == 0
    assert done.stdout.startswith(bytes(folder) + b": note: not seen: run, log; mend: look why root may not ")


def test_without_root_what_cannot_be_seen_is_said_once(root: Path) -> None:
    folder = make(root, "closed", logger())
    (folder / "log/run").chmod(0o700)
    assert checked(folder) == {str(folder): []}
    (folder / "run").chmod(0o711)
    # setuidgid looks svcheck up as nobody.
    reachable = run("setuidgid", "nobody", "svcheck", "--help").returncode == 0
    if not reachable:
        pytest.skip("svcheck is installed where nobody may not look")
    found = checked(folder, before=("setuidgid", "nobody"))
    assert [each[0] for each in found[str(folder)]].count("unseen") == 1
    done = run("setuidgid", "nobody", "svcheck", folder)
    assert done.returncode == 0
    assert b": note: not seen without being root: run; mend: run svcheck as root [unseen]\n" in done.stdout


def test_without_root_no_port_is_taken_by_somebody_unknown(root: Path) -> None:
    if reason := namespaces.missing("tcpserver"):
        pytest.skip(reason)
    folder = make(root, "port-unknown", chain("tcpserver -H 0 2525 cat"))
    script_ = (
        "import socket, subprocess, sys\n"
        "held = socket.create_server(('0.0.0.0', 2525))\n"
        "sys.exit(subprocess.run(['setuidgid', 'nobody', 'svcheck', sys.argv[1]]).returncode)\n"
    )
    done = run("unshare", "--net", "/usr/bin/python3", "-I", "-c", script_, folder)
    if b"Permission" in done.stderr:
        pytest.skip("svcheck is installed where nobody may not look")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"not seen without being root: who holds port 2525;" in done.stdout


def test_lines_exit_codes_and_options(root: Path) -> None:
    folder = make(root, "lines", script("#!/bin/sh\nexec 2>&1\nexec setuidgid no\x1b[1mbody sleep 9\n"))
    done = run("svcheck", "lines", cwd=root)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")  # no shell's word for certain
    (folder / "run").write_text("#!/bin/sh\nexec 2>&1\nexec setuidgid 'no\x1bbody\n' sleep 9\n")
    done = run("svcheck", "lines", cwd=root)
    assert done.stdout == (
        b"lines/run:3: error: setuidgid: there is no account no?body?;"
        b" mend: useradd --system no?body?, or name another [unknown-user]\n"
    )
    for words in (["-x"], ["--json=1"], [""]):
        done = run("svcheck", *words)
        assert (done.returncode, done.stdout) == (100, b"")
        assert done.stderr == b"svcheck: usage: svcheck [--json] [dir ...]\n"
    script("#!/bin/sh\nexec 2>&1\nsetuidgid nobody sleep 9\n")(folder)
    assert run("svcheck", folder).returncode == 1
    done = run("svcheck", "lines", "nowhere", "lines/run", cwd=root)
    assert done.returncode == 111
    assert done.stdout.startswith(b"lines/run:3: warning: ")
    assert done.stderr == (
        b"svcheck: warning: unable to read nowhere: file does not exist\n"
        b"svcheck: warning: unable to read lines/run: not a directory\n"
    )
    with Path("/dev/full").open("wb") as full:
        done = run("svcheck", folder, stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (111, b"svcheck: fatal: unable to write: out of disk space\n")


def test_a_name_that_is_no_text(root: Path) -> None:
    folder = os.fsencode(root) + b"/n\xe4me\n"
    os.mkdir(folder)
    done = run("svcheck", "--json", folder)
    (each,) = json.loads(done.stdout)["findings"]
    assert (bytes.fromhex(each["folder_hex"]), each["id"]) == (folder, "no-run")
    assert faults(json.loads(done.stdout), SCHEMA, SCHEMA) == []
    assert run("svcheck", folder).stdout.count(b"\n") == 1


def test_nothing_of_a_folder_is_executed_or_written(root: Path) -> None:
    text = f"#!/bin/sh\n: >{root}/ran\nexec ./daemon\n"
    folder = make(
        root, "hostile", both(logger(), *(script(text, name) for name in ("run", "daemon", "start")))
    )
    script("exec ./daemon\n", "ready", 0o644)(folder)
    chain("softlimit -m 9000000 ./daemon")(folder)
    before = sorted((path, path.lstat().st_mtime_ns) for path in folder.rglob("*"))
    checked(folder)
    assert not (root / "ran").exists()
    assert sorted((path, path.lstat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_a_planted_link_shows_nothing(root: Path) -> None:
    secret = root / "secret"
    secret.write_text("exec setuidgid hidden-word sleep 9\n")
    secret.chmod(0o600)
    folder = make(root, "planted", lambda folder: None)
    for name in ("run", "stop-timeout", "ready", "needs"):
        (folder / name).symlink_to(secret)
        os.lchown(folder / name, NOBODY, NOBODY)
    (folder / "log").symlink_to(folder)
    os.lchown(folder / "log", NOBODY, NOBODY)
    done = run("svcheck", folder)
    assert b"hidden" not in done.stdout and done.returncode == 1, done
    assert done.stdout.count(b"[strange-link]") == 2  # log, too


def test_fifos_and_devices_hold_nobody_up(root: Path) -> None:
    folder = make(root, "fifos", lambda folder: (folder / "log").mkdir())
    for name in ("run", "log/run", "ready", "needs", "stop-timeout", "finish", "down", "start", "stop"):
        os.mkfifo(folder / name, 0o755)
    done = run("svcheck", folder, timeout=20)
    assert done.returncode == 2 and done.stdout.count(b"[not-a-file]") == 2


def test_a_program_that_is_no_elf_is_not_measured(root: Path) -> None:
    def build(folder: Path) -> None:
        chain("softlimit -m 100000 ./daemon")(folder)
        head = Path("/bin/sleep").read_bytes()
        (folder / "daemon").write_bytes(head[:64] + b"\xff" * 5000)
        (folder / "daemon").chmod(0o755)

    folder = make(root, "no-elf", build)
    assert checked(folder) == {str(folder): []}


@pytest.mark.parametrize(("limit", "field"), [("-a", 0), ("-d", 1)])
@pytest.mark.parametrize("name", ["sleep", "dash", "tcprules"])
def test_what_a_program_needs_is_what_it_fails_without(limit: str, field: int, name: str) -> None:
    """The least that svcheck tells is too little for certain, and not much less than enough."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    program = (
        "import sys; from svpy.system.elf import needs; found = needs(sys.argv[1].encode());"
        "print(found.address_bytes, found.data_bytes)"
    )
    path = os.path.realpath(shutil.which(name) or "")
    told = run("python3", "-c", program, path, env=environment(PYTHONPATH=str(ROOT)))
    least = int(told.stdout.split()[field])

    def begins(size: int) -> bool:
        words = {"sleep": ["0"], "dash": ["-c", ":"], "tcprules": []}[name]
        done = run("softlimit", limit, str(size), path, *words)
        return done.returncode == (0 if words else 100) and b"shared" not in done.stderr

    assert not begins(least - 4096)
    assert begins(least * 5 // 4 if limit == "-a" else least * 3)
