"""svpy-exporter [--listen WHERE] [DIR]: serve metrics of the services in DIR, /service if there is none, for
Prometheus and what reads its formats."""

from svpy.core.errors import FAILED, USAGE, Die
from svpy.system.entry import entry
from svpy.system.seeing import SERVICES
from svpy.system.tell import because

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.listenwords import Where

PROGRAM = b"svpy-exporter"
WHERE = b"127.0.0.1:10511"
"""The port is behind the last of those that Prometheus' list of default ports gives away one by one."""

MISSING = (
    b"unable to import prometheus_client: it is in Debian's python3-prometheus-client, and in svpy[metrics]"
)


def run(words: list[bytes]) -> int:
    where, folder = _parse(words)
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise Die(FAILED, PROGRAM + b": fatal: " + MISSING) from None
    from svpy.daemon.exporter import Exporter

    try:
        exporter = Exporter(where, folder)
    except OSError as error:
        message = b": fatal: unable to listen on " + where.word
        raise Die(FAILED, because(PROGRAM + message, error)) from None
    exporter.run()
    return 0


def _parse(words: list[bytes]) -> "tuple[Where, bytes]":
    """Where to listen, and the folder. Raises Die."""
    from svpy.core.listenwords import parse

    rest = list(words)
    said = WHERE
    while rest and rest[0].startswith(b"--"):
        option = rest.pop(0)
        if option == b"--":
            break
        if option != b"--listen" or not rest:
            raise _usage()
        said = rest.pop(0)
    where = parse(said)
    if where is None or len(rest) > 1:
        raise _usage()
    return where, rest[0] if rest else SERVICES


def _usage() -> Die:
    from svpy.core.catalogue import usage

    return Die(USAGE, usage(PROGRAM))


def main() -> None:
    entry(PROGRAM, run)
