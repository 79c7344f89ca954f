"""From a command to a running supervisor: what this process takes for itself first."""

from __future__ import annotations

import trio

from svpy.core.errors import FAILED, Die
from svpy.daemon.hosted import Refused
from svpy.daemon.supervise import supervise
from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import Svscan
from svpy.system import descriptors, environment, folders, signals, tell
from svpy.system.children import Starter


def host_all(program: bytes) -> None:
    """Be svscan on the current folder until stopped."""
    trio.run(Svscan(_supervisor(program), folders.open_folder(b".")).run)


def host_one(program: bytes, name: bytes) -> None:
    """Be supervise on the current folder, called `name`, until told to leave. Raises Die."""
    supervisor = _supervisor(program)
    try:
        trio.run(supervise, supervisor, name)
    except Refused as refused:
        raise Die(FAILED, program + b": fatal: " + refused.message) from refused


def _supervisor(program: bytes) -> Supervisor:
    """Standard descriptors reserved, limit raised, no signal blocked; the services are given what was
    there before."""
    signals.unblock_all()
    descriptors.reserve_standard()
    tell.never_block()
    nofile_soft = descriptors.raise_limit()
    home_fd = folders.open_folder(b".")
    return Supervisor(program, Starter(environment.inherited(), nofile_soft, home_fd))
