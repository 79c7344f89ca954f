"""Which services may be started for the first time, where some need others: the file `needs` of a folder.

Rules of this module:

- it has one name a line, beside blank lines and those that begin with `#`: folders in the same svscan's
  folder;
- a service waits until all that it needs are ready at the same moment: up, if they have no `ready` of their
  own, or started where there is nothing to run; what becomes of them afterwards does not concern it;
- one that needs itself, by whatever way, would wait for ever, and so do those that need it: that is said
  once, with the way; everything else goes on.

Only who waits is looked at: what was started by whatever means is no part of a way.
"""

from svpy.core.errors import one_line
from svpy.core.readiness import meant
from svpy.core.status import FAILED, STARTED, STARTING, STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_BYTES = 65536
"""More is not read of a `needs`."""

NOT_THERE = b"no such service"


def parse(text: bytes) -> tuple[bytes, ...]:
    """The names in a `needs` file, each once, as they are shown."""
    return tuple(dict.fromkeys(one_line(name) for name in meant(text)))


def missing(pid: int, word: bytes, is_held: bool, is_ready: bool) -> bytes:
    """Why one that is needed is not there yet, nothing if it is. `is_ready` is what its own `ready` says,
    true if it has none; `is_held`: it waits itself."""
    if word == STARTED:
        return b""
    if not pid:
        return b"waits" if is_held else word if word == FAILED else b"down"
    if word in (STARTING, STOPPING):
        return word
    return b"" if is_ready else b"not ready"


class Verdict:
    """`start` are those that wait no longer, in the order in which they were asked about; `why` says for
    each of the others what it waits for; `ways` are the ways on which some need themselves, the first name
    last again."""

    __slots__ = ("start", "ways", "why")

    def __init__(self, start: list[bytes], why: dict[bytes, bytes], ways: list[tuple[bytes, ...]]) -> None:
        self.start = start
        self.why = why
        self.ways = ways


def decide(waiting: "Mapping[bytes, Sequence[bytes]]", missing: "Mapping[bytes, bytes]") -> Verdict:
    """`waiting` are those that wait, by name, with what they need; `missing` says of each that is needed why
    it is not there, nothing if it is."""
    lacking = {name: [each for each in needed if missing[each]] for name, needed in waiting.items()}
    start = [name for name, left in lacking.items() if not left]
    ways = _ways({name: [each for each in left if each in waiting] for name, left in lacking.items() if left})
    on_way = {(way[at], way[at + 1]): way for way in ways for at in range(len(way) - 1)}
    why = {
        name: b"; ".join(
            each + b": " + (in_words(on_way[name, each]) if (name, each) in on_way else missing[each])
            for each in left
        )
        for name, left in lacking.items()
        if left
    }
    return Verdict(start, why, ways)


def in_words(way: tuple[bytes, ...]) -> bytes:
    return b"it needs itself: " + b" -> ".join(way)


def _ways(needed: "Mapping[bytes, Sequence[bytes]]") -> list[tuple[bytes, ...]]:
    """A shortest way from each name that leads to itself back there, but only one of those it shares."""
    left = _not_loose(needed)
    ways: list[tuple[bytes, ...]] = []
    told: set[bytes] = set()
    for name in sorted(left):
        if name in told:
            continue
        way = _back(name, needed, left)
        if way:
            ways.append(way)
            told.update(way)
    return ways


def _not_loose(needed: "Mapping[bytes, Sequence[bytes]]") -> set[bytes]:
    """Without those from which every way comes to an end: mostly, nothing is left."""
    needed_by: dict[bytes, list[bytes]] = {name: [] for name in needed}
    open_ends = {}
    for name, others in needed.items():
        open_ends[name] = sum(other in needed for other in others)
        for other in others:
            if other in needed:
                needed_by[other].append(name)
    loose = [name for name, count in open_ends.items() if not count]
    for name in loose:
        for other in needed_by[name]:
            open_ends[other] -= 1
            if not open_ends[other]:
                loose.append(other)
    return needed.keys() - set(loose)


def _back(name: bytes, needed: "Mapping[bytes, Sequence[bytes]]", among: set[bytes]) -> tuple[bytes, ...]:
    """The shortest way from a name to itself, nothing if there is none."""
    came_from: dict[bytes, bytes] = {}
    ahead = [name]
    for here in ahead:
        for other in needed[here]:
            if other == name:
                way = [name, here]
                while way[-1] != name:
                    way.append(came_from[way[-1]])
                return tuple(reversed(way)) if here != name else (name, name)
            if other in among and other not in came_from:
                came_from[other] = here
                ahead.append(other)
    return ()


def all_needed(waiting: "Iterable[Sequence[bytes]]") -> set[bytes]:
    """Every name that one of them needs."""
    return {name for needed in waiting for name in needed}
