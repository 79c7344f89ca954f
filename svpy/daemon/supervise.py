"""supervise: one folder, the same machine as svscan's.

TERM and INT stop the service and leave when it is down, as in daemontools-encore; Bernstein's
supervise dies of them and leaves its service behind.
"""

from __future__ import annotations

import signal

import trio

from svpy.daemon.hosted import Hosted, Place
from svpy.daemon.supervisor import Supervisor
from svpy.system import signals

HEEDED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


async def supervise(supervisor: Supervisor, name: bytes) -> None:
    """Supervise the current folder, called `name`, until it is told to leave. Raises hosted.Refused."""
    left = trio.Event()
    heard = signals.Heard(*HEEDED)
    try:
        hosted = supervisor.host(Place(name, b"."), left.set)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, supervisor, hosted, heard)
            nursery.start_soon(supervisor.obey)
            nursery.start_soon(supervisor.wake)
            await left.wait()
            nursery.cancel_scope.cancel()
    finally:
        signals.hold_back(*HEEDED)
        heard.close()


async def _listen(supervisor: Supervisor, hosted: Hosted, heard: signals.Heard) -> None:
    while True:
        for number in heard.take():
            if number == signal.SIGCHLD:
                supervisor.reap()
            else:
                supervisor.command(hosted, b"dx")
        await trio.lowlevel.wait_readable(heard.fd)
