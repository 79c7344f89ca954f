"""svstat with options; without them it is C's: tests/oracle/test_svstat.py."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from support.processes import environment, eventually, run
from support.schema import faults
from support.services import Services, script, svscan, with_services_in

from svpy.core.states import STATES

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json.loads((ROOT / "docs/svstat.schema.json").read_text())

LISTENS = """exec python3 -c '
import signal, socket, time
while time.process_time() < 0.05: pass
one = socket.socket(socket.AF_UNIX); one.bind("socket"); one.listen()
print("ready", flush=True)
signal.pause()'"""


def said(*words: str | bytes, cwd: Path, code: int = 0) -> dict[str, Any]:
    """What `svstat --json` says, which must be as documented."""
    done = run("svstat", "--json", *words, cwd=cwd)
    assert (done.returncode, done.stderr) == (code, b"")
    found: dict[str, Any] = json.loads(done.stdout)
    assert faults(found, SCHEMA, SCHEMA) == []
    return found


def test_everything_that_there_is_to_say(services: Services, tmp_path: Path) -> None:
    """One scene, looked at in every way."""
    listens = services.make("listens", f"exec 2>&1\n{LISTENS}", log="exec multilog t ./main")
    services.make("fails", "echo x >>starts; exit 111", down=True)
    services.make("killed", "kill -SEGV $$", down=True)
    services.make("down", down=True)
    odd = b"\xff\x1b[31m"
    services.prepare("odd", down=True).rename(services.folder / os.fsdecode(odd))
    with svscan(services):
        services.up("listens")
        eventually((listens / "socket").exists)
        eventually((listens / "log/main/current").read_bytes)
        for name in ("fails", "killed"):
            services.svc("-o", name)
            eventually(lambda name=name: services.told(name)["last_exit"] and not services.pid(name))
        eventually(lambda: run("svok", odd, cwd=services.folder).returncode == 0)

        told = said("listens", "fails", "killed", "down", odd, "missing", cwd=services.folder)
        listening, fails, killed, down, strange, absent = told["services"]
        assert listening["state"] == "up" and listening["as_wanted"] and listening["how"] == "executed"
        assert listening["pid"] == services.pid("listens") and listening["processes"] == 1
        assert listening["memory_bytes"] > 1_000_000 and listening["cpu_s"] > 0
        assert listening["sockets"] == [{"protocol": "unix", "address": "socket", "port": None}]
        assert listening["restarts"] == 0 and listening["last_exit"] is None
        logger = listening["logger"]
        assert logger["name"] == "listens/log" and logger["pid"] == services.pid("listens/log")
        assert logger["how"] == "native" and logger["shared"] == (logger["memory_bytes"] is None)
        (log,) = logger["logs"]
        assert log["path"] == str(services.folder / "listens/log/main")
        assert log["current_bytes"] == (listens / "log/main/current").stat().st_size > 0
        assert fails["last_exit"].items() >= {"reason": "exit 111", "code": 111, "signal": None}.items()
        assert killed["last_exit"].items() >= {
            "reason": "killed by SEGV", "code": None, "signal": "SEGV",
        }.items()  # fmt: skip
        assert fails["last_exit"]["pid"] != killed["last_exit"]["pid"]
        assert [fails["restarts"], killed["want"], killed["up"]] == [0, "once", False]
        assert (down["state"], down["as_wanted"], down["sockets"]) == ("down", True, None)
        assert bytes.fromhex(strange["name_hex"]) == odd
        assert strange["name"].endswith("\N{REPLACEMENT CHARACTER}\x1b[31m")
        assert (absent["state"], absent["trouble"]) == ("unknown", "unable to chdir: file does not exist")

        long = run("svstat", "-l", "listens", "fails", "killed", odd, cwd=services.folder).stdout.decode()
        assert max(len(line) for line in long.splitlines() if "/log/main" not in line) < 80
        rows = [line.split() for line in long.splitlines()]
        pid = str(services.pid("listens"))
        assert rows[0] == ["NAME", "STATE", "PID", "FOR", "RESTARTS", "MEM", "CPU", "HOW"]
        assert (rows[1][:3], rows[1][-1]) == (["listens", "up", pid], "executed")
        assert rows[2] == ["listens:", "unix", "socket"]
        assert (rows[3][0], rows[3][-1]) == ("listens/log", "native")
        assert re.search(r"\n    log: /\S+/listens/log/main, current \d+, \ds ago\n", long)
        assert re.search(r"\nfails +down +- +\d+s +0 +- +- +-\n    last exit: exit 111, \d+s ago\n", long)
        assert "    last exit: killed by SEGV, " in long
        assert "\n??[31m " in long and "\x1b" not in long
        assert long.splitlines()[-1].startswith("4 services, 1 logger: all as wanted")

        (log,) = said("listens/log", cwd=services.folder)["services"][0]["logs"]
        assert log["path"] == logger["logs"][0]["path"], "a logger that is named for itself has one, too"
        both = said("listens", "listens/log", cwd=services.folder)["services"]
        assert [one["name"] for one in both] == ["listens"], "a logger is shown once"

        in_colour(services)
        check(services)
    down = said("down", cwd=services.folder)["services"][0]
    assert (down["state"], down["trouble"], down["pid"]) == ("no svscan", "supervise not running", None)


