"""svtop's screen as lines of cells: what stands where, and how wide.

Rules of this module:

- a screen is exactly as many lines as the terminal has, and the same state makes the same lines: what has not
  changed is not drawn again, which is what makes it fit for a slow line;
- 80 columns have room for all columns, wider ones for longer names and the reason why something waits, in
  narrower ones those that one can do without are left out; a terminal that has no room at all is told so;
- only the rows on the screen are made into lines, however many there are.
"""

from svpy.core import amounts
from svpy.core.details import reason
from svpy.core.history import growth, load
from svpy.core.status import DOWN, UP
from svpy.core.tai import unix_s
from svpy.core.topactions import ACTIONS
from svpy.core.toprows import STATE_WIDTH, Row, printable
from svpy.core.topview import BOTH, FILTER, HELP, KEYS, LOG, QUESTION, SERVICES, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from svpy.core.exits import Exits
    from svpy.core.seen import Seen

LEAST_WIDTH = 40
LEAST_HEIGHT = 8
LEAST_HEIGHT_WITH_LOG = 14

HEADING, LABEL, ORDER, KEY, TITLE, ASK, DIM, SELECTED, PLAIN = (
    "heading", "label", "order", "key", "title", "ask", "dim", "selected", "",
)  # fmt: skip
"""Styles, beside those of what a state means (core/toprows.py)."""

_INDENT = 2
_SERVICES_SHARE = 0.6
"""Of the lines that services and log share."""


class Cell:
    """A piece of a line. `width` None: as wide as its text. `is_right`: at the right of its width."""

    __slots__ = ("is_right", "style", "text", "width")

    def __init__(
        self, text: str, style: str = PLAIN, width: "int | None" = None, right: bool = False
    ) -> None:
        self.text = text
        self.style = style
        self.width = width
        self.is_right = right


Line = list[Cell]


class Glyphs:
    """What lines are drawn with: `steps` of histories, what a logger's name hangs on, what rules are of."""

    __slots__ = ("branch", "rule", "steps")

    def __init__(self, steps: str, branch: str, rule: str) -> None:
        self.steps = steps
        self.branch = branch
        self.rule = rule


class Facts:
    """What is on the screen beside services. `folder`: whose services these are; `trouble`: why they are not
    known; `log_title` and `log`: of the selected one, (time, text) each, the newest last; `local`: a Unix
    second as local date and time; `names`: those of signals."""

    __slots__ = ("folder", "glyphs", "local", "log", "log_title", "names", "trouble")

    def __init__(
        self, folder: str, glyphs: Glyphs, local: "Callable[[int], str]", names: "Mapping[int, str]"
    ) -> None:
        self.names = names
        self.folder = folder
        self.glyphs = glyphs
        self.local = local
        self.log: list[tuple[str, str]] = []
        self.log_title = ""
        self.trouble = ""


class Column:
    """`heading`, `width` and how a row's cell is made; `from_width`: in narrower terminals it is left out.
    `orders`: the name of the order that is about it (core/toprows.py)."""

    __slots__ = ("from_width", "heading", "is_right", "make", "orders", "width")

    def __init__(
        self,
        heading: str,
        width: int,
        make: "Callable[[Row, Glyphs, int], tuple[str, str]]",
        right: bool = False,
        from_width: int = 0,
        orders: str = "",
    ) -> None:
        self.heading = heading
        self.width = width
        self.make = make
        self.is_right = right
        self.from_width = from_width
        self.orders = orders


_HISTORY_WIDTH = 8
_WIDE = 104
_UNKNOWN = "-"
_SHARED = "shared"


