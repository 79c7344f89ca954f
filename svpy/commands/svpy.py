"""svpy: list the commands."""

from svpy import __version__
from svpy.core.catalogue import COMMANDS, usage
from svpy.core.errors import USAGE, Die
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.tell import write_all


def run(words: list[bytes]) -> int:
    if words:
        raise Die(USAGE, usage(b"svpy"))
    restore_defaults()
    lines = [b"svpy " + __version__.encode() + b": supervises services as daemontools does", b""]
    lines += [b"  %-14s %s" % row for row in COMMANDS.items()]
    write_all(1, b"\n".join(lines) + b"\n")
    return 0


def main() -> None:
    entry(b"svpy", run)
