"""What svtop can do to a service: svc's letters, and what it asks before.

Rules of this module:

- the letters, their help and what they do are those of core/control.py; those that only say whose letters
  follow are no actions: which row is selected says that;
- it asks before what stops something, or may: a letter that wants the service down, one that makes supervise
  leave, and every signal that ends or stops the process. TERM too, although supervise starts the service
  again: connections and deliveries do not come back. HUP, ALRM, USR1 and USR2 end only a process that neither
  handles nor ignores them, so it is asked whether it does;
- it does not ask where there is nothing to stop: no process, and nobody about to start one;
- a question says what would happen, and only `y` is a yes.
"""

from svpy.core.control import BY_BYTE, LETTERS, message
from svpy.core.status import DOWN, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.core.control import Letter
    from svpy.core.toprows import Row

    Handles = Callable[[int, str], bool]

ENDING = frozenset(("TERM", "INT", "KILL", "QUIT"))
"""Signals that end a process, or are meant to."""

ENDING_UNLESS_HANDLED = frozenset(("HUP", "ALRM", "USR1", "USR2"))
"""Signals that many a service reads as an order; one that knows nothing of them dies of them (signal(7))."""

ACTIONS = tuple(row for row in LETTERS if row.group is None and row.logger is None)


def action(letter: str) -> "Letter | None":
    """The row of svc's table for a key, None if it is none or no action."""
    row = BY_BYTE.get(ord(letter)) if len(letter) == 1 and letter.isascii() else None
    return row if row in ACTIONS else None


def target(row: "Row", letter: "Letter") -> tuple[bytes, bytes]:
    """(the folder, what is written into its control fifo)."""
    if row.seen.is_file:
        # One fifo for both. `x` is about the folder, whoever is addressed.
        return row.seen.name.rpartition(b"/")[0], message([b"L", letter.letter])
    return row.seen.name, message([letter.letter])


def question(row: "Row", named: str, letter: "Letter", handles: "Handles") -> str:
    """What is to be asked before; empty if nothing is. `named` is how a person calls the row;
    `handles(pid, signal)` whether a process handles or ignores a signal."""
    seen = row.seen
    about = f"{letter.help} {named} (pid {seen.pid})" if seen.pid else f"{letter.help} {named}"
    if letter.leaves:
        return f"{about}: once it is down nobody starts it again?"
    if letter.want == DOWN:
        return f"{about}: it stops and stays down?" if seen.pid or not seen.is_wanted else ""
    if not seen.pid:
        return ""
    if letter.paused:
        return f"{about}: it stands still until c, continue?"
    again = "is started again" if seen.status is not None and seen.status.want == UP else "stays down"
    if not ENDING.isdisjoint(letter.signals):
        return f"{about}: it ends and {again}?"
    for signal in letter.signals:
        if signal in ENDING_UNLESS_HANDLED and not handles(seen.pid, signal):
            return f"{about}: it does not handle {signal}, so it ends and {again}?"
    return ""
