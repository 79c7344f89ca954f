"""What a `run` will ask of the machine: its chain of loaders, the program at its end, and what both need.

Rules of this module:

- what counts is the `exec` that sh comes to for certain, or, in a script that is understood to its end, its
  last command; nothing that depends on a condition is looked at;
- a variable is known if the script has set it to what is known, at its top; what the environment had before
  is known of PATH alone;
- a loader is known by its name, its words by its own usage; behind a word of unknown number, an option that
  is not known or a loader that may change what is looked for, nothing is known any more.
"""

from svpy.core import chain
from svpy.core.environment import search_path
from svpy.core.errors import Die
from svpy.core.shscript import Command, Script, Unknown, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HERE = b"."
"""The folder that a script is started in."""

BUILTINS = frozenset(
    b". : [ alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs kill"
    b" local printf pwd read readonly return set shift source test times trap true type ulimit umask unalias"
    b" unset wait".split()
)
"""What sh does itself."""

_MOST_BYTES = 4096
"""A value that is longer is not followed: a variable can double with each line."""
_MOST_PROGRAMS = 100
"""A longer chain is nobody's."""

_HIDDEN = b"\0"
"""Stands for a word that is not known: none can hold it."""

_NO_PATH = search_path([])


class Program:
    """A word that is executed, where it is looked for (None: not known), the folder we are in then (None),
    and the words behind it. `address_bytes`, `data_bytes`: what it may have at most, None if nothing limits
    it; `limited_at` is the line of that limit. `is_main`: it is what the service becomes, else what that
    starts for each connection."""

    __slots__ = (
        "account",
        "address_bytes",
        "cwd",
        "data_bytes",
        "is_main",
        "limited_at",
        "line",
        "path",
        "rest",
        "word",
    )

    def __init__(self, word: bytes, line: int, walk: "_Walk", rest: list[Word]) -> None:
        self.word = word
        self.line = line
        self.rest = rest
        self.path = walk.path
        self.cwd = walk.cwd
        self.account = walk.account
        self.address_bytes = walk.limits.get("AS")
        self.data_bytes = walk.limits.get("DATA")
        self.limited_at = walk.limited_at
        self.is_main = not walk.is_child

    @property
    def name(self) -> bytes:
        return self.word[self.word.rfind(b"/") + 1 :]

    @property
    def key(self) -> tuple[bytes, bytes, bytes] | None:
        """Where it is looked for; None if that is not known."""
        if b"/" in self.word:
            if self.word.startswith(b"/"):
                return self.word, b"", b""
            return None if self.cwd is None else (self.word, b"", self.cwd)
        if self.path is None:
            return None
        if all(part.startswith(b"/") for part in self.path.split(b":")):
            return self.word, self.path, b""
        return None if self.cwd is None else (self.word, self.path, self.cwd)


class Listen:
    """A tcp port that is bound by `account` (empty: by who svscan is; None: not known)."""

    __slots__ = ("account", "host", "line", "port", "program")

    def __init__(self, host: bytes, port: bytes, line: int, account: bytes | None, program: Program) -> None:
        self.host = host
        self.port = port
        self.line = line
        self.account = account
        self.program = program


class Named:
    """A file or folder that a word names, or an account, and the folder we are in then. `must_exist`: what
    reads it goes on without it otherwise."""

    __slots__ = ("by", "cwd", "line", "must_exist", "name")

    def __init__(
        self, name: bytes, line: int, by: bytes, cwd: bytes | None = None, must_exist: bool = True
    ) -> None:
        self.name = name
        self.line = line
        self.by = by
        self.cwd = cwd
        self.must_exist = must_exist


class Reading:
    """`main`: the command that counts, None if none is certain; `is_exec`: sh becomes it. `mistakes`: line
    and message of a usage error. `has_fghack`: what puts itself into the background is waited for.
    `may_redirect`: stderr is told where to go, or that is not known."""

    __slots__ = (
        "accounts",
        "drops",
        "envdirs",
        "has_fghack",
        "is_exec",
        "listens",
        "main",
        "may_redirect",
        "mistakes",
        "programs",
        "rules",
        "script",
    )

    def __init__(self, script: Script) -> None:
        self.script = script
        self.main: Command | None = None
        self.is_exec = False
        self.may_redirect = False
        self.has_fghack = False
        self.programs: list[Program] = []
        self.accounts: list[Named] = []
        self.drops: list[Named] = []
        self.listens: list[Listen] = []
        self.rules: list[Named] = []
        self.envdirs: list[Named] = []
        self.mistakes: list[tuple[int, bytes]] = []


