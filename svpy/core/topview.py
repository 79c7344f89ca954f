"""svtop's state and its keys: which key does what in which mode.

Rules of this module:

- `press` takes a key and returns what is to be done outside: a letter to send, or that it ends; all else is a
  change of this state, which is then drawn;
- a key that means nothing does nothing; a mode is left with Escape;
- a question belongs to the row it was asked of. If that row went away, or became another process, the answer
  is nobody's.
"""

from svpy.core.topactions import action, question, target
from svpy.core.toprows import ORDERS, Listing, Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.control import Letter
    from svpy.core.topactions import Handles

LIST, FILTER, QUESTION, HELP = "list", "filter", "question", "help"
"""Modes."""

BOTH, SERVICES, LOG = "both", "services", "log"
LOOKS = (BOTH, SERVICES, LOG)
"""What the screen is shared between."""

MOST_FILTER = 60

KEYS = (
    ("up down", "another service (also PgUp PgDn Home End)"),
    ("/", "filter: words of the name; :word is a state, as in :down"),
    ("s r", "sort by the next column; in reverse"),
    ("f", "fold the loggers, and back"),
    ("tab", "services and log, services only, log only"),
    ("n", "the next log folder, of a logger with several"),
    (".", "the next key is one of svc's letters, even q"),
    ("?", "this help"),
    ("q", "quit (also ^C)"),
)
"""svtop's own keys, for its help and its page."""


class Send:
    """Write `message` into the control fifo of `folder`; `what` is how a person calls that."""

    __slots__ = ("folder", "message", "what")

    def __init__(self, folder: bytes, message: bytes, what: str) -> None:
        self.folder = folder
        self.message = message
        self.what = what


class Quit:
    """The end."""


class _Pending:
    """A question that was asked."""

    __slots__ = ("key", "letter", "pid", "text")

    def __init__(self, row: Row, letter: "Letter", text: str) -> None:
        self.key = row.key
        self.pid = row.seen.pid
        self.letter = letter
        self.text = text


