"""The one widget of svtop: lines of cells, of which only those are drawn again that have changed.

Rules of this module:

- what is drawn is Segments of text and style: no markup is read anywhere, so a name cannot hold any;
- what a cell is wide is counted in the terminal's columns, not in characters;
- colours are the terminal's own sixteen: they suit its background, and need few bytes.
"""

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from svpy.core import states, toplines
from svpy.core.toplines import Line

COLOURS: dict[str, Style] = {
    toplines.PLAIN: Style(),
    toplines.HEADING: Style(bold=True),
    toplines.LABEL: Style(reverse=True),
    toplines.ORDER: Style(reverse=True, bold=True, underline=True),
    toplines.KEY: Style(bold=True, color="cyan"),
    toplines.TITLE: Style(color="cyan"),
    toplines.ASK: Style(bold=True, reverse=True),
    toplines.DIM: Style(dim=True),
    toplines.SELECTED: Style(reverse=True, bold=True),
    states.GOOD: Style(color="green"),
    states.PASSING: Style(color="yellow"),
    states.BAD: Style(color="red", bold=True),
    states.QUIET: Style(dim=True),
}
NO_COLOURS: dict[str, Style] = {
    name: Style(bold=style.bold, reverse=style.reverse, underline=style.underline, dim=style.dim)
    for name, style in COLOURS.items()
}

Piece = tuple[int, int, str, str]
"""Of a line as it is drawn: where it begins, how wide it is, its text, its style's name."""


class Canvas(Widget):
    """Shows lines. Has all of its screen."""

    DEFAULT_CSS = "Canvas { width: 100%; height: 100%; }"
    ALLOW_SELECT = False

    def __init__(self, styles: dict[str, Style]) -> None:
        super().__init__()
        self._of_style = styles
        self._drawn: list[list[Piece]] = []
        self._width = 0

    def show(self, lines: list[Line], width: int) -> None:
        """From now on show these; what is there already stays."""
        fitted = [pieces(line, width) for line in lines]
        changed = changes(self._drawn, fitted) if width == self._width else [(0, 0, width, len(lines))]
        self._drawn, self._width = fitted, width
        if changed:
            self.refresh(*[Region(*region) for region in changed])

    def render_line(self, y: int) -> Strip:
        """One line, as textual asks for it."""
        line = self._drawn[y] if y < len(self._drawn) else []
        segments = [Segment(text, self._of_style[style]) for _, _, text, style in line]
        return Strip(segments).adjust_cell_length(self.size.width)

    def text(self) -> list[str]:
        """What is shown, without its styles."""
        return ["".join(text for _, _, text, _ in line).rstrip() for line in self._drawn]


def pieces(line: Line, width: int) -> list[Piece]:
    """A line in a terminal that is so wide."""
    found = []
    at = 0
    for cell in line:
        room = width - at
        wide = min(room, cell_len(cell.text) if cell.width is None else cell.width)
        if wide <= 0:
            continue
        text = cell.text
        if cell.is_right and (missing := wide - cell_len(text)) > 0:
            text = " " * missing + text
        found.append((at, wide, set_cell_size(text, wide), cell.style))
        at += wide
    if at < width:
        found.append((at, width - at, " " * (width - at), toplines.PLAIN))
    return found


def changes(before: list[list[Piece]], after: list[list[Piece]]) -> list[tuple[int, int, int, int]]:
    """Where they differ: (x, y, width, height) each, one a line: textual draws every one of them from the
    line's beginning on."""
    found = []
    for y in range(max(len(before), len(after))):
        known = set(before[y]) if y < len(before) else set()
        new = [piece for piece in after[y] if piece not in known] if y < len(after) else []
        if new:
            (first, _, _, _), (last, wide, _, _) = new[0], new[-1]
            found.append((first, y, last + wide - first, 1))
    return found
