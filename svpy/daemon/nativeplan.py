"""What is known in advance of a logger's start, from what is there at that moment: the script, the commands
its words lead to, the accounts, what sh makes of the environment."""

from __future__ import annotations

import os

from svpy.core import nativerun
from svpy.core.environment import candidates
from svpy.core.nativerun import Chain
from svpy.core.natives import NO_FILE, Identity, Key, Run, planned
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
        self._stand_in: tuple[Identity, dict[bytes, bool]] = (NO_FILE, {})

    def plan(self, hosted: Hosted, script: bytes) -> Run | None:
        """None if it is to be executed. Raises NotKnown, if everything is."""
        if not _may_be_known(hosted, script):
            return None
        text = folders.read_program(script, hosted.folder_fd, nativerun.MOST_BYTES)
        literal = None if text is None else nativerun.understood(text)
        chain = None if literal is None else nativerun.chain(literal.words)
        if literal is None or chain is None or (literal.merges_stderr and not os.get_inheritable(1)):
            return None
        environ = self._left_by_sh(hosted.folder_fd)
        path = None if environ is None else nativerun.search_path(environ)
        own = None if path is None else _own(chain.programs, self._commands, path)
        if environ is None or own is None:
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

    def _left_by_sh(self, folder_fd: int) -> list[bytes] | None:
        """What sh would leave of the environment there, None if that is not certain. Raises NotKnown."""
        try:
            which = shellenv.identity()
        except OSError:
            return None
        if self._shell is None or self._shell.identity != which:
            self._shell = shellenv.learn(self._environ)
            if self._shell is None:
                raise NotKnown
        return self._shell.environment(folder_fd)


def _version(path: str) -> Identity:
    try:
        return folders.version(path)
    except OSError:
        return NO_FILE


def _may_be_known(hosted: Hosted, script: bytes) -> bool:
    """Whether it is a log/run that reads a log pipe and writes where svscan does."""
    is_log_run = script == RUN and hosted.is_logger and hosted.scripts == SERVICE_FOLDER
    return is_log_run and hosted.stdin_fd != 0 and hosted.stdout_fd == 1


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
