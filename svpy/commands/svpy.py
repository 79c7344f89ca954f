"""svpy [COMMAND]: list the commands, or do one of those that are about svpy itself."""

from svpy.core.catalogue import usage
from svpy.core.errors import FAILED, USAGE, Die
from svpy.core.templatewire import COMMAND as TEMPLATE
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.tell import because, say, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.system.hosts import Host

PROGRAM = b"svpy"
DECIDED_WITHIN_S = 30.0
"""How long a process that may be a host has to show whether it is one; meanwhile all others are replaced."""

UPGRADE_WITHIN_S = 150.0
"""How long a host has to answer: longer than it tries the new program (daemon/successor.py)."""


def run(words: list[bytes]) -> int:
    if not words:
        return _list()
    if words[0] == TEMPLATE and len(words) > 2:
        return _template(words[1:])
    command = COMMANDS.get(words[0])
    if command is None:
        raise Die(USAGE, usage(PROGRAM))
    return command(words[1:])


def _template(words: list[bytes]) -> int:
    """Not for people: svscan asks for it, to fork loggers from."""
    from svpy import __version__
    from svpy.native.template import run

    return run(words, __version__.encode())


def _list() -> int:
    from svpy import __version__
    from svpy.core.catalogue import COMMANDS as INSTALLED
    from svpy.core.catalogue import OWN

    restore_defaults()
    lines = [b"svpy " + __version__.encode() + b": supervises services as daemontools does", b""]
    lines += [b"  %-14s %s" % row for row in INSTALLED.items()]
    lines += [b"  svpy %-9s %s" % row for row in OWN.items()]
    write_all(1, b"\n".join(lines) + b"\n")
    return 0


def _upgrade(folders: list[bytes]) -> int:
    """Have every host replaced by the installed program, or those of these folders; wait until it is done.

    Where nothing runs there is nothing to replace, which is no failure: a package's script calls this
    after every installation. A folder that is named is expected to be hosted."""
    import time

    from svpy.core.errors import one_line
    from svpy.core.orders import UPGRADE_SIGNAL
    from svpy.system import hosts
    from svpy.system.signals import number

    upgrade = number(UPGRADE_SIGNAL)
    wanted = {name: hosts.folder(name) for name in folders}
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


def _shutdown(words: list[bytes]) -> int:
    """Ask the machine's PID 1 for its end. What another init makes of these signals is not ours to try."""
    from svpy.core.machine import LETTERS, signal_for
    from svpy.system.machine import init_name
    from svpy.system.signals import send

    if len(words) != 1 or words[0][:1] != b"-" or words[0][1:] not in LETTERS:
        raise Die(USAGE, usage(PROGRAM))
    trouble = PROGRAM + b": fatal: unable to shut down"
    if init_name() != b"svpy-init":
        raise Die(FAILED, trouble + b": PID 1 is not svpy-init")
    try:
        send(1, signal_for(LETTERS[words[0][1:]]))
    except OSError as error:
        raise Die(FAILED, because(trouble, error)) from None
    return 0


def _named(host: "Host") -> bytes:
    return host.name + b" (pid %d)" % host.pid


COMMANDS: "dict[bytes, Callable[[list[bytes]], int]]" = {b"upgrade": _upgrade, b"shutdown": _shutdown}
"""What its first word may be. Each row has its form in SYNOPSES of svpy/core/catalogue.py."""


def main() -> None:
    entry(PROGRAM, run)
