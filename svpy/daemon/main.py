"""From a command to a running supervisor: what this process takes for itself first.

The signals that a host heeds are blocked by its command before anything else, so that one that comes
while trio is still being imported is heard later instead of ending the process, or being lost to PID 1.
"""

from __future__ import annotations

import trio

from svpy.core.errors import FAILED, Die
from svpy.core.orders import Order
from svpy.core.svscanwords import Words
from svpy.daemon.clock import Monotonic
from svpy.daemon.hosted import Refused
from svpy.daemon.supervise import supervise
from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import Ending, Svscan
from svpy.system import descriptors, environment, folders, orphans, tell
from svpy.system.children import Starter


def host_all(program: bytes, orders: dict[str, Order], words: Words) -> Ending:
    """Be svscan on the current folder until a signal of `orders` ends it."""
    supervisor = _supervisor(program)
    try:
        orphans.take_in()
    except OSError as error:
        supervisor.warn(tell.because(b"unable to take in orphans", error))
    svscan = Svscan(supervisor, folders.open_folder(b"."), orders, words)
    return trio.run(svscan.run, clock=Monotonic())


def host_one(program: bytes, name: bytes) -> None:
    """Be supervise on the current folder, called `name`, until told to leave. Raises Die."""
    supervisor = _supervisor(program)
    try:
        trio.run(supervise, supervisor, name, clock=Monotonic())
    except Refused as refused:
        raise Die(FAILED, program + b": fatal: " + refused.message) from refused


def _supervisor(program: bytes) -> Supervisor:
    """Standard descriptors reserved, limit raised; the services are given what was there before."""
    descriptors.reserve_standard()
    tell.never_block()
    nofile_soft = descriptors.raise_limit()
    home_fd = folders.open_folder(b".")
    return Supervisor(program, Starter(environment.inherited(), nofile_soft, home_fd))
