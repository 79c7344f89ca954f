"""Which runs are known in advance: scripts that do nothing but lead through tools of svpy's to its multilog.

Rules of this module:

- a script is understood if it says nothing but comments, `exec 2>&1` and one `exec` of literal words, in
  any order, and sh never gets behind that `exec`: what stands there is nobody's, because a shell reads
  and carries out one line after the other (dash, bash and busybox do, also where it is no shell at all);
- literal are the letters, digits and signs that mean nothing to any shell, what is quoted by `'`, by `"`
  without `$` and backquote, or by a backslash; a backslash before a newline joins two lines;
- `2>&1` may stand among the words of that `exec`, too, as a word of its own;
- `#!` leads to /bin/sh, with nothing behind it but -e and -u, which change nothing here; without that
  line it is /bin/sh, too, that runs it;
- words are printable ASCII, tabs and newlines: of other bytes a shell's locale decides what they are.
  In comments they may be anything;
- what is not understood for certain is not understood. It is run by sh, as ever.

A chain is judged by its words alone: the names of the tools and the usage of each. Whether a name leads to
svpy's own is for whoever knows PATH; a PATH that does not mean the same to every shell and to svpy's tools is
not understood either.
"""

import re

from svpy.core import chain as loaders
from svpy.core.errors import Die

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 16384
"""A longer script is not looked at: nobody writes one by hand that says so little."""

_FIRST_LINE = re.compile(rb"#![ \t]{0,8}/bin/sh(?:[ \t]{1,8}-(?:e|u|eu|ue))?[ \t]{0,8}(?:\n|\Z)")

_IDLE = re.compile(rb"(?:[ \t\n]|\\\n|#[^\n]*(?:\n|\Z))*")
"""What stands before a command: blanks, empty lines, joined lines, comments."""
PLAIN = rb"[A-Za-z0-9_%+,\-./:=@^!\]]+"
"""Of a word what means nothing to any shell."""
# No possessive repetitions: Python 3.11.2, which is Debian 12's, matches `(?:a|"b")*+` wrongly.
_TOKEN = re.compile(
    rb"""(?P<join>\\\n)
    |(?P<blank>[\ \t]+)
    |(?P<newline>\n)
    |(?P<hash>\#)
    |(?P<merge>2>&1(?=[\ \t\n]|\Z))
    |(?P<plain>"""
    + PLAIN
    + rb""")
    |(?P<single>'[\t\n\ -&(-~]*')
    |(?P<double>"(?:[\t\n\ !\#%-\[\]-_a-~]|\\[\t\n\ -~])*")
    |(?P<escape>\\[\t\ -~])""",
    re.VERBOSE,
)
_SPECIAL = re.compile(rb'\\(?:(["$`\\])|\n)')
"""Behind what a backslash between `"` and `"` is not itself."""
_UNQUOTED: "dict[str | None, Callable[[bytes], bytes]]" = {
    "plain": lambda text: text,
    "single": lambda text: text[1:-1],
    "double": lambda text: _SPECIAL.sub(rb"\1", text[1:-1]),
    "escape": lambda text: text[1:],
}
"""What may be part of a word, and what it comes to."""

_EXEC = b"exec"
_MULTILOG = b"multilog"


class Literal:
    """The `exec` of a script: its words, none of which anything happens to, and whether stderr goes where
    stdout goes."""

    __slots__ = ("merges_stderr", "words")

    def __init__(self, words: tuple[bytes, ...], merges_stderr: bool) -> None:
        self.words = words
        self.merges_stderr = merges_stderr


class Chain:
    """A command line that ends in multilog.

    `loaders`: the words before multilog, as they are written; `script`: those behind it. `programs`: the
    words by which the tools are called, multilog's last. `account`: the one of `setuidgid ACCOUNT` where
    that is all there is before multilog. `is_shared`: whether a process that such a chain led to may be
    any other's whose words before multilog are the same."""

    __slots__ = ("account", "is_shared", "loaders", "programs", "script")

    def __init__(
        self, loaders: tuple[bytes, ...], programs: tuple[bytes, ...], script: tuple[bytes, ...]
    ) -> None:
        self.loaders = loaders
        self.programs = programs
        self.script = script
        lone = [_name(program) for program in programs] == [b"setuidgid", _MULTILOG]
        self.account = loaders[1] if lone else None
        self.is_shared = lone or not loaders


