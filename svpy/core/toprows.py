"""What svtop shows of services: rows, their order, and which of them.

Rules of this module:

- a row is a service or its logger; a logger stands right below its service, whatever they are sorted by;
- a row is known by its folder: which is selected survives every change of order, filter and content, and
  where the selected one goes away the one that takes its place is it;
- text from a folder becomes characters a terminal may be spoken to with here, once, and nowhere else;
- a state (core/states.py) is a letter and a word; colour only says again what they say.
"""

from svpy.core.errors import one_line
from svpy.core.history import History
from svpy.core.states import BAD, GOOD, PASSING, QUIET, STATES, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from svpy.core.seen import Seen

MOST_SAMPLES = 60

STATE_WIDTH = 2 + max(len(state.word) for state, _ in STATES)
_RANKS = {state: rank for rank, (state, _) in enumerate(STATES)}
_MATTERS = (BAD, PASSING, GOOD, QUIET)


def printable(data: bytes) -> str:
    """Text that a terminal may be spoken to with; what is not UTF-8 or cannot be printed becomes `?`."""
    return one_line(data).decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")


class Row:
    """A service or a logger. `name` is printable. `share` of a processor and `rss_bytes` are None while they
    are not known, or shared: its process has others' work in it, which cannot be told from its own."""

    __slots__ = ("growth", "load", "name", "rss_bytes", "seen", "share", "state")

    def __init__(self, seen: "Seen") -> None:
        self.name = "log" if seen.is_logger else printable(seen.name.rpartition(b"/")[2])
        self.share: float | None = None
        self.rss_bytes: int | None = None
        self.load = History(MOST_SAMPLES)
        self.growth = History(MOST_SAMPLES)
        self.see(seen)

    def see(self, seen: "Seen") -> None:
        """What was found at another look. Its histories go on."""
        self.seen = seen
        self.state = state_of(seen)

    @property
    def key(self) -> bytes:
        return self.seen.name


class Group:
    """A service's row and its logger's, if it has one."""

    __slots__ = ("logger", "service")

    def __init__(self, service: Row, logger: "Row | None" = None) -> None:
        self.service = service
        self.logger = logger

    def rows(self) -> "list[Row]":
        return [self.service] if self.logger is None else [self.service, self.logger]


def _greatest(amounts: "Iterable[float | None]") -> float:
    return max((amount for amount in amounts if amount is not None), default=-1.0)


ORDERS: "dict[str, Callable[[Group, int], tuple[float, ...]]]" = {
    "name": lambda group, now: (),
    "state": lambda group, now: min(
        (float(_MATTERS.index(row.state.matters)), float(_RANKS[row.state])) for row in group.rows()
    ),
    "uptime": lambda group, now: (float(group.service.seen.uptime_s(now)),),
    "restarts": lambda group, now: (-_greatest(row.seen.restarts for row in group.rows()),),
    "cpu": lambda group, now: (-_greatest(row.share for row in group.rows()),),
    "memory": lambda group, now: (-_greatest(row.rss_bytes for row in group.rows()),),
}
"""What services can be sorted by: what needs eyes comes first, the last that changed, the greatest. Those
that are alike are in the order of their names."""

_STATE_MARK = ":"


def matches(row: Row, words: "Iterable[str]") -> bool:
    """Whether each word is in its name, or behind a `:` begins its state's word. Case makes no difference."""
    for word in words:
        if word.startswith(_STATE_MARK):
            if not row.state.word.startswith(word[1:]):
                return False
        elif word not in row.name.casefold():
            return False
    return True


class Listing:
    """All services, those that are shown, and the one that is selected."""

    __slots__ = ("_at", "_words", "by", "groups", "is_folded", "is_reversed", "selected", "shown")

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.by = "name"
        self.is_reversed = False
        self.is_folded = False
        self.shown: list[Row] = []
        self.selected = b""
        self._at = 0
        self._words: list[str] = []

    def filter(self, text: str) -> None:
        """Show those only that match. Takes effect with `arrange`: if the selected one does not match, the
        first that does is it."""
        self._words = text.casefold().split()
        self._at = 0

    def arrange(self, now_unix_s: int) -> None:
        """Order and filter anew. A logger is shown with its service; if only a logger matches, both are."""
        order = ORDERS[self.by]
        groups = [
            group for group in self.groups if any(matches(row, self._words) for row in group.rows())
        ] if self._words else list(self.groups)  # fmt: skip
        groups.sort(key=lambda group: group.service.key, reverse=self.is_reversed and self.by == "name")
        if self.by != "name":
            groups.sort(key=lambda group: order(group, now_unix_s), reverse=self.is_reversed)
        if self.is_folded:
            self.shown = [group.service for group in groups]
        else:
            self.shown = [row for group in groups for row in group.rows()]
        self._keep_selected()

    def _keep_selected(self) -> None:
        for at, row in enumerate(self.shown):
            if row.key == self.selected:
                self._at = at
                return
        self.move(0)

    def move(self, rows: int) -> None:
        """Select another one, so many further on; the ends are ends."""
        self._at = max(0, min(len(self.shown) - 1, self._at + rows))
        self.selected = self.shown[self._at].key if self.shown else b""

    @property
    def at(self) -> int:
        """Where the selected one is in what is shown."""
        return self._at

    @property
    def row(self) -> "Row | None":
        """The selected one."""
        return self.shown[self._at] if self.shown else None

    def group_of(self, row: Row) -> "Group | None":
        return next((group for group in self.groups if row is group.service or row is group.logger), None)
