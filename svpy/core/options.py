"""Options as daemontools' sgetopt reads them.

Rules of this module:

- options end at the first word that does not begin with `-`, at `-` alone, or after one that begins with
  `--`, whatever else is in it;
- letters may be joined (`-dx`); an argument is the rest of the word or the next word;
- a bad option is reported in two lines: sgetopt's own, then the command's usage.

The standard library's getopt wants text, permutes nothing either, but costs a chain tool
half of the interpreter's own start.
"""

from svpy.core.errors import USAGE, Die

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def parse(
    program: bytes,
    letters: bytes,
    words: list[bytes],
    usage: bytes,
    take: "Callable[[bytes, bytes], None]" = lambda letter, argument: None,
) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """Split `words` (without the program's name) into [(letter, argument)] and the rest.

    `letters` are those allowed, one that takes an argument followed by `:`. `take` is called with
    each as it is found: what it refuses is then reported before what is wrong further on.
    Raises Die(100) for an unknown letter or a missing argument."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word.startswith(b"--"):
            return found, words[at + 1 :]
        if word == b"-" or not word.startswith(b"-"):
            break
        at += 1
        position = 1
        while position < len(word):
            letter = word[position : position + 1]
            position += 1
            place = letters.find(letter)
            if place < 0 or letter == b":":
                raise Die(USAGE, program + b": illegal option -- " + letter + b"\n" + usage)
            if letters[place + 1 : place + 2] != b":":
                take(letter, b"")
                found.append((letter, b""))
                continue
            argument = word[position:]
            if not argument:
                if at == len(words):
                    raise Die(USAGE, program + b": option requires an argument -- " + letter + b"\n" + usage)
                argument = words[at]
                at += 1
            take(letter, argument)
            found.append((letter, argument))
            break
    return found, words[at:]
