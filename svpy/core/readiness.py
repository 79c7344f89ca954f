"""When a service is ready: what the file `ready` in its folder asks for, and the note `supervise/ready`.

Rules of this module:

- the file has one line, beside blank ones and those that begin with `#`; it says one of `listen`, `file`,
  `exec`, `fd` and `notify`. Whatever else stands there is nonsense, and who asks for nonsense never becomes
  ready;
- without the file, a service is ready when its `run` runs, or when its `start` was all there was to run;
- the note belongs to one status by the first 16 bytes of it, the moment and the process, and counts only as
  long as the status begins so: no two files need to change in one moment, and one that was left behind says
  nothing;
- behind them stands `ready @LABEL` (since when), `waits NAME: why; NAME: why` (its first start is delayed),
  or `not WHY` (it runs), and a newline.
"""

from svpy.core.errors import one_line
from svpy.core.numbers import MOST_PORT, within
from svpy.core.status import SIZE_BYTES, STARTED, STARTING, STOPPING

READY = b"ready"
WAITS = b"waits"
NOT = b"not"
_NOTES = (READY, WAITS, NOT)

OWNER_BYTES = 16
"""So many bytes of the status a note begins with."""

NOTHING_SAID = b"nothing is known of it: svscan reads ready when it starts it"
"""Why one with a `ready` is not, of which no note speaks: that came later, or it is not svscan's."""

MOST_NOTE_BYTES = 4096
"""Longer notes are neither written nor read."""

MOST_FILE_BYTES = 4096
"""A `ready` that is longer is nonsense."""

LISTEN = b"listen"
FILE = b"file"
EXEC = b"exec"
FD = b"fd"
NOTIFY = b"notify"

TCP = b"tcp"
UDP = b"udp"
UNIX = b"unix"

LEAST_FD = 3
MOST_FD = 255
_ADDRESS = frozenset(b"0123456789abcdefABCDEF.:")


class Nonsense(ValueError):
    """A `ready` file that says nothing we know; `why` is a person's words for it."""

    def __init__(self, why: bytes) -> None:
        super().__init__(why)
        self.why = why


class Asked:
    """What a `ready` file asks for. `kind` is LISTEN, FILE, EXEC, FD or NOTIFY.

    LISTEN: `protocol` TCP, UDP (with `port`, and `address` as written, empty for any) or UNIX (with `path`,
    which begins with `@` if it is abstract). FILE: `path`. EXEC: `words`, the program first. FD: `number`."""

    __slots__ = ("address", "kind", "number", "path", "port", "protocol", "words")

    def __init__(
        self,
        kind: bytes,
        *,
        protocol: bytes = b"",
        address: bytes = b"",
        port: int = 0,
        path: bytes = b"",
        words: "tuple[bytes, ...]" = (),
        number: int = 0,
    ) -> None:
        self.kind = kind
        self.protocol = protocol
        self.address = address
        self.port = port
        self.path = path
        self.words = words
        self.number = number


def meant(text: bytes) -> "list[bytes]":
    """The lines of a file that say something, without the blanks around them."""
    lines = [line.strip() for line in text.split(b"\n")]
    return [line for line in lines if line and not line.startswith(b"#")]


def parse(text: bytes) -> Asked:
    """What a `ready` file says. Raises Nonsense."""
    if len(text) > MOST_FILE_BYTES:
        raise Nonsense(b"it is too long")
    if b"\0" in text:
        raise Nonsense(b"it is not text")
    lines = meant(text)
    if len(lines) != 1:
        raise Nonsense(b"it has more than one line" if lines else b"it is empty")
    kind, *words = lines[0].split()
    if kind not in _KINDS:
        raise Nonsense(b"it begins with neither listen, file, exec, fd nor notify")
    return _KINDS[kind](words, lines[0][len(kind) :].strip())


def _listen(words: "list[bytes]", rest: bytes) -> Asked:
    if rest.startswith(UNIX + b":"):
        path = rest[len(UNIX) + 1 :]
        if not path:
            raise Nonsense(b"listen unix: without a path")
        return Asked(LISTEN, protocol=UNIX, path=path)
    form = b"listen takes [tcp|udp] [ADDRESS] PORT, or unix:PATH"
    protocol = words.pop(0) if words[:1] in ([TCP], [UDP]) else TCP
    if not 1 <= len(words) <= 2:
        raise Nonsense(form)
    address = words[0] if len(words) == 2 else b""
    if not _ADDRESS.issuperset(address) or (address and not {b"."[0], b":"[0]} & set(address)):
        raise Nonsense(b"listen takes an address in digits")
    return Asked(LISTEN, protocol=protocol, address=address, port=_number(words[-1], 1, MOST_PORT, b"a port"))