def understood(text: bytes) -> Literal | None:
    """What a script asks sh for, None if that is not certain."""
    if len(text) > MOST_BYTES or b"\0" in text or b"\r" in text:
        return None
    at = 0
    if text.startswith(b"#!"):
        first = _FIRST_LINE.match(text)
        if first is None:
            return None
        at = first.end()
    merges_stderr = False
    while True:
        if idle := _IDLE.match(text, at):
            at = idle.end()
        if not text.startswith(_EXEC, at):
            return None
        line = _line(text, at)
        if line is None or line[0][0] != _EXEC:
            return None
        (_, *words), merges, at = line
        merges_stderr |= merges
        if words:
            # Words of exec's own, with a `-`, are not the same in every shell.
            return None if words[0].startswith(b"-") else Literal(tuple(words), merges_stderr)


def _line(text: bytes, at: int) -> tuple[list[bytes], bool, int] | None:
    """The words of a command, whether `2>&1` is among them, and where it ends."""
    words: list[bytes] = []
    word: bytes | None = None
    merges_stderr = False
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        kind = token.lastgroup
        at = token.end()
        if kind in _UNQUOTED:
            word = (word or b"") + _UNQUOTED[kind](token[0])
        elif kind == "hash":
            if word is not None:
                word += b"#"  # a sign like others
            else:
                at = text.find(b"\n", at)
                at = at if at >= 0 else len(text)
        elif kind == "merge":
            if word is not None:
                return None
            merges_stderr = True
        elif kind in ("blank", "newline"):
            if word is not None:
                words.append(word)
                word = None
            if kind == "newline":
                break
    if word is not None:
        words.append(word)
    return words, merges_stderr, at


_LOADERS: "dict[bytes, Callable[[list[bytes]], tuple[object, list[bytes]]]]" = {
    b"setuidgid": loaders.setuidgid,
    b"setuser": loaders.setuser,
    b"envuidgid": loaders.envuidgid,
    b"envdir": loaders.envdir,
    b"softlimit": loaders.softlimit,
    b"setlock": loaders.setlock,
    b"pgrphack": loaders.pgrphack,
}
"""Not fghack: it leaves a process of its own behind."""


def chain(words: tuple[bytes, ...]) -> Chain | None:
    """The chain that these words are, None if it does not end in multilog or a tool would refuse its own."""
    rest = list(words)
    programs = []
    while rest:
        programs.append(rest[0])
        name = _name(rest.pop(0))
        if name == _MULTILOG:
            # Alone it is a question about multilog.
            if rest == [b"--help"]:
                return None
            before = len(words) - len(rest) - 1
            return Chain(words[:before], tuple(programs), tuple(rest))
        if name not in _LOADERS:
            return None
        try:
            _, rest = _LOADERS[name](rest)
        except Die:
            return None
    return None


_PATH = b"PATH="
_MEANS_MORE = b"%~"
"""In PATH: dash has words of its own behind a `%`, and bash a home for `~`."""


def search_path(environ: list[bytes]) -> bytes | None:
    """The PATH of an environment, None if not everyone finds the same files along it: without one each shell
    has a default of its own, and from where a relative part leads is not known here."""
    paths = [entry[len(_PATH) :] for entry in environ if entry.startswith(_PATH)]
    if len(paths) != 1 or any(sign in paths[0] for sign in _MEANS_MORE):
        return None
    return paths[0] if all(part.startswith(b"/") for part in paths[0].split(b":")) else None


def _name(word: bytes) -> bytes:
    return word[word.rfind(b"/") + 1 :]
