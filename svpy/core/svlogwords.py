"""The words of svlog's command line.

Rules of this module:

- `-f`, `-n`, `-F` have long names, too; letters may be joined (`-fn20`);
- without -n it is everything that is shown, but the last 10 lines where somebody looks at the end of a log:
  with -f, and on a terminal, if no --since, --until or pattern has said what is looked for.
"""

from svpy.core.errors import USAGE, Die
from svpy.core.longoptions import parse
from svpy.core.numbers import within

LINES = 10
ALL = b"all"
_LETTERS = {b"f": b"--follow", b"n": b"--lines", b"F": b"--fixed-strings"}
_KNOWN = {
    b"--follow": False,
    b"--lines": True,
    b"--since": True,
    b"--until": True,
    b"--grep": True,
    b"--fixed-strings": False,
    b"--utc": False,
    b"--raw": False,
}
_MOST_LINES = 999_999_999


class Words:
    """`lines`: the most to show of what is there already, None for all. `since`, `until` and `grep` are None
    if they are not asked for."""

    __slots__ = ("fixed", "folders", "follow", "grep", "lines", "raw", "since", "until", "utc")

    def __init__(self, words: list[bytes], usage: bytes, is_terminal: bool) -> None:
        """Raises Die, with `usage`."""
        found = parse(_long(words), _KNOWN, usage)
        options = dict(found.options)
        self.folders = found.words + (found.behind or [])
        self.follow = b"--follow" in options
        self.fixed = b"--fixed-strings" in options
        self.utc = b"--utc" in options
        self.raw = b"--raw" in options
        self.since = options.get(b"--since")
        self.until = options.get(b"--until")
        self.grep = options.get(b"--grep")
        is_bad = (self.utc and self.raw) or (self.follow and self.until is not None)
        if is_bad or not self.folders or (self.fixed and self.grep is None):
            raise Die(USAGE, usage)
        asks = any(word is not None for word in (self.since, self.until, self.grep))
        is_end = self.follow or is_terminal
        self.lines = _lines(options[b"--lines"], usage) if b"--lines" in options else None
        if b"--lines" not in options and is_end and not asks:
            self.lines = LINES


def _lines(word: bytes, usage: bytes) -> int | None:
    if word == ALL:
        return None
    lines = within(word, 0, _MOST_LINES)
    if lines is None:
        raise Die(USAGE, usage)
    return lines


def _long(words: list[bytes]) -> list[bytes]:
    """Letters by their long names."""
    found: list[bytes] = []
    rest = iter(words)
    for word in rest:
        if word == b"--":
            return [*found, word, *rest]
        if word[:1] != b"-" or word[:2] == b"--":
            found.append(word)
            if _KNOWN.get(word):
                found += (value for value in [next(rest, None)] if value is not None)
            continue
        letters = word[1:] or b"-"
        while letters:
            name = _LETTERS.get(letters[:1], word)
            letters = letters[1:]
            if _KNOWN.get(name) and letters:
                found.append(name + b"=" + letters)
                break
            found.append(name)
    return found