def read(script: Script, inherited_path: bytes) -> Reading:
    """What a script asks for; `inherited_path` is the PATH it is started with."""
    reading = Reading(script)
    state = _State(inherited_path)
    for command in script.commands:
        reading.may_redirect |= _redirects(command, None)
        if command.becomes_another:
            reading.main, reading.is_exec = command, True
            break
        state.after(command)
    reading.may_redirect |= state.is_lost
    if reading.main is None and script.is_whole:
        last = next((each for each in reversed(script.commands) if each.depth == 0), None)
        if last is not None and last.stands_alone and last.words and not last.is_compound:
            reading.main = last
    main = reading.main
    if main is None or (not reading.is_exec and main.name in BUILTINS):
        return reading
    reading.may_redirect |= _redirects(main, main)
    words = main.words[1:] if reading.is_exec else main.words
    walk = _Walk(reading, state)
    for name, value in main.assignments:
        if name == b"PATH":
            walk.path = state.value(value)
    walk.go(words)
    return reading


def _redirects(command: Command, main: Command | None) -> bool:
    """Whether it says where stderr goes, for what comes behind it."""
    if command is not main and not (command.words and command.words[0].keyword == b"exec"):
        return False
    return any(
        each.fd == 2 or (each.operator == b">&" and not (each.target.literal or b"").isdigit())
        for each in command.redirections
    )


class _State:
    """What is known of the shell when it comes to a command."""

    def __init__(self, inherited_path: bytes) -> None:
        self._variables: dict[bytes, bytes | None] = {b"PATH": inherited_path}
        self.cwd: bytes | None = HERE
        self.is_lost = False

    @property
    def path(self) -> bytes | None:
        return self._variables.get(b"PATH")

    def value(self, word: Word) -> bytes | None:
        """What a word is where nothing is split, as behind a `=`."""
        found = b""
        for part in word.parts:
            value = part if isinstance(part, bytes) else self._of(part)
            if value is None:
                return None
            found += value
            if len(found) > _MOST_BYTES:
                return None
        return found

    def word(self, word: Word) -> bytes | None:
        """What a word is among others; None too if it may be more than one."""
        if word.is_one:
            return self.value(word)
        value = self.value(word)
        return value if value and not set(value) & set(b" \t\n*?[") else None

    def _of(self, part: Unknown) -> bytes | None:
        if part.name is None or self.is_lost:
            return None
        return self._variables.get(part.name)

    def after(self, command: Command) -> None:
        is_certain = command.stands_alone
        if not command.words:
            for variable, value in command.assignments:
                self._variables[variable] = self.value(value) if is_certain else None
            return
        name = command.name
        if name in (b"cd", b"pushd", b"popd"):
            word = self.word(command.words[1]) if is_certain and len(command.words) == 2 else None
            self.cwd = word if word is not None and word.startswith(b"/") else None
        elif name in (b".", b"source", b"eval", b"set", b"trap", b"command", b"builtin", b"exec"):
            # What these do is not followed; `set`, `trap` and `exec` with redirections change nothing here.
            if name not in (b"set", b"trap", b"exec"):
                self._lose()
        elif name in (b"export", b"readonly", b"local", b"typeset", b"declare"):
            for each in command.words[1:]:
                self._exported(each, is_certain)
        elif name in (b"read", b"unset", b"getopts", b"for"):
            for each in command.words[1:]:
                self._variables[each.literal or b""] = None
        elif name is None and command.words[0].keyword != b"[":
            self._lose()

    def _exported(self, word: Word, is_certain: bool) -> None:
        first = word.parts[0] if word.parts else b""
        if not isinstance(first, bytes):
            self._lose()
            return
        name, equals, rest = first.partition(b"=")
        if equals:
            value = self.value(Word((rest, *word.parts[1:]), word.line, b"")) if is_certain else None
            self._variables[name] = value

    def _lose(self) -> None:
        self.is_lost = True
        self._variables = {b"PATH": None}
        self.cwd = None


