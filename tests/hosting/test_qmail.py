"""The two qmail services, linked into /service: they start, take mail, log, and obey svc."""

from __future__ import annotations

import os
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.hosting import SERVICES, SUPERVISED, SYSTEM_PATH, Host, State, name_of
from support.mail import Sender, message_ids, parsed
from support.namespaces import children
from support.processes import BIN, eventually

START_S = 5.0
ALICE = "alice@mail.example"
TEXT = "First.\n.A dot.\n..\n\nLast.\n"

# What our copies add to the published scripts.
OURS = re.compile(r"^(DELIVERY|CONLIMIT|PATH)=.*\n", re.MULTILINE)
PUBLISHED_ENVIRONMENT = {
    "DELIVERY": "./Maildir/",
    "CONLIMIT": "20",
    "PATH": f"/var/qmail/bin:{BIN}:{SYSTEM_PATH}",
}


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as host:
        host.link(*SERVICES)
        host.wait_settled()
        yield host


def scripts(host: Host) -> list[Path]:
    return [host.root / f"var/svc.d/{name}/run" for name in SUPERVISED]


def as_shipped(host: Host) -> None:
    for script in scripts(host):
        assert script.read_text().startswith("# ")


def with_an_interpreter(host: Host) -> None:
    for script in scripts(host):
        script.write_text("#!/bin/sh\n" + script.read_text())


def as_published(host: Host) -> None:
    for script in scripts(host):
        script.write_text(OURS.sub("", script.read_text()))


@pytest.mark.parametrize(
    ("edit", "pid_1", "environment"),
    [
        pytest.param(as_shipped, False, {}, id="as shipped"),
        pytest.param(as_shipped, True, {}, id="as shipped, PID 1"),
        pytest.param(with_an_interpreter, False, {}, id="with #!/bin/sh"),
        pytest.param(as_published, False, PUBLISHED_ENVIRONMENT, id="as published"),
    ],
)
def test_linked_they_start_take_mail_and_log(
    edit: Callable[[Host], None], pid_1: bool, environment: dict[str, str]
) -> None:
    with Host(pid_1=pid_1, environment=environment) as host:
        edit(host)
        linked_at = time.monotonic()
        host.link(*SERVICES)
        host.wait_up(*SUPERVISED, deadline_s=START_S)
        assert time.monotonic() - linked_at <= START_S
        host.wait_smtp()

        Sender(host).send("one@client.example", text=TEXT)
        eventually(lambda: host.maildir("alice"), "the mail in alice's Maildir")
        (mail,) = parsed(host.maildir("alice"))
        assert mail.get_payload() == TEXT
        assert mail["Delivered-To"] == ALICE

        host.wait_log("qmail-send", b"end msg ")
        assert host.log("qmail-send")[:2] == [
            b"*** Starting qmail-send...",
            b"*** Default delivery: ./Maildir/",
        ]
        host.wait_log("qmail-smtpd", b"tcpserver: end ")
        assert host.log("qmail-smtpd")[:2] == [b"*** Starting qmail-smtpd...", b"tcpserver: status: 0/20"]

        inner = {process.inner_pid: process.name for process in host.processes()}
        states = host.svstat(*SUPERVISED)
        for name, program in zip(
            SUPERVISED, ("qmail-send", "multilog", "tcpserver", "multilog"), strict=True
        ):
            state = states[name]
            assert isinstance(state, State) and state.up and not state.more, states
            assert inner[state.pid] == program
        assert host.outside.said == b"", "svscan has nothing to complain about"


def test_every_byte_passes(host: Host) -> None:
    """All that a line of mail may hold, but for the NUL, which the stand-in's shell can't."""
    body = bytes(byte for byte in range(1, 256) if byte not in (10, 13))
    with host.smtp() as session:
        session.sendmail("a@client.example", [ALICE], b"Subject: bytes\r\n\r\n" + body + b"\r\n")
    eventually(lambda: host.maildir("alice"), "the mail in alice's Maildir")
    assert host.maildir("alice")[0].endswith(b"\n\n" + body + b"\n")


def test_each_runs_under_its_own_user(host: Host) -> None:
    users = {
        "qmail-send": "qmails",
        "qmail-lspawn": "root",
        "qmail-rspawn": "qmailr",
        "qmail-clean": "qmailq",
        "tcpserver": "qmaild",
    }
    assert {name: host.process(name).uid for name in users} == {
        name: host.id_of(user) for name, user in users.items()
    }
    currents = [host.root / f"var/multilog/{name}/current" for name in SERVICES]
    # It is there a moment before it has its mode.
    eventually(lambda: all(path.exists() and path.stat().st_mode & 0o44 for path in currents), "both logs")
    # One process for both, of their common user.
    loggers = [process.uid for process in host.processes() if process.name == "multilog"]
    assert loggers == [host.id_of("multilog")]
    for name in SERVICES:
        for path, mode in (("", 0o40700), ("/current", 0o100644)):
            facts = (host.root / f"var/multilog/{name}{path}").stat()
            assert (facts.st_uid, facts.st_mode) == (host.id_of("multilog"), mode)


