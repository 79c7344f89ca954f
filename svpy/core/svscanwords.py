"""The words of svscan's command line.

Rules of this module:

- options come first and have long names, one table; `--` ends them, as does the folder;
- what stands behind the folder is ignored, as daemontools' svscan ignores it;
- `--state FD` is not for people: it hands over what a svscan before this one held (`svpy upgrade`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from svpy.core.errors import USAGE, Die
from svpy.core.numbers import seconds


@dataclass(frozen=True, slots=True)
class Words:
    """`folder` is where services are, None for the current folder; `shown` is what a command line shows."""

    folder: bytes | None = None
    log_stdout: bool = False
    stop_timeout_s: float | None = None
    state_fd: int | None = None
    shown: tuple[bytes, ...] = ()


PLAIN = Words()


def parse(words: list[bytes], usage: bytes) -> Words:
    """Raises Die, with `usage`, for what is no option of ours."""
    parsed = PLAIN
    rest = list(words)
    while rest and rest[0].startswith(b"--"):
        option = rest.pop(0)
        if option == b"--":
            break
        parsed = _with_option(parsed, option, rest, usage)
    shown = words[: len(words) - len(rest)]
    if parsed.state_fd is not None:
        shown = shown[2:]
    return replace(parsed, folder=rest[0] if rest else None, shown=(*shown, *rest))


def _with_option(parsed: Words, option: bytes, rest: list[bytes], usage: bytes) -> Words:
    if option == b"--log-stdout":
        return replace(parsed, log_stdout=True)
    if not rest:
        raise Die(USAGE, usage)
    value = rest.pop(0)
    if option == b"--stop-timeout" and (seconds_s := seconds(value)) is not None:
        return replace(parsed, stop_timeout_s=seconds_s)
    if option == b"--state" and value.isdigit() and not parsed.shown:
        return replace(parsed, state_fd=int(value))
    raise Die(USAGE, usage)
