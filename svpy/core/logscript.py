"""multilog's script: words into what is to be done with lines.

Rules of this module (https://cr.yp.to/daemontools/multilog.html):

- an action is known by its first byte, and one that is unknown is ignored;
- `t` labels lines if it is the first action, anywhere else it is ignored; so does `T`, of
  daemontools-encore, with seconds and microseconds;
- `s` (4096 to 16777215, at first 99999), `n` (2 or more, at first 10) and `!` hold for the folders
  after them; a number is read as far as it has digits;
- `+` and `-` hold for every `e`, `=` and folder after them.
"""

from svpy.core.numbers import scan_ulong
from svpy.core.selection import Selection
from svpy.core.stamping import accustamp
from svpy.core.tai import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from svpy.core.selection import Rules

SIZE_LEAST_BYTES = 4096
SIZE_MOST_BYTES = 16777215
KEEP_LEAST = 2
LABELS: "dict[bytes, Callable[[int], bytes]]" = {b"t": label, b"T": accustamp}
"""First actions, and what each puts before a line."""


class Folder:
    """A log folder as the script asks for it.

    `current` is at most `size_bytes` long, there are fewer than `keep` other files, and a full file goes
    through `processor`, a command for sh."""

    __slots__ = ("keep", "path", "processor", "selection", "size_bytes")

    def __init__(
        self, path: bytes, selection: int, size_bytes: int, keep: int, processor: bytes | None
    ) -> None:
        self.path = path
        self.selection = selection
        self.size_bytes = size_bytes
        self.keep = keep
        self.processor = processor


class Script:
    """A script that was read. `selections` are the different ones it makes; `alerts`, `statuses` and
    `folders` (in their order) refer to them by index. `label` makes a Unix time in nanoseconds into what
    stands before a line if it is to be `stamped`. `looks_at_lines` says whether anything depends on what is a
    line and what is in it."""

    __slots__ = ("alerts", "folders", "label", "looks_at_lines", "selections", "stamped", "statuses")

    def __init__(self, words: list[bytes]) -> None:
        first = words[0][:1] if words else b""
        self.stamped = first in LABELS
        self.label = LABELS.get(first, label)
        self.alerts: list[int] = []
        self.statuses: list[tuple[bytes, int]] = []
        self.folders: list[Folder] = []
        found: dict[Rules, int] = {}
        rules: Rules = ()
        size_bytes, keep, processor = 99999, 10, None
        for word in words:
            letter, rest = word[:1], word[1:]
            if letter in (b"+", b"-"):
                rules = (*rules, (letter == b"+", rest))
            elif letter == b"s":
                size_bytes = min(max(_number(rest), SIZE_LEAST_BYTES), SIZE_MOST_BYTES)
            elif letter == b"n":
                keep = max(_number(rest), KEEP_LEAST)
            elif letter == b"!":
                processor = rest
            elif letter == b"e":
                self.alerts.append(found.setdefault(rules, len(found)))
            elif letter == b"=":
                self.statuses.append((rest, found.setdefault(rules, len(found))))
            elif letter in (b".", b"/"):
                selection = found.setdefault(rules, len(found))
                self.folders.append(Folder(word, selection, size_bytes, keep, processor))
        self.selections = [Selection(rules) for rules in found]
        self.looks_at_lines = bool(self.alerts or self.statuses or any(found))


def import_for(words: list[bytes]) -> None:
    """Import now what a script with these words needs when lines come: by then the privileges, the
    descriptors or the memory for it may be gone."""
    if any(word[:1] in (b"+", b"-", b"e") for word in words):
        import re  # noqa: F401


def _number(text: bytes) -> int:
    """The digits that `text` begins with, as a number; none are 0."""
    digits = text[: len(text) - len(text.lstrip(b"0123456789"))]
    return scan_ulong(digits) or 0
