"""multilog's patterns as their description has them: one line, one rule at a time."""

from __future__ import annotations


def matches(pattern: bytes, line: bytes) -> bool:
    """https://cr.yp.to/daemontools/multilog.html, word for word."""
    if not pattern:
        return not line
    if pattern == b"*":
        return True
    if pattern[:1] == b"*":
        star, after_it = line.find(pattern[1:2]), pattern[1:]
        return star >= 0 and matches(after_it, line[star:])
    return line[:1] == pattern[:1] and matches(pattern[1:], line[1:])


def selected(rules: tuple[tuple[bool, bytes], ...], line: bytes) -> bool:
    taken = True
    for selects, one in rules:
        if taken != selects and matches(one, line):
            taken = selects
    return taken
