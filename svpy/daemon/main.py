"""From a command to a running supervisor: what this process takes for itself first.

The signals that a host heeds are blocked by its command before anything else, so that one that comes
while trio is still being imported is heard later instead of ending the process, or being lost to PID 1.
"""

from __future__ import annotations

import trio

from svpy.core import manager
from svpy.core.errors import FAILED, Die
from svpy.core.orders import Order
from svpy.core.svscanwords import Words
from svpy.daemon.clock import Monotonic
from svpy.daemon.hosted import Refused
from svpy.daemon.report import Report
from svpy.daemon.supervise import supervise
from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import Ending, Svscan
from svpy.system import descriptors, environment, folders, notify, oomscore, orphans, tell
from svpy.system.children import Starter


def host_all(program: bytes, orders: dict[str, Order], words: Words) -> Ending:
    """Be svscan on the current folder until a signal of `orders` ends it."""
    supervisor = _supervisor(program)
    try:
        orphans.take_in()
    except OSError as error:
        supervisor.warn(tell.because(b"unable to take in orphans", error))
    svscan = Svscan(supervisor, folders.open_folder(b"."), orders, words, _report())
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
    entries = manager.for_services(environment.inherited())
    return Supervisor(program, Starter(entries, nofile_soft, home_fd, _oom_score_adj(program)))


def _report() -> Report:
    entries = environment.inherited()
    to = notify.Manager(manager.value(entries, b"NOTIFY_SOCKET"))
    return Report(to, manager.answer_interval_s(entries, notify.own_pid()))


def _oom_score_adj(program: bytes) -> tuple[int, int] | None:
    """The services' and ours, if they are to differ and it can be changed back and forth."""
    ours = oomscore.own()
    services = manager.oom_score_of_services(ours)
    if services is None:
        return None
    try:
        score = oomscore.Score()
        try:
            score.set(services)
            score.set(ours)
        finally:
            score.close()
    except OSError as error:
        message = b"unable to keep an oom_score_adj of our own, which services do not get"
        tell.say(tell.because(program + b": warning: " + message, error))
        return None
    return services, ours
