"""Every chain loader beside C's: the same words in the same place, the same output and exit code."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.peers import PEERS, as_root, beside_c
from support.processes import BIN, DEADLINE_S

NOBODY = 65534
USAGES: list[list[str]] = [
    ["setuidgid"],
    ["setuidgid", "nobody"],
    ["envuidgid"],
    ["envuidgid", "nobody"],
    ["envdir"],
    ["envdir", "e"],
    ["softlimit"],
    ["softlimit", "-o"],
    ["softlimit", "-o", "1"],
    ["softlimit", "-z", "true"],
    ["softlimit", "-o", "x", "true"],
    ["softlimit", "-o", "x", "-z", "true"],
    ["softlimit", "-z", "-o", "x", "true"],
    ["softlimit", "-o", "5x", "true"],
    ["softlimit", "-o", "-5", "true"],
    ["softlimit", "-"],
    ["softlimit", "--"],
    ["setlock"],
    ["setlock", "f"],
    ["setlock", "-n"],
    ["setlock", "-q", "f", "true"],
    ["pgrphack"],
    ["fghack"],
]
PROGRAMS: list[list[str]] = [
    ["nonexistent"],
    [""],
    ["/"],
    ["."],
    ["./"],
    ["adir"],
    ["./adir"],
    ["./plain"],
    ["plain"],
    ["./noshebang"],
    ["noshebang"],
    ["./badshebang"],
    ["plain/x"],
    ["./loop"],
    ["x" * 300],
    ["sh", "-c", "exit 7"],
    ["sh", "-c", "kill -9 $$"],
    ["cat", "/proc/self/environ"],
    ["ls", "/proc/self/fd"],
    ["grep", "^Sig[BIC]", "/proc/self/status"],
    ["sh", "-c", "umask; pwd; ulimit -a"],
]
WRAPPERS: list[list[str]] = [
    ["envdir", "e"],
    ["softlimit"],
    ["setlock", "lock"],
    ["pgrphack"],
    ["fghack"],
]
CHAINS: list[list[str]] = [
    ["setuidgid", "no such account", "true"],
    ["setuidgid", "", "true"],
    ["envuidgid", "\udce9", "true"],
    ["envuidgid", "nobody", "cat", "/proc/self/environ"],
    ["envuidgid", "root", "envuidgid", "nobody", "cat", "/proc/self/environ"],
    ["envdir", "e", "cat", "/proc/self/environ"],
    ["envdir", "e", "envdir", "e", "cat", "/proc/self/environ"],
    ["envdir", "missing", "true"],
    ["envdir", "", "true"],
    ["envdir", "plain", "true"],
    ["envdir", "subfolder", "true"],
    ["envdir", "path", "marker"],
    ["envdir", "path", "softlimit", "marker"],
    ["envdir", "path", "env", "softlimit", "-o", "20", "marker"],
    ["envdir", "nopath", "sh", "-c", "echo $PATH; cat /proc/self/environ"],
    ["envdir", "nopath", "softlimit", "true"],
    ["setlock", "", "true"],
    ["setlock", "adir", "true"],
    ["setlock", "-x", "adir", "true"],
    ["setlock", "missing/lock", "true"],
    ["setlock", "-n", "held", "true"],
    ["setlock", "-nx", "held", "true"],
    ["setlock", "-nxX", "held", "true"],
    ["setlock", "new", "sh", "-c", "stat -c '%a %s' new; flock -n new true || echo held; ls /proc/self/fd"],
    ["setlock", "a", "setlock", "b", "ls", "/proc/self/fd"],
    ["setlock", "a", "setlock", "-n", "a", "true"],
    ["pgrphack", "softlimit", "-z", "true"],
    ["setlock", "made-before-the-mistake", "softlimit", "-z", "true"],
    ["sh", "-c", "setlock made softlimit -o x true; ls made"],
    ["envdir", "e", "envdir"],
    ["envdir", "e", "setuidgid"],
    ["fghack", "softlimit", "-o", "x", "true"],
    ["fghack", "setlock", "a", "sh", "-c", "exit 3"],
    [
        "softlimit",
        "-o",
        "40",
        "-f",
        "99999999",
        "-c",
        "0",
        "-p",
        "400",
        "-t",
        "60",
        "-r",
        "5",
        "sh",
        "-c",
        "ulimit -a",
    ],
    ["softlimit", "-o", "40", "softlimit", "-o", "=", "sh", "-c", "ulimit -n"],
    ["softlimit", "-o", "40", "softlimit", "-o", "50", "sh", "-c", "ulimit -n"],
    ["softlimit", "-o", "99999999", "sh", "-c", "ulimit -n"],
    ["softlimit", "-o", "18446744073709551615", "sh", "-c", "ulimit -n"],
    ["softlimit", "-o", "18446744073709551666", "sh", "-c", "ulimit -n"],
    ["softlimit", "-c", "18446744073709551614", "sh", "-c", "ulimit -c"],
    ["softlimit", "-c", "9223372036854775808", "sh", "-c", "ulimit -c"],
    ["softlimit", "-o", "", "true"],
    ["softlimit", "-m", "1", "true"],
    ["softlimit", "-a", "1", "true"],
    ["softlimit", "-d", "1", "true"],
    ["softlimit", "-s", "1", "true"],
    ["softlimit", "-s", "20000", "true"],
    ["softlimit", "-l", "1", "sh", "-c", "ulimit -a"],
    ["softlimit", "-m", "3000000", "sh", "-c", "ulimit -a"],
    ["softlimit", "-m", "3000000", "-m", "=", "sh", "-c", "ulimit -a"],
    ["softlimit", "-m", "3000000", "softlimit", "-d", "5000000", "sh", "-c", "ulimit -a"],
    ["softlimit", "-m", "3000000", "nonexistent"],
    ["softlimit", "-m", "3000000", "softlimit", "-m", "4000000", "./plain"],
    ["softlimit", "-a", "100000", "./plain"],
    ["softlimit", "-m", "3000000", "setlock", "a", "pgrphack", "envdir", "e", "cat", "/proc/self/environ"],
    ["./tools/softlimit", "-o", "30", "./tools/softlimit", "sh", "-c", "ulimit -n"],
    ["softlimit", "-o", "30", "/nonexistent/softlimit", "true"],
]
ROOT_CHAINS: list[list[str]] = [
    ["setuidgid", "nobody", "id"],
    ["setuidgid", "nobody", "setuidgid", "root", "id"],
    ["setuidgid", "nobody", ""],
    ["setuidgid", "nobody", "secret/program"],
    ["setuidgid", "nobody", "envdir", "secret", "true"],
    ["setuidgid", "nobody", "envdir", "unreadable", "true"],
    ["setuidgid", "nobody", "setlock", "new", "true"],
    ["setuidgid", "nobody", "setlock", "-x", "new", "true"],
    ["setuidgid", "nobody", "envuidgid", "nobody", "softlimit", "-o", "50", "cat", "/proc/self/environ"],
    ["softlimit", "-m", "3600000", "setuidgid", "nobody", "sh", "-c", "id -u; id -G; ulimit -a"],
    ["setlock", "held-by-root", "setuidgid", "nobody", "sh", "-c", "id -un; ls /proc/self/fd"],
]
USER_CHAINS: list[list[str]] = [
    ["setuidgid", "nobody", "true"],
    ["setuidgid", "root", "true"],
    ["envuidgid", "root", "cat", "/proc/self/environ"],
    ["envdir", "secret", "true"],
    ["softlimit", "-o", "30", "setuidgid", "daemon", "true"],
]
FILES = {
    "A": b"one\ntwo\n",
    "B": b"",
    "C": b"\n",
    "D": b"trailing \t \n",
    "E": b"a\0b\n",
    "F=G": b"h\n",
    "I=J": b"",
    "=K": b"l",
    "HOME": b"/elsewhere",
    "REMOVED": b"",
    ".hidden": b"x",
    "LONG": b"x" * 5000,
    "BYTES": bytes(range(1, 256)).replace(b"\n", b""),
}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder every user can reach, with something of every kind in it."""
    folder = Path(tempfile.mkdtemp(prefix="svpy-chain-"))
    try:
        folder.chmod(0o755)
        for name in ("e", "adir", "subfolder", "subfolder/sub", "path", "nopath", "secret", "found"):
            (folder / name).mkdir()
        for name, content in FILES.items():
            (folder / "e" / name).write_bytes(content)
        os.mkfifo(folder / "e/FIFO")
        (folder / "path/PATH").write_bytes(f"{folder}/found:/usr/bin:/bin".encode())
        (folder / "nopath/PATH").write_bytes(b"")
        (folder / "plain").write_bytes(b"no program\n")
        for name, text in (
            ("noshebang", "echo it ran\n"),
            ("badshebang", "#!/nonexistent/sh\n"),
            ("found/marker", "#!/bin/sh\necho marker\n"),
            ("secret/program", "#!/bin/sh\necho secret\n"),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "unreadable").mkdir()
        (folder / "unreadable/NAME").write_text("x")
        (folder / "unreadable/NAME").chmod(0)
        (folder / "loop").symlink_to("loop")
        (folder / "secret").chmod(0o700)
        yield folder
    finally:
        shutil.rmtree(folder)


