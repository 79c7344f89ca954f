"""Mail: a sender that tries again, as SMTP's senders do, and checks that a log has all that happened.

The logs are read as qmail-send and tcpserver write them: their lines depend on each other closely
enough (counts that go up and down by one, consecutive numbers, starts that end) for a gap to show."""

from __future__ import annotations

import re
import smtplib
import time
from collections import Counter
from email.message import Message
from email.parser import BytesParser

from support.hosting import Host
from support.processes import DEADLINE_S, TooLate

RETRY_S = 0.02
REPLY = re.compile(rb"ok \d+ qp (\d+)")


class Sender:
    """Sends mails one after another and keeps what it knows for sure."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.queued: dict[str, str] = {}
        """{Message-ID: queue pid} of what was acknowledged."""
        self.in_doubt: Counter[str] = Counter()
        """How often an acknowledgement was lost: only then may a mail arrive twice."""
        self.greeted: list[int] = []
        """The ports from which a greeting was seen."""
        self.refused = 0

    def send(self, message_id: str, to: str = "alice@mail.example", text: str = "Hello.\n") -> None:
        mail = f"From: <sender@client.example>\nTo: <{to}>\nMessage-ID: <{message_id}>\n\n{text}"
        until = time.monotonic() + DEADLINE_S
        while not self._tried(message_id, to, mail):
            if time.monotonic() > until:
                raise TooLate(f"sending {message_id}")
            time.sleep(RETRY_S)

    def _tried(self, message_id: str, to: str, mail: str) -> bool:
        try:
            session = self.host.smtp()
        except (OSError, smtplib.SMTPException):
            self.refused += 1
            return False
        with session:
            assert session.sock is not None
            self.greeted.append(session.sock.getsockname()[1])
            try:
                session.ehlo()
                session.mail("sender@client.example")
                session.rcpt(to)
            except (OSError, smtplib.SMTPException):
                return False
            try:
                code, reply = session.data(mail)  # a str, so that smtplib makes its line ends CR LF
            except (OSError, smtplib.SMTPException):
                self.in_doubt[message_id] += 1
                return False
            found = REPLY.match(reply)
            if code != 250 or not found:
                return False
            self.queued[message_id] = found[1].decode()
            return True


def parsed(mails: list[bytes]) -> list[Message]:
    return [BytesParser().parsebytes(mail) for mail in mails]


def message_ids(mails: list[bytes]) -> Counter[str]:
    return Counter(str(mail["Message-ID"]).strip("<>") for mail in parsed(mails))


SEND_LINES = {
    name: re.compile(pattern)
    for name, pattern in {
        "starting": rb"\*\*\* Starting qmail-send\.\.\.",
        "default": rb"\*\*\* Default delivery: .*",
        "status": rb"status: local (\d+)/\d+ remote (\d+)/\d+(?: exitasap)?",
        "exiting": rb"status: exiting",
        "new": rb"new msg (\d+)",
        "info": rb"info msg (\d+): bytes \d+ from <.*> qp (\d+) uid \d+",
        "attempt": rb"starting delivery (\d+): msg (\d+) to (local|remote) .*",
        "done": rb"delivery (\d+): (?:success|deferral|failure): .*",
        "end": rb"end msg (\d+)",
    }.items()
}


def check_send_log(lines: list[bytes], queued: dict[str, str]) -> None:
    """A log of qmail-send from its first start to its last end, in which each mail of `queued` was delivered.

    Raises AssertionError at the first line that can't follow what stands before it."""
    log = SendLog()
    for number, line in enumerate(lines):
        name, groups = matched(line)
        assert name == (log.expected or name), (number, line, "expected:", log.expected)
        assert log.life in LIVES[name], (number, line, "after:", log.life)
        log.expected = ""
        getattr(log, name)(*groups)
    assert log.life == "ended"
    assert not log.open, f"no end msg: {log.open}"
    missing = set(queued.values()) - set(log.queue_pids)
    assert not missing, f"no info msg: {missing}"
    assert all(times == 1 for times in Counter(log.queue_pids).values()), log.queue_pids


