"""Every pattern of the corpus: what is done with it, and what must be observed.

A row is a function that observes, under the name of the folder with `_` for `-`; its docstring is the
sentence, `sees` the facts. `CORPUS` lists them; whoever wants to run them another way needs a `Scene`,
and of each row `services`, `prepare`, `later` and `observe`."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from support.processes import eventually

from corpus.scene import Facts, Pattern, Program, Scene

CORPUS: list[Pattern] = []
NOBODY = "nobody 65534 65534"
"""User, group, and as the only further group the same."""
SPOKEN_MAX = 16777215
ENDS_WITHIN = 2000


def pattern(
    sees: Facts,
    services: tuple[str, ...] = (),
    prepare: Callable[[Scene], None] | None = None,
    later: tuple[str, ...] = (),
    differs: str = "",
    theirs: Facts | None = None,
) -> Callable[[Callable[[Scene], Facts]], Callable[[Scene], Facts]]:
    """Adds a row for the function; the only service is the folder of its name unless `services` tells."""

    def add(observe: Callable[[Scene], Facts]) -> Callable[[Scene], Facts]:
        name = observe.__name__.replace("_", "-")
        assert observe.__doc__, name
        own = services or (name,)
        CORPUS.append(Pattern(name, own, observe, sees, prepare, later, differs, theirs))
        return observe

    return add


SHARED = "Loggers of one account share a process; its command line is what they have in common."

# Limits, accounts, environment.


@pattern({"argv": ["sleep", "1000"], "account": "root 0", "memory": {"8000000"}})
def softlimit_head(scene: Scene) -> Facts:
    """The number that `head -1` finds in env/MEM limits the program's memory, all four kinds."""
    program = scene.program("softlimit-head")
    return {
        "argv": program.argv(),
        "account": program.account(),
        "memory": set(program.memory().values()),
    }


@pattern({"account": NOBODY, "memory": {"3600000"}})
def softlimit_setuidgid(scene: Scene) -> Facts:
    """The limit does not keep setuidgid from running, whatever it needs itself: the program runs as
    nobody, with its group as the only one, below it."""
    program = scene.program("softlimit-setuidgid")
    return {"account": program.account(), "memory": set(program.memory().values())}


@pattern(
    {
        "account": "root 0",
        "environment": {"PATH=THE PATH", "UID=65534", "GID=65534", "ROOT=/etc/zones", "IP=127.0.0.1"},
        "data": "250000",
        "address space": "unlimited",
    }
)
def envuidgid_envdir(scene: Scene) -> Facts:
    """The program starts as root with nobody's ids in UID and GID and a data segment of 250000 bytes;
    the empty env/HOME has removed HOME, trailing blanks and further lines are no part of a value."""
    program = scene.program("envuidgid-envdir")
    return {
        "account": program.account(),
        "environment": program.environment() - {"PWD=" + str(scene.folder("envuidgid-envdir"))},
        "data": program.limit("Max data size"),
        "address space": program.limit("Max address space"),
    }


@pattern(
    {
        "stdin": "service/envdir-seed/seed",
        "open files": "250",
        "data": "3000000",
        "environment": {
            *("PATH=THE PATH", "UID=65534", "GID=65534", "DATALIMIT=3000000"),
            *("CACHESIZE=1000000", "IPSEND=0.0.0.0"),
        },
    }
)
def envdir_seed(scene: Scene) -> Facts:
    """The seed is the program's stdin, what envdir has set is there for the inner script, and its limits
    are the program's."""
    program = scene.program("envdir-seed")
    return {
        "stdin": program.descriptor(0),
        "open files": program.limit("Max open files"),
        "data": program.limit("Max data size"),
        "environment": program.environment() - {"PWD=" + str(scene.folder("envdir-seed"))},
    }