def test_the_limits_of_smtpd_are_those_of_its_script(host: Host) -> None:
    with host.smtp() as session:
        session.ehlo()
        tcpserver = host.process("tcpserver")
        eventually(lambda: len(children(tcpserver.pid)) == 1, "no session but ours")
        (pid,) = children(tcpserver.pid)
        limits = {
            line[:26].strip(): line[26:].split()
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        }
        for limit in ("address space", "data size", "stack size", "locked memory"):
            assert limits[f"Max {limit}"][0] == "3000000"
        assert limits["Max file size"][0] == "10000000"
        assert Path(f"/proc/{pid}").stat().st_uid in (0, host.id_of("qmaild"))
        assert f"Uid:\t{host.id_of('qmaild')}\t" in Path(f"/proc/{pid}/status").read_text()


def test_the_rules_of_port_25_hold(host: Host) -> None:
    """RELAYCLIENT, DATABYTES and deny, each from the address its rule is for."""
    with host.smtp("127.0.0.1") as session:
        session.ehlo()
        session.mail("a@client.example")
        assert session.rcpt("someone@elsewhere.example")[0] == 250
    with host.smtp("198.51.100.1") as session:
        session.ehlo()
        session.mail("a@client.example")
        assert session.rcpt("someone@elsewhere.example")[0] == 553
        assert session.rcpt(ALICE)[0] == 250
    assert b"DATABYTES" in (host.root / "etc/tcprules/smtp.cdb").read_bytes()
    small = host.root / "etc/tcprules/small"
    small.write_text('198.51.100.1:allow,DATABYTES="1000"\n')
    done = host.command("tcprules", "/etc/tcprules/smtp.cdb", "/etc/tcprules/tmp", input=small.read_bytes())
    assert done.returncode == 0, done
    with host.smtp("198.51.100.1") as session:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            session.sendmail("a@client.example", [ALICE], "x" * 70 + "\n" + "x" * 1000)
        assert refused.value.smtp_code == 552
        assert session.sendmail("a@client.example", [ALICE], "Subject: small\n\nenough\n") == {}
    small.write_text(":deny\n")
    host.command("tcprules", "/etc/tcprules/smtp.cdb", "/etc/tcprules/tmp", input=small.read_bytes())
    with pytest.raises((OSError, smtplib.SMTPException)):
        host.smtp("192.0.2.1")


def test_svc_takes_down_and_up_and_restarts(host: Host) -> None:
    host.svc("d", "qmail-smtpd")
    eventually(lambda: not host.state("qmail-smtpd").up, "qmail-smtpd down")
    with pytest.raises(ConnectionRefusedError):
        host.smtp()
    assert host.state("qmail-smtpd/log").up
    assert host.state("qmail-send").up
    host.svc("u", "qmail-smtpd")
    host.wait_up("qmail-smtpd")
    host.wait_smtp()
    host.restart("qmail-send")
    host.wait_log("qmail-send", b"status: exiting")
    host.wait_log("qmail-send", b"*** Starting qmail-send...", times=2)
    Sender(host).send("after@client.example")
    eventually(lambda: host.maildir("alice"), "mail after the restart")


def not_supervised(host: Host, folder: str) -> bool:
    return host.command("svok", folder).returncode == 100


def test_unlinked_and_told_to_exit_they_are_gone(host: Host) -> None:
    host.unlink("qmail-smtpd")
    done = host.command("svc", "-dx", "/var/svc.d/qmail-smtpd", "/var/svc.d/qmail-smtpd/log")
    assert (done.returncode, done.stderr) == (0, b"")
    for folder in ("/var/svc.d/qmail-smtpd", "/var/svc.d/qmail-smtpd/log"):
        eventually(partial(not_supervised, host, folder), f"{folder} not supervised")
    done = host.command("svstat", "/var/svc.d/qmail-smtpd")
    assert done.stdout == b"/var/svc.d/qmail-smtpd: supervise not running\n"
    names = [process.name for process in host.processes()]
    assert "tcpserver" not in names and names.count("multilog") == 1
    host.link("qmail-smtpd")
    host.wait_up("qmail-smtpd", "qmail-smtpd/log", deadline_s=START_S)
    host.wait_smtp()


