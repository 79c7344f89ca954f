"""What a script says to sh, as far as that is certain: its commands, one after the other.

Rules of this module:

- a script is read from its beginning, as sh does, up to the first thing that is not understood for certain
  or to an `exec` of a program that nothing stands before; what is behind either is not looked at;
- understood are simple commands, their redirections (here-documents among them), lists and pipelines,
  `if`, `while`, `until`, `for`, `{ }` and `( )`. Not `case`, functions, nor what bash has of its own;
- a word's parts are what stands there literally and what sh puts there: of that nothing is known here but
  a variable's name, and whether it was quoted, so that it stays one word;
- which signs mean nothing to any shell is core/nativerun.py's to know.
"""

import re
from bisect import bisect_right

from svpy.core.nativerun import PLAIN

MOST_BYTES = 65536
"""A longer script is not looked at."""

_BLANKS = re.compile(rb"(?:[ \t]|\\\n)*")
_COMMENT = re.compile(rb"#[^\n]*")
_OPERATOR = re.compile(rb"\n|&&|\|\||;|&|\||\(|\)")
_REDIRECTION = re.compile(rb"([0-9]*)(<<-|<<|<&|>&|<>|>\||>>|<|>)")
_PLAIN = re.compile(PLAIN)
_SINGLE = re.compile(rb"'([^']*)'")
_IN_DOUBLE = re.compile(rb'[^"$`\\\x80-\xff]+')
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_ASSIGNMENT = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)=")
_BRACED = re.compile(
    rb"(?:#?(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])|[A-Za-z_][A-Za-z0-9_]*(?::?[-=+?]|%%?|##?).*)\Z",
    re.DOTALL,
)
_UNCERTAIN = re.compile(rb"<<|#|\bcase\b")
"""In a `$(…)`: with these its end is not simply found."""

_OPENS = (b"if", b"while", b"until", b"for", b"{")
_GOES_ON = {
    b"then": {b"if": b"then"},
    b"elif": {b"then": b"if"},
    b"else": {b"then": b"else"},
    b"do": {b"while": b"do", b"until": b"do", b"for": b"do"},
}
_CLOSES = {b"fi": (b"then", b"else"), b"done": (b"do",), b"}": (b"{",), b")": (b"(",)}
"""Behind which words another one may stand, and which one stands for both then."""
_JOINS = (b"&&", b"||", b"|", b"!")
"""Something has to follow."""
_NOT_UNDERSTOOD = (b"case", b"function", b"select", b"[[", b"coproc", b"time")
_DEEPEST = 50
_DEEPEST_SCRIPT = 5


class Unknown:
    """What sh puts into a word: the value of the variable `name`, or something else (None). `is_quoted`: it
    stays in one word, whatever it is."""

    __slots__ = ("is_quoted", "name")

    def __init__(self, name: bytes | None, is_quoted: bool) -> None:
        self.name = name
        self.is_quoted = is_quoted


class Word:
    """A word and the line it begins in. `keyword`: it is this and nothing of it is quoted."""

    __slots__ = ("keyword", "line", "parts")

    def __init__(self, parts: "tuple[bytes | Unknown, ...]", line: int, keyword: bytes) -> None:
        self.parts = parts
        self.line = line
        self.keyword = keyword

    @property
    def literal(self) -> bytes | None:
        """What it is, if that stands there."""
        if any(isinstance(part, Unknown) for part in self.parts):
            return None
        return b"".join(part for part in self.parts if isinstance(part, bytes))

    @property
    def is_one(self) -> bool:
        """Whether it is one word for certain."""
        return all(isinstance(part, bytes) or part.is_quoted for part in self.parts)


class Redirection:
    __slots__ = ("fd", "operator", "target")

    def __init__(self, fd: int, operator: bytes, target: Word) -> None:
        self.fd = fd
        self.operator = operator
        self.target = target


