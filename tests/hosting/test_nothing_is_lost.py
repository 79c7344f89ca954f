"""The point of it all: restarts lose no mail and no line of a log."""

from __future__ import annotations

import threading

from support.hosting import SERVICES, SUPERVISED, Host
from support.mail import Sender, check_send_log, check_smtpd_log, message_ids
from support.processes import eventually

MAILS = 20
MAILS_PER_ROUND = 2


def test_twenty_mails_while_everything_restarts(runs: str) -> None:
    """Two mails are on their way in each round in which both services and both loggers restart."""
    wanted = {f"mail-{number}@client.example" for number in range(MAILS)}
    turns = threading.Semaphore(0)
    with Host() as host:
        host.link(*SERVICES)
        host.wait_settled()
        sender = Sender(host)

        def send() -> None:
            for message_id in sorted(wanted):
                turns.acquire()
                sender.send(message_id)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        for _ in range(MAILS // MAILS_PER_ROUND):
            before = host.pids(*SUPERVISED)
            turns.release(MAILS_PER_ROUND)
            host.svc("t", *SUPERVISED)
            host.wait_restarted(before)
        sending.join(60)
        assert not sending.is_alive()
        assert set(sender.queued) == wanted

        eventually(lambda: set(message_ids(host.maildir("alice"))) == wanted, "all mails delivered")
        host.wait_log("qmail-send", b"end msg ", times=MAILS)
        assert host.stop() == (0, [])
        for message_id, copies in message_ids(host.maildir("alice")).items():
            assert copies <= 1 + sender.in_doubt[message_id], message_id
        check_send_log(host.log("qmail-send"), sender.queued)
        check_smtpd_log(host.log("qmail-smtpd"), sender.greeted)
