"""docs/coming-from.md: what the page makes of services of others runs as those did: account, folder,
variables, limits, words."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import namespaces
from support.containers import Container
from support.package import TREE
from support.processes import PATH, environment, eventually, run
from support.services import Services

PAGE = (TREE / "docs/coming-from.md").read_text()
PEERS = os.environ.get("SVPY_PEERS", "")
USER = "www-data"


def blocks(heading: str) -> list[str]:
    """The fenced blocks below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"(?ms)^```\w+\n(.*?)^```$", section)


RUNS = {
    "runit-before": blocks("runit")[0].replace("8081", "8084"),
    "runit": blocks("runit")[1],
    "s6": blocks("s6")[1],
    "supervisord": blocks("supervisord")[1],
    "systemd": blocks("systemd")[1],
}
SERVER = "#!/bin/sh\nwhile :; do sleep 1000; done\n"


@pytest.fixture
def reachable_services(reachable: Path) -> Iterator[Services]:
    why = namespaces.missing()
    if why:
        pytest.skip(why)
    yield Services(reachable)


class Seen:
    """What a process was made of."""

    def __init__(self, pid: int) -> None:
        proc = Path("/proc", str(pid))
        # First: what is read behind it is of this program, and not of the chain before it.
        self.words = (proc / "cmdline").read_text().split("\0")[:-1]
        self.uid, self.gid = proc.stat().st_uid, proc.stat().st_gid
        self.folder = os.readlink(proc / "cwd")
        self.variables = dict(
            line.partition("=")[::2] for line in (proc / "environ").read_text().split("\0") if line
        )
        limit = re.search(r"Max open files +(\d+)", (proc / "limits").read_text())
        assert limit is not None
        self.files = int(limit[1])


def pid_outside(container: Container, inner: int) -> int:
    """Of a process in the container, as we see it."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        numbers = re.search(r"(?m)^NSpid:\s+(.*)$", status)
        same = numbers is not None and numbers[1].split()[1:] == [str(inner)]
        if same and (entry / "ns/pid").stat().st_ino == os.stat(f"/proc/{container.init_pid}/ns/pid").st_ino:
            return int(entry.name)
    raise ProcessLookupError(inner)


def seen(container: Container, services: Services, name: str, program: str) -> Seen:
    """The service, once its chain has become its program."""
    found: list[Seen] = []

    def executed() -> bool:
        now = Seen(pid_outside(container, services.pid(name)))
        found[:] = [now]
        return any(program in word for word in now.words) and USER not in now.words

    eventually(executed, f"{name} executed")
    return found[0]


def test_each_runs_as_it_did_elsewhere(reachable_services: Services) -> None:
    services = reachable_services
    runs = dict(RUNS)
    if not shutil.which("chpst", path=PEERS):
        del runs["runit-before"]
    for name, text in runs.items():
        folder = services.prepare(name, text)
        (folder / "env").mkdir()
        (folder / "env/GREETING").write_text("hello\n")
        (folder / "server").write_text(SERVER)
        (folder / "server").chmod(0o755)
        folder.rename(services.folder / name)
    account = pwd.getpwnam(USER)
    with Container("svscan", services.folder, env=environment(PATH=f"{PATH}:{PEERS}")) as container:
        all_seen = {
            name: seen(container, services, name, "server" if name == "s6" else "http.server")
            for name in runs
        }
        for name, made in all_seen.items():
            assert (made.uid, made.gid) == (account.pw_uid, account.pw_gid), name
        if "runit-before" in all_seen:
            before, after = all_seen["runit-before"], all_seen["runit"]
            assert [*before.words[:-1], "8081"] == after.words  # two cannot have one port
            assert before.files == after.files == 64
            assert before.variables.get("GREETING") == after.variables.get("GREETING") == "hello"
        assert all_seen["s6"].files == 64

        program = configparser.ConfigParser()
        program.read_string(blocks("supervisord")[0])
        said = dict(program["program:web"])
        made = all_seen["supervisord"]
        assert made.words == shlex.split(said["command"])
        assert made.folder == said["directory"] and said["user"] == USER
        assert shlex.quote(made.variables["GREETING"]) in said["environment"].replace('"', "")

        unit = configparser.ConfigParser()
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(blocks("systemd")[0])
        said = dict(unit["Service"])
        made = all_seen["systemd"]
        assert made.words == shlex.split(said["ExecStart"])
        assert made.folder == said["WorkingDirectory"] and said["User"] == USER
        assert f"GREETING={made.variables['GREETING']}" == said["Environment"]
        assert made.files == int(said["LimitNOFILE"])
        assert container.stop() == 0


def test_svpy_new_makes_the_run_of_the_page_but_for_two_lines(reachable: Path) -> None:
    (command,) = re.findall(r"becomes `(svpy new web .*?)` and two lines", PAGE)
    words = shlex.split(command)
    (reachable / "logs").mkdir()
    user = ("--log-user", USER, "--dir", str(reachable), "--log-dir", str(reachable / "logs"))
    done = run(*words[:3], *user, *words[3:])
    assert done.returncode == 0, done
    made = (reachable / "web/run").read_text().splitlines()
    shown = RUNS["supervisord"].splitlines()
    assert [line for line in shown if line in made] == made
    assert len(shown) == len(made) + 2


def test_the_table_is_of_commands_that_are_there() -> None:
    from svpy.core.catalogue import COMMANDS, OWN

    table = [line.split("|")[2] for line in PAGE.splitlines() if line.startswith("| ")]
    ours = {word.split()[0] for cell in table for word in re.findall(r"`([a-z][^`]*)`", cell)}
    known = {name.decode() for name in COMMANDS} | {"svpy"}
    files = ["run", "log/run", "down", "ready", "needs", "start", "stop", "notify", "stop-timeout"]
    assert ours - known - {*files, "ln"} == set()
    assert {words.split()[1] for cell in table for words in re.findall(r"`(svpy \w+)", cell)} <= {
        name.decode() for name in OWN
    }
