"""supervise: one folder, the same machine as svscan's.

A `log` that is a folder is not its business, as in C: svscan starts another supervise on it. A `log` that is
an executable file is, as in daemontools-encore. TERM and INT stop the service, then its logger, and leave
when they are down, as there; Bernstein's supervise dies of them and leaves its service behind.
"""

from __future__ import annotations

import signal

import trio

from svpy.core.errors import one_line
from svpy.daemon.hosted import Refused
from svpy.daemon.pair import Pair, Stopper
from svpy.daemon.supervisor import Supervisor
from svpy.system import folders, signals
from svpy.system.tell import because

HEEDED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


async def supervise(supervisor: Supervisor, name: bytes) -> None:
    """Supervise the current folder, called `name`, until it is told to leave. Raises hosted.Refused."""
    left = trio.Event()
    stopper = Stopper(supervisor.loops)

    def changed(pair: Pair) -> None:
        if pair.is_gone():
            left.set()
        stopper.wake(pair)

    pair = Pair(supervisor, name, _open_folder(name), changed)
    heard = signals.Heard(*HEEDED)
    signals.unblock_all()
    try:
        if folders.is_program(b"log", pair.folder_fd):
            pair.host_service_with_log_file()
        else:
            pair.host_service()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, supervisor, stopper, pair, heard)
            nursery.start_soon(supervisor.obey)
            nursery.start_soon(supervisor.wake)
            nursery.start_soon(supervisor.watch)
            nursery.start_soon(stopper.work, lambda: [pair])
            await left.wait()
            if supervisor.readiness is not None:
                await supervisor.readiness.end()
            nursery.cancel_scope.cancel()
    finally:
        signals.hold_back(*HEEDED)
        heard.close()
        pair.close()


def _open_folder(name: bytes) -> int:
    try:
        return folders.open_folder(b".")
    except OSError as error:
        raise Refused(because(b"unable to chdir to " + one_line(name), error)) from error


async def _listen(supervisor: Supervisor, stopper: Stopper, pair: Pair, heard: signals.Heard) -> None:
    while True:
        for number in heard.take():
            if number == signal.SIGCHLD:
                while supervisor.reap():
                    pass
            else:
                pair.stop()
                stopper.wake(pair)
        await trio.lowlevel.wait_readable(heard.fd)
