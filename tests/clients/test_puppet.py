"""Puppet's daemontools provider: it links a service and calls `svc -u` at once, before svscan need have
seen it, and a command of it that fails is an error.

It wants /usr/bin/svc and /usr/bin/svstat, where Debian's daemontools has them and svpy does not install."""

from __future__ import annotations

import pytest
from support.clients import ClientHost, needs
from support.processes import eventually

pytestmark = [pytest.mark.slow, needs("usr/bin/puppet")]

DAEMONS = "/var/lib/service"


@pytest.fixture
def puppet(host: ClientHost) -> ClientHost:
    for command in ("svc", "svstat"):
        link = host.path(f"/usr/bin/{command}")
        if not link.is_symlink():
            link.symlink_to(host.bin_dir / command)
    host.path("/var/lib/puppet").mkdir(exist_ok=True)
    return host


def resource(host: ClientHost, name: str, *wanted: str) -> str:
    """What `puppet resource` says of a service, after it has made it as wanted. An error is a failure."""
    words = ("resource", "service", name, "provider=daemontools", f"path={DAEMONS}", *wanted)
    done = host.command("puppet", *words, "--color=false", env=host.variables())
    assert done.returncode == 0 and b"Error" not in done.stderr, done
    return done.stdout.decode()


def test_a_service_is_linked_controlled_and_unlinked(puppet: ClientHost) -> None:
    host = puppet
    host.make("cache", below=DAEMONS)

    said = resource(host, "cache", "ensure=running")
    assert "Enabling /service/cache" in said
    assert "ensure changed 'stopped' to 'running'" in said
    assert host.path("/service/cache").is_symlink()
    host.wait_up("cache")

    assert "changed" not in resource(host, "cache", "ensure=running", "enable=true")

    assert "ensure changed 'running' to 'stopped'" in resource(host, "cache", "ensure=stopped")
    host.wait_down("cache")

    assert "ensure changed 'stopped' to 'running'" in resource(host, "cache", "ensure=running")
    host.wait_up("cache")

    # Unlinked: it goes on, as under C's svscan, and is the same when it is linked again.
    pid = host.state("cache").pid
    assert "enable changed 'true' to 'false'" in resource(host, "cache", "enable=false")
    assert not host.path("/service/cache").is_symlink()
    assert "enable changed 'false' to 'true'" in resource(host, "cache", "enable=true")
    eventually(lambda: host.state("cache").pid == pid, "the same process under its link")


def test_a_manifest_restarts_what_subscribes(puppet: ClientHost) -> None:
    """A refreshed service gets `svc -t`."""
    host = puppet
    host.make("web", below=DAEMONS)
    host.link_from(DAEMONS, "web")
    host.path("/etc/puppet-test.pp").write_text(
        "exec { '/bin/true': }\n"
        f"~> service {{ 'web': provider => 'daemontools', path => '{DAEMONS}', ensure => running }}\n"
    )
    before = host.pids("web")
    said = host.say("puppet", "apply", "--color=false", "/etc/puppet-test.pp")
    assert "Service[web]: Triggered 'refresh'" in said
    host.wait_restarted(before)
