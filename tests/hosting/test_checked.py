"""svcheck on the two qmail services of a whole host: it says nothing as long as there is nothing to say."""

from __future__ import annotations

import re

from support.hosting import SERVICES, SYSTEM_PATH, Host
from support.processes import BIN

OURS = re.compile(r"^(DELIVERY|CONLIMIT|PATH)=.*\n", re.MULTILINE)
"""What our copies add to the published scripts."""


def told(host: Host) -> tuple[int, list[str]]:
    """The exit code, and what is said but for notes."""
    done = host.command("svcheck")
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    return done.returncode, [line.partition("; mend")[0] for line in lines if ": note: " not in line]


def test_the_services_of_a_host() -> None:
    published = {"DELIVERY": "./Maildir/", "CONLIMIT": "20", "PATH": f"/var/qmail/bin:{BIN}:{SYSTEM_PATH}"}
    with Host(environment=published) as host:
        host.link(*SERVICES)
        assert told(host) == (0, [])
        host.wait_settled()
        assert told(host) == (0, [])
        for name in SERVICES:
            script = host.root / f"var/svc.d/{name}/run"
            script.write_text(OURS.sub("", script.read_text()))
            script.chmod(0o755)
        # As published: PATH is that of the svscan which runs.
        assert told(host) == (0, [])

        (host.root / "etc/tcprules/smtp.rules").write_text(":deny\n")
        mess = host.root / "var/qmail/queue/mess"
        host.svc("d", "qmail-send")
        host.wait_log("qmail-send", b"exiting")
        (mess / "4711").touch()
        assert told(host) == (
            1,
            [
                "/service/qmail-send/run:7: warning: mail waits in qmail's queue (1), and nothing of it runs",
                "/service/qmail-smtpd/run:6: warning: mail waits in qmail's queue (1),"
                " and nothing of it runs",
                "/service/qmail-smtpd/run:7: warning: /etc/tcprules/smtp.rules is newer than"
                " /etc/tcprules/smtp.cdb",
            ],
        )

        for words in (["sleeper", "--", "sleep", "1000"], ["echoes", "--tcp", "8007", "--", "cat"]):
            made = host.command("svpy", "new", "--user", "nobody", *words)
            assert (made.returncode, made.stderr) == (0, b"")
            done = host.command("svcheck", f"/var/svc.d/{words[0]}")
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
