"""What an amount was lately, as a line of small blocks.

Rules of this module:

- a block stands for one sample, the last one is on the right; where there is none yet, there is a blank;
- a line shows a shape, the amount stands beside it: its top is the greatest of what is shown, but a small
  amount of noise must not fill it, so each kind of amount has a least span;
- load begins at 0, memory at the least of what is shown: there it is growth that matters.
"""

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"

LEAST_LOAD = 0.1
"""A tenth of one processor fills a line that knows no more."""

LEAST_GROWTH_SHARE = 0.125
LEAST_GROWTH_BYTES = 1 << 18
"""Memory that grows by less than an eighth of what it is, or less than this, is a flat line's first steps."""


class History:
    """The last samples, `most` of them, oldest first."""

    __slots__ = ("_most", "samples")

    def __init__(self, most: int) -> None:
        self._most = most
        self.samples: list[float] = []

    def add(self, sample: float) -> None:
        if len(self.samples) == self._most:
            del self.samples[0]
        self.samples.append(sample)


def load(samples: list[float], width: int, steps: str) -> str:
    """A line of `width` blocks of shares of a processor."""
    shown = samples[-width:]
    return _line(shown, 0.0, max((LEAST_LOAD, *shown)), width, steps)


def growth(samples: list[float], width: int, steps: str) -> str:
    """A line of `width` blocks of amounts of memory, in bytes."""
    shown = samples[-width:]
    bottom, top = min(shown, default=0.0), max(shown, default=0.0)
    return _line(shown, bottom, max(top - bottom, top * LEAST_GROWTH_SHARE, LEAST_GROWTH_BYTES), width, steps)


def _line(shown: list[float], bottom: float, span: float, width: int, steps: str) -> str:
    last = len(steps) - 1
    return "".join(steps[min(last, round((sample - bottom) / span * last))] for sample in shown).rjust(width)