def in_colour(services: Services) -> None:
    """On a terminal only, and not for who refuses it."""
    argv = ["script", "-qec", "svstat -l down", "/dev/null"]
    for more, is_coloured in (
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ):
        shown = run(*argv, cwd=services.folder, env=environment(**more)).stdout
        assert b"\ndown " in shown
        assert (b" \x1b[2mdown " in shown) is is_coloured, more


def check(services: Services) -> None:
    """One that is not as wanted is enough, its logger's too; what is printed is what is checked."""
    for words, code in (
        (["listens", "down"], 0),
        (["listens", "missing"], 1),
        (["-l", "down"], 0),
    ):
        assert run("svstat", "--check", *words, cwd=services.folder).returncode == code
    said("--check", "missing", cwd=services.folder, code=1)
    shown = run("svstat", "--check", "listens", cwd=services.folder).stdout
    plain = run("svstat", "listens", "listens/log", cwd=services.folder).stdout
    assert re.sub(rb"\d+ seconds", b"", shown) == re.sub(rb"\d+ seconds", b"", plain)
    services.svc("-p", "listens")
    eventually(lambda: services.told("listens")["state"] == "paused")
    assert run("svstat", "--check", "listens", cwd=services.folder).returncode == 1
    services.svc("-c", "listens")
    services.svc("-d", "listens/log")
    eventually(lambda: not services.pid("listens/log"))
    assert run("svstat", "--check", "listens", cwd=services.folder).returncode == 0, "somebody said so"
    services.svc("-u", "listens/log")
    services.up("listens/log")


@pytest.mark.parametrize("option", ["-l", "--json", "--check"])
def test_an_option_that_stands_alone_is_a_folder_if_there_is_one(tmp_path: Path, option: str) -> None:
    (tmp_path / option).mkdir()
    for words in ([option], [option, "x"]):
        done = run("svstat", *words, cwd=tmp_path)
        is_a_folder = done.stdout == option.encode() + b": unable to open supervise/ok: file does not exist\n"
        assert is_a_folder == (len(words) == 1)


def test_without_folders_it_is_all_of_service(tmp_path: Path) -> None:
    """Of a machine whose /service is another folder: ours may not be touched."""
    for name in ("b", "a/log", ".hidden"):
        (tmp_path / "made" / name).mkdir(parents=True)
    (tmp_path / "made/file").touch()
    names = [str(tmp_path / "made" / name) for name in ("a", "a/log", "b")]
    lines = [f"{name}: unable to open supervise/ok: file does not exist" for name in names]
    assert elsewhere(tmp_path / "made") == (0, lines, b"")
    assert elsewhere(tmp_path / "made", "--check") == (1, lines, b"")
    code, said, _ = elsewhere(tmp_path / "made", "-l")
    assert (code, [line.split()[0] for line in said if line.startswith("/")]) == (0, names)
    assert said[-1] == "2 services, 1 logger: 3 not as wanted"
    code, said, _ = elsewhere(tmp_path / "made", "--check", "--json")
    told = json.loads("".join(said))["services"]
    assert (code, [one["name"] for one in told], told[0]["logger"]["name"]) == (1, names[::2], names[1])

    assert elsewhere(tmp_path / "missing") == (0, [], b""), "as in C"
    for option in ("-l", "--json", "--check"):
        code, said, error = elsewhere(tmp_path / "missing", option)
        assert (code, said) == (111, [])
        assert error == b"svstat: fatal: unable to read /service: file does not exist\n"
    code, said, error = elsewhere(tmp_path / "made/file")
    assert (code, said, error) == (0, [], b"svstat: warning: unable to read /service: not a directory\n")