class Command:
    """A simple command, or the end of a compound one (`is_compound`), which has redirections at most.

    `assignments`: name and value of those before its words. `before` and `behind` are the operators round it;
    a newline is `;`. `depth`: how many compound commands it is in."""

    __slots__ = (
        "assignments",
        "before",
        "behind",
        "depth",
        "is_compound",
        "line",
        "redirections",
        "words",
    )

    def __init__(self, line: int, depth: int, before: bytes) -> None:
        self.line = line
        self.depth = depth
        self.before = before
        self.behind = b";"
        self.is_compound = False
        self.words: list[Word] = []
        self.assignments: list[tuple[bytes, Word]] = []
        self.redirections: list[Redirection] = []

    @property
    def name(self) -> bytes | None:
        """Its first word, if that stands there."""
        return self.words[0].literal if self.words else None

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.assignments or self.redirections or self.is_compound)

    @property
    def stands_alone(self) -> bool:
        """Whether sh comes to it for certain, if nothing has ended it before, and ignores what it returns."""
        return self.depth == 0 and self.before == self.behind == b";"

    @property
    def becomes_another(self) -> bool:
        """Whether sh is not there any more behind it."""
        return self.stands_alone and len(self.words) > 1 and self.words[0].keyword == b"exec"


class Script:
    """`commands` as far as they are understood; `is_whole`: there is nothing else that sh would get to."""

    __slots__ = ("commands", "is_whole")

    def __init__(self, commands: list[Command], is_whole: bool) -> None:
        self.commands = commands
        self.is_whole = is_whole


class _NotUnderstoodError(Exception):
    pass


def read(text: bytes) -> Script:
    """The commands of a script that sh runs."""
    if len(text) > MOST_BYTES or b"\0" in text or b"\r" in text:
        return Script([], False)
    reader = _Reader(text)
    try:
        reader.read()
    except _NotUnderstoodError:
        return Script(reader.commands, False)
    return Script(reader.commands, True)