@pattern(
    {
        "account": NOBODY,
        "environment": {"PATH=THE PATH", "LANG=C", "BLANKS=  two before, two behind", "LINES=one\ntwo\n"},
    }
)
def env_minus(scene: Scene) -> Facts:
    """The environment is PATH and what is in env, byte for byte and nothing else: leading blanks stay,
    trailing ones go, a NUL becomes a newline."""
    program = scene.program("env-minus")
    return {"account": program.account(), "environment": program.environment()}


# Logs.


def _whole_log(
    scene: Scene, name: str, last: bytes, decoded: Callable[[bytes], bytes] = lambda content: content
) -> tuple[int, bool, int]:
    """Lines, whether they are numbered in order, completed files."""
    lines = scene.log(f"{name}/log/main", last, decoded)
    numbers = [int(found[0]) for line in lines if (found := re.search(rb"\d{4}", line))]
    complete = len(list(scene.folder(f"{name}/log/main").glob("@*.s")))
    return len(lines), numbers == list(range(1, len(lines) + 1)), complete


def _closed_folder(scene: Scene) -> None:
    scene.folder("log-status").chmod(0o3700)


LOG_STATUS: Facts = {
    "log": [
        *(b"starting delivery 1", b"send: status: local 0/10 remote 1/20"),
        *(b"delivery 1: success", b"send: status: local 0/10 remote 0/20"),
    ],
    "status": b"send: status: local 0/10 remote 0/20",
    "its size": 1001,
    "its owner": 65534,
    "its account": NOBODY,
    "mode": "0o3700",
}


@pattern(
    {**LOG_STATUS, "logger": ["multilog"]},
    prepare=_closed_folder,
    differs=SHARED,
    theirs={
        **LOG_STATUS,
        "logger": ["multilog", "t", "./main", "-*", "+* * status: *", "=status"],
    },
)
def log_status(scene: Scene) -> Facts:
    """Below a folder that only root can enter, the logger works in ./main and ./status as nobody; the log
    has all lines, the status file the last status line, filled up with newlines."""
    name = "log-status"
    status = scene.folder(f"{name}/log/status")
    lines = scene.log(f"{name}/log/main", b"send: status: local 0/10 remote 0/20")
    eventually(lambda: status.exists() and b"remote 0/20" in status.read_bytes(), "the last status")
    line = status.read_bytes().rstrip(b"\n")
    assert re.match(rb"@[0-9a-f]{24} ", line)
    logger = scene.program(f"{name}/log", "multilog")
    return {
        "log": lines,
        "status": line[26:],
        "its size": status.stat().st_size,
        "its owner": status.stat().st_uid,
        "logger": logger.argv(),
        "its account": logger.account(),
        "mode": oct(scene.folder(name).stat().st_mode & 0o7777),
    }


@pattern({"lines": 300, "in order": True, "complete files": 0})
def log_n20_s16777215(scene: Scene) -> Facts:
    """The largest size there is, and twenty files of it: all lines are in the first one."""
    lines, in_order, complete = _whole_log(scene, "log-n20-s16777215", b"line 0300 of a small log")
    return {"lines": lines, "in order": in_order, "complete files": complete}


@pattern({"complete files": 1, "ends at": "the largest size", "rest": "in current"})
def log_s50000000(scene: Scene) -> Facts:
    """A size beyond 16777215 is 16777215."""
    main = scene.folder("log-s50000000/log/main")
    scene.log("log-s50000000/log/main", b"all said")
    files = [file.stat().st_size for file in main.glob("@*")]
    ends = all(SPOKEN_MAX - ENDS_WITHIN < size <= SPOKEN_MAX for size in files)
    return {
        "complete files": len(files),
        "ends at": "the largest size" if ends else files,
        "rest": "in current" if (main / "current").stat().st_size else "gone",
    }


