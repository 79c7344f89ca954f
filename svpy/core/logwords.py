"""Which log folders a logger's script names.

Rules of this module:

- what is understood for certain (core/nativerun.py) is certain: also that there is no log folder;
- in any other script the words of a command that calls a logger are read: multilog's, and those of runit's
  svlogd and of s6-log, whose folders look alike. Words that begin with `.` or `/` are folders;
- variables are known that the script has set before, by assignments of their own (`NAME=value`, with `export`
  too). A word with any other variable, a command's output or a pattern in it is nobody's guess, and
  left out; so is a relative one behind a `cd`;
- conditions, loops and functions are not followed: what is named may not be what is used. Whoever asks gets
  what a person would see who runs an eye over the script.
"""

import re

from svpy.core import nativerun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Word: TypeAlias = bytes | None
    """None: what it is cannot be known."""

MOST_BYTES = nativerun.MOST_BYTES

_LOGGERS = (b"multilog", b"svlogd", b"s6-log")
_NAME = rb"[A-Za-z_][A-Za-z0-9_]*+"
_TOKEN = re.compile(
    rb"""(?P<join>\\\n)
    |(?P<blank>[\ \t\r]+)
    |(?P<end>[\n;|&(){}]+)
    |(?P<comment>\#[^\n]*)
    |(?P<redirection>(?:[0-9]+(?=[<>]))?[<>]+(?:&[0-9-]+|&|\|)?[\ \t]*)
    |(?P<single>'[^']*')
    |(?P<double>"(?:[^"\\]|\\.)*")
    |(?P<escape>\\.)
    |(?P<variable>\$(?:%(name)b|\{%(name)b\}))
    |(?P<unknown>[$`*?\[][^\ \t\n]*)
    |(?P<plain>[^\ \t\r\n;|&(){}<>'"\\$`*?\[\#]+|\#)"""
    % {b"name": _NAME},
    re.VERBOSE | re.DOTALL,
)
_IN_DOUBLE = re.compile(
    rb"""\\(?P<itself>["$`\\])|(?P<join>\\\n)|\$(?P<name>%(name)b)|\$\{(?P<braced>%(name)b)\}|(?P<unknown>[$`])"""
    % {b"name": _NAME}
)
_ASSIGNMENT = re.compile(rb"(%b)=(.*)" % _NAME, re.DOTALL)


def folders(text: bytes) -> "tuple[list[bytes], bool]":
    """The words for log folders in a logger's `run`, in their order, and whether that is certain."""
    literal = nativerun.understood(text)
    chain = None if literal is None else nativerun.chain(literal.words)
    if chain is not None:
        return _paths(list(chain.script)), True
    found: list[bytes] = []
    variables: dict[bytes, Word] = {}
    has_moved = False
    for words in _commands(text, variables):
        has_moved |= words[0] == b"cd"
        for at, word in enumerate(words):
            if word is not None and word[word.rfind(b"/") + 1 :] in _LOGGERS:
                found += [path for path in _paths(words[at + 1 :]) if path[:1] == b"/" or not has_moved]
                break
    return list(dict.fromkeys(found)), False


def _paths(words: "list[Word] | list[bytes]") -> list[bytes]:
    return list(dict.fromkeys(word for word in words if word is not None and word[:1] in (b".", b"/")))


def _commands(text: bytes, variables: "dict[bytes, Word]") -> "list[list[Word]]":
    """The words of each command of a script that is none but assignments. These go into `variables` as they
    come, for the words that follow."""
    commands: list[list[Word]] = []
    if b"\0" in text or len(text) > MOST_BYTES:
        return commands
    words: list[Word] = []
    word: list[Word] = []
    is_target = False
    at = 0
    while at <= len(text):
        token = _TOKEN.match(text, at)
        kind = "end" if token is None else token.lastgroup
        part = b"" if token is None else token[0]
        if token is None and at < len(text):
            word.append(None)  # A quotation that does not end.
        at = token.end() if token is not None else len(text) + 1
        if kind == "comment" and word:
            kind, part = "plain", b"#"
            at -= len(token[0]) - 1 if token is not None else 0
        if kind not in ("blank", "end", "comment", "redirection"):
            word.append(_value(kind, part, variables))
            continue
        if word and not is_target:
            words.append(None if None in word else b"".join(each for each in word if each is not None))
        if word or kind == "end":
            is_target = False
        word = []
        if kind == "redirection":
            is_target = not part.rstrip().endswith((b"0", b"1", b"2", b"-")) or b"&" not in part
        elif kind == "end" and words:
            if not _assigns(words, variables):
                commands.append(words)
            words = []
    return commands


def _value(kind: str | None, part: bytes, variables: "dict[bytes, Word]") -> "Word":
    if kind in ("plain", "join"):
        return part if kind == "plain" else b""
    if kind == "single":
        return part[1:-1]
    if kind == "escape":
        return part[1:]
    if kind == "variable":
        return variables.get(part.strip(b"${}"))
    return _in_double(part[1:-1], variables) if kind == "double" else None


def _in_double(text: bytes, variables: "dict[bytes, Word]") -> "Word":
    """What stands between two `"`."""
    parts: list[bytes] = []
    at = 0
    for special in _IN_DOUBLE.finditer(text):
        name = special["name"] or special["braced"]
        value = variables.get(name) if name else special["itself"] or (b"" if special["join"] else None)
        if value is None:
            return None
        parts += text[at : special.start()], value
        at = special.end()
    return b"".join(parts) + text[at:]


def _assigns(words: "list[Word]", variables: "dict[bytes, Word]") -> bool:
    """Whether a command does nothing but set variables; it has."""
    rest = words[1:] if words[0] in (b"export", b"readonly") else words
    found = [word and _ASSIGNMENT.fullmatch(word) for word in rest]
    for match in found:
        if match:
            variables[match[1]] = match[2]
    return all(found)
