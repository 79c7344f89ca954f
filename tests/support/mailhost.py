"""What a machine has that is to become a mail host: a name, and qmail as a tar of /var/qmail, for which the
stand-ins are here."""

from __future__ import annotations

import io
import smtplib
import tarfile
from pathlib import Path

from support import namespaces
from support.booted import Booted
from support.hosting import TESTS
from support.minimal import Minimal
from support.processes import DEADLINE_S, eventually

NAME = "mail.example"
_FILES = {
    "control/me": f"{NAME}\n",
    "control/locals": f"{NAME}\nlocalhost\n",
    "control/rcpthosts": f"{NAME}\nlocalhost\n",
}
_QUEUE = {"incoming": "qmaild", "todo": "qmaild", "mess": "qmailq", "rcpt": "qmailq"}
"""The stand-ins' queue: folders of the group qmail, and whose."""


def name_it(host: Booted | Minimal) -> None:
    """As Debian's installer would. No name server is in reach, which is known at once."""
    assert host.command("hostname", NAME.partition(".")[0]).returncode == 0
    (host.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {NAME} {NAME.partition('.')[0]}\n")
    (host.root / "etc/resolv.conf").write_text("nameserver 203.0.113.1\n")


def qmail_tar(path: Path) -> Path:
    """Write it; owners are in it by name. Returns the path."""
    with tarfile.open(path, "w") as tar:

        def add(name: str, kind: bytes, mode: int, owner: str = "root", data: bytes = b"") -> None:
            member = tarfile.TarInfo(f"qmail/{name}".rstrip("/"))
            member.type, member.mode, member.size = kind, mode, len(data)
            member.uname, member.gname = owner, "root" if owner == "root" else "qmail"
            tar.addfile(member, io.BytesIO(data))

        for folder in ("", "bin", "control", "queue"):
            add(folder, tarfile.DIRTYPE, 0o755)
        for program in ("qmail-start", "qmail-smtpd"):
            data = (TESTS / "standin" / program).read_bytes()
            add(f"bin/{program}", tarfile.REGTYPE, 0o755, data=data)
        for name, text in _FILES.items():
            add(name, tarfile.REGTYPE, 0o644, data=text.encode())
        for name, owner in _QUEUE.items():
            add(f"queue/{name}", tarfile.DIRTYPE, 0o2770, owner)
        add("queue/trigger", tarfile.FIFOTYPE, 0o666)
    return path


def mailbox(host: Booted | Minimal, user: str) -> Path:
    """Make an account with a Maildir; the Maildir, as the test reaches it."""
    folders = " ".join(f"/home/{user}/Maildir/{name}" for name in ("new", "cur", "tmp"))
    done = host.command(
        "sh", "-ec", f"useradd -m {user}; mkdir -p {folders}; chown -R {user}: /home/{user}/Maildir"
    )
    assert done.returncode == 0, done
    return host.root / f"home/{user}/Maildir"


def deliver(host_pid: int, maildir: Path, to: str, subject: str = "Hello") -> bytes:
    """Send a mail over port 25 of a host, given by a process of it, and wait until it is in the Maildir."""

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", 25, "client.example", DEADLINE_S) as session:
            session.sendmail("bob@client.example", to, f"Subject: {subject}\n\nIt works.\n")

    def sent() -> bool:
        """Not where nothing listens yet."""
        try:
            namespaces.in_network_of(host_pid, send)
        except ConnectionRefusedError:
            return False
        return True

    eventually(sent, "an answer on port 25")
    found: list[Path] = []

    def there() -> bool:
        found[:] = (maildir / "new").iterdir()
        return bool(found)

    eventually(there, f"a mail in {maildir}")
    return found[0].read_bytes()
