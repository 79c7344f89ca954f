"""tai64nlocal: copy stdin to stdout with the TAI64N labels at the beginning of lines in local time."""

from svpy.core.localtime import Localizer
from svpy.system.calendar import local_time
from svpy.system.entry import entry
from svpy.system.stream import rewrite
from svpy.system.title import take


def run(words: list[bytes]) -> int:
    take(b"tai64nlocal", words)
    return rewrite(Localizer(local_time).rewrite)


def main() -> None:
    entry(b"tai64nlocal", run)
