r"""A file of variables, as `envdir -f` reads it: the `.env` files of applications.

There is no standard for them. These rules take what sh, dotenv (Ruby's, Node's, Python's), `docker run
--env-file` and systemd's EnvironmentFile= read alike; where they differ, a rule names whom it follows.

- Lines end with LF or CRLF; a UTF-8 byte order mark before the first is skipped. Blanks are spaces and
  tabs. A line that is blank, or begins with blanks and a `#`, says nothing.
- Any other is `NAME=value`. `export` and a blank may stand before it (sh, dotenv); blanks around the `=`
  are part of neither side (dotenv). NAME is a letter or `_`, then letters, digits, `_`, and, as in dotenv,
  `.` and `-`.
- A value without quotes goes to the end of the line, or to a `#` behind a blank (dotenv; docker and
  systemd would keep the comment), less the blanks round it. Everything in it is itself, also a backslash,
  and a quote that is not its first byte (docker, dotenv).
- In single quotes everything is itself up to the next one (sh). In double quotes `\n`, `\r` and `\t` are
  what they are in C (dotenv); a backslash before `"`, `\`, `$` or a backquote goes, before the end of a
  line both go (sh); any other stays. Both may hold ends of lines, CRLF then being LF (dotenv). Behind the
  closing quote only blanks and a comment may follow.
- Nothing is ever expanded or executed: `$` and backquotes are bytes like others (docker, systemd).
- A value may be empty; the variable is then empty, not removed. Of lines with the same name the last counts.
- What is no such line, a NUL, and a quote that is not closed are errors: a service does not start with
  half of its settings.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t"
_NAME_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-"
_NOT_FIRST = b"0123456789.-"
_ESCAPED = {
    b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\n": b"",
    b'"': b'"', b"\\": b"\\", b"$": b"$", b"`": b"`",
}  # fmt: skip


class BadFile(Exception):
    """Why a file of variables cannot be taken: `reason`, and the `line` (from 1) it is in."""

    def __init__(self, line: int, reason: bytes) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class _BadValue(Exception):
    """What is wrong with the value that begins here."""


def file_changes(content: bytes) -> list[bytes]:
    """The changes (core/environment.py) that a file asks for, each name once. Raises BadFile.

    The reason never holds anything of the content: who may read the message may not be who may
    read the file."""
    text = content.removeprefix(BYTE_ORDER_MARK).replace(b"\r\n", b"\n")
    changes: dict[bytes, bytes] = {}
    at = line = 0
    while at < len(text):
        line += 1
        end = _end_of_line(text, at)
        if not text[at:end].lstrip(_BLANKS).startswith(b"#") and text[at:end].strip(_BLANKS):
            equals = text.find(b"=", at, end)
            name = _name(text[at:equals]) if equals >= 0 else None
            if name is None:
                raise BadFile(line, b"not NAME=value")
            try:
                value, end = _value(text, equals + 1)
            except _BadValue as trouble:
                raise BadFile(line, trouble.args[0]) from None
            if b"\0" in value:
                raise BadFile(line, b"a NUL in a value")
            changes.pop(name, None)
            changes[name] = name + b"=" + value
            line += text.count(b"\n", at, end)
        at = end + 1
    return list(changes.values())


def _end_of_line(text: bytes, at: int) -> int:
    """Where the newline at or after `at` is, or would be."""
    end = text.find(b"\n", at)
    return len(text) if end < 0 else end


def _name(text: bytes) -> bytes | None:
    """The name in what stands before a `=`, None if that is not one."""
    name = text.strip(_BLANKS)
    if name.startswith((b"export ", b"export\t")):
        name = name[7:].lstrip(_BLANKS)
    if not name or name[0] in _NOT_FIRST or name.translate(None, _NAME_BYTES):
        return None
    return name


def _value(text: bytes, at: int) -> tuple[bytes, int]:
    """The value that begins at `at`, and where its line ends. Raises _BadValue."""
    end = _end_of_line(text, at)
    line = text[at:end]
    value = line.lstrip(_BLANKS)
    if value[:1] not in (b"'", b'"'):
        return _without_comment(line), end
    begin = end - len(value) + 1
    value, at = (_single if value[:1] == b"'" else _double)(text, begin)
    end = _end_of_line(text, at)
    behind = text[at:end]
    if behind.strip(_BLANKS) and _without_comment(behind):
        raise _BadValue(b"something behind the closing quote")
    return value, end


def _without_comment(line: bytes) -> bytes:
    for blank in (b" #", b"\t#"):
        line = line.partition(blank)[0]
    return line.strip(_BLANKS)


def _single(text: bytes, at: int) -> tuple[bytes, int]:
    """What is between a single quote, which `at` is behind, and the next; and the place behind that."""
    end = text.find(b"'", at)
    if end < 0:
        raise _BadValue(b"a quote that is not closed")
    return text[at:end], end + 1


def _double(text: bytes, at: int) -> tuple[bytes, int]:
    """The same for double quotes."""
    parts = []
    end = at - 1
    while True:
        if end < at:
            end = text.find(b'"', at)
        if end < 0:
            raise _BadValue(b"a quote that is not closed")
        backslash = text.find(b"\\", at, end)
        if backslash < 0:
            parts.append(text[at:end])
            return b"".join(parts), end + 1
        pair = text[backslash : backslash + 2]
        parts.append(text[at:backslash])
        parts.append(_ESCAPED.get(pair[1:], pair))
        at = backslash + 2
