"""What svstat -l tells people of services: one line for each, and beneath it what else there is to say.

Rules of this module:

- a line begins with the name and has one word in each column, so that it can be searched and sorted; what
  belongs to it stands below, indented, and only if there is something: why it waits or is not ready, how it
  ended last, on what it listens, where it logs;
- it fits 80 columns unless a name is longer than its column: a name is never cut, it can be copied;
- names and whatever else was chosen by others cannot speak to a terminal (core/errors.one_line);
- what is not known is `?`, what there is none of `-`. What a logger uses whose process hosts others as well
  is not told from theirs: `shared`.
"""

from svpy.core import amounts, states
from svpy.core.errors import one_line
from svpy.core.status import UP
from svpy.core.tai import unix_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from svpy.core.exits import Exits
    from svpy.core.seen import Seen

_HEAD = (b"STATE", b"PID", b"FOR", b"RESTARTS", b"MEM", b"CPU", b"HOW")
_WIDTHS = (9, 7, 6, 8, 6, 6, 8)
_RIGHT = (False, True, True, True, True, True, False)
_REST = sum(_WIDTHS) + len(_WIDTHS)
_LEAST_NAME = 12
_ENDLESS = 10**9
_INDENT = b"    "
_COLOURS = {states.GOOD: b"32", states.PASSING: b"33", states.BAD: b"31", states.QUIET: b"2"}


class LogFolder:
    """A log folder: how large its `current` is and how long ago it was written to, None if that is not known
    or there is none. `trouble`: why it is not known, empty if there is none."""

    __slots__ = ("age_s", "current_bytes", "path", "trouble")

    def __init__(
        self, path: bytes, current_bytes: "int | None", age_s: "float | None", trouble: bytes = b""
    ) -> None:
        self.path = path
        self.current_bytes = current_bytes
        self.age_s = age_s
        self.trouble = trouble


class Socket:
    """A socket that listens: system/listening.py. `port` is 0 of a unix one."""

    __slots__ = ("address", "port", "protocol", "text")

    def __init__(self, protocol: bytes, address: bytes, port: int, text: bytes) -> None:
        self.protocol = protocol
        self.address = address
        self.port = port
        self.text = text


class Details:
    """What is known of a service or its logger beside what its folder says. Of its process and those below
    it: their number, memory and processor time, and the sockets they listen on; None if it has none or that
    is not known. `shared`: the process hosts other services' loggers as well. `logs`: a logger's."""

    __slots__ = ("cpu_s", "logs", "memory_bytes", "processes", "seen", "shared", "sockets")

    def __init__(self, seen: "Seen") -> None:
        self.seen = seen
        self.shared = False
        self.processes: int | None = None
        self.memory_bytes: int | None = None
        self.cpu_s: float | None = None
        self.sockets: list[Socket] | None = None
        self.logs: list[LogFolder] = []


def reason(code: "int | None", names: "Mapping[int, str]") -> bytes:
    """How a process ended: `exit 111`, `killed by SEGV`, `unknown`. `names` are those of signals."""
    if code is None:
        return b"unknown"
    return b"exit %d" % code if code >= 0 else b"killed by " + signal_name(-code, names)


def signal_name(number: int, names: "Mapping[int, str]") -> bytes:
    return names.get(number, f"signal {number}").encode()


def table(
    shown: "list[Details]",
    now_unix_s: int,
    names: "Mapping[int, str]",
    width: "int | None" = None,
    in_colour: bool = False,
) -> bytes:
    """All of them, for a terminal of so many columns; None: lines may be as long as they need."""
    longest = max([len(_text(one.seen.name)) for one in shown], default=0)
    name_width = max(_LEAST_NAME, longest if width is None else min(longest, width - _REST))
    lines = [_row(b"NAME", _HEAD, name_width).rstrip()]
    for one in shown:
        lines += _lines(one, now_unix_s, names, name_width, width or _ENDLESS, in_colour)
    if len(shown) > 1:
        lines.append(_summary(shown))
    return b"".join([line + b"\n" for line in lines])


def _text(name: bytes) -> str:
    return one_line(name).decode("utf-8", "replace")


def _row(name: bytes, words: "Iterable[bytes]", name_width: int, colour: bytes = b"") -> bytes:
    cells = [name + b" " * (name_width - len(_text(name)))]
    for word, width, right in zip(words, _WIDTHS, _RIGHT, strict=True):
        cells.append(word.rjust(width) if right else word.ljust(width))
    if colour:
        cells[1] = b"\033[" + colour + b"m" + cells[1] + b"\033[m"
    return b" ".join(cells)


