"""svlog: real multilogs write, svlog reads; what C's tai64nlocal makes of the same files is compared."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import Running, environment, eventually, run
from support.services import PEERS, Services, svscan

from svpy.core.tai import label

LOCAL = PEERS / "tai64nlocal"
END = b"the end\n"


def written(text: bytes, *script: str, cwd: Path) -> None:
    done = run("multilog", *script, input=text, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, b"")


def shown(*words: str | bytes | Path, **options: object) -> bytes:
    done = run("svlog", *words, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_a_folder_over_its_rotations_is_what_tai64nlocal_makes_of_it(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(2000))
    written(text, "t", "s4096", "n100", "./main", cwd=tmp_path)
    written(text, "t", "s4096", "n100", "!gzip", "./packed", cwd=tmp_path)
    written(text, "s4096", "n100", "./plain", cwd=tmp_path)
    files = [*sorted((tmp_path / "main").glob("@*")), tmp_path / "main/current"]
    assert len(files) > 5
    whole = b"".join(file.read_bytes() for file in files)
    assert shown("--raw", "main", cwd=tmp_path) == whole
    if LOCAL.exists():
        local = environment(TZ="Asia/Kolkata")
        assert shown("main", cwd=tmp_path, env=local) == run(LOCAL, input=whole, env=local).stdout
    assert [line[26:] for line in shown("--raw", "packed", cwd=tmp_path).splitlines(True)] == text.splitlines(
        True
    )
    assert shown("./plain", cwd=tmp_path) == text
    assert shown("-n3", "plain/", cwd=tmp_path) == b"line 1997\nline 1998\nline 1999\n"
    assert shown("-n", "2", "--grep", "ne .*9$", "plain", cwd=tmp_path) == b"line 1989\nline 1999\n"
    assert shown("-F", "--grep", "e 199", "-n1", "--raw", "plain", cwd=tmp_path) == b"line 1999\n"
    both = shown("--raw", "packed", "plain", "main", cwd=tmp_path).splitlines()
    assert {line.partition(b": ")[0] for line in both} == {b"packed", b"plain", b"main"}
    assert len(both) == 6000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], b"svlog: usage: svlog [-f]"),
        (["-x", "."], b"svlog: usage: svlog [-f]"),
        (["-n", "many", "."], b"svlog: usage: svlog [-f]"),
        (["-f", "--until", "now", "."], b"svlog: usage: svlog [-f]"),
        (["--raw", "--utc", "."], b"svlog: usage: svlog [-f]"),
        (["--since", "soon\n", "."], b"svlog: fatal: no moment: soon?\n"),
        (["--grep", "(\033", "."], b"svlog: fatal: bad pattern (?: missing )"),
        (["-F", "--grep", "a\nb", "."], b"svlog: fatal: bad pattern a?b: a line has no newline in it\n"),
    ],
)
def test_wrong_words(words: list[str], said: bytes) -> None:
    done = run("svlog", *words)
    assert (done.returncode, done.stdout) == (100, b"")
    assert done.stderr.startswith(said)


def test_what_is_no_log_folder_has_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "service/log").mkdir(parents=True)
    for word, reason in [
        (b"gone\033", b"unable to open gone?: file does not exist"),
        (b"file", b"unable to open file: not a directory"),
        (b"service", b"no log folder is known of service"),
    ]:
        done = run(b"svlog", word, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (111, b"")
        assert done.stderr == b"svlog: fatal: " + reason + b"\n"
    (tmp_path / "current").write_bytes(b"x\n")
    done = run("svlog", "gone", ".", "service", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (111, b"x\n")
    assert done.stderr == (
        b"svlog: warning: unable to open gone: file does not exist\n"
        b"svlog: warning: no log folder is known of service\n"
    )
    done = run("svlog", "gone", "service", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (111, b"", 2)


def test_from_moment_to_moment(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(
        b"".join(label(number * 10**9) + b" %d\n" % number for number in range(9))
    )
    for words, wanted in [
        (["--since", "@" + label(7 * 10**9).decode()[1:]], [7, 8]),
        (["--since", "1970-01-01 00:00:07"], [7, 8]),
        (["--until", "@1"], [0, 1]),
        (["--since=1970-01-01T00:00:03.5", "--until=1970-01-01 00:00:05"], [4, 5]),
        (["--since", "yesterday"], []),
        (["--until", "2h", "-n1"], [8]),
    ]:
        utc = shown("--utc", *words, tmp_path, env=environment(TZ="Asia/Kolkata"))
        assert utc == b"".join(b"1970-01-01 00:00:%02d.000000000 %d\n" % (each, each) for each in wanted)
    local = shown("--since", "1970-01-01 05:30:08", tmp_path, env=environment(TZ="Asia/Kolkata"))
    assert local == b"1970-01-01 05:30:08.000000000 8\n"


def test_a_terminal_is_not_spoken_to_and_gets_the_end(tmp_path: Path) -> None:
    text = b"".join(b"%d\n" % number for number in range(20)) + b"\033[2J\x9b \xc2\x9b\ttab \xc3\xa9 \xe9\n"
    (tmp_path / "current").write_bytes(text)
    assert shown(tmp_path) == text
    ours, theirs = os.openpty()
    process = subprocess.Popen(["svlog", tmp_path], stdout=theirs, env=environment())
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 4096):
            said += data
    except OSError:
        pass  # That is how a terminal ends.
    os.close(ours)
    assert process.wait() == 0
    assert said.replace(b"\r", b"") == b"".join(b"%d\n" % number for number in range(11, 20)) + (
        b"?[2J? ?\ttab \xc3\xa9 ?\n"
    )


def test_nobody_listens_any_more(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b"x\n" * 300000)
    with Running("svlog", tmp_path, stderr=subprocess.PIPE) as svlog:
        svlog.line()
        assert svlog.process.stdout is not None
        svlog.process.stdout.close()
        assert svlog.wait() == -signal.SIGPIPE
    with Running("svlog", "-f", tmp_path) as svlog:
        svlog.line()
        assert svlog.process.stdout is not None
        svlog.process.stdout.close()
        svlog.wait()


def test_what_may_not_be_read(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not read")
    tmp_path.chmod(0o755)
    for name in ("good", "bad", "closed"):
        (tmp_path / name).mkdir(mode=0o755)
        (tmp_path / name / "current").write_bytes(b"x\n")
    (tmp_path / "bad/current").chmod(0)
    (tmp_path / "closed").chmod(0o700)
    done = run("svlog", "good", "bad", "closed", cwd=tmp_path, user=65534, group=65534, extra_groups=[])
    assert (done.returncode, done.stdout) == (111, b"good: x\n")
    assert sorted(done.stderr.splitlines()) == [
        b"svlog: warning: unable to open closed: access denied",
        b"svlog: warning: unable to read bad/current: access denied",
    ]


def test_services_by_their_folders(tmp_path: Path) -> None:
    services = Services(tmp_path)
    services.make("a", "echo from a; exec sleep 1000", "exec multilog t ./main")
    services.make("b", "echo from b; exec sleep 1000", "exec multilog t ./x ./y")
    services.make("c", "exec sleep 1000", "exec multilog t ./main")
    with svscan(services):
        with Running("svlog", "-f", "a", services.folder / "b", "c/log", cwd=services.folder) as svlog:
            lines = sorted(svlog.line(b"from")[:4] for _ in range(3))
        assert lines == [b"a: 2", b"b/x:", b"b/y:"]
        assert shown("log", cwd=services.folder / "a").endswith(b" from a\n")
        assert shown(".", cwd=services.folder / "a/log").endswith(b" from a\n")


SCRIPTS = {
    "plain": ["t", "s4096", "n10000", "./main"],
    "packed": ["t", "s4096", "n10000", "!gzip", "./main"],
    "unlabelled": ["s4096", "n10000", "./main"],
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_every_line_once_and_in_order_while_it_rotates(tmp_path: Path, kind: str) -> None:
    """In bursts of several rotations, with lines that these part, and a reader that is stopped meanwhile."""
    rng = random.Random(kind)
    lines = [
        b"%d %s\n" % (number, b"x" * rng.choice((1, 30, 200, 2500, 5000)))
        for number in range(100 if kind == "packed" else 300)
    ]
    (tmp_path / "main").mkdir()
    with (
        Running("multilog", *SCRIPTS[kind], cwd=tmp_path, stdin=subprocess.PIPE) as multilog,
        Running("svlog", "-f", "-n", "all", "--raw", "main", cwd=tmp_path) as svlog,
    ):
        assert multilog.process.stdin is not None
        feed = multilog.process.stdin.fileno()
        at = 0
        while at < len(lines):
            count = rng.choice((1, 5, 80))
            if rng.random() < 0.3:
                svlog.signal(signal.SIGSTOP)
            os.write(feed, b"".join(lines[at : at + count]))
            at += count
            svlog.signal(signal.SIGCONT)
            if rng.random() < 0.5:
                last = lines[min(at, len(lines)) - 1].split()[0] + b" "
                svlog.line(last)
        os.write(feed, END)
        svlog.line(END.strip())
        said = svlog.said
    told = said if kind == "unlabelled" else b"".join(line[26:] for line in said.splitlines(True))
    assert told == b"".join(lines) + END
    assert len([*(tmp_path / "main").glob("@*")]) > 10


def test_what_is_removed_before_it_was_read_is_said_and_the_rest_is_whole(tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    lines = [b"%d %s\n" % (number, b"x" * 500) for number in range(200)]
    with (
        Running("multilog", "s4096", "n3", "./main", cwd=tmp_path, stdin=subprocess.PIPE) as multilog,
        Running("svlog", "-f", "-n", "all", "main", cwd=tmp_path) as svlog,
    ):
        assert multilog.process.stdin is not None
        feed = multilog.process.stdin.fileno()
        os.write(feed, b"first\n")
        svlog.line(b"first")
        svlog.signal(signal.SIGSTOP)
        os.write(feed, b"".join(lines) + END)
        eventually(lambda: (tmp_path / "main/current").read_bytes().endswith(END))
        left = b"".join(file.read_bytes() for file in sorted((tmp_path / "main").glob("@*")))
        left += (tmp_path / "main/current").read_bytes()
        svlog.signal(signal.SIGCONT)
        svlog.line(END.strip())
        said = svlog.said.splitlines(True)
    warning = b"svlog: warning: a file of main was removed before it was read\n"
    assert said.count(warning) > 3
    told = b"".join(line for line in said if line != warning)
    # The one that was open has been read to its end.
    assert told == b"first\n" + b"".join(lines[: told.count(b"\n") - left.count(b"\n") - 1]) + left


@pytest.mark.parametrize("packs", [False, True])
def test_after_a_crash_of_multilog(tmp_path: Path, packs: bool) -> None:
    script = ["t", "s4096", *(["!gzip"] if packs else []), "./main"]
    (tmp_path / "main").mkdir()
    with Running("svlog", "-f", "-n", "all", "main", cwd=tmp_path) as svlog:
        for turn in range(3):
            with Running("multilog", *script, cwd=tmp_path, stdin=subprocess.PIPE) as multilog:
                assert multilog.process.stdin is not None
                os.write(multilog.process.stdin.fileno(), b"turn %d\n" % turn * 300 + b"end %d\n" % turn)
                svlog.line(b"end %d" % turn)
        said = [line.split()[2:] for line in svlog.said.splitlines()]
    wanted = [line.split() for turn in range(3) for line in [b"turn %d" % turn] * 300 + [b"end %d" % turn]]
    assert said == wanted
    assert [*(tmp_path / "main").glob("@*.u")]


def test_a_folder_that_comes_later_and_another_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "service/log").mkdir(parents=True)
    (tmp_path / "service/log/run").write_text("#!/bin/sh\nexec multilog ./main\n")
    with Running("svlog", "-f", "service", cwd=tmp_path) as svlog:
        assert svlog.line().endswith(b"service/log/main, waiting for it: file does not exist")
        written(b"first\n", "./main", cwd=tmp_path / "service/log")
        svlog.line(b"first")
        (tmp_path / "service/log/main").rename(tmp_path / "service/log/old")
        written(b"second\n", "./main", cwd=tmp_path / "service/log")
        svlog.line(b"second")
        shutil.rmtree(tmp_path / "service/log/main")
        written(b"third\n", "./main", cwd=tmp_path / "service/log")
        svlog.line(b"third")
        assert svlog.said.count(b"\n") == 4


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.write_bytes(b"whole\nhalf")
    assert shown(tmp_path) == b"whole\nhalf\n"
    with Running("svlog", "-f", tmp_path) as svlog:
        assert svlog.line() == b"whole"
        with current.open("ab", buffering=0) as file:
            file.write(b" and")
            file.write(b" half\nmore\n")
        assert svlog.line() == b"half and half"
        assert svlog.line() == b"more"


def test_without_inotify_the_folder_is_listed(tmp_path: Path) -> None:
    """Where it may have no watches at all."""
    (tmp_path / "main").mkdir()
    limit = f"""
