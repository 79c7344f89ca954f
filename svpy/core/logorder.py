"""A log folder's files and lines in the order of time.

Rules of this module:

- a file's name is the label of its end: `@LABEL.s`, `@LABEL.u`, or whatever somebody else made of it. Behind
  them come `previous`, which has no label yet, and `current`. (`processed` is what a processor has made of
  `previous`: it counts only where that is gone and it is complete, as after a crash);
- a label of a line is `@` and 24 hex digits at its beginning. Lines without one belong to the line before;
- within a folder labels do not decrease. Where the clock was set back they do: a search by label then finds
  one of the places where what is before is earlier, and what is behind is not;
- no line of a file is later than the file's name, but one may be earlier than the name of the file before:
  one read has one label, and may fill several files;
- a line may be parted by a rotation. Where a file does not end with a newline the next one goes on with that
  line, unless the file was cut off (`.u`), or what follows begins with a label.
"""

from svpy.core.logfolder import CURRENT, PREVIOUS, PROCESSED, UNFINISHED
from svpy.core.tai import LABEL_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

_HEX = b"0123456789abcdef"
_LABELLED_LINE = b"\n@"
EARLIEST = b""
LATEST = b"~"
"""What is before and behind every label, as bytes compare."""


def label_at(block: bytes, at: int) -> bytes:
    """The label of the line that begins there, nothing if it has none."""
    label = block[at : at + LABEL_BYTES]
    return label if label[:1] == b"@" and len(label) == LABEL_BYTES and not label[1:].strip(_HEX) else b""


def next_label(block: bytes, at: int) -> tuple[int, bytes]:
    """Where the first line begins that has a label, of those that begin behind a newline at `at` or later,
    and that label; (-1, nothing) if there is none."""
    while True:
        at = block.find(_LABELLED_LINE, at) + 1
        if not at:
            return -1, b""
        if label := label_at(block, at):
            return at, label


def last_label(block: bytes) -> bytes:
    """That of the last line that has one, nothing if none has."""
    end = len(block)
    while (end := block.rfind(_LABELLED_LINE, 0, end)) >= 0:
        if label := label_at(block, end + 1):
            return label
    return label_at(block, 0)


def ordered(names: "Iterable[bytes]", is_processed: bool = False) -> list[bytes]:
    """The names of a folder that hold log, the earliest first. `is_processed`: `processed` is complete."""
    found = list(names)
    rotated = sorted(name for name in found if label_at(name, 0))
    after = [PREVIOUS] if PREVIOUS in found else [PROCESSED] if is_processed else []
    return rotated + after + ([CURRENT] if CURRENT in found else [])


def end_of(name: bytes) -> bytes:
    """What no line of the file of that name is behind."""
    return label_at(name, 0) or LATEST


def search(low: int, high: int, label: bytes, is_past: bool) -> "Generator[int, tuple[int, bytes], int]":
    """Find the first line whose label is not before `label` (`is_past`: behind it), from `low` up to `high`.
    Yields a place, and is to be sent where the first line with a label begins that does so there or behind
    it, and the label; (-1, nothing) if there is none. Returns the line's place, `high` if there is none.

    Some 30 questions for a gigabyte, however long its lines are."""
    found = high
    while low < high:
        middle = (low + high) // 2
        at, seen = yield middle
        is_before = seen <= label if is_past else seen < label
        if seen and is_before and at < high:
            low = at + 1
            continue
        if seen and not is_before and at < found:
            found = at
        high = middle
    return found


_NEAR_BYTES = 1024


def first_from(block: bytes, label: bytes, is_past: bool = False, begin: int = 0) -> int:
    """The same in a block, from `begin` on, where a line begins; its length if there is none."""
    # Mostly it is near: a window that doubles is looked at first by its end.
    near = _NEAR_BYTES
    while (end := begin + near) < len(block):
        at, seen = next_label(block, end)
        if not seen or (seen > label if is_past else seen >= label):
            break
        begin, near = at, near * 2
    steps = search(begin, len(block) if end >= len(block) else end + 1, label, is_past)
    try:
        middle = next(steps)
        while True:
            here = label_at(block, middle) if middle == begin else b""
            middle = steps.send((middle, here) if here else next_label(block, max(0, middle - 1)))
    except StopIteration as done:
        found = int(done.value)
    if found == end + 1 <= len(block):
        at, seen = next_label(block, end)
        return at if seen else len(block)
    return found


