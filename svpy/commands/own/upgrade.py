"""svpy upgrade: have the program that is installed now take the place of those that run."""

import time

from svpy.commands.own import PROGRAM
from svpy.core.errors import FAILED, one_line
from svpy.core.orders import UPGRADE_SIGNAL
from svpy.system import hosts
from svpy.system.folders import identity_of
from svpy.system.hosts import Host
from svpy.system.signals import number
from svpy.system.tell import because, say

DECIDED_WITHIN_S = 30.0
"""How long a process that may be a host has to show whether it is one; meanwhile all others are replaced."""

UPGRADE_WITHIN_S = 150.0
"""How long a host has to answer: longer than it tries the new program (daemon/successor.py)."""


def run(folders: list[bytes]) -> int:
    """Have every host replaced by the installed program, or those of these folders; wait until it is done.

    Where nothing runs there is nothing to replace, which is no failure: a package's script calls this
    after every installation. A folder that is named is expected to be hosted."""
    upgrade = number(UPGRADE_SIGNAL)
    wanted = {name: identity_of(name) for name in folders}
    hosted = set()
    asked, failed = [], []
    # Each is asked as it is found: one that never shows what it is must not keep the others waiting.
    for host in hosts.hosts(upgrade, time.monotonic() + DECIDED_WITHIN_S):
        hosted.add(host.folder)
        if folders and (host.folder is None or host.folder not in wanted.values()):
            continue
        try:
            host.ask(upgrade)
            asked.append(host)
        except ProcessLookupError:
            pass  # It ended by itself.
        except OSError as error:
            failed.append(because(_named(host), error))
    failed += [name + b": svscan not running" for name in folders if wanted[name] not in hosted - {None}]
    until = time.monotonic() + UPGRADE_WITHIN_S
    for host in asked:
        why = host.wait(until)
        if why is not None:
            failed.append(_named(host) + b": " + one_line(why))
    for trouble in failed:
        say(PROGRAM + b": fatal: unable to upgrade " + trouble)
    return FAILED if failed else 0


def _named(host: Host) -> bytes:
    return host.name + b" (pid %d)" % host.pid
