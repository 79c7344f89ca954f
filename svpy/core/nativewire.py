"""What svscan and its logger processes tell each other.

Rules of this module:

- a logger is known by the inode number of its log pipe;
- through the socket svscan sends messages: one tuple each, whose first word says what it is. `add` comes
  with two descriptors: the log pipe's reading end and the folder that the logger is started in. If it comes
  without, there was no room for them: that logger is reported as ended;
- what must outlive svscan, and be understood by its next version, are records of 16 bytes, each written
  at once: orders say which signal a logger gets, reports say with which wait status one has ended. 8 bytes of
  the logger, 4 of the number, 4 zeros, little-endian. Before its end is reported a logger has closed its log
  pipe: who finds that open has not missed a report;
- many may give orders. One reads reports, whoever holds the lock (flock(2)) on that pipe; others look whether
  the process still has the log pipe open;
- whoever reads records knows who wrote them, but not whether the writer is in its right mind: numbers that
  cannot be are passed over by who takes them, and half a record never comes.
"""

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Message: TypeAlias = "tuple[str, int, list[bytes], list[bytes]] | tuple[str, int, int]"

ADD = "add"
SIGNAL = "signal"
RECORD_BYTES = 16
_MARSHAL_VERSION = 2
"""The last one that every Python 3 writes the same way."""
_ID_BYTES = 8
_NUMBER_END = 12


def add(logger: int, words: list[bytes], environ: list[bytes]) -> bytes:
    """A message: here is one more logger. `words` is its script, `environ` what its processors get."""
    return marshal.dumps((ADD, logger, words, environ), _MARSHAL_VERSION)


def signal(logger: int, number: int) -> bytes:
    """A message: this logger gets that signal."""
    return marshal.dumps((SIGNAL, logger, number), _MARSHAL_VERSION)


def decode(message: bytes) -> "Message":
    """What `add` or `signal` were given, behind ADD or SIGNAL."""
    decoded: Message = marshal.loads(message)
    return decoded


def record(logger: int, number: int) -> bytes:
    """An order (`number`: a signal) or a report (`number`: a wait status)."""
    return logger.to_bytes(_ID_BYTES, "little") + number.to_bytes(RECORD_BYTES - _ID_BYTES, "little")


def records(data: bytes) -> list[tuple[int, int]]:
    """The records that were read at once, as (logger, number)."""
    return [
        (
            int.from_bytes(data[at : at + _ID_BYTES], "little"),
            int.from_bytes(data[at + _ID_BYTES : at + _NUMBER_END], "little"),
        )
        for at in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES)
    ]
