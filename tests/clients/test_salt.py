"""Salt's daemontools module, as `salt-call --local` runs it: svc's exit code decides, and svstat's stdout."""

from __future__ import annotations

import json

import pytest
from support.clients import MODULES, ClientHost, needs

pytestmark = [pytest.mark.slow, needs(MODULES / "salt/modules/daemontools.py")]

CALL = "import sys; from salt.scripts import salt_call; sys.argv[0] = 'salt-call'; salt_call()"
MINION = """\
id: here
root_dir: /var/salt
file_client: local
enable_fqdns_grains: false
"""


@pytest.fixture
def minion(host: ClientHost) -> ClientHost:
    folder = host.path("/var/salt")
    folder.mkdir(exist_ok=True)
    (folder / "minion").write_text(MINION)
    return host


def call(host: ClientHost, *words: str) -> object:
    """What a function of the module returns."""
    said = host.say(
        *("/usr/bin/python3", "-W", "ignore", "-c", CALL),
        *("--local", "-c", "/var/salt", "-l", "error", "--out=json", *words),
    )
    returned: dict[str, object] = json.loads(said)
    return returned["local"]


def test_a_service_is_listed_and_controlled(minion: ClientHost) -> None:
    host = minion
    host.make("mail")
    host.link_from("/etc/service", "mail")
    assert call(host, "daemontools.get_all") == ["mail"]
    assert call(host, "daemontools.available", "mail") is True
    assert call(host, "daemontools.status", "mail") == str(host.state("mail").pid)

    assert call(host, "daemontools.stop", "mail") is True
    host.wait_down("mail")
    assert call(host, "daemontools.status", "mail") == ""
    assert host.path("/etc/service/mail/down").exists()
    assert call(host, "daemontools.enabled", "mail") is False

    assert call(host, "daemontools.start", "mail") is True
    host.wait_up("mail")
    assert call(host, "daemontools.enabled", "mail") is True

    before = host.pids("mail")
    assert call(host, "daemontools.term", "mail") is True
    host.wait_restarted(before)
    before = host.pids("mail")
    # `svc -d` and at once `svc -u`: what it is to be is what it was told last.
    assert call(host, "daemontools.restart", "mail") == "restart True"
    host.wait_restarted(before)


def test_svc_exits_0_for_a_service_svscan_has_not_seen(minion: ClientHost) -> None:
    """Or salt would report a failure where C's svc leads to none."""
    minion.path("/service/late").mkdir()
    assert call(minion, "daemontools.start", "late") is True
    assert call(minion, "daemontools.status", "late") == ""
    assert call(minion, "daemontools.status", "nosuch") == ""
