"""The letters of `svc`, written into `supervise/control`: one table.

The letters and what they do are daemontools' (supervise.c, svc.c); `q 1 2 w` are
daemontools-encore's. A letter that does not stand here is ignored by supervise.
"""

from svpy.core.status import DOWN, ONCE, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Letter:
    """One row. What is None stays as it is.

    `signals` go to the service's pid, if it has one, in this order, named without SIG;
    `want` and `paused` are the state afterwards; `starts` means: start it if it is down;
    `leaves` means: stop supervising once it is down; a row that changes state is published."""

    __slots__ = ("help", "leaves", "letter", "paused", "publishes", "signals", "starts", "want")

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
    ) -> None:
        self.letter = letter
        self.help = help
        self.signals = signals
        self.want = want
        self.paused = paused
        self.starts = starts
        self.leaves = leaves
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
)

BY_BYTE: "Final" = {row.letter[0]: row for row in LETTERS}


def summary() -> bytes:
    """`u up, d down, …` in the table's order, as svc's usage lists them."""
    return ", ".join(f"{row.letter.decode()} {row.help}" for row in LETTERS).encode()
