"""svpy [COMMAND]: list the commands, or do one of those that are about svpy itself (commands/own)."""

from svpy.commands.own import PROGRAM
from svpy.core.catalogue import OWN, usage
from svpy.core.errors import USAGE, Die
from svpy.core.readywire import COMMAND as WATCHER
from svpy.core.templatewire import COMMAND as TEMPLATE
from svpy.system.dispositions import restore_defaults
from svpy.system.entry import entry
from svpy.system.tell import write_all


def run(words: list[bytes]) -> int:
    if not words:
        return _list()
    if words[0] == TEMPLATE and len(words) > 2:
        return _template(words[1:])
    if words[0] == WATCHER and len(words) > 2:
        return _watcher(words[1:])
    if words[0] not in OWN:
        raise Die(USAGE, usage(PROGRAM))
    return _do(words[0].decode(), words[1:])


def _do(name: str, words: list[bytes]) -> int:
    from importlib import import_module

    module = import_module("svpy.commands.own." + name)
    code: int = module.run(words)
    return code


def _template(words: list[bytes]) -> int:
    """Not for people: svscan asks for it, to fork loggers from."""
    from svpy import __version__
    from svpy.native.template import run

    return run(words, __version__.encode())


def _watcher(words: list[bytes]) -> int:
    """Not for people: svscan asks for it, to look whether services are ready."""
    from svpy import __version__
    from svpy.native.watcher import run

    return run(words, __version__.encode())


def _list() -> int:
    from svpy import __version__
    from svpy.core.catalogue import COMMANDS

    restore_defaults()
    lines = [b"svpy " + __version__.encode() + b": supervises services as daemontools does", b""]
    lines += [b"  %-14s %s" % row for row in COMMANDS.items()]
    lines += [b"  svpy %-9s %s" % row for row in OWN.items()]
    write_all(1, b"\n".join(lines) + b"\n")
    return 0


def main() -> None:
    entry(PROGRAM, run)
