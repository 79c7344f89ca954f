"""From what reads return to what is written where.

Rules of this module (daemontools' multilog.c, where it does not say otherwise):

- a line is passed on when it is whole, or when 1000 bytes of it are there, its label among them: these
  decide who gets the line, and its rest follows as it comes;
- with `t` or `T` a line begins with the stamp of the read that brought its first byte, and a blank;
- a status file holds the last selected line: 1000 bytes of it at most, and newlines up to 1001 bytes;
- `e` shows the first 200 bytes of every selected line, `...` after them if there are more;
- where the input ends within a line, a newline is added.

What is passed on goes by what a read returned, not by lines: the work for a line is done by bytes' own
methods and one regular expression. Nothing here grows with the length of a line.
"""

from svpy.core.logscript import Script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Piece: TypeAlias = tuple[int, bytes, bytes]
    """What it is (one of the three below), the stamp, the bytes."""

LINE_BYTES = 1000
STATUS_BYTES = LINE_BYTES + 1
ALERT_BYTES = 200
NEWLINE = b"\n"

LINES, HEAD, REST = range(3)
"""What a piece is: whole lines of at most 1000 bytes; the first 1000 of a longer line; more of that line."""

_TOO_LONG_FOR_ALERT = rb"(\n[^\n]{%d})[^\n]++" % ALERT_BYTES


class Lines:
    """Cuts what reads return into pieces (what, stamp, bytes), the stamp not yet put in."""

    __slots__ = ("_held", "_held_stamp", "_looks_at_lines", "_within_long")

    def __init__(self, looks_at_lines: bool) -> None:
        self._looks_at_lines = looks_at_lines
        self._held = b""
        self._held_stamp = b""
        self._within_long = False

    @property
    def at_line_start(self) -> bool:
        """Whether the input so far ended with a newline, or was empty."""
        return not self._held and not self._within_long

    def cut(self, data: bytes, stamp: bytes) -> "list[Piece]":
        """The pieces that `data`, not empty, makes ready. Lines that begin in it get `stamp`."""
        begin = 0
        pieces: list[Piece] = []
        if not self._held and not self._within_long:
            # Most reads bring one line, or a few: nothing to cut.
            if data.endswith(NEWLINE) and len(data) <= LINE_BYTES - len(stamp) + 1:
                return [(LINES, stamp, data)]
        else:
            begin = data.find(NEWLINE) + 1 or len(data)
            self._go_on(data[:begin], pieces)
        end = data.rfind(NEWLINE, begin) + 1
        if end:
            self._whole(data[begin:end], stamp, pieces)
            begin = end
        if begin < len(data):
            self._begin(data[begin:], stamp, pieces)
        return pieces

    def end(self) -> "list[Piece]":
        """The pieces that the end of the input makes ready."""
        return [] if self.at_line_start else self.cut(NEWLINE, b"")

    def _go_on(self, data: bytes, pieces: "list[Piece]") -> None:
        """More of the line in hand, at most up to its newline."""
        if self._within_long:
            pieces.append((REST, b"", data))
            self._within_long = not data.endswith(NEWLINE)
            return
        line, self._held = self._held + data, b""
        if line.endswith(NEWLINE):
            self._whole(line, self._held_stamp, pieces)
        else:
            self._begin(line, self._held_stamp, pieces)

    def _begin(self, line: bytes, stamp: bytes, pieces: "list[Piece]") -> None:
        """A line whose newline has not come yet."""
        room = LINE_BYTES - len(stamp)
        if len(line) < room:
            self._held, self._held_stamp = line, stamp
            return
        pieces.append((HEAD, stamp, line[:room]))
        if len(line) > room:
            pieces.append((REST, b"", line[room:]))
        self._within_long = True

    def _whole(self, lines: bytes, stamp: bytes, pieces: "list[Piece]") -> None:
        """Lines that end with a newline; those that are too long to be looked at whole are cut out."""
        room = LINE_BYTES - len(stamp)
        length = len(lines)
        begin = at = 0
        # As long as there is a newline in the next 1001 bytes, no line up to it is too long: one step
        # for many lines.
        while self._looks_at_lines and length - at > room + 1:
            newline = lines.rfind(NEWLINE, at, at + room + 1)
            if newline >= 0:
                at = newline + 1
                continue
            if begin < at:
                pieces.append((LINES, stamp, lines[begin:at]))
            begin = lines.index(NEWLINE, at + room) + 1
            pieces.append((HEAD, stamp, lines[at : at + room]))
            pieces.append((REST, b"", lines[at + room : begin]))
            at = begin
        if begin < length:
            pieces.append((LINES, stamp, lines[begin:]))


class Output:
    """What one read leads to: `alerts` for stderr, `statuses` as (index, 1001 bytes), `blocks` as
    (index of the folder, bytes)."""

    __slots__ = ("alerts", "blocks", "statuses")

    def __init__(
        self, alerts: bytes, statuses: list[tuple[int, bytes]], blocks: list[tuple[int, bytes]]
    ) -> None:
        self.alerts = alerts
        self.statuses = statuses
        self.blocks = blocks


