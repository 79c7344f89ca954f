"""multilog SCRIPT...: select, label and keep the lines of stdin in log folders that are rotated.

`run` may be called in a process that an exec plan has taken away privileges and environment from:
everything is imported by then."""

from svpy.system.entry import entry
from svpy.system.multilog import run as run


def main() -> None:
    entry(b"multilog", run)
