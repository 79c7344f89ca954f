"""setuser, and numbers in setuidgid and envuidgid, with accounts of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.namespaces import missing
from support.peers import PEERS, as_root, beside_c
from support.processes import BIN, environment, run

WHY_NOT = missing()
pytestmark = pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)

WITH_ACCOUNTS = """
mount --bind passwd /etc/passwd && mount --bind group /etc/group && cd "$1" && shift && exec "$@"
"""
STATE = ("sh", "-c", "grep -E '^(Uid|Gid|Groups):' /proc/$$/status; readlink /proc/$$/cwd")
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def with_accounts(reachable: Path) -> Iterator[Run]:
    """Runs a command where /etc/passwd and /etc/group are these."""
    home = reachable / "closed/home"
    home.mkdir(parents=True)
    os.chown(home, 5001, 5002)
    home.parent.chmod(0o700)
    (reachable / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\n"
        f"app:x:5001:5002:An App,,,:{home}:/bin/app sh\n"
        "second:x:5001:5009::/:/bin/sh\n"
        "12:x:601:602::/:/bin/sh\n"
        "twelve:x:12:13::/:/bin/sh\n"
        "homeless:x:5003:5003::/nowhere:/bin/false\n"
        "empty:x:5004:5004:::\n"
    )
    (reachable / "group").write_text("root:x:0:\nextra:x:7001:app\nother:x:7002:twelve\nmore:x:7003:x,app\n")

    def command(*words: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        here = str(options.pop("folder", reachable))
        inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_ACCOUNTS, "sh", here)
        return run(*inside, *words, cwd=reachable, **options)

    yield command
    home.parent.chmod(0o755)


def ids(uid: int, gid: int, *groups: int) -> bytes:
    """Those three lines of /proc/PID/status."""
    four = b"\t%d\t%d\t%d\t%d\n"
    shown = b"".join(b"%d " % group for group in groups)
    return b"Uid:" + four % ((uid,) * 4) + b"Gid:" + four % ((gid,) * 4) + b"Groups:\t" + shown + b"\n"


def test_setuser_is_the_account_with_all_its_groups_at_home(with_accounts: Run, reachable: Path) -> None:
    """Its home lies below a folder that it could not go through itself."""
    done = with_accounts("setuser", "app", *STATE)
    assert (done.returncode, done.stderr) == (0, b"")
    home = os.fsencode(reachable / "closed/home")
    assert done.stdout == ids(5001, 5002, 5002, 7001, 7003) + home + b"\n"


def test_setuser_sets_the_variables_of_a_login(with_accounts: Run, reachable: Path) -> None:
    env = {"PATH": environment()["PATH"], "USER": "before", "LOGNAME": "kept", "UID": "0"}
    done = with_accounts("setuser", "app", "/usr/bin/env", "-0", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    found = done.stdout.removesuffix(b"\0").split(b"\0")
    # The shell that mounts the accounts has set PWD.
    assert sorted(entry for entry in found if not entry.startswith((b"PWD=", b"OLDPWD="))) == [
        b"GID=5002",
        b"HOME=" + os.fsencode(reachable / "closed/home"),
        b"LOGNAME=kept",
        b"PATH=" + environment()["PATH"].encode(),
        b"SHELL=/bin/app sh",
        b"UID=5001",
        b"USER=app",
    ]


def test_a_relative_program_is_looked_for_at_home(with_accounts: Run, reachable: Path) -> None:
    """encore's chdir comes before the program, so `./prog` is the home's."""
    for folder, said in ((reachable, "outside"), (reachable / "closed/home", "home")):
        (folder / "prog").write_text(f"#!/bin/sh\necho {said}\n")
        (folder / "prog").chmod(0o755)
    assert with_accounts("setuser", "app", "./prog").stdout == b"home\n"
    assert with_accounts("setuidgid", "app", "./prog").stdout == b"outside\n"


def test_setuser_in_a_chain(with_accounts: Run, reachable: Path) -> None:
    """What follows it is done as the account, at its home, with its rights; multilog in the same process."""
    home = reachable / "closed/home"
    (home / "e").mkdir()
    (home / "e/HOME").write_bytes(b"/elsewhere\n")
    shown = with_accounts("setuser", "app", "envdir", "e", "sh", "-c", 'echo "$HOME $USER"')
    assert (shown.stdout, shown.stderr) == (b"/elsewhere app\n", b"")
    done = with_accounts("setuser", "app", "softlimit", "-o", "30", "multilog", "./log", input=b"line\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (home / "log/current").read_bytes() == b"line\n"
    assert (home / "log").stat().st_uid == 5001


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["setuser"], 100, "setuser: usage: setuser account child"),
        (["setuser", "app"], 100, "setuser: usage: setuser account child"),
        (["setuser", "nobody-at-all", "true"], 111, "setuser: fatal: unknown account nobody-at-all"),
        (["setuser", "5001", "true"], 111, "setuser: fatal: unknown account 5001"),
        (["setuser", "homeless", "true"], 111,
         "setuser: fatal: unable to chdir to /nowhere: file does not exist"),
        (["setuser", "empty", "true"], 111, "setuser: fatal: unable to chdir to : file does not exist"),
        (["setuser", "app", "/nonexistent"], 111,
         "setuser: fatal: unable to run /nonexistent: file does not exist"),
        (["setuidgid", "twelve", "setuser", "12", "true"], 111,
         "setuser: fatal: unable to setgid: permission denied"),
        (["setuidgid", "twelve", "setuser", "app", "true"], 111,
         "setuser: fatal: unable to chdir to {home}: access denied"),
    ],
)  # fmt: skip
def test_setuser_refuses(words: list[str], code: int, told: str, with_accounts: Run, reachable: Path) -> None:
    done = with_accounts(*words)
    message = told.format(home=reachable / "closed/home").encode() + b"\n"
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", message)


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("app", (5001, 5002, 5002)),
        ("5001", (5001, 5002, 5002)),
        ("12", (601, 602, 602)),
        ("0", (0, 0, 0)),
        ("1234:2345", (1234, 2345, 2345)),
        (":1234:2345", (1234, 2345, 2345)),
        ("12:13", (12, 13, 13)),
        ("5001:5002", (5001, 5002, 5002)),
        (":1234:2345:7001:7002", (1234, 2345, 2345, 7001, 7002)),
        ("4294967294:4294967294", (4294967294, 4294967294, 4294967294)),
    ],
)
def test_numbers_in_setuidgid_and_envuidgid(word: str, seen: tuple[int, ...], with_accounts: Run) -> None:
    """A name that is all digits wins; supplementary groups are those given, none of an account's."""
    done = with_accounts("setuidgid", word, *STATE[:2], STATE[2].partition(";")[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, ids(*seen), b"")
    shown = with_accounts("envuidgid", word, "sh", "-c", 'echo "$UID $GID"')
    assert (shown.stdout, shown.stderr) == (b"%d %d\n" % seen[:2], b"")


@beside_c
@pytest.mark.parametrize(
    "word",
    ["987654", "12x", ":1234", "1234:", "1234:x", "1234:nogroup", ":", "", "4294967295:1", "1:4294967295"],
)
@pytest.mark.parametrize("tool", ["setuidgid", "envuidgid"])
def test_other_words_are_unknown_accounts_as_in_c(tool: str, word: str, with_accounts: Run) -> None:
    """Of a bare uid that no account has the gid is not known; it is not guessed."""
    theirs = with_accounts(PEERS / tool, word, "echo", "started")
    ours = with_accounts(tool, word, "echo", "started")
    assert theirs.returncode == 111
    assert (ours.returncode, ours.stdout, ours.stderr) == (111, theirs.stdout, theirs.stderr)


@as_root
def test_numbers_need_no_account_database(reachable: Path) -> None:
    """A container may have neither passwd nor anything to look accounts up with."""
    script = 'mount --bind /dev/null /etc/passwd && mount --bind /dev/null /etc/group && exec "$@"'
    inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    done = run(*inside, "setuidgid", "1234:2345", "id", "-u", cwd=reachable)
    assert (done.returncode, done.stdout) == (0, b"1234\n"), done.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_setuser_is_taken_into_a_plan(with_accounts: Run, reachable: Path) -> None:
    words = ("pgrphack", "setuser", "app", "softlimit", "-o", "50", "/bin/true")
    trace = ("strace", "-f", "-qq", "-e", "trace=execve", "-z", "-o", reachable / "trace")
    assert with_accounts(*trace, *words).returncode == 0
    lines = (reachable / "trace").read_text().splitlines()
    executed = [line.split('"')[1] for line in lines if "execve(" in line]
    assert executed == [f"{BIN}/pgrphack", "/bin/true"]
