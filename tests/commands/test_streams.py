"""tai64n, tai64nlocal and readproctitle on real pipes, beside C's where it survives."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.peers import PEERS, as_root, beside_c
from support.processes import BIN, Running, environment, eventually, run

from svpy.core.tai import unix_s

FULL = b"@400000005f5e10001dcd6500"
TEXTS = [
    b"",
    b"plain\n",
    b"no newline",
    FULL + b" line\n",
    FULL + b"\n" + FULL + b"\n\n\n" + FULL,
    b" " + FULL + b" not at the beginning\n",
    FULL + FULL + b" twice\n",
    b"@4000000000000000ffffffff x\n@3fffffffffffffff00000000 y\n",
    b"@40000000ffffffffffffffff\n",
    b"@" + b"0" * 40 + FULL[1:] + b" more digits than a label has\n",
    FULL.upper() + b" upper case\n",
    b"\0\n\xff\n" + FULL + b"\0\xff\n",
    b"x" * 200_000 + b"\n" + FULL + b" after a long line\n",
    (FULL + b" many\n") * 5000,
]


@beside_c
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "right/UTC", "nonsense", ""])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_tai64nlocal_as_c(text: bytes, zone: str) -> None:
    env = environment(TZ=zone)
    ours = run("tai64nlocal", input=text, env=env)
    theirs = run(PEERS / "tai64nlocal", input=text, env=env)
    assert theirs.returncode in (0, -signal.SIGSEGV)
    if theirs.returncode == 0:
        assert (ours.returncode, ours.stdout, ours.stderr) == (0, theirs.stdout, b"")


@beside_c
def test_tai64nlocal_follows_the_summer_time_of_every_year() -> None:
    labels = b"".join(
        b"@%016x%08x %d\n" % (2**62 + 10 + week * 604800, abs(week), week) for week in range(-2000, 5000)
    )
    env = environment(TZ="Europe/Berlin")
    ours = run("tai64nlocal", input=labels, env=env).stdout
    assert ours.count(b"\n") == 7000
    assert ours == run(PEERS / "tai64nlocal", input=labels, env=env).stdout


def test_tai64nlocal_passes_on_what_no_calendar_has() -> None:
    text = b"@\n@ffffffffffffffff00000000 far\n@0 x\n@7fffffffffffffff3b9ac9ff y\nrest"
    done = run("tai64nlocal", input=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, b"")


def test_tai64n_stamps_what_is_read() -> None:
    before = time.time_ns()
    with Running("tai64n", stdin=subprocess.PIPE) as tai64n:
        assert tai64n.process.stdin is not None
        for text in (b"one\ntwo\n", b"\nla"):
            tai64n.process.stdin.write(text)
            tai64n.process.stdin.flush()
            tai64n.line()
        tai64n.line()
        tai64n.process.stdin.write(b"st")
        tai64n.process.stdin.close()
        assert tai64n.wait() == 0
        tai64n.rest()
    after = time.time_ns()
    lines = tai64n.said.split(b"\n")
    assert [line[25:] for line in lines] == [b" one", b" two", b" ", b" last"]
    times = [unix_s(bytes.fromhex(line[1:17].decode())) for line in lines]
    assert times == sorted(times)
    assert before // 10**9 <= times[0]
    assert times[-1] <= after // 10**9


@pytest.mark.parametrize("tool", ["tai64n", "tai64nlocal"])
def test_streams_fail_as_c_does(tool: str) -> None:
    shell = [
        "sh",
        "-c",
        f"{tool} <&-; echo $?; echo x | {tool} >&-; echo $?; echo x | {tool} >/dev/full; echo $?",
    ]
    assert run(*shell).stdout == b"111\n111\n111\n"
    if (PEERS / tool).exists():
        assert run(*shell, env={"PATH": f"{PEERS}:/usr/bin:/bin"}).stdout == b"111\n111\n111\n"


@pytest.mark.parametrize("tool", ["tai64n", "tai64nlocal"])
def test_streams_end_when_nobody_reads(tool: str) -> None:
    with Running(tool, stdin=subprocess.PIPE) as process:
        assert process.process.stdin is not None
        assert process.process.stdout is not None
        process.process.stdout.close()
        process.process.stdin.write(b"x\n")
        process.process.stdin.close()
        assert process.wait() == -signal.SIGPIPE


def title(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")


@pytest.mark.parametrize("words", [[], ["...."], ["service", "errors:", "abcd"], ["service", ""]])
def test_readproctitle_refuses_less_than_five_bytes(words: list[str]) -> None:
    done = run("readproctitle", *words)
    assert (done.returncode, done.stdout, done.stderr) == (100, b"", b"")


@pytest.mark.parametrize("env", [None, {}], ids=["environment", "none"])
@pytest.mark.parametrize("tools", [BIN, pytest.param(PEERS, marks=beside_c)], ids=["ours", "C"])
def test_readproctitle_shows_the_last_bytes(tools: Path, env: dict[str, str] | None) -> None:
    words = [str(tools / "readproctitle"), "service", "errors:", "x" * 30]
    with Running(*words, stdin=subprocess.PIPE, env=env) as process:

        def becomes(text: bytes) -> None:
            expected = [b"service", b"errors:", text]
            eventually(lambda: title(process.pid)[-3:] == expected, f"title {text!r}")

        assert process.process.stdin is not None
        becomes(b"." * 30)
        for text, seen in (
            (b"first\n", b"." * 24 + b"first\n"),
            (b"a\0b\xff\x1b", b"." * 20 + b"first\nab\xff\x1b"),
            (b"z" * 100_000 + b"end", b"..." + b"z" * 24 + b"end"),
        ):
            process.process.stdin.write(text)
            process.process.stdin.flush()
            becomes(seen)
        assert Path(f"/proc/{process.pid}/comm").read_text() == "readproctitle\n"
        process.process.stdin.close()
        assert process.wait() == 0


def test_readproctitle_is_seen_by_its_name_in_ps() -> None:
    """argv[0] has neither the interpreter nor a folder before it."""
    with Running("readproctitle", "service", "errors:", "." * 400, stdin=subprocess.PIPE) as process:
        expected = [b"readproctitle", b"service", b"errors:", b"." * 400]
        eventually(lambda: title(process.pid) == expected, "its title")


def test_readproctitle_fails_without_input() -> None:
    assert run("sh", "-c", "readproctitle ..... <&-; echo $?").stdout == b"111\n"


@as_root
def test_readproctitle_without_proc_reads_on() -> None:
    shell = "mount -t tmpfs none /proc && echo x | readproctitle errors: ....."
    done = run("unshare", "--mount", "sh", "-c", shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
