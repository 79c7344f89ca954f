"""Pages whose commands a test types: what is in their fenced blocks, in order.

In a block ```console a line behind `# ` is typed by root, and what follows is the answer: `...` in a line of
its own is any lines or none, within a line any words; numbers, labels and the spaces between columns are not
compared. A block behind a line that is only a path in backquotes and a colon is the content of that file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_PATH = re.compile(r"^`(/[^`]*)`:\n\n\Z", re.M)
_HEADING = re.compile(r"(?m)^## (.*)$")
_CHANGES = re.compile(r"@[0-9a-f]{24}|\b[0-9a-f]{16}\b|\d+(?:\.\d+)?[KMG]?")


@dataclass
class Typed:
    """A command, and the lines of its answer."""

    heading: str
    command: str
    answer: list[str] = field(default_factory=list)


@dataclass
class File:
    heading: str
    path: str
    content: str


def steps(page: Path) -> list[Typed | File]:
    text = page.read_text()
    found: list[Typed | File] = []
    for block in _FENCE.finditer(text):
        before = text[: block.start()]
        heading = (_HEADING.findall(before) or [""])[-1]
        path = _PATH.search(before)
        if path:
            found.append(File(heading, path[1], block[2]))
        elif block[1] == "console":
            for line in block[2].splitlines():
                if line.startswith("# "):
                    found.append(Typed(heading, line[2:]))
                else:
                    last = found[-1]
                    assert isinstance(last, Typed), f"{page}: nothing was typed before {line!r}"
                    last.answer.append(line)
    return found


def matches(answer: list[str], said: str) -> bool:
    """Whether what was said is the answer that the page shows."""
    wanted = [r"(?:.*\n)*?" if line == "..." else _pattern(line) + r"\n" for line in answer]
    got = "".join(_masked(line) + "\n" for line in said.splitlines())
    return re.fullmatch("".join(wanted), got) is not None


def _masked(line: str) -> str:
    return " ".join(_CHANGES.sub("0", line).split())


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part.strip(" ")) for part in _masked(line).split("..."))