def _state(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    return f"{row.state.letter} {row.state.word}", row.state.matters


def _since(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    known = row.seen.status is not None
    return amounts.duration(row.seen.uptime_s(now)).decode() if known else _UNKNOWN, PLAIN


def _restarts(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    restarts = row.seen.restarts
    return _UNKNOWN if restarts is None else _count(restarts), PLAIN if restarts else DIM


def _count(number: int) -> str:
    """In at most four characters."""
    return str(number) if number < 10_000 else f"{number // 1000}k" if number < 1_000_000 else ">1M"


def _share(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    return _UNKNOWN if row.share is None else amounts.percent(row.share).decode(), PLAIN


def _load(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    if row.seen.shared:
        return "", DIM
    return load(row.load.samples, _HISTORY_WIDTH, glyphs.steps), DIM


def _memory(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    return _UNKNOWN if row.rss_bytes is None else amounts.size(row.rss_bytes).decode(), PLAIN


def _growth(row: Row, glyphs: Glyphs, now: int) -> tuple[str, str]:
    if row.seen.shared:
        return _SHARED, DIM
    return growth(row.growth.samples, _HISTORY_WIDTH, glyphs.steps), DIM


COLUMNS = (
    Column("STATE", STATE_WIDTH, _state, orders="state"),
    Column("SINCE", 6, _since, right=True, orders="uptime"),
    Column("RST", 4, _restarts, right=True, from_width=46, orders="restarts"),
    Column("CPU%", 4, _share, right=True, from_width=52, orders="cpu"),
    Column("", _HISTORY_WIDTH, _load, from_width=70),
    Column("MEM", 4, _memory, right=True, from_width=58, orders="memory"),
    Column("", _HISTORY_WIDTH, _growth, from_width=78),
)
"""Beside the name, which has the rest, and `WHY` at its right in a wide terminal."""


def screen(view: View, facts: Facts, width: int, height: int, now_unix_s: int) -> list[Line]:
    """The whole screen."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        text = f"terminal is too small: svtop needs {LEAST_WIDTH}x{LEAST_HEIGHT}"
        lines = [[Cell(piece)] for piece in wrapped(text, width)]
        return _filled(lines, height)
    bottom = _bottom(view, width)
    head = [_heading(view, facts, width)]
    room = height - len(head) - len(bottom)
    if view.mode == HELP:
        return head + _help(view, width, room) + bottom
    middle = _middle(view, facts, width, room, now_unix_s)
    return _filled(head + middle, height - len(bottom)) + bottom


def _middle(view: View, facts: Facts, width: int, room: int, now: int) -> list[Line]:
    look = view.look if view.look != BOTH or room >= LEAST_HEIGHT_WITH_LOG - 2 else SERVICES
    told = _detail(view, facts, width)
    if look == LOG:
        log_room = room - len(told)
        return told + _log(facts, width, log_room)
    room -= 1 + len(told)
    services_room = int(room * _SERVICES_SHARE) if look == BOTH else room
    lines = [_headings(view, width), *_services(view, facts, width, services_room, now), *told]
    return lines + (_log(facts, width, room - services_room) if look == BOTH else [])


def _heading(view: View, facts: Facts, width: int) -> Line:
    counted: dict[str, int] = {}
    for group in view.listing.groups:
        word = group.service.state.word
        counted[word] = counted.get(word, 0) + 1
    number = len(view.listing.groups)
    words = f"svtop  {number} service{'' if number == 1 else 's'}"
    if counted:
        words += ": " + ", ".join(f"{counted[word]} {word}" for word in sorted(counted))
    words += f"  {facts.folder}"
    ordered = f"by {view.listing.by}" + (", reversed" if view.listing.is_reversed else "")
    if view.text:
        ordered = f"/{view.text}  {ordered}"
    return [
        Cell(words, HEADING, max(0, width - len(ordered) - 1)),
        Cell(" ", HEADING),
        Cell(ordered, HEADING, min(len(ordered), width)),
    ]


def _columns(width: int) -> tuple[Column, ...]:
    return tuple(column for column in COLUMNS if width >= column.from_width)


def _name_width(columns: tuple[Column, ...], width: int) -> tuple[int, int]:
    """(of the name, of the reason at the right)."""
    rest = width - 1 - sum(1 + column.width for column in columns)
    if width < _WIDE:
        return rest, 0
    name = max(28, rest // 2)
    return name, rest - name - 1


def _headings(view: View, width: int) -> Line:
    columns = _columns(width)
    name, why = _name_width(columns, width)
    by = view.listing.by
    line = [Cell(" ", LABEL), Cell("NAME", ORDER if by == "name" else LABEL, name)]
    for column in columns:
        style = ORDER if column.orders == by else LABEL
        line += [Cell(" ", LABEL), Cell(column.heading, style, column.width, column.is_right)]
    return [*line, Cell(" ", LABEL), Cell("WHY", LABEL, why)] if why else line


def _services(view: View, facts: Facts, width: int, room: int, now: int) -> list[Line]:
    listing = view.listing
    view.page = max(1, room - 1)
    if not listing.shown:
        return _filled([[Cell(piece)] for piece in wrapped(_nothing(view, facts), width)], room)
    view.top = max(0, min(view.top, listing.at, len(listing.shown) - room), listing.at - room + 1)
    columns = _columns(width)
    name, why = _name_width(columns, width)
    lines = []
    for at, row in enumerate(listing.shown[view.top : view.top + room], view.top):
        lines.append(_row(row, facts.glyphs, columns, name, why, now, at == listing.at))
    return _filled(lines, room)


def on_screen(view: View) -> list[Row]:
    """The rows that the last `screen` has shown."""
    return view.listing.shown[view.top : view.top + view.page + 1]


def _nothing(view: View, facts: Facts) -> str:
    if facts.trouble:
        return facts.trouble
    return "no service matches the filter" if view.listing.groups else f"no services in {facts.folder}"


def _row(
    row: Row,
    glyphs: Glyphs,
    columns: tuple[Column, ...],
    name_width: int,
    why_width: int,
    now: int,
    selected: bool,
) -> Line:
    style = SELECTED if selected else PLAIN
    name = f"{glyphs.branch} {row.name}" if row.seen.is_logger else row.name
    line = [Cell(">" if selected else " ", style), Cell(name, style, name_width)]
    for column in columns:
        text, own = column.make(row, glyphs, now)
        line += [Cell(" ", style), Cell(text, style or own, column.width, column.is_right)]
    if why_width:
        why = printable(row.seen.note or row.seen.trouble)
        line += [Cell(" ", style), Cell(why, style or row.state.matters, why_width)]
    return line


def _detail(view: View, facts: Facts, width: int) -> list[Line]:
    """What is to be said of the selected row, in up to two lines."""
    row = view.listing.row
    if row is None:
        return []
    text = f"{view.named(row)}: {described(row.seen, facts)}"
    return [[Cell(piece, DIM if at else PLAIN)] for at, piece in enumerate(wrapped(text, width)[:2])]


def described(seen: "Seen", facts: Facts) -> str:
    """What svstat -l says of a service, but with the moment it came up or went down."""
    status = seen.status
    if status is None:
        return printable(seen.trouble)
    words = [f"up (pid {seen.pid})" if seen.pid else "up" if seen.is_up else "down"]
    words[0] += f" since {facts.local(unix_s(status.since))}"
    if seen.native is not None:
        words.append("native" if seen.native else "executed")
    if seen.normally_up != seen.is_up:
        words.append("normally up" if seen.normally_up else "normally down")
    if seen.pid and status.paused:
        words.append("paused")
    if seen.is_up and status.want == DOWN:
        words.append("want down")
    if not seen.is_up and status.want == UP:
        words.append("want up")
    if seen.word:
        words.append(printable(seen.word))
    if seen.exits is not None and seen.exits.exits:
        words.append(_ended(seen.exits, facts))
    if seen.note:
        words.append(("waits for " if not seen.is_up else "not ready: ") + printable(seen.note))
    return ", ".join(words)


def _ended(exits: "Exits", facts: Facts) -> str:
    """How often, and how the last time."""
    times = "once" if exits.exits == 1 else f"{exits.exits} times"
    return (
        f"ended {times}, last {reason(exits.code, facts.names).decode()} at {facts.local(unix_s(exits.at))}"
    )


def _log(facts: Facts, width: int, room: int) -> list[Line]:
    if room < 1:
        return []
    rule = facts.glyphs.rule
    title: Line = [Cell(f"{rule}{rule} {facts.log_title} ", TITLE), Cell(rule * width, TITLE)]
    lines: list[Line] = []
    for time, text in reversed(facts.log):
        if len(lines) >= room - 1:
            break
        lines[:0] = _log_line(time, text, width)
    shown = lines[max(0, len(lines) - room + 1) :]
    return [title, *_filled(shown, room - 1)]


def _log_line(time: str, text: str, width: int) -> list[Line]:
    pieces = wrapped(f"{time} {text}" if time else text, width)
    first: Line = [Cell(time, DIM), Cell(pieces[0][len(time) :])] if time else [Cell(pieces[0])]
    return [first, *([Cell(piece)] for piece in pieces[1:])]


def _bottom(view: View, width: int) -> list[Line]:
    if view.mode == QUESTION:
        return [[Cell(piece, ASK, width)] for piece in wrapped(f"{view.question} y/n", width)]
    if view.mode == FILTER:
        return [[Cell("filter: ", KEY), Cell(view.text[-(width - 10) :]), Cell("_", KEY)]]
    if view.message:
        return [[Cell(piece, ASK, width)] for piece in wrapped(view.message, width)[:3]]
    if view.mode == HELP:
        return [[Cell("any other key: back", LABEL, width)]]
    if view.awaits_letter:
        return [_hints((("", "svc letter:"),), width)]
    return [_hints((("?", "help"), ("/", "filter"), ("q", "quit")), width)]


def _hints(first: tuple[tuple[str, str], ...], width: int) -> Line:
    line: Line = []
    used = 0
    for key, text in (*first, *((row.letter.decode(), row.help) for row in ACTIONS if row.letter != b"q")):
        used += len(key) + len(text) + 3
        if used > width + 2:
            break
        line += [Cell(key, KEY), Cell(f" {text}  " if key else f"{text} ", DIM)]
    return line


def _letters() -> list[tuple[str, str]]:
    """The keys of svc's letters, and what svc calls them. One is a key of svtop's own."""
    return [
        (
            f".{row.letter.decode()}" if row.letter == b"q" else row.letter.decode(),
            row.help + _signals(row.signals),
        )
        for row in ACTIONS
    ]


def _help(view: View, width: int, room: int) -> list[Line]:
    view.page = room
    lines: list[Line] = [[Cell("svtop's keys", LABEL)]]
    lines += [[Cell(f"  {key:<10}", KEY), Cell(text)] for key, text in KEYS]
    lines += [
        [],
        [Cell("svc's letters, for the selected service or logger (a question before what stops it)", LABEL)],
    ]
    rows = _letters()
    half = (len(rows) + 1) // 2
    for left, right in zip(rows[:half], [*rows[half:], ("", "")], strict=False):
        lines.append([
            Cell(f"  {left[0]:<3}", KEY), Cell(left[1], PLAIN, width // 2 - 6),
            Cell(f"{right[0]:<3}", KEY), Cell(right[1]),
        ])  # fmt: skip
    view.help_at = max(0, min(view.help_at, len(lines) - room))
    return _filled(lines[view.help_at : view.help_at + room], room)


def _signals(signals: tuple[str, ...]) -> str:
    return f" ({', '.join(signals)})" if signals else ""


def _filled(lines: list[Line], height: int) -> list[Line]:
    return lines[:height] + [[]] * (height - len(lines))


def wrapped(text: str, width: int) -> list[str]:
    """Pieces of at most `width` characters, at blanks where there are some; all but the first indented."""
    pieces = []
    while len(text) > width > _INDENT:
        cut = text.rfind(" ", _INDENT + 1, width + 1)
        cut = cut if cut > width // 2 else width
        pieces.append(text[:cut])
        text = " " * _INDENT + text[cut:].lstrip(" ")
    return [*pieces, text[:width]]
