"""Which loggers run natively, in whose company, and what becomes of them: what daemon/natives.py goes by.
And what of other runs is known in advance.

Rules of this module:

- a run that sh would do nothing for but to execute one program is that program, and needs no sh;
- a logger runs natively if its script is understood and its chain ends in multilog (core/nativerun.py), and
  each of its words leads to svpy's own command;
- loggers share a process if the same words, read by the same commands, under the same accounts, led to it. An
  account that does not stand in the file of accounts may be another tomorrow without our seeing that: whom
  such a one runs has a process of its own;
- a process takes only as many loggers as it may have descriptors for;
- what did not work is not tried again and again, and said once: a template that does not do its work, loggers
  whose chain led elsewhere as another user.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from svpy.core.errors import FAILED
from svpy.core.nativerun import Chain
from svpy.core.templatewire import ELSEWHERE, Wanted

FDS_FOR_ONE = 6
FDS_FOR_ITSELF = 64
"""Of a process' hard limit: what each logger may take with one folder and one status file, and a reserve."""

TRY_AGAIN_S = 60.0
"""After a template that did not do its work, everything is executed for so long."""

ELSEWHERE_S = 60.0
"""How long loggers whose chain leads elsewhere are executed without asking again."""

Identity = tuple[int, int, int]
"""Of a file: device, inode, moment of its last change in nanoseconds; zeros if there is none."""

NO_FILE: Identity = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Key:
    """What those have in common that may share a process: the account of their chain, the file it is looked
    up in, whether stderr goes where stdout does, and the commands their words lead to (device, inode)."""

    account: bytes | None
    accounts: Identity
    merges_stderr: bool
    own: tuple[tuple[bytes, tuple[int, int]], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """How a logger is to be run: what to ask the template for, and who may have the same process."""

    wanted: Wanted
    key: Key


@dataclass(frozen=True, slots=True)
class Program:
    """What sh would execute: the file at `path`, called with `words`, with this environment. `merges_stderr`:
    its stderr goes where its stdout does."""

    path: bytes
    words: tuple[bytes, ...]
    environ: list[bytes]
    merges_stderr: bool


def planned(chain: Chain, environ: list[bytes], key: Key, account_stands_there: bool) -> Run:
    """`environ` is what sh would have left. `account_stands_there`: in the file of accounts."""
    is_shared = chain.is_shared and (chain.account is None or account_stands_there)
    wanted = Wanted(chain.loaders, chain.programs[-1], chain.script, environ, key.merges_stderr, is_shared)
    return Run(wanted, key)


def capacity(hard_limit: int) -> int:
    """How many loggers a process with that hard limit on descriptors takes."""
    return max(0, (hard_limit - FDS_FOR_ITSELF) // FDS_FOR_ONE)


def takes(hosted: Collection[int], name: int, most: int) -> bool:
    """Whether a process that hosts these, and up to so many, takes one more of that name."""
    return len(hosted) < most and name not in hosted


def told(code: int | None) -> int | None:
    """The exit code that loggers are said to have ended with when their process has with this one."""
    return FAILED if code == ELSEWHERE else code


class Doubts:
    """What is not tried for a while. Moments are CLOCK_MONOTONIC's."""

    __slots__ = ("_elsewhere", "_not_before_mono_s", "_said")

    def __init__(self) -> None:
        self._not_before_mono_s = float("-inf")
        self._elsewhere: dict[Key, float] = {}
        self._said = b""

    def any_may_be_tried(self, mono_s: float) -> bool:
        return mono_s >= self._not_before_mono_s

    def may_be_tried(self, key: Key, mono_s: float) -> bool:
        return mono_s >= self._elsewhere.get(key, mono_s)

    def put_off(self, mono_s: float) -> None:
        """Nothing can be run natively now."""
        self._not_before_mono_s = mono_s + TRY_AGAIN_S

    def ended(self, key: Key, code: int | None, mono_s: float) -> None:
        """A process of loggers with that key has ended so."""
        if code == ELSEWHERE:
            still = {other: until for other, until in self._elsewhere.items() if until > mono_s}
            self._elsewhere = {**still, key: mono_s + ELSEWHERE_S}

    def complaint(self, why: bytes) -> bytes | None:
        """What is to be said of it; nothing if it was."""
        message = b"unable to run loggers natively: " + why + b"; they are executed"
        if message == self._said:
            return None
        self._said = message
        return message

    def worked(self) -> None:
        """What goes wrong the next time is news."""
        self._said = b""
