"""The letters of `svc`, written into `supervise/control`: one table.

Rules of this module:

- the letters and what they do are daemontools' (supervise.c, svc.c); `q 1 2 w + = L l` are
  daemontools-encore's; a letter that does not stand here is ignored by supervise;
- `+ = L l` do nothing themselves: they say where the signals of the letters behind them go, and whose
  letters they are, until the message ends; the next message begins with `=` and `l` again;
- `x` is about the whole folder, whoever is addressed.
"""

from svpy.core.status import DOWN, ONCE, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Letter:
    """One row. What is None stays as it is.

    `signals` go to the service's pid, if it has one, in this order, named without SIG;
    `want` and `paused` are the state afterwards; `starts` means: start it if it is down;
    `leaves` means: stop supervising once it is down; a row that changes state is published.
    `group` and `logger` say where the letters behind this one go."""

    __slots__ = (
        "group",
        "help",
        "leaves",
        "letter",
        "logger",
        "paused",
        "publishes",
        "signals",
        "starts",
        "want",
    )

    def __init__(
        self,
        letter: bytes,
        help: str,
        *,
        signals: tuple[str, ...] = (),
        want: bytes | None = None,
        paused: bool | None = None,
        starts: bool = False,
        leaves: bool = False,
        group: bool | None = None,
        logger: bool | None = None,
    ) -> None:
        self.letter = letter
        self.help = help
        self.signals = signals
        self.want = want
        self.paused = paused
        self.starts = starts
        self.leaves = leaves
        self.group = group
        self.logger = logger
        self.publishes = want is not None or paused is not None or leaves


LETTERS: "Final" = (
    Letter(b"u", "up", want=UP, starts=True),
    Letter(b"d", "down", want=DOWN, signals=("TERM", "CONT"), paused=False),
    Letter(b"o", "once", want=ONCE, starts=True),
    Letter(b"x", "exit", leaves=True),
    Letter(b"p", "pause", signals=("STOP",), paused=True),
    Letter(b"c", "continue", signals=("CONT",), paused=False),
    Letter(b"h", "hup", signals=("HUP",)),
    Letter(b"a", "alarm", signals=("ALRM",)),
    Letter(b"i", "interrupt", signals=("INT",)),
    Letter(b"t", "term", signals=("TERM",)),
    Letter(b"k", "kill", signals=("KILL",)),
    Letter(b"q", "quit", signals=("QUIT",)),
    Letter(b"1", "usr1", signals=("USR1",)),
    Letter(b"2", "usr2", signals=("USR2",)),
    Letter(b"w", "winch", signals=("WINCH",)),
    Letter(b"+", "group", group=True),
    Letter(b"=", "process", group=False),
    Letter(b"L", "log", logger=True),
    Letter(b"l", "service", logger=False),
)

BY_BYTE: "Final" = {row.letter[0]: row for row in LETTERS}

END: "Final" = b"\n"
"""Ends a message: `+` and `L` hold no longer. svc writes it; where another svc did not, the reader
puts it where the fifo is empty, for a message is written at once."""


def message(chosen: list[bytes]) -> bytes:
    """What svc writes for the letters of its command line: each once, but again behind another `+ = L l`."""
    letters = b""
    said = b""
    for letter in chosen:
        row = BY_BYTE[letter[0]]
        if row.group is not None or row.logger is not None:
            said = b""
        if letter not in said:
            said += letter
            letters += letter
    return letters + END if letters else b""


class Addressing:
    """Whose letters they are, over any number of reads."""

    __slots__ = ("_to_logger",)

    def __init__(self) -> None:
        self._to_logger = False

    def split(self, letters: bytes) -> tuple[bytes, bytes]:
        """(the service's, the logger's), in order. What `+` and the end of a message mean, both need."""
        service, logger = bytearray(), bytearray()
        for byte in letters:
            row = BY_BYTE.get(byte)
            if row is not None and row.logger is not None:
                self._to_logger = row.logger
            elif byte == END[0] or (row is not None and row.group is not None):
                service.append(byte)
                logger.append(byte)
                self._to_logger = self._to_logger and byte != END[0]
            elif self._to_logger and not (row is not None and row.leaves):
                logger.append(byte)
            else:
                service.append(byte)
        return bytes(service), bytes(logger)


def summary() -> bytes:
    """`u up, d down, …` in the table's order, as svc's usage lists them."""
    return ", ".join(f"{row.letter.decode()} {row.help}" for row in LETTERS).encode()
