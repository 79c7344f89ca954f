"""The demo shows a mail delivered and logged, stays, and Ctrl-C stops all of it in order."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator

import pytest
from support.hosting import TESTS, processes_in
from support.namespaces import children
from support.processes import BIN, Running, eventually, run

DEMO = TESTS / "standin" / "demo"
SETTLED = b"demo: runs until Ctrl-C"
GOODBYE = b"demo: all has stopped, in order; nothing is left"


@pytest.fixture
def demo() -> Iterator[Running]:
    # Its own end, if a test fails, is that of all that is inside: nothing else holds the pipe.
    with Running(DEMO, BIN) as demo:
        yield demo


def namespace_of(demo: Running) -> int:
    (unshare,) = children(demo.pid)
    (inside,) = children(unshare)
    return os.stat(f"/proc/{inside}/ns/pid").st_ino


def test_it_shows_what_it_does_and_int_stops_it_in_order(demo: Running) -> None:
    demo.line(SETTLED)
    for shown in (
        b"\n    Delivered-To: alice@mail.example\n",
        b"\n    Subject: Hello from the demo\n",
        b"\n    qmail-smtpd took this on port 25, qmail-send delivered it.\n",
        b"\n    /service/qmail-send: up (pid ",
        b"\n    /service/qmail-smtpd/log: up (pid ",
        b" *** Starting qmail-smtpd...\n",
        b": success: did_1+0+0/\n",
    ):
        assert shown in demo.said
    assert b"@4000" not in demo.said, "the logs are decoded"
    namespace = namespace_of(demo)
    assert {process.name for process in processes_in(namespace)} >= {
        "svscan",
        "qmail-send",
        "tcpserver",
        "multilog",
    }
    demo.signal(signal.SIGINT)
    said = demo.rest()
    assert demo.wait() == 0
    steps = [
        said.index(step) for step in (b"demo: stopping", b"    qmail-send: ", b"status: exiting", GOODBYE)
    ]
    assert steps == sorted(steps)
    assert not processes_in(namespace)


def test_int_before_it_has_settled_stops_it_too(demo: Running) -> None:
    demo.line(b"svscan /service starts")
    demo.signal(signal.SIGINT)
    assert GOODBYE in demo.rest()
    assert demo.wait() == 0
    assert SETTLED not in demo.said


def test_nothing_is_left_when_it_is_killed(demo: Running) -> None:
    demo.line(SETTLED)
    namespace = namespace_of(demo)
    demo.signal(signal.SIGKILL)
    eventually(lambda: not processes_in(namespace), "an empty namespace")


def test_control_c_on_its_terminal() -> None:
    """The terminal sends INT to all of its foreground group; the services are not of it."""
    ours, its = pty.openpty()
    demo = subprocess.Popen(
        ["setsid", "--ctty", "--wait", DEMO, BIN],
        stdin=its,
        stdout=its,
        stderr=its,
        env={"PATH": os.environ["PATH"]},
    )
    os.close(its)
    try:
        said = b""
        while SETTLED not in said:
            said += os.read(ours, 65536)
        os.write(ours, b"\x03")
        while GOODBYE not in said:
            said += os.read(ours, 65536)
        assert b"status: exiting" in said
        assert demo.wait(30) == 0
    finally:
        os.close(ours)
        if demo.poll() is None:
            demo.kill()
            demo.wait()


def test_it_says_what_it_needs() -> None:
    done = run(DEMO)
    assert (done.returncode, done.stderr) == (100, b"demo: fatal: usage: demo BIN_DIR\n")
    done = run(DEMO, "/nonexistent")
    assert (done.returncode, done.stderr) == (111, b"demo: fatal: no svscan in /nonexistent\n")
    nobody = 65534
    done = run(
        "/bin/sh", "-s", "--", BIN, input=DEMO.read_bytes(), user=nobody, group=nobody, extra_groups=[]
    )
    assert done.returncode == 111
    assert done.stderr.startswith(b"demo: fatal: must be run by root")