class _Walk:
    """Along a chain, word by word. `account`: under which it is now; empty as at first, None if not known."""

    def __init__(self, reading: Reading, state: _State) -> None:
        self._reading = reading
        self._state = state
        self.path = state.path
        self.cwd = state.cwd
        self.account: bytes | None = b""
        self.limits: dict[str, int] = {}
        self.limited_at = 0
        self.is_child = False

    def go(self, words: list[Word]) -> None:
        rest: list[Word] | None = words
        while rest:
            word = rest[0]
            known = self._state.word(word)
            if not known or known.startswith(b"-") or len(self._reading.programs) == _MOST_PROGRAMS:
                return
            program = Program(known, word.line, self, rest[1:])
            self._reading.programs.append(program)
            step = _STEPS.get(program.name)
            if step is None:
                return
            try:
                rest = step(self, program, program.rest)
            except Die as death:
                if all(each.is_one for each in program.rest):
                    message = death.message.rpartition(b"\n")[2]
                    self._reading.mistakes.append((word.line, message))
                return

    def known(self, words: list[Word]) -> list[bytes]:
        """What words are, `_HIDDEN` where that is not known."""
        found = [self._state.word(word) for word in words]
        return [_HIDDEN if word is None else word for word in found]

    def tail(self, words: list[Word], rest: list[bytes]) -> list[Word] | None:
        """The last words, as many as these. None where one before may have been none or several."""
        count = len(words) - len(rest)
        return words[count:] if _are_single(self._state, words[:count]) else None

    def _takes(self, word: bytes, line: int, by: bytes) -> None:
        if _HIDDEN in word or word.startswith(b"-"):
            self.account = None
            return
        self._reading.accounts.append(Named(word, line, by))
        if by in (b"setuidgid", b"setuser", b"s6-setuidgid", b"chpst"):
            self.account = word
            self._reading.drops.append(Named(word, line, by))

    # A step takes the words behind its loader's name and returns those that are executed; None ends it.

    def setuidgid(self, program: Program, words: list[Word]) -> list[Word] | None:
        if program.name == b"s6-setuidgid" and words and (words[0].literal or b"-").startswith(b"-"):
            return None
        (account,), rest = chain.setuidgid(self.known(words))
        self._takes(account, program.line, program.name)
        if program.name == b"setuser":
            self.cwd = None
        return self.tail(words, rest)

    def envuidgid(self, program: Program, words: list[Word]) -> list[Word] | None:
        (account,), rest = chain.envuidgid(self.known(words))
        self._takes(account, program.line, program.name)
        return self.tail(words, rest)

    def envdir(self, program: Program, words: list[Word]) -> list[Word] | None:
        (path, is_file), rest = chain.envdir(self.known(words))
        if _HIDDEN not in path and not is_file:
            self._reading.envdirs.append(Named(path, program.line, b"envdir", self.cwd))
        self.path = None
        return self.tail(words, rest)

    def softlimit(self, program: Program, words: list[Word]) -> list[Word] | None:
        known = [b"=" if word == _HIDDEN else word for word in self.known(words)]
        (limits,), rest = chain.softlimit(known)
        for resource, value in limits:
            if value is not None:
                self.limits[resource] = value
                self.limited_at = program.line
            else:
                self.limits.pop(resource, None)
        return self.tail(words, rest)

    def setlock(self, program: Program, words: list[Word]) -> list[Word] | None:
        _, rest = chain.setlock(self.known(words))
        return self.tail(words, rest)

    def pgrphack(self, program: Program, words: list[Word]) -> list[Word] | None:
        _, rest = chain.pgrphack(self.known(words))
        return self.tail(words, rest)

    def fghack(self, program: Program, words: list[Word]) -> list[Word] | None:
        self._reading.has_fghack = True
        _, rest = chain.fghack(self.known(words))
        return self.tail(words, rest)

    def chpst(self, program: Program, words: list[Word]) -> list[Word] | None:
        """runit's chpst(8)."""
        found = _options(self, words, b"vVP012", b"uUbemdopfcrt/CnlL")
        if found is None:
            return None
        letters, rest = found
        for letter, word in letters:
            if letter in (b"u", b"U"):
                name = word if word.startswith(b":") else word.partition(b":")[0]
                self._takes(name, program.line, b"chpst" if letter == b"u" else b"chpst -U")
            elif letter in (b"m", b"d") and word.isdigit() and len(word) < 19:
                for resource in chain.LIMITS[letter]:
                    self.limits[resource] = int(word)
                self.limited_at = program.line
            elif letter == b"e":
                self.path = None
            elif letter in (b"/", b"C"):
                self.cwd = None
                if letter == b"/":
                    return None
        return rest

    def env(self, program: Program, words: list[Word]) -> list[Word] | None:
        at = 0
        while at < len(words):
            literal = words[at].literal
            first = words[at].parts[0] if words[at].parts else b""
            if literal in (b"-", b"-i", b"--ignore-environment"):
                self.path = _NO_PATH
            elif isinstance(first, bytes) and b"=" in first and not first.startswith(b"-"):
                name, _, value = first.partition(b"=")
                if not words[at].is_one:
                    return None
                if name == b"PATH":
                    self.path = self._state.value(Word((value, *words[at].parts[1:]), 0, b""))
            elif literal is None or literal.startswith(b"-"):
                return None
            else:
                return words[at:]
            at += 1
        return None

    def nice(self, program: Program, words: list[Word]) -> list[Word] | None:
        known = self.known(words)
        if known[:1] == [b"-n"]:
            return words[2:] if _are_single(self._state, words[:2]) else None
        if known and known[0].startswith(b"-"):
            number = known[0].lstrip(b"-n")
            return words[1:] if number.isdigit() else None
        return words

    def tcpserver(self, program: Program, words: list[Word]) -> list[Word] | None:
        """ucspi-tcp's tcpserver(1), and what of its IPv6 the Debian package has added."""
        found = _options(self, words, b"dDvqQhHrR1UXpPoO46sS", b"xtuglbBcI")
        if found is None:
            return None
        letters, rest = found
        must_exist = not any(letter == b"X" for letter, _ in letters)
        for letter, word in letters:
            if letter == b"x" and _HIDDEN not in word:
                self._reading.rules.append(Named(word, program.line, b"tcpserver", self.cwd, must_exist))
        known = self.known(rest[:2])
        if len(rest) < 3 or not _are_single(self._state, rest[:2]):
            return None
        if _HIDDEN not in known:
            self._reading.listens.append(Listen(known[0], known[1], rest[1].line, self.account, program))
        self.is_child = True
        if any(letter == b"u" for letter, _ in letters) or any(letter == b"U" for letter, _ in letters):
            self.account = None
        return rest[2:]

    def rblsmtpd(self, program: Program, words: list[Word]) -> list[Word] | None:
        found = _options(self, words, b"bBcC", b"tra")
        return None if found is None else found[1]

    def plain(self, program: Program, words: list[Word]) -> list[Word] | None:
        return words


