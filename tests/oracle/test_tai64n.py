"""tai64n beside C's. Labels are normalised: C makes one for a line, svpy one for a read."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from support.oracle import Outcome, Scenario, Shows, each, judge

from svpy.core.tai import label

LINE = b"a line of some length, as they come\n"


def stamped(name: str, data: bytes | None, **more: object) -> Scenario:
    return Scenario(name, argv=("tai64n",), stdin=data, **more)  # type: ignore[arg-type]


def in_parts(*parts: bytes) -> Callable[[Path, subprocess.Popen[bytes]], None]:
    """Writes each part when it waits for more, and leaves the input open for who ends it."""

    def meanwhile(_: Path, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        for part in parts:
            os.write(process.stdin.fileno(), part)
            until = time.monotonic() + 10
            while not _asleep(process.pid):
                assert time.monotonic() < until
                time.sleep(0.002)

    return meanwhile


def _asleep(pid: int) -> bool:
    """Whether it waits for more input: it has nothing else to wait for."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def one_label(outcome: Outcome) -> None:
    assert len(set(_labels(outcome))) == 1


def many_labels(outcome: Outcome) -> None:
    assert len(set(_labels(outcome))) > 1


def _labels(outcome: Outcome) -> list[bytes]:
    found = re.findall(rb"(?m)^(@[0-9a-f]{24}) ", outcome.stdout)
    assert len(found) == 500
    assert found == sorted(found)
    assert found[0] <= label(time.time_ns())
    return found


SCENARIOS = [
    stamped("nothing", b""),
    stamped("null", None),
    stamped("newline", b"\n"),
    stamped("newlines", b"\n\n\n"),
    stamped("a-byte", b"x"),
    stamped("a-line", LINE),
    stamped("lines", LINE * 5000),
    stamped("no-newline-at-the-end", LINE + b"the last"),
    stamped("nul", b"\0"),
    stamped("nuls", b"\0\n\0\0a\n\0"),
    stamped("every-byte", bytes(range(256)) * 3),
    stamped("carriage-returns", b"a\r\nb\rc\n\r\n\r"),
    stamped("not-utf-8", b"\xff\xfe\n\xc3\n"),
    stamped("a-megabyte-without-a-newline", b"x" * (1 << 20)),
    stamped("a-megabyte-of-newlines", b"\n" * (1 << 16)),
    stamped("labelled-already", b"@400000005f5e10001dcd6500 x\n").but(
        script="tai64n | tai64n", argv=(), normal=((rb"(?m)^@[0-9a-f]{24} @[0-9a-f]{24} ", b"TWO "),)
    ),
    *(
        stamped(f"reads-that-end-{name}", b"").but(meanwhile=in_parts(*parts))
        for name, parts in {
            "in-a-line": (b"one\nha", b"lf\ntwo\n"),
            "before-a-newline": (b"one", b"\n", b"two"),
            "behind-a-newline": (b"one\n", b"two\n"),
            "in-an-empty-line": (b"\n", b"\n", b"\n\n"),
            "at-each-byte": tuple(b"%c" % byte for byte in b"a\nb\n\nc"),
        }.items()
    ),
    Scenario("words-are-ignored", argv=("tai64n", "x", "-y", ""), stdin=LINE),
    Scenario("closed-stdin", "tai64n <&-; echo $?"),
    Scenario("closed-stdout", "tai64n >&-; echo $?", stdin=LINE),
    Scenario("closed-stdout-no-input", "tai64n >&-; echo $?", stdin=b""),
    Scenario("closed-stderr", "tai64n 2>&-; echo $?", stdin=LINE),
    Scenario("closed-0-1", "tai64n <&- >&-; echo $?", stdin=LINE),
    Scenario("closed-0-1-2", "tai64n <&- >&- 2>&-; echo $?", stdin=LINE),
    Scenario("stdin-written-only", "tai64n 0>x; echo $?"),
    Scenario("stdout-read-only", "tai64n 1</dev/null; echo $?", stdin=LINE),
    Scenario("full", "tai64n >/dev/full; echo $?", stdin=LINE),
    Scenario("full-no-input", "tai64n >/dev/full; echo $?", stdin=b""),
    Scenario("nobody-reads", "{ tai64n; echo $? >&2; } | true", stdin=LINE * 9000),
    Scenario(
        "nobody-reads-sigpipe-ignored", "trap '' PIPE; { tai64n; echo $? >&2; } | true", stdin=LINE * 9000
    ).but(
        differs="whether SIGPIPE came in ignored cannot be known to Python: it is a default again",
        theirs=Shows(stderr=b"111\n"),
        ours=Shows(stderr=b"141\n"),
    ),
    Scenario("a-file", "cat >f; tai64n <f", stdin=LINE * 3),
    Scenario(
        "a-folder",
        "tai64n <.; echo $?",
        differs="CPython does not start with a folder as its stdin",
        theirs=Shows(stdout=b"111\n", stderr=b""),
        ours=Shows(
            stdout=b"1\n",
            stderr=re.compile(rb"(?s)Fatal Python error: .* is a directory, cannot continue\n.*"),
        ),
    ),
    Scenario("no-environment", 'exec env -i "$(command -v tai64n)"', stdin=LINE),
    Scenario("removed-folder", "mkdir x; cd x; rmdir ../x; tai64n", stdin=LINE),
    Scenario("user", argv=("tai64n",), stdin=LINE, user=65534),
    Scenario("umask-and-file", "umask 077; tai64n >out", stdin=LINE),
    Scenario("limited-file", "ulimit -f 1; tai64n >out; echo $?", stdin=LINE * 100),
    # From a file, of which a read gets as much as it asks for.
    Scenario(
        "one-label-a-read",
        "cat >f; tai64n <f",
        stdin=LINE * 500,
        exact=True,
        differs="C's lines have a label each, those that svpy reads at once have the same",
        theirs=many_labels,
        ours=one_label,
    ),
]


@each(SCENARIOS)
def test_tai64n(scenario: Scenario) -> None:
    judge(scenario)
