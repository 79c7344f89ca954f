"""What reads TAI64N labels: logwatch, fail2ban and lnav, on files that svpy's multilog wrote.

logwatch and fail2ban take the label's TAI seconds for Unix time, ten seconds more; lnav does not."""

from __future__ import annotations

import datetime
import json
import re
import time
from pathlib import Path

import pytest
from support.clients import ClientHost, needs
from support.processes import Running, eventually

pytestmark = [pytest.mark.slow]
logwatch = needs("usr/sbin/logwatch")
fail2ban = needs("usr/bin/fail2ban-server")
lnav = needs("usr/bin/lnav")

TAI = 1 << 62
AHEAD_S = 10

QMAIL = """\
status: local 0/10 remote 0/20
new msg 4711
info msg 4711: bytes 250 from <carol@client.example> qp 100 uid 7791
starting delivery 1: msg 4711 to local mail.example-alice@mail.example
starting delivery 2: msg 4711 to remote bob@remote.example
delivery 1: success: did_0+0+1/
delivery 2: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/
end msg 4711""".splitlines()

DENY = "tcpserver: deny {} mail.example:10.0.0.1:25 :{}::{}"
DENIED = r"^\s*tcpserver: deny \d+ \S+ [^:\s]*:<HOST>:"
JAIL = """\
[DEFAULT]
backend = polling
usedns = no
maxretry = 2
[smtp]
enabled = true
filter = tcpserver
logpath = /var/log/smtp/current
banaction = noted
action = noted
"""


def labels(path: Path) -> list[tuple[float, str]]:
    """Unix time and text of each line of a log."""
    lines = []
    for line in path.read_text().splitlines():
        found = re.fullmatch(r"@([0-9a-f]{16})([0-9a-f]{8}) (.*)", line)
        assert found, line
        lines.append((int(found[1], 16) - TAI - AHEAD_S + int(found[2], 16) / 1e9, found[3]))
    return lines


@logwatch
def test_logwatch_reports_a_day_of_qmail_send(host: ClientHost) -> None:
    """From the file in use and from one that is complete; its `today` is by the labels."""
    host.path("/var/cache/logwatch").mkdir(exist_ok=True)
    host.path("/etc/logwatch/conf/services").mkdir(parents=True, exist_ok=True)
    # By default it names nobody with fewer than ten mails.
    host.path("/etc/logwatch/conf/services/qmail-send.conf").write_text("$threshold = 1\n")
    host.start_logging("qmail")

    def report(day: str) -> str:
        return host.say(
            *("logwatch", "--service", "qmail-send", "--range", day, "--detail", "high"),
            *("--output", "stdout", "--logdir", "/var/log"),
        )

    host.tell("qmail", *QMAIL)
    host.rotate("qmail")
    host.tell("qmail", *QMAIL, "something unheard of")
    whole = report("all")
    for line in (
        "carol@client.example - 2 Time(s)",
        "mail.example-alice@mail.example - 2 Time(s)",
        "bob@remote.example - 2 Time(s)",
        "Deferral(4.4.1) - 2 Time(s) - Deferral: No answer from host",
    ):
        assert line in whole, whole
    # What it has no rule for is shown as it stood behind the label.
    assert re.search(r"\*\*Unmatched Entries\*\*\s+something unheard of\n", whole)
    # Midnight may come at any time: then what was today's is yesterday's.
    assert "carol@client.example" in report("today") + report("yesterday")
    old = datetime.date.today() - datetime.timedelta(days=10)
    for file in [*host.log("qmail").glob("@*.s"), host.log("qmail") / "current"]:
        seconds = TAI + int(datetime.datetime.combine(old, datetime.time(12)).timestamp())
        file.write_text("".join(f"@{seconds:016x}{0:08x} {text}\n" for _, text in labels(file)))
    assert "carol@client.example" not in report("today") + report("yesterday")


