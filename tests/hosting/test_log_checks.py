"""The checks of the logs notice each line that is missing."""

from __future__ import annotations

import pytest
from support.mail import STARTING, check_send_log, check_smtpd_log

SEND = b"""\
*** Starting qmail-send...
*** Default delivery: ./Maildir/
status: local 0/10 remote 0/20
new msg 7
info msg 7: bytes 300 from <a@b.example> qp 41 uid 7702
starting delivery 1: msg 7 to local alice@mail.example
status: local 1/10 remote 0/20
new msg 8
info msg 8: bytes 300 from <a@b.example> qp 42 uid 7702
starting delivery 2: msg 8 to local alice@mail.example
status: local 2/10 remote 0/20
delivery 1: success: did_1+0+0/
status: local 1/10 remote 0/20 exitasap
end msg 7
delivery 2: deferral: later/
status: local 0/10 remote 0/20 exitasap
status: exiting
*** Starting qmail-send...
*** Default delivery: ./Maildir/
status: local 0/10 remote 0/20
starting delivery 1: msg 8 to local alice@mail.example
status: local 1/10 remote 0/20
delivery 1: success: did_1+0+0/
status: local 0/10 remote 0/20
end msg 8
status: exiting
""".splitlines()
QUEUED = {"one": "41", "two": "42"}

SMTPD = b"""\
*** Starting qmail-smtpd...
tcpserver: status: 0/20
tcpserver: status: 1/20
tcpserver: pid 5 from 127.0.0.1
tcpserver: ok 5 mail.example:127.0.0.1:25 :127.0.0.1::3001
tcpserver: status: 2/20
tcpserver: pid 6 from 127.0.0.1
tcpserver: end 5 status 0
tcpserver: status: 1/20
tcpserver: ok 6 mail.example:127.0.0.1:25 :127.0.0.1::3002
*** Starting qmail-smtpd...
tcpserver: status: 0/20
tcpserver: status: 1/20
tcpserver: pid 9 from 127.0.0.1
tcpserver: ok 9 mail.example:127.0.0.1:25 :127.0.0.1::3003
tcpserver: end 9 status 0
tcpserver: status: 0/20
""".splitlines()
LAST_STATUS = {8, len(SMTPD) - 1}
"""Of each tcpserver: nothing follows from it, TERM may have come just before."""
GREETED = [3001, 3002, 3003]


def test_complete_logs_pass() -> None:
    check_send_log(SEND, QUEUED)
    check_smtpd_log(SMTPD, GREETED)


@pytest.mark.parametrize("missing", range(len(SEND)))
def test_a_missing_line_of_qmail_send_shows(missing: int) -> None:
    with pytest.raises(AssertionError):
        check_send_log(SEND[:missing] + SEND[missing + 1 :], QUEUED)


@pytest.mark.parametrize("missing", sorted(set(range(len(SMTPD))) - LAST_STATUS))
def test_a_missing_line_of_tcpserver_shows(missing: int) -> None:
    with pytest.raises(AssertionError):
        check_smtpd_log(SMTPD[:missing] + SMTPD[missing + 1 :], GREETED)


def test_a_mail_that_was_never_logged_shows() -> None:
    with pytest.raises(AssertionError):
        check_send_log(SEND, QUEUED | {"three": "43"})
    with pytest.raises(AssertionError):
        check_smtpd_log(SMTPD, [*GREETED, 3004])
    assert SMTPD[0] == STARTING
