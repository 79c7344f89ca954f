"""readproctitle: keep the last bytes of stdin in the last argument, where ps shows them.

It is given a long row of dots to write into; the arguments before it are left as they are."""

from svpy.core.errors import USAGE, Die
from svpy.core.titlering import LEAST_BYTES, TitleRing
from svpy.system.entry import entry
from svpy.system.stream import consume
from svpy.system.title import become


def run(words: list[bytes]) -> int:
    if not words or len(words[-1]) < LEAST_BYTES:
        raise Die(USAGE)
    *fixed, place = words
    ring = TitleRing(len(place))

    def show(chunk: bytes) -> None:
        ring.add(chunk)
        become(b"readproctitle", [*fixed, ring.text])

    show(b"")
    return consume(show)


def main() -> None:
    entry(b"readproctitle", run)