def _lines(
    one: Details,
    now_unix_s: int,
    names: "Mapping[int, str]",
    name_width: int,
    width: int,
    in_colour: bool,
) -> "list[bytes]":
    state = states.state_of(one.seen)
    words = (state.word.encode(), *_columns(one, now_unix_s))
    lines = [_row(one_line(one.seen.name), words, name_width, _COLOURS[state.matters] if in_colour else b"")]
    for said in _remarks(one, now_unix_s, names):
        lines += _wrapped(said, width)
    return [line.rstrip() for line in lines]


def _columns(one: Details, now_unix_s: int) -> "tuple[bytes, ...]":
    seen = one.seen
    if seen.status is None:
        return (b"?",) * (len(_HEAD) - 1)
    restarts = b"?" if seen.restarts is None else b"%d" % seen.restarts
    since = amounts.duration(seen.uptime_s(now_unix_s))
    if not seen.pid:
        return b"-", since, restarts, b"-", b"-", b"-"
    memory, cpu = _known(one.memory_bytes, amounts.size), _known(one.cpu_s, amounts.duration)
    used = (b"shared", b"shared") if one.shared else (memory, cpu)
    how = {True: b"native", False: b"executed", None: b"?"}[seen.native]
    return b"%d" % seen.pid, since, restarts, *used, how


def _known(amount: "float | None", shown: "Callable[[int], bytes]") -> bytes:
    return b"?" if amount is None else shown(int(amount))


def _remarks(one: Details, now_unix_s: int, names: "Mapping[int, str]") -> "Iterable[bytes]":
    seen = one.seen
    if seen.trouble:
        yield seen.trouble
    if odd := b", ".join(_odd(seen)):
        yield odd
    if seen.note:
        yield (b"waits for " if not seen.is_up else b"not ready: ") + one_line(seen.note)
    if seen.exits is not None and seen.exits.exits:
        yield b"last exit: " + reason(seen.exits.code, names) + b", " + _ago(seen.exits, now_unix_s)
    if one.sockets:
        texts = [one_line(socket.text) for socket in one.sockets]
        yield b"listens: " + b", ".join(dict.fromkeys(texts))
    for log in one.logs:
        yield b"log: " + one_line(log.path) + b", " + _current(log)


def _odd(seen: "Seen") -> "Iterable[bytes]":
    """What svstat says behind the seconds, so far as the state does not."""
    status = seen.status
    if status is None:
        return
    if seen.is_up and not seen.normally_up:
        yield b"normally down"
    if not seen.is_up and seen.normally_up and status.want != UP:
        yield b"normally up"


def _ago(exits: "Exits", now_unix_s: int) -> bytes:
    return amounts.duration(now_unix_s - unix_s(exits.at)) + b" ago"


def _current(log: LogFolder) -> bytes:
    if log.trouble:
        return b"current: " + log.trouble
    if log.current_bytes is None or log.age_s is None:
        return b"no current"
    return b"current " + amounts.size(log.current_bytes) + b", " + amounts.duration(log.age_s) + b" ago"


def _wrapped(text: bytes, width: int) -> "list[bytes]":
    """Lines of that width, broken behind commas: what has none is as long as it is."""
    lines: list[bytes] = []
    for piece in text.split(b", "):
        if lines and len(_text(lines[-1] + piece)) + 2 < width:
            lines[-1] += b", " + piece
        elif lines:
            lines[-1] += b","
            lines.append(_INDENT * 2 + piece)
        else:
            lines.append(_INDENT + piece)
    return lines


def _count(number: int, what: bytes) -> bytes:
    return b"%d %s%s" % (number, what, b"" if number == 1 else b"s")


def _summary(shown: "list[Details]") -> bytes:
    services = sum([not one.seen.is_logger for one in shown])
    bad = sum([not one.seen.is_wanted for one in shown])
    hosts = {one.seen.pid: one for one in shown if one.shared}
    words = _count(services, b"service") + b", " + _count(len(shown) - services, b"logger") + b": "
    words += b"%d not as wanted" % bad if bad else b"all as wanted"
    if hosts:
        words += b"; shared processes of loggers: %d, " % len(hosts)
        words += amounts.size(sum([one.memory_bytes or 0 for one in hosts.values()]))
    return words