class View:
    """`handles(pid, signal)`: whether a process handles or ignores a signal."""

    __slots__ = (
        "_handles", "_is_letter", "_pending", "help_at", "listing", "log_at", "look", "message", "mode",
        "page", "text", "top",
    )  # fmt: skip

    def __init__(self, handles: "Handles") -> None:
        self._handles = handles
        self._is_letter = False
        self._pending: _Pending | None = None
        self.help_at = 0
        self.listing = Listing()
        self.log_at = 0
        self.look = BOTH
        self.message = ""
        self.mode = LIST
        self.page = 1
        self.text = ""
        self.top = 0

    def named(self, row: Row) -> str:
        """How a person calls a row."""
        if not row.seen.is_logger:
            return row.name
        group = self.listing.group_of(row)
        return row.name if group is None else f"{group.service.name}/log"

    @property
    def question(self) -> str:
        """What waits for an answer, if something does."""
        return "" if self._pending is None else self._pending.text

    @property
    def awaits_letter(self) -> bool:
        """Whether the next key is one of svc's letters, whatever it means here."""
        return self._is_letter

    def press(self, key: str, character: str, now_unix_s: int) -> "Send | Quit | None":
        """One key: its name, as textual has it, and its character if it has one."""
        if key == "ctrl+c":
            return Quit()
        if self.mode == QUESTION:
            return self._answer(character)
        self.message = ""
        if self.mode == FILTER:
            self._edit(key, character, now_unix_s)
            return None
        if self.mode == HELP:
            self._read_help(key, character)
            return None
        if self._is_letter:
            self._is_letter = False
            return self._act(character)
        return self._list(key, character, now_unix_s)

    def paste(self, text: str, now_unix_s: int) -> None:
        """Pasted text is for the filter; nobody pastes keys."""
        if self.mode == FILTER:
            for character in text.partition("\n")[0]:
                self._edit("", character, now_unix_s)

    def _list(self, key: str, character: str, now_unix_s: int) -> "Send | Quit | None":
        rows = self._rows_of(key)
        if rows:
            self.log_at = 0
            self.listing.move(rows)
        elif character in _OWN:
            return _OWN[character](self, now_unix_s)
        elif key in _OWN_NAMED:
            _OWN_NAMED[key](self, now_unix_s)
        elif character:
            return self._act(character)
        return None

    def _rows_of(self, key: str) -> int:
        everything = len(self.listing.shown)
        return {
            "up": -1, "down": 1, "pageup": -self.page, "pagedown": self.page,
            "home": -everything, "end": everything,
        }.get(key, 0)  # fmt: skip

    def _act(self, character: str) -> "Send | None":
        letter, row = action(character), self.listing.row
        if letter is None or row is None:
            return None
        text = question(row, _short(self.named(row)), letter, self._handles)
        if text:
            self._pending = _Pending(row, letter, text)
            self.mode = QUESTION
            return None
        return self._send(row, letter)

    def _answer(self, character: str) -> "Send | None":
        pending, self._pending = self._pending, None
        self.mode = LIST
        self.message = "nothing was sent"
        if pending is None or character not in ("y", "Y"):
            return None
        row = next((row for row in self.listing.shown if row.key == pending.key), None)
        if row is None or row.seen.pid != pending.pid:
            self.message = "nothing was sent: it is not what it was when you were asked"
            return None
        return self._send(row, pending.letter)

    def _send(self, row: Row, letter: "Letter") -> Send:
        self.message = ""
        folder, message = target(row, letter)
        return Send(folder, message, f"{letter.help} {self.named(row)}")

    def _edit(self, key: str, character: str, now_unix_s: int) -> None:
        if key in ("enter", "escape"):
            self.mode = LIST
        if key == "escape" or key == "ctrl+u":
            self.text = ""
        elif key in ("backspace", "ctrl+h"):
            self.text = self.text[:-1]
        elif len(character) == 1 and character.isprintable() and len(self.text) < MOST_FILTER:
            self.text += character
        self.listing.filter(self.text)
        self.listing.arrange(now_unix_s)

    def _read_help(self, key: str, character: str) -> None:
        rows = self._rows_of(key)
        if rows:
            self.help_at = max(0, self.help_at + max(-self.page, min(rows, self.page)))
        else:
            self.mode = LIST

    def _ask_help(self, now_unix_s: int) -> None:
        self.mode = HELP
        self.help_at = 0

    def _ask_filter(self, now_unix_s: int) -> None:
        self.mode = FILTER

    def _unfilter(self, now_unix_s: int) -> None:
        self.text = ""
        self.listing.filter("")
        self.listing.arrange(now_unix_s)

    def _sort(self, now_unix_s: int) -> None:
        names = list(ORDERS)
        self.listing.by = names[(names.index(self.listing.by) + 1) % len(names)]
        self.listing.arrange(now_unix_s)

    def _reverse(self, now_unix_s: int) -> None:
        self.listing.is_reversed = not self.listing.is_reversed
        self.listing.arrange(now_unix_s)

    def _fold(self, now_unix_s: int) -> None:
        row = self.listing.row
        self.listing.is_folded = not self.listing.is_folded
        if row is not None and row.seen.is_logger and (group := self.listing.group_of(row)) is not None:
            self.listing.selected = group.service.key
        self.listing.arrange(now_unix_s)

    def _next_look(self, now_unix_s: int) -> None:
        self.look = LOOKS[(LOOKS.index(self.look) + 1) % len(LOOKS)]

    def _next_log(self, now_unix_s: int) -> None:
        self.log_at += 1

    def _letter(self, now_unix_s: int) -> None:
        self._is_letter = True

    def _quit(self, now_unix_s: int) -> Quit:
        return Quit()


def _short(name: str) -> str:
    """That a question can be read to its end."""
    return name if len(name) <= _MOST_NAME else name[: _MOST_NAME - 3] + "..."


_MOST_NAME = 40
_OWN = {
    "/": View._ask_filter, "?": View._ask_help, "s": View._sort, "r": View._reverse, "f": View._fold,
    "n": View._next_log, ".": View._letter, "q": View._quit,
}  # fmt: skip
"""Keys by their character. None of them is one of svc's letters but `q`."""

_OWN_NAMED = {"escape": View._unfilter, "tab": View._next_look}
"""Keys by their name."""