def _are_single(state: _State, words: list[Word]) -> bool:
    """Whether each is one word. What is not quoted is one only if it is known; as the argument of an option
    nobody leaves it empty, or the option would take the next."""
    return all(word.is_one or state.word(word) is not None or _is_lone(word) for word in words)


def _is_lone(word: Word) -> bool:
    return len(word.parts) == 1 and isinstance(word.parts[0], Unknown) and word.parts[0].name is not None


def _options(
    walk: _Walk, words: list[Word], plain: bytes, with_argument: bytes
) -> tuple[list[tuple[bytes, bytes]], list[Word]] | None:
    """Options as getopt(3) reads them; None if they are not known for certain."""
    known = walk.known(words)
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(words):
        word = known[at]
        if word == b"--":
            return found, words[at + 1 :]
        if not word.startswith(b"-") or word == b"-":
            # A word that is not known may be an option, or none.
            return None if _HIDDEN in word else (found, words[at:])
        at += 1
        for place in range(1, len(word)):
            letter = word[place : place + 1]
            if letter in plain:
                found.append((letter, b""))
                continue
            if letter not in with_argument:
                return None
            argument = word[place + 1 :]
            if not argument:
                if at >= len(words) or not _are_single(walk._state, words[at : at + 1]):
                    return None
                argument = known[at]
                at += 1
            found.append((letter, argument))
            break
    return found, []


_STEPS: "dict[bytes, Callable[[_Walk, Program, list[Word]], list[Word] | None]]" = {
    b"setuidgid": _Walk.setuidgid,
    b"setuser": _Walk.setuidgid,
    b"s6-setuidgid": _Walk.setuidgid,
    b"envuidgid": _Walk.envuidgid,
    b"envdir": _Walk.envdir,
    b"softlimit": _Walk.softlimit,
    b"setlock": _Walk.setlock,
    b"pgrphack": _Walk.pgrphack,
    b"fghack": _Walk.fghack,
    b"chpst": _Walk.chpst,
    b"env": _Walk.env,
    b"nice": _Walk.nice,
    b"tcpserver": _Walk.tcpserver,
    b"rblsmtpd": _Walk.rblsmtpd,
    b"recordio": _Walk.plain,
    b"fixcrio": _Walk.plain,
}
LOADERS = frozenset(_STEPS) - {b"tcpserver", b"rblsmtpd", b"recordio", b"fixcrio", b"env", b"nice"}
"""What only leads to something else: memory limits are not measured by it."""
