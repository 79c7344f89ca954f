"""Options with long names, of commands that daemontools does not have.

Rules of this module:

- `--name value` and `--name=value` are the same; an option that takes nothing refuses the second form;
- options may stand before, between and behind the other words; `--` ends them, and what stands behind it is
  returned apart, because for some commands that is a command line of its own.
"""

from svpy.core.errors import USAGE, Die

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Found:
    """`options`: (name, value) as they came, the value empty where none is taken; `words`: the others;
    `behind`: what stood behind `--`, None without one."""

    __slots__ = ("behind", "options", "words")

    def __init__(self) -> None:
        self.options: list[tuple[bytes, bytes]] = []
        self.words: list[bytes] = []
        self.behind: list[bytes] | None = None


def parse(words: list[bytes], known: "Mapping[bytes, bool]", usage: bytes) -> Found:
    """`known`: each option, with its `--`, and whether it takes a value. Raises Die, with `usage`."""
    found = Found()
    rest = iter(words)
    for word in rest:
        if word == b"--":
            found.behind = list(rest)
        elif word.startswith(b"-"):
            name, equals, value = word.partition(b"=")
            takes = known.get(name)
            if takes is None or (equals and not takes):
                raise Die(USAGE, usage)
            if takes and not equals:
                following = next(rest, None)
                if following is None:
                    raise Die(USAGE, usage)
                value = following
            found.options.append((name, value))
        else:
            found.words.append(word)
    return found