@fail2ban
def test_fail2ban_finds_the_label_without_being_told(host: ClientHost) -> None:
    host.start_logging("regex")
    host.tell(
        "regex",
        DENY.format(1, "192.0.2.7", 4000),
        "tcpserver: status: 0/20",
        DENY.format(2, "192.0.2.8", 4001),
    )
    said = host.say("fail2ban-regex", "-v", "/var/log/regex/current", DENIED, TZ="UTC")
    assert "Lines: 3 lines, 0 ignored, 2 matched, 1 missed" in said
    assert re.search(r"\[3\] \{\^LN-BEG\}TAI64N", said), said
    for (second, _), address in zip(
        labels(host.log("regex") / "current")[::2], ("192.0.2.7", "192.0.2.8"), strict=True
    ):
        seen = datetime.datetime.fromtimestamp(int(second) + AHEAD_S, datetime.UTC)
        assert re.search(rf"{address}\s+{re.escape(seen.strftime('%a %b %d %H:%M:%S %Y'))}", said), said


@fail2ban
def test_fail2ban_knows_sshd_behind_a_label(host: ClientHost) -> None:
    """With the filter it brings, for lines that name host and program as syslog's do."""
    host.start_logging("ssh")
    host.tell(
        "ssh",
        "mail sshd[100]: Failed password for root from 192.0.2.7 port 4000 ssh2",
        "mail sshd[101]: Accepted publickey for root from 192.0.2.9 port 4002 ssh2",
        "mail sshd[102]: Failed password for invalid user admin from 192.0.2.8 port 4001 ssh2",
    )
    said = host.say("fail2ban-regex", "/var/log/ssh/current", "sshd")
    # It counts a login that succeeded as ignored or as missed.
    assert re.search(r"Lines: 3 lines, \d ignored, 2 matched,", said), said


@fail2ban
def test_a_jail_bans_by_what_multilog_writes_and_follows_its_rotation(host: ClientHost) -> None:
    host.start_logging("smtp")
    host.tell("smtp", "tcpserver: status: 0/20")
    settings = host.path("/etc/fail2ban")
    for file in (settings / "jail.d").iterdir():
        file.unlink()
    (settings / "jail.local").write_text(JAIL)
    (settings / "filter.d/tcpserver.conf").write_text(f"[Definition]\nfailregex = {DENIED}\n")
    (settings / "action.d/noted.conf").write_text("[Definition]\nactionban = echo <ip> >>/var/banned\n")
    files = ("-s", "/var/fail2ban.sock", "-p", "/var/fail2ban.pid")
    banned = host.path("/var/banned")

    def attack(address: str) -> None:
        for port in (4000, 4001):
            host.tell("smtp", DENY.format(7, address, port))
        eventually(
            lambda: banned.exists() and banned.read_text().endswith(f"{address}\n"), f"a ban of {address}"
        )

    with Running(*host.inside("fail2ban-server", "-f", "--logtarget", "STDOUT", *files, "start")) as server:
        server.line(b"Jail 'smtp' started")
        attack("192.0.2.7")
        host.rotate("smtp")
        attack("192.0.2.8")
        status = host.say("fail2ban-client", *files[:2], "status", "smtp")
    assert "Banned IP list:\t192.0.2.7 192.0.2.8\n" in status + "\n"


@lnav
def test_lnav_reads_the_labels_and_orders_by_them(host: ClientHost) -> None:
    """Two logs, told to in turn, shown as one."""
    for name in ("one", "two"):
        host.start_logging(name)
    for number in range(3):
        for name, word in (("one", "first"), ("two", "then")):
            host.tell(name, f"{number} {word}")
            time.sleep(0.005)  # so that no two are of the same millisecond
    logs = [f"/var/log/{name}/current" for name in ("one", "two")]
    said = host.say("lnav", "-n", *logs, TZ="UTC")
    shown = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +(.*)$", said, re.M)
    assert shown == [f"{number} {word}" for number in range(3) for word in ("first", "then")], said

    query = ("-c", ";select log_time, log_format, log_body from all_logs", "-c", ":write-json-to -")
    rows = json.loads(host.say("lnav", "-n", *query, *logs[:1], TZ="UTC"))
    logged = labels(host.log("one") / "current")
    assert [row["log_body"].strip() for row in rows] == [text for _, text in logged]
    for row, (second, _) in zip(rows, logged, strict=True):
        seen = datetime.datetime.fromisoformat(row["log_time"]).replace(tzinfo=datetime.UTC).timestamp()
        assert abs(seen - second) < 0.002
        assert row["log_format"] == "generic_log"