def outcome(tools: Path, folder: Path, words: list[str], user: int | None = None) -> tuple[int, bytes, bytes]:
    """What `words` gave with `tools` first on PATH, under a name that is the same for both."""
    link = folder / "tools"
    link.unlink(missing_ok=True)
    link.symlink_to(tools)
    environ = {
        "PATH": f"{link}:/usr/bin:/bin:",
        "HOME": "/",
        "REMOVED": "no",
        "ODD": "\udcff=\n",
        "LAST": "1",
    }
    account = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    with (folder / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = subprocess.run(
            words,
            executable=folder / "tools" / words[0] if "/" not in words[0] and words[0] != "sh" else None,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            umask=0o027,
            **account,  # type: ignore[arg-type]
        )
    for name in ("new", "made", "a", "b", "lock", "held-by-root", "made-before-the-mistake"):
        (folder / name).unlink(missing_ok=True)
    return done.returncode, done.stdout, done.stderr


def named(words: list[str]) -> str:
    return " ".join(words)[:60]


@beside_c
@pytest.mark.parametrize("words", USAGES + [w + p for w in WRAPPERS for p in PROGRAMS] + CHAINS, ids=named)
def test_as_c(words: list[str], place: Path) -> None:
    assert outcome(BIN, place, words) == outcome(PEERS, place, words)


@beside_c
@as_root
@pytest.mark.parametrize("words", ROOT_CHAINS, ids=named)
def test_as_c_when_root_becomes_another(words: list[str], place: Path) -> None:
    assert outcome(BIN, place, words) == outcome(PEERS, place, words)


@beside_c
@as_root
@pytest.mark.parametrize("words", USER_CHAINS, ids=named)
def test_as_c_when_not_root(words: list[str], place: Path) -> None:
    assert outcome(BIN, place, words, NOBODY) == outcome(PEERS, place, words, NOBODY)


@beside_c
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_as_c_with_a_standard_descriptor_closed(closed: int, place: Path) -> None:
    words = [
        "sh",
        "-c",
        f"exec softlimit -o 40 setlock lock ls -l /proc/self/fd/ {closed}<&- >out 2>&1; cat out",
    ]
    assert outcome(BIN, place, words)[0] == outcome(PEERS, place, words)[0]


@beside_c
def test_inherited_descriptors_pass_through(place: Path) -> None:
    words = [
        "sh",
        "-c",
        "exec 5</dev/null 9>/dev/null; exec setlock lock pgrphack softlimit -o 40 ls /proc/self/fd",
    ]
    ours = outcome(BIN, place, words)
    assert ours == outcome(PEERS, place, words)
    assert {b"5", b"9"} <= set(ours[1].split())


@beside_c
@pytest.mark.parametrize("words", [["softlimit", "-o", "40"], ["envdir", "e"]])
def test_as_c_without_an_environment(words: list[str], place: Path) -> None:
    for tools in (PEERS, BIN):
        done = subprocess.run(
            [*words, "cat", "/proc/self/environ"],
            executable=tools / words[0],
            env={},
            cwd=place,
            capture_output=True,
            timeout=DEADLINE_S,
        )
        if tools is PEERS:
            expected = done
    assert (done.returncode, done.stdout, done.stderr) == (
        expected.returncode,
        expected.stdout,
        expected.stderr,
    )
    assert os.fsencode("LC_CTYPE") not in done.stdout