def _file(words: "list[bytes]", rest: bytes) -> Asked:
    if not rest:
        raise Nonsense(b"file takes a path")
    return Asked(FILE, path=rest)


def _exec(words: "list[bytes]", rest: bytes) -> Asked:
    if not words:
        raise Nonsense(b"exec takes a program")
    return Asked(EXEC, words=tuple(words))


def _fd(words: "list[bytes]", rest: bytes) -> Asked:
    if len(words) != 1:
        raise Nonsense(b"fd takes one number")
    return Asked(FD, number=_number(words[0], LEAST_FD, MOST_FD, b"a descriptor"))


def _notify(words: "list[bytes]", rest: bytes) -> Asked:
    if words:
        raise Nonsense(b"notify stands alone")
    return Asked(NOTIFY)


_KINDS = {LISTEN: _listen, FILE: _file, EXEC: _exec, FD: _fd, NOTIFY: _notify}


def _number(word: bytes, least: int, most: int, what: bytes) -> int:
    number = within(word, least, most)
    if number is None:
        raise Nonsense(one_line(word) + b" is not " + what + b": %d to %d" % (least, most))
    return number


def encode_note(status: bytes, word: bytes, text: bytes) -> bytes:
    """The note of a status' bytes: `word` is READY (with a label as `text`), WAITS or NOT."""
    whole = status[:OWNER_BYTES] + word + b" " + text.replace(b"\n", b"?")
    return whole[: MOST_NOTE_BYTES - 1] + b"\n"


def decode_note(status: bytes, note: bytes) -> "tuple[bytes, bytes]":
    """Word and text of what `supervise/ready` has for a status' bytes; both empty if it is none of ours, is
    another status', or is half one."""
    said, newline, _ = note[OWNER_BYTES:].partition(b"\n")
    word, _, text = said.partition(b" ")
    if (
        not newline
        or word not in _NOTES
        or len(status) < SIZE_BYTES
        or note[:OWNER_BYTES] != status[:OWNER_BYTES]
    ):
        return b"", b""
    return word, text


def is_ready(status: bytes, word: bytes, note: bytes, asks: bool) -> bool:
    """Whether a service is, by the bytes of its status, the word that `state` has for these (core/status.py),
    the bytes of its note, and whether there is a `ready` in its folder."""
    if word == STARTED:
        return True
    if asks:
        return decode_note(status, note)[0] == READY
    is_up = len(status) >= SIZE_BYTES and status[12:16] != bytes(4)
    return is_up and word not in (STARTING, STOPPING)


def nothing_yet(asked: Asked) -> bytes:
    """Why one that has just been started is not ready."""
    if asked.kind == LISTEN:
        return b"nothing listens on " + place(asked)
    if asked.kind == FILE:
        return b"no file " + one_line(asked.path)
    if asked.kind == EXEC:
        return one_line(asked.words[0]) + b" has not ended yet"
    if asked.kind == FD:
        return b"no newline on descriptor %d yet" % asked.number
    return b"no READY=1 yet"


def place(asked: Asked) -> bytes:
    """Where it is to listen, in words."""
    if asked.protocol == UNIX:
        return b"unix:" + one_line(asked.path)
    return asked.protocol + b" " + (asked.address + b" " if asked.address else b"") + b"%d" % asked.port


def how_it_ended(asked: Asked, code: int) -> bytes:
    """Why it is not ready, by the exit code of its program, or minus the signal that killed it."""
    how = b"exit %d of " % code if code >= 0 else b"signal %d of " % -code
    return how + one_line(asked.words[0])


def says_ready(message: bytes) -> bool:
    """Whether a datagram says READY=1 (sd_notify(3))."""
    return b"READY=1" in message.split(b"\n")


def may_say(sender_uid: int, services_uid: int, is_of_tree: bool) -> bool:
    """Whether a sender's word counts for a service: one of its own processes, its user, or root."""
    return is_of_tree or sender_uid in (0, services_uid)


FIRST_LOOK_S = 0.005
LAST_LOOK_S = 1.0
_SLOWER = 1.5
_SHARE = 4
"""Looking takes a fifth of the time at most."""


def rest_s(last_s: float, took_s: float) -> float:
    """How long to wait before the next look: `last_s` is how long it was before this one, 0 before the first,
    `took_s` what the look took."""
    rest_s = min(last_s * _SLOWER, LAST_LOOK_S) if last_s else FIRST_LOOK_S
    return max(rest_s, _SHARE * took_s)
