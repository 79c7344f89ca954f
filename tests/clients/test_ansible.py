"""community.general.svc, as `ansible` runs it.

The module looks at svstat's stdout alone: whatever svstat says on stderr becomes the state, and no exit code
counts, neither svc's nor svstat's. Its `once` is not driven: it calls a method `on` that it does not have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.clients import MODULES, ClientHost, needs
from support.hosting import name_of
from support.processes import eventually

pytestmark = [
    pytest.mark.slow,
    needs("usr/bin/ansible"),
    needs(MODULES / "ansible_collections/community/general/plugins/modules/svc.py"),
]


def ask(host: ClientHost, name: str, words: str) -> dict[str, Any]:
    """What the module answers: `changed`, and `svc`, the service as it sees it when it ends."""
    said = host.say(
        *("ansible", "-i", "localhost,", "-c", "local", "-m", "community.general.svc"),
        *("-a", f"name={name} {words}", "localhost"),
        ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3",
    )
    heading, _, answer = said.partition("=>")
    assert heading.split() in (["localhost", "|", "CHANGED"], ["localhost", "|", "SUCCESS"]), said
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


def test_a_service_is_enabled_controlled_and_disabled(host: ClientHost) -> None:
    host.make("web", log="exec cat >/dev/null")

    # It links the service and calls `svc -u` before svscan can be expected to have seen it.
    answer = ask(host, "web", "enabled=true state=started")
    assert answer["changed"]
    host.wait_up("web", "web/log")

    answer = ask(host, "web", "state=started")
    assert not answer["changed"]
    first = host.state("web").pid
    assert (answer["svc"]["state"], answer["svc"]["enabled"]) == ("started", True)
    assert answer["svc"]["pid"] == str(first)
    assert answer["svc"]["full_state"].startswith(f"/service/web: up (pid {first}) ")

    # What svc has done is what svstat says when the module looks: it is down, or `up …, want down`, which the
    # module reads as `starting`.
    answer = ask(host, "web", "state=stopped")
    assert answer["changed"] and answer["svc"]["state"] in ("stopped", "starting")
    host.wait_down("web")
    assert not ask(host, "web", "state=stopped")["changed"]

    answer = ask(host, "web", "state=started")
    assert answer["changed"] and answer["svc"]["state"] in ("started", "stopping")
    host.wait_up("web")
    assert host.state("web").pid != first

    for wanted in ("restarted", "killed"):
        before = host.pids("web")
        assert ask(host, "web", f"state={wanted}")["changed"]
        host.wait_restarted(before)

    answer = ask(host, "web", "downed=true")
    assert answer["changed"] and host.path("/etc/service/web/down").exists()
    answer = ask(host, "web", "enabled=true")
    assert answer["svc"]["full_state"].endswith(" seconds, normally down\n")
    assert answer["svc"]["state"] == "started"

    answer = ask(host, "web", "enabled=false")
    assert answer["changed"]
    assert answer["svc"]["full_state"] == "/service/web: unable to chdir: file does not exist\n"
    # It has called `svc -dx` on the folder that was linked, and on its log.
    for folder in ("web", "web/log"):
        gone = f"/etc/service/{folder}: supervise not running\n"
        eventually(lambda path=folder, line=gone: host.say("svstat", f"/etc/service/{path}") == line, gone)
    assert not host.path("/service/web").is_symlink()


def test_reloaded_sends_usr1(host: ClientHost) -> None:
    """Which C's svc has no letter for, and daemontools-encore has."""
    host.make("heeds", "trap 'touch reloaded' USR1; touch ready; while :; do sleep 1 & wait; done")
    host.link_from("/etc/service", "heeds")
    eventually(host.path("/etc/service/heeds/ready").exists, "its trap")
    before = host.state("heeds").pid
    assert ask(host, "heeds", "state=reloaded")["svc"]["state"] == "started"
    eventually(host.path("/etc/service/heeds/reloaded").exists, "its USR1")
    assert host.state("heeds").pid == before


def test_a_service_that_is_not_there_is_in_no_state(host: ClientHost) -> None:
    """svstat says so on stdout; on stderr it would be taken for a state."""
    seen = ask(host, "nosuch", "state=stopped")["svc"]
    assert (seen["state"], seen["enabled"]) == ("unknown", False)
    assert seen["full_state"] == "/service/nosuch: unable to chdir: file does not exist\n"
    assert name_of(host.svscan_pid) == "svscan"