import sys
from svpy.system import inotify

def refuse(*words): raise OSError(24, "")

inotify.call = refuse
sys.argv[1:] = ["-f", "-n", "all", {str(tmp_path / "main")!r}]
from svpy.commands.svlog import main
main()
"""
    lines = [b"%d %s\n" % (number, b"x" * 90) for number in range(900)]
    with (
        Running(
            "multilog", "s4096", "n1000", "!gzip", "./main", cwd=tmp_path, stdin=subprocess.PIPE
        ) as multilog,
        Running(sys.executable, "-c", limit) as svlog,
    ):
        assert multilog.process.stdin is not None
        for at in range(0, 900, 300):
            os.write(multilog.process.stdin.fileno(), b"".join(lines[at : at + 300]))
            svlog.line(b"%d " % (at + 299))
        assert svlog.said == b"".join(lines)


def test_a_packed_file_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(label(1) + b".s")).write_bytes(gzip.compress(b"a\nb\n")[:-4])
    (tmp_path / "current").write_bytes(b"c\n")
    done = run("svlog", tmp_path)
    assert (done.returncode, done.stdout) == (111, b"a\nb\nc\n")
    assert done.stderr.endswith(b".s: gzip data ends too early\n")


def test_more_has_happened_than_the_kernel_keeps(tmp_path: Path) -> None:
    """The queue of inotify overflows while svlog is stopped: it finds its place by a listing."""
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    (tmp_path / "main").mkdir()
    lines = [b"%d %s\n" % (number, b"x" * 90) for number in range(300)]
    with (
        Running(
            "multilog", "s4096", "n100", "!gzip", "./main", cwd=tmp_path, stdin=subprocess.PIPE
        ) as multilog,
        Running("svlog", "-f", "-n", "all", "main", cwd=tmp_path) as svlog,
    ):
        assert multilog.process.stdin is not None
        os.write(multilog.process.stdin.fileno(), b"".join(lines[:10]))
        svlog.line(b"9 ")
        svlog.signal(signal.SIGSTOP)
        (tmp_path / "main/x0").touch()
        for number in range(queue // 2 + 10):
            (tmp_path / f"main/x{number % 2}").rename(tmp_path / f"main/x{(number + 1) % 2}")
        os.write(multilog.process.stdin.fileno(), b"".join(lines[10:]))
        eventually(lambda: (tmp_path / "main/current").read_bytes().endswith(lines[-1]))
        svlog.signal(signal.SIGCONT)
        svlog.line(b"299 ")
        assert svlog.said == b"".join(lines)
