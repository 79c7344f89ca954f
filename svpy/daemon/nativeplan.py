"""What is known in advance of a start, from what is there at that moment: the script, the commands its words
lead to, the accounts, what sh makes of the environment."""

from __future__ import annotations

import math
import os

from svpy.core import nativerun
from svpy.core.environment import candidates
from svpy.core.nativerun import Chain, Literal
from svpy.core.natives import NO_FILE, TRY_AGAIN_S, Identity, Key, Program, Run, planned
from svpy.core.service import RUN, SERVICE_FOLDER
from svpy.daemon.hosted import Hosted
from svpy.system import execplan, folders, identity, shellenv

ACCOUNTS = "/etc/passwd"


class NotKnown(Exception):
    """What /bin/sh does here cannot be known."""


class Planner:
    """`commands` is the folder of our own commands, `environ` what services get."""

    def __init__(self, commands: bytes, environ: list[bytes]) -> None:
        self._commands = commands
        self._environ = environ
        self._shell: shellenv.Shell | None = None
        self._ask_again_mono_s = -math.inf
        self._stand_in: tuple[Identity, dict[bytes, bool]] = (NO_FILE, {})

    def plan(self, hosted: Hosted, script: bytes, mono_s: float) -> Run | Program | None:
        """None if sh is to execute it. Raises NotKnown, if it is to execute everything."""
        literal = _literal(hosted) if script == RUN else None
        if literal is None:
            return None
        environ = self._left_by_sh(hosted.folder_fd, mono_s)
        path = None if environ is None else nativerun.search_path(environ)
        if environ is None or path is None:
            return None
        return self._native(hosted, literal, environ, path) or _program(literal, environ, path)

    def _native(self, hosted: Hosted, literal: Literal, environ: list[bytes], path: bytes) -> Run | None:
        chain = nativerun.chain(literal.words) if _may_be_native(hosted) else None
        own = None if chain is None else _own(chain.programs, self._commands, path)
        if chain is None or own is None:
            return None
        key = Key(chain.account, _version(ACCOUNTS), literal.merges_stderr, own)
        return planned(chain, environ, key, self._stands_there(chain, key.accounts))

    def _stands_there(self, chain: Chain, accounts: Identity) -> bool:
        """Whether its account stands in the file of accounts, asked once of each such file."""
        if chain.account is None:
            return False
        if self._stand_in[0] != accounts:
            self._stand_in = accounts, {}
        known = self._stand_in[1]
        if chain.account not in known:
            known[chain.account] = identity.stands_in(ACCOUNTS, chain.account)
        return known[chain.account]

    def _left_by_sh(self, folder_fd: int, mono_s: float) -> list[bytes] | None:
        """What sh would leave of the environment there, None if that is not certain. Raises NotKnown."""
        try:
            which = shellenv.identity()
        except OSError:
            return None
        if self._shell is None or self._shell.identity != which:
            if mono_s >= self._ask_again_mono_s:
                self._shell = shellenv.learn(self._environ)
                self._ask_again_mono_s = mono_s + TRY_AGAIN_S
            if self._shell is None:
                raise NotKnown
        return self._shell.environment(folder_fd)


def _version(path: str) -> Identity:
    try:
        return folders.version(path)
    except OSError:
        return NO_FILE


def _literal(hosted: Hosted) -> Literal | None:
    """What its `run` asks sh for, None if that is not certain."""
    text = folders.read_program(RUN, hosted.folder_fd, nativerun.MOST_BYTES)
    literal = None if text is None else nativerun.understood(text)
    if literal is None or not literal.merges_stderr:
        return literal
    # Otherwise sh has something to say.
    has_stdout = hosted.stdout_fd != 1 or os.get_inheritable(1)
    return literal if has_stdout else None


def _may_be_native(hosted: Hosted) -> bool:
    """Whether it is a log/run that reads a log pipe and writes where svscan does."""
    is_in_log = hosted.is_logger and hosted.scripts == SERVICE_FOLDER
    return is_in_log and hosted.stdin_fd != 0 and hosted.stdout_fd == 1


def _program(literal: Literal, environ: list[bytes], path: bytes) -> Program | None:
    """Only of what lies in a folder of PATH itself. Anything else may be on a disk that does not answer, and
    whoever executes it is held up by that: better sh than us."""
    word = literal.words[0]
    folder, slash, name = word.rpartition(b"/")
    if not name or (slash and folder not in path.split(b":")):
        return None
    found = execplan.program(word, path, follow_symlinks=False)
    return None if found is None else Program(found[0], literal.words, environ, literal.merges_stderr)


def _own(
    programs: tuple[bytes, ...], commands: bytes, path: bytes
) -> tuple[tuple[bytes, tuple[int, int]], ...] | None:
    """What tells the commands that these words lead to from any other, None if one of them is not ours."""
    own = execplan.own_commands(programs, commands)
    for program in programs:
        name = program[program.rfind(b"/") + 1 :]
        # From where a relative path leads is not looked at here.
        if not all(candidate.startswith(b"/") for candidate in candidates(program, path)):
            return None
        if name not in own or not execplan.leads_to(own[name], program, path):
            return None
    return tuple(sorted(own.items()))
