"""Which lines a script selects: the patterns of multilog's `+` and `-`.

Rules of this module (https://cr.yp.to/daemontools/multilog.html, match.c):

- a byte of a pattern matches itself; `*` before a byte c matches up to the first c and not c itself;
  `*` at the end matches anything; a pattern matches a whole line or not at all, so nothing ever
  has to be tried twice;
- a `*` before a `*` therefore looks for a literal one;
- of the actions before a place in the script the last one that matches a line decides, and a line
  that none matches is selected. (Bernstein's loop skips `+` for a line that is selected and `-` for
  one that is not, which comes to the same.)
- only the first 1000 bytes of a line are looked at, its label among them. Who calls this has cut
  the lines accordingly.

The label of the lines of one read is the same for all of them, and what a pattern leaves after it has
matched a label is again a pattern. So lines are selected before they are labelled, through one regular
expression made of what is left: it runs three times as fast as one over labelled lines. The
expression takes out the lines of the rarer kind as one supposes it, those that differ from the default.

The module re is imported by what uses it: it costs half as much again as a whole multilog that selects
nothing takes to start.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Rule: TypeAlias = tuple[bool, bytes]
    """Whether it selects (`+`), and the pattern."""
    Rules: TypeAlias = tuple[Rule, ...]

ANYTHING = b"*"
_STAR = ANYTHING[0]
_EXPRESSIONS_KEPT = 64
_NESTED_AT_MOST = 40


def after(pattern: bytes, text: bytes) -> bytes | None:
    """What is left of a pattern when `text` is the beginning of a line; None if it cannot match any more.

    `text` has no newline."""
    at = 0
    length = len(pattern)
    position = 0
    while position < len(text):
        if at == length:
            return None
        if pattern[at] != _STAR:
            if pattern[at] != text[position]:
                return None
            at += 1
            position += 1
            continue
        if at + 1 == length:
            return ANYTHING
        position = text.find(pattern[at + 1], position)
        if position < 0:
            return pattern[at:]
        at += 1
        if pattern[at] != _STAR:
            at += 1
            position += 1
    return pattern[at:]


class Selection:
    """The lines that one place in a script gets: `rules` are the actions before that place."""

    def __init__(self, rules: "Rules") -> None:
        self._rules = rules
        self._sieves: dict[Rules, _Sieve] = {}

    @property
    def selective(self) -> bool:
        """Whether there is any rule at all."""
        return bool(self._rules)

    def of(self, lines: bytes, stamp: bytes) -> bytes:
        """Those of `lines` that are selected when each begins with `stamp`, still without it.

        `lines` are whole, each with its newline and, with `stamp`, at most 1000 bytes before that."""
        if not self._rules:
            return lines
        return self._sieve(stamp)(lines)

    def takes(self, line: bytes, stamp: bytes) -> bool:
        """Whether one line, without stamp and newline, is selected."""
        return bool(self.of(line + b"\n", stamp))

    def _sieve(self, stamp: bytes) -> "_Sieve":
        rules = remaining(self._rules, stamp) if stamp else self._rules
        sieve = self._sieves.get(rules)
        if sieve is None:
            if len(self._sieves) >= _EXPRESSIONS_KEPT:
                self._sieves.clear()
            sieve = self._sieves[rules] = _Sieve(rules)
        return sieve


def remaining(rules: "Rules", stamp: bytes) -> "Rules":
    """The rules for the rest of a line that begins with `stamp`."""
    left = []
    for selects, pattern in rules:
        rest = after(pattern, stamp)
        if rest is not None:
            left.append((selects, rest))
    return tuple(left)


class _Sieve:
    """What a sequence of rules does to whole lines, compiled."""

    def __init__(self, rules: "Rules") -> None:
        import re

        self._default, tail = _without_the_overruled(rules)
        groups = _grouped(tail, self._default)
        self._expression: re.Pattern[bytes] | None = None
        self._parts: list[tuple[bool, re.Pattern[bytes]]] = []
        if len(groups) > _NESTED_AT_MOST:
            self._parts = [(selects, re.compile(_either(patterns))) for selects, patterns in reversed(groups)]
        elif groups:
            self._expression = re.compile(rb"\n" + _exceptions(groups, not self._default))

    def __call__(self, lines: bytes) -> bytes:
        if self._parts:
            whole = [line + b"\n" for line in lines.split(b"\n")[:-1]]
            return b"".join([line for line in whole if self._takes(line)])
        if self._expression is None:
            return lines if self._default else b""
        # A newline in front makes every line begin with one: a search for that is the fastest there is.
        if self._default:
            return self._expression.sub(b"", b"\n" + lines)[1:]
        found = self._expression.findall(b"\n" + lines)
        return b"".join(found)[1:] + b"\n" if found else b""

    def _takes(self, line: bytes) -> bool:
        for selects, expression in self._parts:
            if expression.match(line):
                return selects
        return self._default


def _without_the_overruled(rules: "Rules") -> "tuple[bool, Rules]":
    """The default, and the rules behind the last one that matches every line, which sets it."""
    for index in range(len(rules) - 1, -1, -1):
        selects, pattern = rules[index]
        if pattern == ANYTHING:
            return selects, rules[index + 1 :]
    return True, rules


def _grouped(rules: "Rules", default: bool) -> list[tuple[bool, list[bytes]]]:
    """Patterns in a row that say the same, together; those that only repeat the default left out."""
    groups: list[tuple[bool, list[bytes]]] = []
    for selects, pattern in rules:
        if groups and groups[-1][0] == selects:
            groups[-1][1].append(pattern)
        elif groups or selects != default:
            groups.append((selects, [pattern]))
    return groups


def _exceptions(groups: list[tuple[bool, list[bytes]]], wanted: bool) -> bytes:
    """An expression for a line (up to its newline) that the groups decide as `wanted`."""
    expression = b""
    for selects, patterns in groups:
        line = _either(patterns)
        if selects != wanted:
            expression = b"(?!%s)%s" % (line, expression)
        elif expression:
            expression = b"(?:%s|%s)" % (line, expression)
        else:
            expression = line
    return expression


def _either(patterns: list[bytes]) -> bytes:
    lines = [_line(pattern) for pattern in patterns]
    return lines[0] if len(lines) == 1 else b"(?:" + b"|".join(lines) + b")"


def _line(pattern: bytes) -> bytes:
    """A pattern as an expression that ends before the line's newline. It is never backtracked into."""
    import re

    if b"\n" in pattern:
        return rb"(?!)"
    parts = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte != ANYTHING:
            parts.append(re.escape(byte))
        elif at == len(pattern):
            parts.append(rb"[^\n]*+")
        else:
            until = pattern[at : at + 1]
            parts.append(rb"[^%s\n]*+" % re.escape(until))
            if until == ANYTHING:
                parts.append(rb"(?=\*)")
    return b"".join(parts) + rb"(?=\n)"
