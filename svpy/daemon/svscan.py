"""svscan: every folder in one folder is a service.

Rules of this module:

- the folder is scanned every five seconds, and at once when it changes or on HUP;
- a log pipe is two plain descriptors kept here for as long as either of its halves is supervised
  or its folder is there: whoever restarts loses nothing;
- TERM and INT stop everything in the order of core/shutdown.py, once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import trio

from svpy.core import scan
from svpy.core.errors import one_line
from svpy.core.shutdown import Half, Stopping, orders
from svpy.core.status import DOWN
from svpy.daemon.hosted import Hosted, Refused
from svpy.daemon.supervisor import Supervisor
from svpy.system import changes, folders, signals
from svpy.system.descriptors import waiting_bytes
from svpy.system.tell import because

HEEDED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, changes.SIGNAL)
SCAN_INTERVAL_S = 5.0
STOP_LOOK_S = 1.0
REST_S = 0.01
"""Between two scans that changes asked for, and four times what the last one took: a folder in
which five hundred links are being made is not to be scanned five hundred times."""


class Pair:
    """A service folder: its service, its logger, and the pipe between them."""

    __slots__ = ("logger", "read_fd", "service", "write_fd")

    def __init__(self) -> None:
        self.service: Hosted | None = None
        self.logger: Hosted | None = None
        self.read_fd = -1
        self.write_fd = -1

    def make_pipe(self) -> None:
        """Raises OSError."""
        if self.read_fd < 0:
            self.read_fd, self.write_fd = os.pipe()

    def close_writing_end(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close_pipe(self) -> None:
        self.close_writing_end()
        if self.read_fd >= 0:
            os.close(self.read_fd)
            self.read_fd = -1


class Svscan:
    """Hosts what is in an open readable folder."""

    def __init__(self, supervisor: Supervisor, folder_fd: int) -> None:
        self._supervisor = supervisor
        self._folder_fd = folder_fd
        self._pairs: dict[scan.Key, Pair] = {}
        self._complaints = scan.Complaints()
        self._look = trio.Event()
        self._ended = trio.Event()
        self._stop_asked = trio.Event()

    async def run(self) -> None:
        """Until everything was stopped in order by a signal."""
        with trio.open_signal_receiver(*HEEDED) as received:
            changes.tell_changes(self._folder_fd)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, received)
                nursery.start_soon(self._supervisor.obey)
                nursery.start_soon(self._supervisor.wake)
                with trio.CancelScope() as scanning:
                    nursery.start_soon(self._cancel_when_asked, scanning)
                    await self._scan_always()
                await self._stop()
                nursery.cancel_scope.cancel()
            signals.hold_back(*HEEDED)

    async def _listen(self, received: AsyncIterator[int]) -> None:
        # Whatever executed us may have left us its children.
        self._supervisor.reap()
        async for number in received:
            if number == signal.SIGCHLD:
                self._supervisor.reap()
                self._ended.set()
            elif number in (signal.SIGTERM, signal.SIGINT):
                self._stop_asked.set()
            else:
                self._look.set()

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop_asked.wait()
        scope.cancel()

    async def _scan_always(self) -> None:
        regular = trio.current_time()
        while True:
            self._look = trio.Event()
            began = trio.current_time()
            changed = began < regular
            if not changed:
                regular = began + SCAN_INTERVAL_S
            self._scan(changed)
            took_s = trio.current_time() - began
            with trio.move_on_at(regular):
                await self._look.wait()
                await trio.sleep(max(REST_S, 4 * took_s))

    def _scan(self, changed: bool) -> None:
        try:
            complaints = self._scan_once(changed)
        except Exception as error:
            complaints = {b"": b"unexpected " + one_line(repr(error).encode("utf-8", "replace"))}
        for complaint in self._complaints.news(complaints):
            self._supervisor.warn(complaint)

    def _scan_once(self, changed: bool) -> dict[bytes, bytes]:
        """Look, and host what is new. Returns what went wrong, by name."""
        self._supervisor.publish_late()
        try:
            names = folders.names(self._folder_fd)
        except OSError as error:
            return {b"": because(b"unable to read directory", error)}
        complaints: dict[bytes, bytes] = {}
        found = [
            folder
            for name in names
            if scan.may_be_service(name) and (folder := self._look_at(name, changed, complaints))
        ]
        known = {key: scan.Known(bool(pair.service), bool(pair.logger)) for key, pair in self._pairs.items()}
        for action in scan.decide(known, found):
            try:
                self._act(action)
            except Refused as refused:
                complaints[refused.message] = refused.message
        return complaints

    def _look_at(self, name: bytes, changed: bool, complaints: dict[bytes, bytes]) -> scan.Found | None:
        looked_at = name
        try:
            key = folders.identify(name, self._folder_fd)
            if key is None:
                return None
            # Someone is just making it (mkdir, then run): leave it to the next regular scan.
            if changed and key not in self._pairs and not folders.exists(name + b"/run", self._folder_fd):
                return None
            looked_at = name + b"/log"
            return scan.Found(name, key, folders.is_folder(looked_at, self._folder_fd))
        except OSError as error:
            complaints[name] = because(b"unable to stat " + one_line(looked_at), error)
            return None

    def _act(self, action: scan.ScanAction) -> None:
        match action:
            case scan.HostLogger(found):
                self._host_logger(self._pairs.setdefault(found.key, Pair()), found.name)
            case scan.HostService(found):
                self._host_service(self._pairs.setdefault(found.key, Pair()), found.name)
            case scan.Forget(key):
                self._pairs.pop(key).close_pipe()

    def _host_logger(self, pair: Pair, name: bytes) -> None:
        def left() -> None:
            pair.logger = None

        try:
            pair.make_pipe()
        except OSError as error:
            raise Refused(because(b"unable to create pipe for " + one_line(name), error)) from error
        pair.logger = self._supervisor.host(name + b"/log", self._folder_fd, stdin_fd=pair.read_fd, left=left)
        if pair.service is not None:
            pair.service.stdout_fd = pair.write_fd

    def _host_service(self, pair: Pair, name: bytes) -> None:
        def left() -> None:
            pair.service = None

        stdout_fd = 1 if pair.write_fd < 0 else pair.write_fd
        pair.service = self._supervisor.host(name, self._folder_fd, stdout_fd=stdout_fd, left=left)

    async def _stop(self) -> None:
        """Stop all in order; returns when nothing is supervised any more."""
        memories = {key: Stopping() for key in self._pairs}
        next_look = trio.current_time()
        while True:
            self._ended = trio.Event()
            ticked = trio.current_time() >= next_look
            if ticked:
                next_look = trio.current_time() + STOP_LOOK_S
            while sum(self._go_on_stopping(key, memory, ticked) for key, memory in memories.items()):
                ticked = False
            if not any(pair.service or pair.logger for pair in self._pairs.values()):
                return
            with trio.move_on_at(next_look):
                await self._ended.wait()

    def _go_on_stopping(self, key: scan.Key, memory: Stopping, ticked: bool) -> bool:
        """Give the next orders for one folder. Returns whether there were any."""
        pair = self._pairs[key]
        waiting = waiting_bytes(pair.read_fd) if pair.read_fd >= 0 else 0
        order = orders(memory, _half(pair.service), _half(pair.logger), waiting, ticked)
        if order.close_pipe:
            pair.close_writing_end()
        if pair.service is not None and order.service:
            self._supervisor.command(pair.service, order.service)
        if pair.logger is not None and order.logger:
            self._supervisor.command(pair.logger, order.logger)
        return bool(order.service or order.logger)


def _half(hosted: Hosted | None) -> Half:
    if hosted is None:
        return Half(supervised=False)
    service = hosted.service
    return Half(
        supervised=True,
        running=service.pid != 0,
        due=service.due or service.starting,
        wanted_up=service.want != DOWN,
    )