def matched(line: bytes) -> tuple[str, tuple[bytes, ...]]:
    for name, pattern in SEND_LINES.items():
        if found := pattern.fullmatch(line):
            return name, found.groups()
    raise AssertionError(f"not a line of qmail-send: {line!r}")


# When a line can come: after the end, after the first or second line of the script, while the program speaks.
LIVES = dict.fromkeys(SEND_LINES, ("speaks",)) | {
    "starting": ("ended", "starts", "shows"),
    "default": ("starts",),
    "status": ("shows", "speaks"),
}


class SendLog:
    """What must hold at each line; a method for each kind."""

    def __init__(self) -> None:
        self.expected = ""  # the kind of line that must come next
        self.life = "ended"
        self.running: dict[bytes, str] = {}  # deliveries under way: channel
        self.last_delivery = 0
        self.open: set[bytes] = set()  # messages without their end
        self.queue_pids: list[str] = []

    def starting(self) -> None:
        self.life = "starts"
        self.last_delivery = 0

    def default(self) -> None:
        self.life = "shows"

    def status(self, *counts: bytes) -> None:
        self.life = "speaks"
        channels = list(self.running.values())
        assert [int(count) for count in counts] == [channels.count("local"), channels.count("remote")]

    def exiting(self) -> None:
        assert not self.running
        self.life = "ended"

    def new(self, message: bytes) -> None:
        assert message not in self.open
        self.open.add(message)
        self.expected = "info"

    def info(self, message: bytes, queue_pid: bytes) -> None:
        assert message in self.open
        self.queue_pids.append(queue_pid.decode())

    def attempt(self, delivery: bytes, message: bytes, channel: bytes) -> None:
        assert message in self.open
        assert int(delivery) == self.last_delivery + 1, (delivery, self.last_delivery)
        self.last_delivery += 1
        self.running[delivery] = channel.decode()
        self.expected = "status"

    def done(self, delivery: bytes) -> None:
        assert delivery in self.running
        del self.running[delivery]
        self.expected = "status"

    def end(self, message: bytes) -> None:
        assert message in self.open
        self.open.remove(message)


OK = re.compile(rb"tcpserver: ok (\d+) \S*:127\.0\.0\.1:25 \S*:127\.0\.0\.1:\S*:(\d+)")
PID = re.compile(rb"tcpserver: pid (\d+) from 127\.0\.0\.1")
END = re.compile(rb"tcpserver: end (\d+) status \d+")
CONNECTIONS = re.compile(rb"tcpserver: status: (\d+)/\d+")
STARTING = b"*** Starting qmail-smtpd..."


def check_smtpd_log(lines: list[bytes], greeted: list[int]) -> None:
    """A log of tcpserver in which each session that was greeted (by the client's port) is complete.

    A tcpserver that was ended does not say how its sessions did, so that may be missing."""
    pids, oks, ends = [], {}, []
    count, ended = -2, False  # what the last status said, and whether an end came since
    for number, line in enumerate(lines):
        if line == STARTING:
            count, ended = -1, False
        elif found := CONNECTIONS.fullmatch(line):
            now = int(found[1])
            assert now - count == (-1 if ended else 1), (number, line, "after", count)
            count, ended = now, False
        elif found := PID.fullmatch(line):
            pids.append(found[1])
        elif found := OK.fullmatch(line):
            oks[found[1]] = int(found[2])
        else:
            found = END.fullmatch(line)
            assert found, f"not a line of tcpserver: {line!r}"
            assert not ended, (number, line)
            ends.append(found[1])
            ended = True
    assert len(set(pids)) == len(pids)
    assert sorted(pids) == sorted(oks), "each session has a pid and an ok line"
    assert len(set(ends)) == len(ends) and set(ends) <= set(pids)
    missing = Counter(greeted) - Counter(oks.values())
    assert not missing, f"greeted, but not in the log: {missing}"