@pattern({"lines": 300, "in order": True, "sizes": True, "several": True})
def log_bare_s(scene: Scene) -> Facts:
    """An s without a number is the smallest size, 4096 bytes."""
    name = "log-bare-s"
    lines, in_order, complete = _whole_log(scene, name, b"line 0300 of a log in small files")
    sizes = [file.stat().st_size for file in scene.folder(f"{name}/log/main").glob("@*")]
    within = all(4096 - ENDS_WITHIN < size <= 4096 for size in sizes)
    return {"lines": lines, "in order": in_order, "sizes": within or sizes, "several": complete > 3}


@pattern({"log": [b"what nobody knows is passed over"]})
def log_unknown_letter(scene: Scene) -> Facts:
    """Letters that multilog does not know are passed over, the log is written."""
    return {"log": scene.log("log-unknown-letter/log/main", b"what nobody knows is passed over")}


@pattern({"lines": 150, "in order": True, "processed": True})
def log_tai64nlocal(scene: Scene) -> Facts:
    """Completed files have local times instead of labels, and with current they have every line once."""
    name = "log-tai64nlocal"
    lines, in_order, _ = _whole_log(scene, name, b"line 0150, its time made readable")
    files = [file.read_bytes() for file in scene.folder(f"{name}/log/main").glob("@*")]
    readable = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} line .*\n)+")
    return {
        "lines": lines,
        "in order": in_order,
        "processed": len(files) >= 2 and all(readable.fullmatch(file) for file in files),
    }


@pattern({"lines": 150, "in order": True, "compressed": True})
def log_gzip(scene: Scene) -> Facts:
    """Completed files are compressed, and with current they have every line once."""
    name = "log-gzip"
    lines, in_order, complete = _whole_log(scene, name, b"line 0150, to be compressed", gzip.decompress)
    return {"lines": lines, "in order": in_order, "compressed": complete >= 2}


@pattern({"small files": 2, "of at most": 4096, "large files": 0, "lines in large": 400, "small's end": True})
def log_two_folders(scene: Scene) -> Facts:
    """Each folder has the size and number that stand before it: the small one has lost its old files, the
    large one has everything in one."""
    last = b"line 0400 of one log in two folders"
    small, large = (scene.log(f"log-two-folders/log/{name}", last) for name in ("small", "large"))
    folder = scene.folder("log-two-folders/log")
    sizes = [file.stat().st_size for file in folder.glob("small/@*")]
    return {
        "small files": len(sizes),
        "of at most": 4096 if max(sizes) <= 4096 else sizes,
        "large files": len(list(folder.glob("large/@*"))),
        "lines in large": len(large),
        "small's end": 0 < len(small) < len(large) and large[-len(small) :] == small,
    }


@pattern(
    {"said": "all", "logger": ["multilog"], "files": ["run", "supervise"]},
    differs=SHARED,
    theirs={"said": "all", "logger": ["multilog", "t", "-*"], "files": ["run", "supervise"]},
)
def log_nothing(scene: Scene) -> Facts:
    """A logger that keeps nothing reads everything, and leaves no file."""
    scene.program("log-nothing")
    assert scene.folder("log-nothing/said-all").exists()
    return {
        "said": "all",
        "logger": scene.program("log-nothing/log", "multilog").argv(),
        "files": sorted(os.listdir(scene.folder("log-nothing/log"))),
    }


# Processes.


@pattern(
    {
        "answer": ["asked through descriptor 5"],
        "5": "service/descriptors/question",
        "6": "service/descriptors/answer",
        "account": NOBODY,
    }
)
def descriptors(scene: Scene) -> Facts:
    """Descriptors 5 and 6 reach the program through the chain, as root opened them."""
    program = scene.program("descriptors")
    return {
        "answer": scene.lines("descriptors/answer", 1),
        "5": program.descriptor(5),
        "6": program.descriptor(6),
        "account": program.account(),
    }