HELPERS = ("qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean")


def test_alrm_and_hup_are_for_qmail_send_alone(host: Host) -> None:
    """-a: try again at once what was deferred; -h: read control/locals again. Both would kill a helper."""
    before = {name: host.process(name).inner_pid for name in HELPERS}
    bob, away = host.root / "var/people/bob/Maildir", host.root / "var/people/bob/away"
    bob.rename(away)
    Sender(host).send("deferred@client.example", "bob@mail.example")
    host.wait_log("qmail-send", b": deferral: ")
    away.rename(bob)
    host.svc("a", "qmail-send")
    eventually(lambda: host.maildir("bob"), "the deferred mail")

    with (host.root / "var/qmail/control/locals").open("a") as locals_:
        locals_.write("new.example\n")
    # Paused, it has the HUP waiting; continued, it takes it before any mail that comes later.
    host.svc("hp", "qmail-send")
    eventually(lambda: "paused" in host.state("qmail-send").more, "paused")
    host.svc("c", "qmail-send")
    Sender(host).send("new@client.example", "alice@new.example")
    eventually(lambda: host.maildir("alice"), "mail for a domain that is new")

    assert {name: host.process(name).inner_pid for name in HELPERS} == before
    assert host.state("qmail-send").pid == before["qmail-send"]


def slow_delivery(host: Host) -> Path:
    """bob's next mail waits for the fifo that is returned to be opened for writing."""
    home = host.root / "var/people/bob"
    os.mkfifo(home / "gate")
    (home / ".qmail").write_text("|cat >mail; cat <gate; mv mail Maildir/new/$$\n")
    for path in (home / "gate", home / ".qmail"):
        os.chown(path, host.id_of("bob"), home.stat().st_gid)
    Sender(host).send("slow@client.example", "bob@mail.example")
    host.wait_log("qmail-send", b"starting delivery")
    eventually(lambda: (home / "mail").exists(), "the delivery under way")
    return home / "gate"


def test_qmail_send_finishes_its_deliveries_before_it_restarts(host: Host) -> None:
    gate = slow_delivery(host)
    before = host.pids("qmail-send")
    host.svc("t", "qmail-send")
    # Long enough for the t to have been obeyed: another service has meanwhile restarted.
    host.restart("qmail-smtpd")
    assert host.pids("qmail-send") == before
    assert not host.maildir("bob")
    gate.write_bytes(b"")
    host.wait_restarted(before)
    assert message_ids(host.maildir("bob")) == {"slow@client.example": 1}
    host.wait_log("qmail-send", b"*** Starting qmail-send...", times=2)
    log = host.log("qmail-send")
    ends = [
        log.index(next(line for line in log if wanted in line))
        for wanted in (b": success: ", b"end msg", b"exiting")
    ]
    assert ends == sorted(ends)


@pytest.mark.parametrize("pid_1", [False, True], ids=["ordinary pid", "PID 1"])
def test_term_stops_services_then_loggers_then_svscan(pid_1: bool) -> None:
    with Host(pid_1=pid_1) as host:
        host.link(*SERVICES)
        host.wait_settled()
        gate = slow_delivery(host)
        os.kill(host.svscan_pid, 15)
        eventually(
            lambda: "tcpserver" not in {process.name for process in host.processes()}, "tcpserver gone"
        )
        os.kill(host.svscan_pid, 15)  # does not hurry it
        # qmail-send has a delivery under way, so it runs, and with it its logger and svscan.
        assert name_of(host.svscan_pid) == "svscan"
        names = [process.name for process in host.processes()]
        assert "qmail-send" in names and "multilog" in names
        gate.write_bytes(b"")
        assert host.ended() == (0, [])
        assert message_ids(host.maildir("bob")) == {"slow@client.example": 1}
        assert host.log("qmail-send")[-1] == b"status: exiting"
        for name in SERVICES:
            current = host.root / f"var/multilog/{name}/current"
            assert current.stat().st_mode & 0o777 == 0o744, "its logger closed it cleanly"


PSS_LIMIT_KB = 30 * 1024


def test_svscan_needs_at_most_30_megabytes(host: Host) -> None:
    Sender(host).send("one@client.example")
    eventually(lambda: host.maildir("alice"), "the mail in alice's Maildir")
    rollup = Path(f"/proc/{host.svscan_pid}/smaps_rollup").read_text()
    pss_kb = int(re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)[1])  # type: ignore[index]
    assert pss_kb <= PSS_LIMIT_KB, rollup
