"""svscan: every folder in one folder is a service.

Rules of this module:

- the folder is scanned every five seconds, and at once when it changes or on HUP;
- a log pipe is two plain descriptors kept here for as long as either of its halves is supervised
  or its folder is there: whoever restarts loses nothing;
- TERM and INT stop everything in the order of core/shutdown.py, once.
"""

from __future__ import annotations

import math
import signal

import trio

from svpy.core import scan
from svpy.core.errors import one_line
from svpy.core.shutdown import Half, Pipe, Stopping, orders
from svpy.core.status import DOWN
from svpy.daemon.hosted import Hosted, Place, Refused
from svpy.daemon.supervisor import Supervisor
from svpy.system import changes, descriptors, folders, signals
from svpy.system.tell import because

HEEDED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, changes.SIGNAL)
SCAN_INTERVAL_S = 5.0
STOP_LOOK_S = 1.0
REST_S = 0.01
"""Between two scans that changes asked for, and four times what the last one took: a folder in
which five hundred links are being made is not to be scanned five hundred times."""


class Pair:
    """A service folder: its service, its logger, and the pipe between them.

    The folder is opened once, so that both halves are those of the same one whatever becomes of its
    name meanwhile."""

    __slots__ = ("_earliest_mono_s", "folder_fd", "logger", "name", "pipe", "service")

    def __init__(self, name: bytes, folder_fd: int) -> None:
        self.name = name
        self.folder_fd = folder_fd
        self.service: Hosted | None = None
        self.logger: Hosted | None = None
        self.pipe: descriptors.Pipe | None = None
        self._earliest_mono_s: dict[bytes, float] = {}

    def service_place(self) -> Place:
        return self._place(self.name, b".")

    def logger_place(self) -> Place:
        return self._place(self.name + b"/log", b"log")

    def _place(self, name: bytes, path: bytes) -> Place:
        return Place(name, path, self.folder_fd, self._earliest_mono_s.get(path, -math.inf))

    def service_left(self) -> None:
        """A service that makes svscan leave it is still started once a second, not once a scan."""
        if self.service is not None:
            self._earliest_mono_s[b"."] = self.service.service.earliest_mono_s
        self.service = None

    def logger_left(self) -> None:
        if self.logger is not None:
            self._earliest_mono_s[b"log"] = self.logger.service.earliest_mono_s
        self.logger = None

    def is_unused(self) -> bool:
        """Whether nothing would be lost with it: no half, no line in the pipe, no start to remember."""
        idle = self.service is None and self.logger is None and not self._earliest_mono_s
        return idle and (self.pipe is None or not self.pipe.waiting_bytes())

    def close(self) -> None:
        folders.close(self.folder_fd)
        if self.pipe is not None:
            self.pipe.close()


class Svscan:
    """Hosts what is in an open folder."""

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
        heard = signals.Heard(*HEEDED)
        try:
            changes.tell_changes(self._folder_fd)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, heard)
                nursery.start_soon(self._supervisor.obey)
                nursery.start_soon(self._supervisor.wake)
                with trio.CancelScope() as scanning:
                    nursery.start_soon(self._cancel_when_asked, scanning)
                    await self._scan_always()
                await self._stop()
                nursery.cancel_scope.cancel()
        finally:
            signals.hold_back(*HEEDED)
            heard.close()

    async def _listen(self, heard: signals.Heard) -> None:
        # Whatever executed us may have left us its children.
        self._supervisor.reap()
        while True:
            for number in heard.take():
                self._heard(number)
            await trio.lowlevel.wait_readable(heard.fd)

    def _heard(self, number: int) -> None:
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
                self._let_go_of_unused()
        return complaints

    def _let_go_of_unused(self) -> None:
        """A folder that could be hosted in neither half must not keep descriptors until it can."""
        for key in [key for key, pair in self._pairs.items() if pair.is_unused()]:
            self._pairs.pop(key).close()

    def _look_at(self, name: bytes, changed: bool, complaints: dict[bytes, bytes]) -> scan.Found | None:
        looked_at = name
        try:
            key = folders.identify(name, self._folder_fd)
            if key is None:
                return None
            # Someone is just making it (mkdir, then run): leave it to the next regular scan.
            if (
                changed
                and key not in self._pairs
                and not folders.leads_somewhere(name + b"/run", self._folder_fd)
            ):
                return None
            looked_at = name + b"/log"
            return scan.Found(name, key, folders.is_folder(looked_at, self._folder_fd))
        except OSError as error:
            complaints[name] = because(b"unable to stat " + one_line(looked_at), error)
            return None

    def _act(self, action: scan.ScanAction) -> None:
        match action:
            case scan.HostLogger(found):
                self._host_logger(self._pair(found))
            case scan.HostService(found):
                self._host_service(self._pair(found))
            case scan.Forget(key):
                self._pairs.pop(key).close()

    def _pair(self, found: scan.Found) -> Pair:
        """The pair of a folder, opened if it is new. Raises Refused."""
        pair = self._pairs.get(found.key)
        if pair is not None:
            return pair
        name = one_line(found.name)
        try:
            folder_fd = folders.open_folder(found.name, self._folder_fd)
        except OSError as error:
            raise Refused(because(b"unable to chdir to " + name, error)) from error
        if folders.identify_open(folder_fd) != found.key:
            folders.close(folder_fd)
            self._look.set()
            raise Refused(b"unable to chdir to " + name + b": it is another folder now")
        pair = self._pairs[found.key] = Pair(found.name, folder_fd)
        return pair

    def _host_logger(self, pair: Pair) -> None:
        if pair.pipe is None:
            try:
                pair.pipe = descriptors.Pipe()
            except OSError as error:
                raise Refused(because(b"unable to create pipe for " + one_line(pair.name), error)) from error
        pair.logger = self._supervisor.host(pair.logger_place(), pair.logger_left, stdin_fd=pair.pipe.read_fd)
        if pair.service is not None:
            pair.service.stdout_fd = pair.pipe.write_fd

    def _host_service(self, pair: Pair) -> None:
        stdout_fd = 1 if pair.pipe is None else pair.pipe.write_fd
        pair.service = self._supervisor.host(pair.service_place(), pair.service_left, stdout_fd=stdout_fd)

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
        order = orders(memory, _half(pair.service), _half(pair.logger), _state(pair.pipe), ticked)
        if order.close_pipe and pair.pipe is not None:
            pair.pipe.close_writing_end()
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


def _state(pipe: descriptors.Pipe | None) -> Pipe:
    return Pipe(0, has_writer=False) if pipe is None else Pipe(pipe.waiting_bytes(), pipe.has_writer())