@pattern({"state": "up", "starts": [1, 2], "daemon": "orphan", "argv": "fghack sh -c"})
def fghack(scene: Scene) -> Facts:
    """As long as the daemon lives the service is up, though its parents are gone; when it ends, the service
    is started again."""
    keeper = scene.program("fghack", "fghack")
    (first,) = scene.lines("fghack/daemon", 1)
    daemon = Program(scene, int(first))
    eventually(daemon.is_orphan, "both parents gone")
    eventually(lambda: keeper.argv()[0] == "fghack", "fghack seen by its name")
    facts = {
        "state": scene.state("fghack"),
        "daemon": "orphan" if daemon.is_orphan() else daemon.parent(),
        "argv": " ".join(keeper.argv()[:3]),
    }
    starts = len(scene.lines("fghack/starts", 1))
    scene.apart.kill(daemon.pid, signal.SIGTERM)
    return {**facts, "starts": [starts, len(scene.lines("fghack/starts", 2))]}


@pattern({"leads": {"group": True, "session": True}})
def pgrphack(scene: Scene) -> Facts:
    """The program leads a session and a process group of its own."""
    return {"leads": scene.program("pgrphack").leads()}


@pattern(
    {
        "holder": True,
        "-n": b"setlock: fatal: unable to lock ../setlock/lock: temporary failure",
        "-nx": ["0", b""],
        "-nx got it": False,
        "then": "one of them",
    },
    later=("setlock-n", "setlock-nx"),
)
def setlock(scene: Scene) -> Facts:
    """Of three that want a lock, the first has it; then -n says so once a second, -nx says nothing and ends
    with 0. When the holder is taken down one of the others gets it, and only one."""
    holder = scene.program("setlock")
    scene.bring("setlock-n")
    scene.bring("setlock-nx")
    scene.lines("setlock-n/said", 2)
    facts = {
        "holder": holder.alive(),
        "-n": (scene.folder("setlock-n") / "said").read_bytes().splitlines()[0],
        "-nx": [scene.lines("setlock-nx/codes", 1)[0], (scene.folder("setlock-nx") / "said").read_bytes()],
        "-nx got it": (scene.folder("setlock-nx") / "got").exists(),
    }
    scene.svc("-d", "setlock")

    def holders() -> list[str]:
        got = (scene.folder("setlock-nx") / "got").exists()
        other = scene.apart.name(scene.pid("setlock-n")) == "sleep"
        return ["setlock-nx"] * got + ["setlock-n"] * other

    eventually(holders, "one of the others with the lock")
    return {**facts, "then": "one of them" if len(holders()) == 1 else holders()}


@pattern({"state": "down, normally up", "wanted": b"d", "runs": ["ran"]})
def svc_d_itself(scene: Scene) -> Facts:
    """A script that takes its own service down is ended by it, and not started again."""
    return {
        "state": scene.wait_state("svc-d-itself", "down, normally up"),
        "wanted": scene.status("svc-d-itself")[17:18],
        "runs": scene.lines("svc-d-itself/runs", 1),
    }


@pattern({"before": "tried, and not running", "after": True}, later=("svok-other-two",))
def svok_other(scene: Scene) -> Facts:
    """A script that needs another service ends, once a second, until the other one is supervised."""
    scene.lines("svok-other/tries", 2)
    running = scene.apart.name(scene.pid("svok-other")) == "sleep"
    scene.bring("svok-other-two")
    return {
        "before": "running" if running else "tried, and not running",
        "after": scene.program("svok-other").alive(),
    }


# Folders and scripts.


@pattern({"said": ["./run 0 service/run-is-a-link"], "cwd": "service/run-is-a-link"})
def run_is_a_link(scene: Scene) -> Facts:
    """A run that leads elsewhere is ./run to itself, in the service's folder."""
    said = [line.replace(f"{scene.service.parent}/", "") for line in scene.lines("run-is-a-link/said", 1)]
    return {"said": said, "cwd": scene.program("run-is-a-link").cwd()}


def _linked_folder(scene: Scene) -> None:
    _link_to(scene, scene.elsewhere / "folder-of-another-name", "folder-is-a-link")