class _Reader:
    """`depth`: how many expansions the text stands in. Inside of one there is no stopping early: sh reads it
    as a whole."""

    def __init__(self, text: bytes, depth: int = 0) -> None:
        self._text = text
        self._depth = depth
        self._at = 0
        self._newlines = [at for at, byte in enumerate(text) if byte == 10]
        self._documents: list[tuple[bytes, bool]] = []
        self._open: list[bytes] = []
        self._is_awaited = False
        self._inside = 0
        self.commands: list[Command] = []

    def read(self) -> None:
        before = b";"
        while True:
            command = self._command(before)
            if command is None:
                break
            self._add(command)
            is_last = command.becomes_another or (command.stands_alone and command.name == b"exit")
            if is_last and not self._depth:
                return
            before = b";" if command.behind == b"&" else command.behind
        if self._open or self._documents:
            raise _NotUnderstoodError

    def _add(self, command: Command) -> None:
        if not command.is_empty:
            is_loop = bool(command.words) and command.words[0].keyword == b"for"
            if self._open and self._open[-1] == b"for" and not (is_loop and _is_for(command)):
                raise _NotUnderstoodError
            self.commands.append(command)
            self._is_awaited = False

    def _line(self, at: int) -> int:
        return bisect_right(self._newlines, at - 1) + 1

    def _skip(self) -> None:
        self._at = self._match(_BLANKS).end()
        if found := _COMMENT.match(self._text, self._at):
            self._at = found.end()

    def _match(self, pattern: "re.Pattern[bytes]") -> "re.Match[bytes]":
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _NotUnderstoodError
        return found

    def _command(self, before: bytes) -> Command | None:
        """The next command with the operator behind it, None at the end."""
        self._skip()
        command = Command(self._line(self._at), len(self._open), before)
        while True:
            self._skip()
            if self._at >= len(self._text):
                if not command.is_empty:
                    return command
                if command.before in _JOINS:
                    raise _NotUnderstoodError
                return None
            if found := _REDIRECTION.match(self._text, self._at):
                self._redirection(command, found)
            elif found := _OPERATOR.match(self._text, self._at):
                if self._operator(command, found[0]):
                    return command
            else:
                self._word_of(command)

    def _operator(self, command: Command, operator: bytes) -> bool:
        """Whether the command ends here."""
        if operator == b"(":
            if not command.is_empty:
                raise _NotUnderstoodError
            self._at += 1
            self._begin(command, b"(")
            return False
        is_empty = command.is_empty
        if operator == b")":
            if not is_empty:
                return True  # It is read again, as the beginning of what ends there.
            self._at += 1
            self._end(command, b")")
            return False
        self._at += len(operator)
        # `;;` of a case, and `&>`, which is not the same to every shell.
        if self._text[self._at - 1 : self._at + 1] in (b";;", b"&>"):
            raise _NotUnderstoodError
        if operator == b"\n":
            self._skip_documents()
            if is_empty:
                if command.before == b"!":
                    raise _NotUnderstoodError
                command.line = self._line(self._at)
                return False
            operator = b";"
        elif is_empty:
            raise _NotUnderstoodError
        command.behind = operator
        return True

    def _begin(self, command: Command, word: bytes) -> None:
        if len(self._open) >= _DEEPEST:
            raise _NotUnderstoodError
        self._open.append(word)
        self._is_awaited = True
        command.depth = len(self._open)
        command.before = b";"

    def _end(self, command: Command, word: bytes) -> None:
        if self._is_awaited or command.before in _JOINS:
            raise _NotUnderstoodError
        if not self._open or self._open.pop() not in _CLOSES[word]:
            raise _NotUnderstoodError
        command.is_compound = True
        command.depth = len(self._open)
        command.before = b"compound"

    def _word_of(self, command: Command) -> None:
        if command.is_compound:
            raise _NotUnderstoodError
        start = self._at
        word = self._word()
        if not command.words:
            if self._is_keyword(command, word.keyword):
                return
            if found := _ASSIGNMENT.match(self._text, start):
                self._assignment(command, word, found[1])
                return
            # alias, or a function: not for certain what its name says.
            if word.keyword == b"alias":
                raise _NotUnderstoodError
        command.words.append(word)

    def _is_keyword(self, command: Command, word: bytes) -> bool:
        if command.assignments or command.redirections:
            return False
        if word in _NOT_UNDERSTOOD:
            raise _NotUnderstoodError
        if word == b"for":
            self._begin(command, word)
            return False  # Its words up to `do` are no command that anybody runs, but end as one.
        if word in _OPENS:
            self._begin(command, word)
            return True
        if word == b"!":
            if command.before in (b"|", b"!"):
                raise _NotUnderstoodError
            command.before = word
            return True
        if word in _GOES_ON:
            if self._is_awaited or command.before in _JOINS or not self._open:
                raise _NotUnderstoodError
            following = _GOES_ON[word].get(self._open[-1])
            if following is None:
                raise _NotUnderstoodError
            self._open[-1] = following
            self._is_awaited = True
            command.before = b";"
            return True
        if word in _CLOSES:
            self._end(command, word)
            return True
        return False

    def _assignment(self, command: Command, word: Word, name: bytes) -> None:
        first = word.parts[0]
        assert isinstance(first, bytes)
        rest = first[len(name) + 1 :]
        if not rest and len(word.parts) == 1 and self._text.startswith(b"(", self._at):
            raise _NotUnderstoodError
        parts = ((rest,) if rest else ()) + word.parts[1:]
        command.assignments.append((name, Word(parts, word.line, b"")))

    def _redirection(self, command: Command, found: "re.Match[bytes]") -> None:
        digits, operator = found[1], found[2]
        if len(digits) > 3:
            raise _NotUnderstoodError
        self._at = found.end()
        if self._text.startswith(b"(", self._at):
            raise _NotUnderstoodError
        self._at = self._match(_BLANKS).end()
        word = self._word()
        if word.keyword.isdigit() and self._text[self._at : self._at + 1] in (b"<", b">"):
            # Whether that number is this one's or the next one's.
            raise _NotUnderstoodError
        if operator in (b"<<", b"<<-"):
            if word.literal is None:
                raise _NotUnderstoodError
            self._documents.append((word.literal, operator == b"<<-"))
        fd = int(digits) if digits else 0 if operator.startswith(b"<") else 1
        command.redirections.append(Redirection(fd, operator, word))

    def _skip_documents(self) -> None:
        for end, has_tabs in self._documents:
            while True:
                if self._at >= len(self._text):
                    raise _NotUnderstoodError
                newline = self._text.find(b"\n", self._at)
                newline = len(self._text) if newline < 0 else newline
                line = self._text[self._at : newline]
                self._at = newline + 1
                if (line.lstrip(b"\t") if has_tabs else line) == end:
                    break
        self._documents.clear()

    def _word(self) -> Word:
        start = self._at
        parts: list[bytes | Unknown] = []
        text = self._text
        while self._at < len(text):
            at = self._at
            if found := _PLAIN.match(text, at):
                self._take(parts, found[0], found.end())
            elif found := _SINGLE.match(text, at):
                self._take(parts, found[1], found.end())
            elif text.startswith(b"\\\n", at):
                self._at += 2
            elif text[at] == 0x5C:
                if at + 1 >= len(text):
                    raise _NotUnderstoodError
                self._take(parts, text[at + 1 : at + 2], at + 2)
            elif text[at] == 0x22:
                self._double(parts)
            elif text[at] in b"$`":
                self._expansion(parts, False)
            elif text[at] == 0x23 and at > start:
                self._take(parts, b"#", at + 1)
            elif text[at] in b"*?[{}~" or text[at] >= 0x80:
                if text[at] in b"{}" and self._stands_alone(start):
                    self._take(parts, text[at : at + 1], at + 1)
                    break
                parts.append(Unknown(None, text[at] >= 0x80))
                self._at += 1
            elif text[at] in b" \t\n;&|<>()":
                break
            else:
                raise _NotUnderstoodError
        if self._at == start:
            raise _NotUnderstoodError
        raw = text[start : self._at]
        return Word(_joined(parts), self._line(start), raw.replace(b"\\\n", b""))

    def _stands_alone(self, start: int) -> bool:
        """Whether the sign here is a word."""
        text = self._text
        return self._at == start and (start + 1 >= len(text) or text[start + 1] in b" \t\n;&|<>()")

    def _take(self, parts: "list[bytes | Unknown]", piece: bytes, end: int) -> None:
        parts.append(piece)
        self._at = end

    def _double(self, parts: "list[bytes | Unknown]") -> None:
        """What stands between `"` and `"`."""
        text = self._text
        self._at += 1
        parts.append(b"")
        while True:
            if self._at >= len(text):
                raise _NotUnderstoodError
            byte = text[self._at]
            if byte == 0x22:
                self._at += 1
                return
            if found := _IN_DOUBLE.match(text, self._at):
                self._take(parts, found[0], found.end())
            elif byte in b"$`":
                self._expansion(parts, True)
            elif byte == 0x5C:
                next_byte = text[self._at + 1 : self._at + 2]
                kept = next_byte if next_byte in (b"$", b"`", b'"', b"\\") else b"\\" + next_byte
                self._take(parts, b"" if next_byte == b"\n" else kept, self._at + 2)
            else:
                parts.append(Unknown(None, True))
                self._at += 1

    def _expansion(self, parts: "list[bytes | Unknown]", is_quoted: bool) -> None:
        self._inside += 1
        if self._inside > _DEEPEST:
            raise _NotUnderstoodError
        self._expanded(parts, is_quoted)
        self._inside -= 1

    def _expanded(self, parts: "list[bytes | Unknown]", is_quoted: bool) -> None:
        text, at = self._text, self._at
        if text[at] == 0x60:
            self._backquoted()
            parts.append(Unknown(None, is_quoted))
        elif text.startswith(b"$((", at):
            end = text.find(b"))", at)
            inside = text[at + 3 : end]
            if end < 0 or any(sign in inside for sign in (b"(", b"'", b'"', b"`", b"\\")):
                raise _NotUnderstoodError
            self._at = end + 2
            parts.append(Unknown(None, True))
        elif text.startswith(b"$(", at):
            self._at += 2
            self._closed(b")")
            if _UNCERTAIN.search(text, at, self._at):
                raise _NotUnderstoodError
            self._script_inside(text[at + 2 : self._at - 1])
            parts.append(Unknown(None, is_quoted))
        elif text.startswith(b"${", at):
            self._braced(parts, is_quoted)
        elif text[at + 1 : at + 2] in (b"'", b'"') and not is_quoted:
            raise _NotUnderstoodError
        elif found := _PARAMETER.match(text, at + 1):
            self._at = found.end()
            # "$@" is as many words as there are.
            parts.append(Unknown(found[0], is_quoted and found[0] != b"@"))
        else:
            self._take(parts, b"$", at + 1)

    def _backquoted(self) -> None:
        end = self._text.find(b"`", self._at + 1)
        inside = self._text[self._at + 1 : end]
        # What a backslash means there depends on what is round it.
        if end < 0 or b"\\" in inside:
            raise _NotUnderstoodError
        self._script_inside(inside)
        self._at = end + 1

    def _script_inside(self, text: bytes) -> None:
        if self._depth >= _DEEPEST_SCRIPT:
            raise _NotUnderstoodError
        _Reader(text, self._depth + 1).read()

    def _braced(self, parts: "list[bytes | Unknown]", is_quoted: bool) -> None:
        start = self._at + 2
        self._at = start
        self._closed(b"}")
        inside = self._text[start : self._at - 1]
        if not _BRACED.match(inside):
            raise _NotUnderstoodError
        name = _NAME.match(inside)
        if name is None:
            parts.append(Unknown(None, is_quoted and not inside.startswith(b"@")))
            return
        # What an operator makes of the value is not followed.
        has_operator = name.end() < len(inside)
        parts.append(Unknown(None if has_operator else name[0], is_quoted))

    def _closed(self, end: bytes, depth: int = 0) -> None:
        """Go behind the `end` that belongs to where we are."""
        text = self._text
        if depth > _DEEPEST:
            raise _NotUnderstoodError
        while self._at < len(text):
            byte = text[self._at : self._at + 1]
            if byte == end:
                self._at += 1
                return
            if byte == b"\\":
                self._at += 2
            elif byte == b"'":
                if end == b"}":
                    # Inside of "${…}" it may be a quotation or not.
                    raise _NotUnderstoodError
                self._at = text.find(b"'", self._at + 1) + 1
                if self._at == 0:
                    raise _NotUnderstoodError
            elif byte == b'"':
                self._double([])
            elif byte == b"`":
                self._backquoted()
            elif text.startswith((b"$(", b"${"), self._at):
                self._expansion([], False)
            elif byte == b"(":
                self._at += 1
                self._closed(b")", depth + 1)
            else:
                self._at += 1
        raise _NotUnderstoodError


def _is_for(command: Command) -> bool:
    """Whether these are the words of a loop, up to its `do`."""
    keywords = [word.keyword for word in command.words]
    has_name = len(keywords) > 1 and _NAME.fullmatch(keywords[1]) is not None
    is_plain = not command.redirections and not command.assignments and command.behind == b";"
    return has_name and is_plain and keywords[2:3] in ([], [b"in"])


def _joined(parts: "list[bytes | Unknown]") -> "tuple[bytes | Unknown, ...]":
    """Literal parts that stand side by side as one."""
    joined: list[bytes | Unknown] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
