"""How lines of a log are shown.

Rules of this module:

- labels are decoded as tai64nlocal does it (core/localtime.py), by the calendar that is asked for;
- of several logs, the name stands before each line;
- a terminal is not spoken to by data: what cannot be printed becomes `?`. A pipe gets the bytes.
"""

from svpy.core.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CONTROLS = bytes(range(9)) + bytes(range(11, 32)) + b"\x7f"
_WITHOUT_CONTROLS = bytes.maketrans(_CONTROLS, b"?" * len(_CONTROLS))


class Shown:
    """What is made of blocks of whole lines. `decode` rewrites labels; `names` are those of the logs, by
    their numbers, nothing if they are not shown."""

    __slots__ = ("_decode", "_is_terminal", "_prefixes")

    def __init__(
        self, decode: "Callable[[bytes], bytes] | None", names: list[bytes], is_terminal: bool
    ) -> None:
        self._decode = decode
        self._is_terminal = is_terminal
        self._prefixes = [name + b": " for name in names]

    def block(self, source: int, block: bytes) -> bytes:
        text = self._decode(block) if self._decode else block
        if self._is_terminal:
            text = safe(text)
        if not self._prefixes:
            return text
        prefix = self._prefixes[source]
        return prefix + text[:-1].replace(b"\n", b"\n" + prefix) + b"\n"


def safe(text: bytes) -> bytes:
    """Lines, with `?` for everything but tabs that cannot be printed."""
    text = text.translate(_WITHOUT_CONTROLS)
    if text.isascii():
        return text
    lines = [b"\t".join(map(one_line, line.split(b"\t"))) for line in text.split(b"\n")]
    return b"\n".join(lines)


def distinct(names: list[bytes], words: list[bytes]) -> list[bytes]:
    """The names, if no two are the same, else the words they were taken from."""
    return names if len(set(names)) == len(names) else words
