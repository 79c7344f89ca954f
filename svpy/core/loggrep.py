"""Lines that hold what is looked for.

Rules of this module:

- what is looked at is a line without its label and the blank behind that, and without its newline;
- a pattern is one of Python's `re`, for bytes; `^` and `$` are the ends of the line. It may take its time
  where it repeats what repeats, as any that goes back;
- whole blocks are searched. Only a pattern that can neither reach beyond a line nor ask what is around it
  finds the same in a block as in a line: with any other, line after line is looked at.
"""

import re

from svpy.core.logorder import label_at
from svpy.core.tai import LABEL_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STAYS_WITHIN_LINES = re.compile(
    rb"""(?:\(\?i\))?
    (?:[\w\ .,:;/@=%\#&'"<>~!\x80-\xff-]
    |\\[bdw.*+?()\[\]{}|/$^\\-]
    |\[[\ -Z_-~]+\]
    |\(\?:|\((?!\?)|[)|$]
    |[*+?](?!\+)
    |\{[0-9]*,?[0-9]*\}(?!\+)
    )+""",
    re.VERBOSE,
)


class BadPattern(Exception):
    """Why a pattern cannot be used: `reason`."""

    def __init__(self, reason: bytes) -> None:
        super().__init__(reason)
        self.reason = reason


def pattern(text: bytes) -> "Callable[[bytes], bytes]":
    """What makes of a block of whole lines those that the pattern is found in. Raises BadPattern."""
    try:
        search = re.compile(text, re.MULTILINE).search
    except (re.error, RecursionError, OverflowError) as error:
        raise BadPattern(str(error).encode("utf-8", "backslashreplace")) from None
    if not _STAYS_WITHIN_LINES.fullmatch(text):
        return lambda block: b"".join([line for line in _lines(block) if search(line[text_at(line, 0) : -1])])

    def find(block: bytes, begin: int, end: int) -> int:
        found = search(block, begin, end)
        return found.start() if found else -1

    return lambda block: _selected(block, find)


def fixed(text: bytes) -> "Callable[[bytes], bytes]":
    """The same of a string. Raises BadPattern."""
    if b"\n" in text:
        raise BadPattern(b"a line has no newline in it")
    return lambda block: _selected(block, lambda block, begin, end: block.find(text, begin, end))


def text_at(block: bytes, at: int) -> int:
    """Where the text of the line that begins there begins, behind a label and a blank."""
    if not label_at(block, at):
        return at
    at += LABEL_BYTES
    return at + 1 if block[at : at + 1] == b" " else at


def _selected(block: bytes, find: "Callable[[bytes, int, int], int]") -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < len(block):
        found = find(block, at, len(block))
        if found < 0 or found == len(block):
            break
        begin = block.rfind(b"\n", at, found) + 1 or at
        end = block.find(b"\n", found) + 1 or len(block)
        text = text_at(block, begin)
        # Of what was found in a label: is it there behind the label, too?
        if found >= text or find(block, text, end - 1) >= 0:
            parts.append(block[begin:end])
        at = end
    return b"".join(parts)


def _lines(block: bytes) -> list[bytes]:
    return [line + b"\n" for line in block.split(b"\n")[:-1]]
