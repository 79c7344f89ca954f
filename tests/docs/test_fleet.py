"""docs/fleet: the playbook, as `ansible-playbook` runs it, on three hosts with nothing but Debian's base.

They are namespaces of this machine in which systemd is PID 1. Ansible reaches them through the connection for
chroots, with standin/enter as its chroot(8); apt has the packages from a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import booted, mailhost, minimal, mirror
from support.booted import Booted, CannotBoot
from support.clients import CLIENTS, MODULES, needs
from support.hosting import SUPERVISED, SYSTEM_PATH, TESTS
from support.package import TREE
from support.processes import run

import svpy

pytestmark = [
    pytest.mark.slow,
    needs("usr/bin/ansible-playbook"),
    needs(MODULES / "ansible_collections/community/general/plugins/connection/chroot.py"),
]
FLEET = TREE / "docs/fleet"
NAMES = ("mx1.example.org", "mx2.example.org", "mx3.example.org")
PLAY_S = 300
FOLDERS = tuple(f"/service/{name}" for name in SUPERVISED)


@pytest.fixture
def hosts(built: Callable[[str], Path]) -> Iterator[dict[str, Booted]]:
    why = minimal.missing() or booted.why_not(minimal.ROOT) or mirror.missing("ucspi-tcp", "python3-apt")
    if why:
        pytest.skip(why)
    with ExitStack() as stack:
        try:
            found = {name: stack.enter_context(Booted(minimal.ROOT)) for name in NAMES}
        except CannotBoot as error:
            pytest.skip(str(error))
        for host in found.values():
            mailhost.name_it(host)
            mirror.serve(host)
        yield found


class Play:
    """`ansible-playbook site.yml` in docs/fleet."""

    def __init__(self, hosts: dict[str, Booted], deb: Path, qmail: Path, folder: Path) -> None:
        self.home = folder
        inventory = {
            "mail": {
                "hosts": {
                    name: {"ansible_host": f"/proc/{host.init_pid}/root"} for name, host in hosts.items()
                },
                "vars": {
                    "ansible_connection": "community.general.chroot",
                    "ansible_chroot_exe": str(TESTS / "standin/enter"),
                },
            }
        }
        self.inventory = folder / "hosts.json"
        self.inventory.write_text(json.dumps(inventory))
        self.words = ("-e", f"svpy_deb={deb}", "-e", f"qmail_tar={qmail}")

    def run(self) -> dict[str, dict[str, int]]:
        """By host: how many tasks were `ok`, `changed` and so on. It must succeed."""
        environment = {
            "PATH": SYSTEM_PATH,
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(CLIENTS / MODULES),
            "ANSIBLE_NOCOLOR": "1",
        }
        program = next(
            path / "usr/bin/ansible-playbook"
            for path in (CLIENTS, Path("/"))
            if (path / "usr/bin/ansible-playbook").exists()
        )
        done = run(
            *("/usr/bin/python3", program, "-i", self.inventory, "site.yml", *self.words),
            cwd=FLEET, env=environment, timeout=PLAY_S,
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        self.said = said
        recap = said.partition("PLAY RECAP")[2].splitlines()[1:]
        counts = {}
        for line in recap:
            name, colon, words = line.partition(":")
            if colon and name.strip() in NAMES:
                counts[name.strip()] = {
                    key: int(value) for key, value in (word.split("=") for word in words.split())
                }
        return counts


def states(host: Booted) -> list[bytes]:
    """What svstat says, without the seconds."""
    return [line.partition(b") ")[0] for line in host.command("svstat", *FOLDERS).stdout.splitlines()]


def test_three_hosts_take_mail_and_a_second_run_changes_nothing(
    hosts: dict[str, Booted], built: Callable[[str], Path], tmp_path: Path
) -> None:
    play = Play(hosts, built(svpy.__version__), mailhost.qmail_tar(tmp_path / "qmail.tar"), tmp_path)
    first = play.run()
    assert set(first) == set(NAMES)
    for counts in first.values():
        assert counts["changed"] and not counts["failed"] and not counts["unreachable"], play.said
    for name, host in hosts.items():
        assert [line.partition(b" (")[0] for line in states(host)] == [
            f"{folder}: up".encode() for folder in FOLDERS
        ]
        assert host.systemctl("is-enabled", "svpy.service") == "enabled\n"
        maildir = mailhost.mailbox(host, "alice")
        mail = mailhost.deliver(host.init_pid, maildir, f"alice@{mailhost.NAME}", name)
        assert f"\nSubject: {name}\n".encode() in mail
    before = [states(host) for host in hosts.values()]
    second = play.run()
    assert [counts["changed"] for counts in second.values()] == [0, 0, 0], play.said
    assert [states(host) for host in hosts.values()] == before
