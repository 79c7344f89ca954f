"""The words of svscan's command line.

Rules of this module:

- options come first and have long names, one table; `--` ends them, as does the folder;
- where events are told is an absolute path, or one of the two words STDOUT and STDERR: a program that follows
  this one in another folder must read the same words;
- what stands behind the folder is ignored, as daemontools' svscan ignores it;
- `--state FD` is not for people: it hands over what a svscan before this one held (`svpy upgrade`), as
  `--check-state FD` does only to see whether it is understood; they stand before all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from svpy.core.errors import USAGE, Die
from svpy.core.numbers import seconds


@dataclass(frozen=True, slots=True)
class Words:
    """`folder` is where services are, None for the current folder; `shown` is what a command line shows;
    `native`: whether loggers that are known in advance run without being executed; `events`: where events are
    told, None for nowhere."""

    folder: bytes | None = None
    log_stdout: bool = False
    stop_timeout_s: float | None = None
    native: bool = True
    events: bytes | None = None
    state_fd: int | None = None
    check_fd: int | None = None
    shown: tuple[bytes, ...] = ()


PLAIN = Words()
STDOUT = b"-"
STDERR = b"stderr"
_ALONE: dict[bytes, dict[str, Any]] = {
    b"--log-stdout": {"log_stdout": True},
    b"--no-native": {"native": False},
}
_WITH_STATE: dict[bytes, Callable[[int], Words]] = {
    b"--state": lambda fd: Words(state_fd=fd),
    b"--check-state": lambda fd: Words(check_fd=fd),
}


def parse(words: list[bytes], usage: bytes) -> Words:
    """Raises Die, with `usage`, for what is no option of ours."""
    parsed = PLAIN
    if len(words) > 1 and words[0] in _WITH_STATE and words[1].isdigit():
        parsed = _WITH_STATE[words[0]](int(words[1]))
        words = words[2:]
    rest = list(words)
    while rest and rest[0].startswith(b"--"):
        option = rest.pop(0)
        if option == b"--":
            break
        parsed = _with_option(parsed, option, rest, usage)
    shown = words[: len(words) - len(rest)]
    return replace(parsed, folder=rest[0] if rest else None, shown=(*shown, *rest))


def _with_option(parsed: Words, option: bytes, rest: list[bytes], usage: bytes) -> Words:
    if option in _ALONE:
        return replace(parsed, **_ALONE[option])
    if not rest:
        raise Die(USAGE, usage)
    value = rest.pop(0)
    if option == b"--stop-timeout" and (seconds_s := seconds(value)) is not None:
        return replace(parsed, stop_timeout_s=seconds_s)
    if option == b"--events" and (value in (STDOUT, STDERR) or value.startswith(b"/")):
        return replace(parsed, events=value)
    raise Die(USAGE, usage)