MOST_LINE_BYTES = 1 << 24
"""No file of multilog's is longer. What is parted there takes no more memory, whoever has made it."""


def goes_on(name_before: bytes, beginning: bytes) -> bool:
    """Whether what follows a file that ends within a line is more of that line."""
    return not name_before.endswith(UNFINISHED) and not label_at(beginning, 0)


class Joint:
    """Between one file and the next: `half` is what the last one had behind its last newline."""

    __slots__ = ("_name", "half")

    def __init__(self) -> None:
        self._name = b""
        self.half = b""

    def lines(self, block: bytes) -> bytes:
        """The lines that a block of whole lines makes."""
        if not self.half:
            return block
        half, self.half = self.half, b""
        return half + block if goes_on(self._name, block) else half + b"\n" + block

    def end(self, name: bytes, rest: bytes) -> bytes:
        """A file of that name has ended with `rest` of a line. The lines that this makes."""
        whole = b""
        if self.half and rest and (not goes_on(self._name, rest) or len(self.half) >= MOST_LINE_BYTES):
            whole, self.half = self.half + b"\n", b""
        self.half += rest
        self._name = name
        return whole

    def leave(self) -> bytes:
        """What is left is a line."""
        half, self.half = self.half, b""
        return half and half + b"\n"


class Stretch:
    """Whole lines of one log that come one after the other, from `at` on. Those without a label before any
    that has one are as late as `floor`."""

    __slots__ = ("at", "block", "floor", "source")

    def __init__(self, source: int, floor: bytes, block: bytes) -> None:
        self.source = source
        self.floor = floor
        self.block = block
        self.at = 0

    def last(self) -> tuple[bytes, int]:
        """How late its last line is; of those that are as late, that of the log named first comes first."""
        return last_label(self.block) or self.floor, self.source

    def until(self, last: "tuple[bytes, int]") -> "tuple[bytes, bytes]":
        """Take from it what comes up to that place; and as late as what its first lines are at least."""
        label, source = last
        begin, floor = self.at, self.floor
        if source == self.source:
            self.at = len(self.block)
        else:
            self.at = first_from(self.block, label, self.source < source, begin)
        taken = self.block[begin : self.at]
        self.floor = last_label(taken) or floor
        return floor, taken


def merged(
    logs: "list[Iterator[Stretch]]", shown: "Callable[[int, bytes], bytes]" = lambda source, block: block
) -> "Iterator[bytes]":
    """Several logs as one, by label; `shown` makes of lines of one of them as many lines. Blocks are put
    together up to where the first of them ends: to sort what is sorted by stretches takes little."""
    found = [(log, head) for log in logs if (head := next(log, None)) is not None]
    while len(found) > 1:
        last = min(head.last() for _, head in found)
        rows: list[tuple[bytes, bytes]] = []
        blocks = []
        for _, head in found:
            floor, lines = head.until(last)
            if lines:
                blocks.append((floor, lines, shown(head.source, lines)))
        if len(blocks) == 1:
            yield blocks[0][2]
        else:
            for block in blocks:
                _add_rows(rows, *block)
            rows.sort(key=_label_of)
            yield b"\n".join([line for _, line in rows]) + b"\n"
        found = [
            (log, head)
            for log, before in found
            if (head := before if before.at < len(before.block) else next(log, None)) is not None
        ]
    for log, head in found:
        yield shown(head.source, head.block[head.at :])
        for stretch in log:
            yield shown(stretch.source, stretch.block)


def _add_rows(rows: "list[tuple[bytes, bytes]]", floor: bytes, lines: bytes, shown: bytes) -> None:
    """The lines as they are shown, each with its place. Whatever their labels are, they stay in order."""
    for line, as_shown in zip(lines.split(b"\n"), shown[:-1].split(b"\n"), strict=False):
        if line[:1] == b"@":
            label = line[:LABEL_BYTES]
            if label > floor and len(label) == LABEL_BYTES and not label[1:].strip(_HEX):
                floor = label
        rows.append((floor, as_shown))


def _label_of(row: "tuple[bytes, bytes]") -> bytes:
    return row[0]