def _link_to(scene: Scene, target: Path, name: str) -> None:
    """The folder goes to `target`, and a link to it takes its place."""
    scene.folder(name).rename(target)
    scene.folder(name).symlink_to(target)


@pattern(
    {
        "log": [b"./run 0"],
        "cwd": "elsewhere/folder-of-another-name",
        "logger's": ["control", "lock", "ok", "status"],
        "state": "up",
    },
    prepare=_linked_folder,
)
def folder_is_a_link(scene: Scene) -> Facts:
    """A service folder that is a link is known by the link's name and works where it leads."""
    return {
        "log": scene.log("folder-is-a-link/log/main", b"./run 0"),
        "cwd": scene.program("folder-is-a-link").cwd(),
        "logger's": sorted(os.listdir(scene.elsewhere / "folder-of-another-name/log/supervise")),
        "state": scene.state("folder-is-a-link"),
    }


def _read_only_tree(scene: Scene) -> None:
    tree, writable = scene.read_only / "read-only-tree", scene.elsewhere / "writable"
    for name in ("supervise", "log-supervise", "main"):
        (writable / name).mkdir(parents=True)
    shutil.chown(writable / "main", "nobody")
    _link_to(scene, tree, "read-only-tree")
    (tree / "supervise").symlink_to("../../writable/supervise")
    (tree / "log/supervise").symlink_to(writable / "log-supervise")
    (tree / "log/main").symlink_to(writable / "main")


@pattern(
    {
        "log": [b"touch: cannot touch 'here': Read-only file system", b"not written"],
        "supervise": ["control", "lock", "ok", "status"],
        "after svc -t": "up",
    },
    prepare=_read_only_tree,
)
def read_only_tree(scene: Scene) -> Facts:
    """On a read-only tree a service works as anywhere when its supervise leads to where one can write."""
    name = "read-only-tree"
    lines = scene.log(f"{name}/log/main", b"not written")
    before = scene.program(name)
    supervise = sorted(os.listdir(scene.elsewhere / "writable/supervise"))
    scene.svc("-t", name)
    scene.program(name, since=before.pid)
    return {"log": lines, "supervise": supervise, "after svc -t": scene.state(name)}


def _mode(mode: int, name: str) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        # As those who make such folders: the group is the logger's.
        shutil.chown(scene.folder(name), group=65534)
        scene.folder(name).chmod(mode)

    return prepare


def _in_mode(scene: Scene, name: str) -> Facts:
    status = (scene.folder(name) / "supervise").stat()
    return {
        "log": scene.log(f"{name}/log/main", b"said to the log"),
        "state": scene.state(name),
        "mode": oct(scene.folder(name).stat().st_mode & 0o7777),
        "supervise": oct(status.st_mode & 0o7777),
        "its group": status.st_gid,
    }


_LOGGED: Facts = {"log": [b"said to the log"], "state": "up"}


@pattern(
    {**_LOGGED, "mode": "0o1755", "supervise": "0o700", "its group": 0},
    prepare=_mode(0o1755, "mode-1755"),
)
def mode_1755(scene: Scene) -> Facts:
    """A sticky folder, as svscan once wanted them for a log: its log is written."""
    return _in_mode(scene, "mode-1755")


@pattern(
    {**_LOGGED, "mode": "0o1750", "supervise": "0o700", "its group": 0},
    prepare=_mode(0o1750, "mode-01750"),
)
def mode_01750(scene: Scene) -> Facts:
    """The same, closed to all but its owner and group."""
    return _in_mode(scene, "mode-01750")


@pattern(
    {**_LOGGED, "mode": "0o3700", "supervise": "0o2700", "its group": 65534},
    prepare=_mode(0o3700, "mode-03700"),
)
def mode_03700(scene: Scene) -> Facts:
    """The same, closed to all but its owner; what is made in it has the group of it."""
    return _in_mode(scene, "mode-03700")


