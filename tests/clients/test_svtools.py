"""Debian's svtools: shell scripts round svok, svc, svstat, tai64nlocal, the bytes of supervise/status, and
`pidof svscan`, whose working directory is where the services are."""

from __future__ import annotations

import datetime
import re

import pytest
from support.clients import ClientHost, needs
from support.processes import eventually

pytestmark = [pytest.mark.slow, needs("usr/bin/svinfo"), needs("usr/bin/hexdump")]

STARTED, STOPPED, DISABLED, FORCED = 3, 1, 0, 2
"""Exit codes of `svinfo --state`."""

READABLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}")


def state(host: ClientHost, *words: str) -> int:
    return host.command("svinfo", "--state", *words).returncode


def test_svdir_finds_the_services(host: ClientHost) -> None:
    assert host.say("svdir") == "/service\n"


def test_svinfo_reads_the_status(host: ClientHost) -> None:
    host.make("web", log="exec cat >/dev/null")
    host.link_from("/etc/service", "web")
    host.wait_up("web/log")
    assert host.say("svinfo", "-p", "web") == f"{host.state('web').pid}\n"
    assert host.say("svinfo", "-l", "-p", "web") == f"{host.state('web/log').pid}\n"
    assert host.say("svinfo", "web").startswith("/service/web: up (pid ")

    when = host.say("svinfo", "--when", "web").strip()
    assert READABLE.fullmatch(when)
    started = datetime.datetime.fromisoformat(when[:26])
    now = datetime.datetime.fromisoformat(host.say("date", "+%Y-%m-%d %H:%M:%S.%6N").strip())
    assert datetime.timedelta(0) <= now - started < datetime.timedelta(minutes=5)

    assert state(host, "web") == state(host, "-l", "web") == STARTED
    host.svc("d", "web")
    host.wait_down("web")
    assert host.say("svinfo", "-p", "web") == "0\n"
    assert state(host, "web") == STOPPED
    host.path("/etc/service/web/down").touch()
    assert state(host, "web") == DISABLED
    host.svc("u", "web")
    host.wait_up("web")
    assert state(host, "web") == FORCED
    assert host.command("svinfo", "-p", "nosuch").returncode == 1


def test_svinitd_controls_like_an_init_script(host: ClientHost) -> None:
    host.make("daemon", "trap 'touch reread' HUP; touch ready.$$; while :; do sleep 1 & wait; done")
    host.link_from("/etc/service", "daemon")

    def init(word: str, done: str) -> None:
        assert host.say("svinitd", "daemon", word) == f"{done} supervised daemon... Done\n"

    for word, done in (("restart", "Restarting"), ("force-reload", "Force-reloading")):
        before = host.pids("daemon")
        init(word, done)
        host.wait_restarted(before)
    ready = host.path(f"/etc/service/daemon/ready.{host.state('daemon').pid}")
    eventually(ready.exists, "its trap")
    init("reload", "Reloading")
    eventually(host.path("/etc/service/daemon/reread").exists, "its HUP")
    init("stop", "Stopping")
    host.wait_down("daemon")
    init("disable", "Disabling")
    assert "normally up" not in host.state("daemon").more
    init("enable", "Enabling")
    assert "normally up" in host.state("daemon").more
    init("start", "Starting")
    host.wait_up("daemon")


def test_svsetup_makes_enables_and_removes_and_the_log_can_be_read(host: ClientHost) -> None:
    """A whole life: a service with a log of multilog's, read by mlcat, mlhead, mltail and mltac."""
    host.path("/etc/sv/hello").mkdir(parents=True)
    host.path("/etc/sv/hello/run").write_text(
        "#!/bin/sh\nexec 2>&1\nfor n in 1 2 3; do echo line $n; done\necho 4 >&2\nexec sleep 1000\n"
    )
    host.say("svsetup", "create", "hello")
    host.say("svsetup", "enable", "hello")
    host.wait_up("hello", "hello/log")
    log = host.path("/var/log/sv/hello/current")
    eventually(lambda: log.exists() and log.read_bytes().endswith(b" 4\n"), "the log")

    def read(*argv: str) -> list[str]:
        lines = host.say(*argv).splitlines()
        assert all(READABLE.match(line) for line in lines), lines
        return [line[30:] for line in lines]

    whole = ["line 1", "line 2", "line 3", "4"]
    assert read("mlcat", "hello") == whole
    assert read("mlhead", "hello", "-n", "2") == whole[:2]
    assert read("mltail", "hello", "-n", "2") == whole[2:]
    assert read("mltac", "hello") == whole[::-1]

    host.say("svsetup", "disable", "hello")
    stopped = "/etc/sv/hello: supervise not running\n/etc/sv/hello/log: supervise not running\n"
    eventually(lambda: host.say("svstat", "/etc/sv/hello", "/etc/sv/hello/log") == stopped, stopped)
    host.say("svsetup", "remove", "hello")
    assert not host.path("/etc/sv/hello/supervise").exists()