def elsewhere(folder: Path, *words: str) -> tuple[int, list[str], bytes]:
    """svstat where /service is another folder: code, lines and messages."""
    done = with_services_in(folder, "svstat", *words)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr


def test_output_that_nobody_takes(services: Services) -> None:
    """A pipe that was closed ends it in silence, a full disk with a sentence; C's svstat does not mind."""
    services.make("a", down=True)
    for option in ("-l", "--json", "--check"):
        with Path("/dev/full").open("wb") as full:
            done = run(
                "svstat", option, "a", cwd=services.folder, stdout=full, capture_output=False, stderr=-1
            )
        assert (done.returncode, done.stderr) == (111, b"svstat: fatal: unable to write: out of disk space\n")
        reading, writing = os.pipe()
        os.close(reading)
        done = run(
            "svstat", option, "a", cwd=services.folder, stdout=writing, capture_output=False, stderr=-1
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_not_known(reachable: Path) -> None:
    made = Services(reachable)
    folder = made.make("a", log="exec multilog t ./main")
    with svscan(made):
        made.up("a")
        made.up("a/log")
        eventually((folder / "log/main/current").exists)
        (folder / "supervise").chmod(stat.S_IRWXU | stat.S_IXOTH)
        (folder / "supervise/ok").chmod(0o666)
        (folder / "log/main").chmod(0o700)
        done = run("setuidgid", "nobody", "svstat", "--json", "a", cwd=made.folder)
        told = json.loads(done.stdout)
        assert faults(told, SCHEMA, SCHEMA) == []
        (one,) = told["services"]
        assert (one["up"], one["pid"], one["restarts"], one["how"]) == (True, made.pid("a"), None, None)
        assert one["sockets"] is None and one["memory_bytes"] > 0
        assert one["logger"]["trouble"] == "unable to open supervise/ok: access denied"
        (log,) = one["logger"]["logs"]
        assert (log["current_bytes"], log["trouble"]) == (None, "access denied")
        long = run("setuidgid", "nobody", "svstat", "-l", "a", cwd=made.folder).stdout
        assert b"/a/log/main, current: access denied\n" in long, "not that there is none"


def test_a_service_with_a_logger_that_is_a_file(services: Services) -> None:
    new = services.prepare("a")
    script(new / "log", "exec cat >/dev/null")
    new.rename(services.folder / "a")
    with svscan(services):
        services.up("a")
        eventually(lambda: services.told("a")["logger"]["up"])
        plain = run("svstat", "a", cwd=services.folder).stdout
        checked = run("svstat", "--check", "a", cwd=services.folder)
        assert checked.returncode == 0
        assert [line.split(b":")[0] for line in plain.splitlines()] == [b"a", b"a log"]
        assert [line.split(b":")[0] for line in checked.stdout.splitlines()] == [b"a", b"a log"]


def test_every_state_is_in_the_schema_and_in_the_manual() -> None:
    words = {state.word for state, _ in STATES}
    assert {*SCHEMA["$defs"]["service"]["properties"]["state"]["enum"]} == words
    page = (ROOT / "man/svstat.8").read_text()
    assert {word for word in words if f".It Sy {word}\n" not in page} == set()


def test_the_schema_is_one() -> None:
    """A validator that says yes to all would not be noticed."""
    good = {"format": 1, "at_unix_s": 0, "services": []}
    assert faults(good, SCHEMA, SCHEMA) == []
    for bad in ({}, {**good, "more": 1}, {**good, "format": 2}, {**good, "services": [{}]}, [], None):
        assert faults(bad, SCHEMA, SCHEMA) != []
