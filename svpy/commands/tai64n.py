"""tai64n: copy stdin to stdout with a TAI64N label before each line."""

import time

from svpy.core.stamping import Stamper
from svpy.system.entry import entry
from svpy.system.stream import rewrite
from svpy.system.title import take


def run(words: list[bytes]) -> int:
    take(b"tai64n", words)
    stamper = Stamper()
    return rewrite(lambda chunk: stamper.stamp(chunk, time.time_ns()))


def main() -> None:
    entry(b"tai64n", run)