@pattern(
    {"said": True, "stdout": "said", "state": "up"},
    prepare=lambda scene: scene.folder("mode-1755-without-log").chmod(0o1755),
)
def mode_1755_without_log(scene: Scene) -> Facts:
    """A sticky folder without log/ has no logger: what it says is said where svscan speaks."""
    program = scene.program("mode-1755-without-log")
    return {
        "said": scene.said(b"said without a log\n"),
        "stdout": program.descriptor(1),
        "state": scene.state("mode-1755-without-log"),
    }


@pattern({"said": ["./run 0"]})
def zero_is_run(scene: Scene) -> Facts:
    """A script is called as ./run, without an argument."""
    return {"said": scene.lines("zero-is-run/said", 1)}


@pattern({"at first": "down", "then": "up, normally down", "again": "down"})
def down_with_text(scene: Scene) -> Facts:
    """What is written in `down` makes no difference: the service waits for `svc -u`."""
    name = "down-with-text"
    first = scene.wait_state(name, "down")
    scene.svc("-u", name)
    scene.program(name)
    then = scene.state(name)
    scene.svc("-d", name)
    return {"at first": first, "then": then, "again": scene.wait_state(name, "down")}


@pattern({"argv": ["sleep", "1000"]})
def shebang_bash(scene: Scene) -> Facts:
    """A script for bash is run by bash."""
    return {"argv": scene.program("shebang-bash").argv()}


@pattern({"before": "not running", "argv": ["sleep", "1000"]})
def shebang_sh_e(scene: Scene) -> Facts:
    """`-e` in the first line ends the script at what fails, once a second, until nothing does."""
    scene.lines("shebang-sh-e/tries", 2)
    running = scene.apart.name(scene.pid("shebang-sh-e")) == "sleep"
    (scene.folder("shebang-sh-e") / "ready").touch()
    return {
        "before": "running" if running else "not running",
        "argv": scene.program("shebang-sh-e").argv(),
    }


@pattern(
    {"said": ["./run 0"], "warned": False},
    differs="a run without #! is run by /bin/sh, as execvp would: qmail's were published so",
    theirs={"said": "nothing", "warned": True},
)
def shebang_none(scene: Scene) -> Facts:
    """A script without a first line for it is run by /bin/sh, as ./run."""
    said = scene.folder("shebang-none") / "said"

    def warned() -> bool:
        return scene.said(b"unable to start shebang-none/run: exec format error")

    eventually(lambda: (said.exists() and said.read_text()) or warned(), "a start, or none")
    return {"said": said.read_text().splitlines() if said.exists() else "nothing", "warned": warned()}


@pattern(
    {"inner": "up", "log": [b"said by the inner service"], "after svc -t": "up", "after svc -d": "gone"},
    differs="TERM to svscan stops its services in order; C's dies of it and leaves them",
    theirs={
        "inner": "up",
        "log": [b"said by the inner service"],
        "after svc -t": "the same",
        "after svc -d": "left behind",
    },
)
def svscan_in_svscan(scene: Scene) -> Facts:
    """A svscan can be a service: what it hosts is up, is started anew with it, and goes with it."""
    name, inner = "svscan-in-svscan", "svscan-in-svscan/inner/one"
    outer = scene.program(name, "svscan")
    first = scene.program(inner)
    log = scene.log(f"{inner}/log/main", b"said by the inner service")
    state = scene.state(inner)
    scene.svc("-t", name)
    scene.program(name, "svscan", since=outer.pid)
    if first.alive():
        after, second = "the same", first
    else:
        second = scene.program(inner, since=first.pid)
        after = scene.state(inner)
    scene.svc("-d", name)
    scene.wait_state(name, "down, normally up")
    return {
        "inner": state,
        "log": log[:1],
        "after svc -t": after,
        "after svc -d": "left behind" if second.alive() else "gone",
    }