class Sorter:
    """Carries out a script on what reads return."""

    __slots__ = ("_is_plain", "_lines", "_long_taken", "_passes_lines", "_script", "_stamped")

    def __init__(self, script: Script) -> None:
        self._script = script
        self._is_plain = self._passes_lines = len(script.folders) == 1 and not script.looks_at_lines
        self._stamped = script.stamped
        self._lines = Lines(script.looks_at_lines)
        self._long_taken = [False] * len(script.selections)

    @property
    def at_line_start(self) -> bool:
        return self._lines.at_line_start

    def line(self, data: bytes, label: bytes) -> bytes:
        """What the script's only folder gets, if there is nothing else to be done with what a read returned:
        one line, whole, that nobody looks at. Nothing if it has to be fed."""
        if self._passes_lines and data.find(NEWLINE) == len(data) - 1:
            return label + b" " + data if self._stamped else data
        return b""

    def feed(self, data: bytes, label: bytes) -> Output:
        """What is to be written after a read that returned `data`, not empty, at the time of `label`."""
        pieces = self._lines.cut(data, label + b" " if self._stamped else b"")
        self._passes_lines = self._is_plain and self._lines.at_line_start
        return self._output(pieces)

    def end(self) -> Output:
        """What is to be written when the input ends."""
        return self._output(self._lines.end())

    def _output(self, pieces: "list[Piece]") -> Output:
        script = self._script
        if not script.looks_at_lines:
            text = _text(pieces)
            return Output(b"", [], [(number, text) for number in range(len(script.folders))] if text else [])
        taken = [self._selected(index, pieces) for index in range(len(script.selections))]
        texts: dict[int, bytes] = {}
        blocks = []
        for number, folder in enumerate(script.folders):
            index = folder.selection
            if taken[index]:
                if index not in texts:
                    texts[index] = _text(taken[index])
                blocks.append((number, texts[index]))
        last = [(number, _last_line(taken[index])) for number, (_, index) in enumerate(script.statuses)]
        return Output(self._alerts(pieces, taken), [pair for pair in last if pair[1]], blocks)

    def _alerts(self, pieces: "list[Piece]", taken: "list[list[Piece]]") -> bytes:
        """What every `e` shows. Where there are several, a line is shown by each before the next line is."""
        actions = self._script.alerts
        if len(actions) > 1:
            return b"".join([
                _shown(shown)
                for piece in _one_by_one(pieces)
                for index in actions
                for shown in self._selected(index, [piece])
            ])  # fmt: skip
        return b"".join([_shown(shown) for index in actions for shown in taken[index]])

    def _selected(self, index: int, pieces: "list[Piece]") -> "list[Piece]":
        """The pieces that a selection gets."""
        selection = self._script.selections[index]
        if not selection.selective:
            return pieces
        taken = []
        for piece in pieces:
            what, stamp, data = piece
            if what == LINES:
                lines = selection.of(data, stamp)
                if lines:
                    taken.append((LINES, stamp, lines))
            elif what == HEAD:
                self._long_taken[index] = selection.takes(data, stamp)
                if self._long_taken[index]:
                    taken.append(piece)
            elif self._long_taken[index]:
                taken.append(piece)
        return taken


def _one_by_one(pieces: "list[Piece]") -> "list[Piece]":
    """The pieces, each line of `LINES` in one of its own."""
    single = []
    for what, stamp, data in pieces:
        if what == LINES:
            single += [(LINES, stamp, line + NEWLINE) for line in data.split(NEWLINE)[:-1]]
        else:
            single.append((what, stamp, data))
    return single


def _text(pieces: "list[Piece]") -> bytes:
    """All of these pieces, stamped, in one copy."""
    parts: list[bytes | memoryview] = []
    for what, stamp, data in pieces:
        if stamp:
            parts.append(stamp)
            if what == LINES and data.find(NEWLINE) < len(data) - 1:
                # One stamp too many at the end costs less than a copy without the last newline.
                parts.append(memoryview(data.replace(NEWLINE, NEWLINE + stamp))[: -len(stamp)])
                continue
        parts.append(data)
    return b"".join(parts)


def _last_line(taken: "list[Piece]") -> bytes:
    """The content of a status file after these pieces, empty if they do not change it."""
    for what, stamp, data in reversed(taken):
        if what == LINES:
            return (stamp + data[data.rfind(NEWLINE, 0, -1) + 1 : -1]).ljust(STATUS_BYTES, NEWLINE)
        if what == HEAD:
            return (stamp + data).ljust(STATUS_BYTES, NEWLINE)
    return b""


def _shown(piece: "Piece") -> bytes:
    """What `e` shows of a piece."""
    what, stamp, data = piece
    if what == REST:
        return b""
    if what == HEAD:
        return (stamp + data)[:ALERT_BYTES] + b"...\n"
    import re  # as in core/selection.py

    return re.sub(_TOO_LONG_FOR_ALERT, rb"\1...", NEWLINE + _text([piece]))[1:]
