"""svscan: every folder in one folder is a service.

Rules of this module:

- the folder is scanned every five seconds, and at once when it changes or on HUP;
- a scan lists the folder; what is listed as the folder that it was, and lacks nothing, is not looked at any
  closer (two thousand stat(2) cost more than all else). Where that would not be enough (a symlink, a mount,
  a file system that lists other numbers than it gives, a complaint that stands), and now and then, it is;
- a scan that begins a thousand services lets everything else have its turn between two of them;
- what a signal asks for stands in core/orders.py; the first that ends stops everything in the order of
  core/shutdown.py, once; so does an essential service that has ended by itself, but not where svscan is a
  part of what ends a machine;
- nothing in here is bound to one run of trio: one that was broken off by an exception is followed by
  another, which goes on with what there is, the end that was asked for with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from svpy.core import scan
from svpy.core.errors import FAILED, one_line
from svpy.core.handover import State
from svpy.core.manager import status
from svpy.core.orders import SVSCAN, Order
from svpy.core.shutdown import Deadline, Late
from svpy.core.svscanwords import PLAIN, Words
from svpy.daemon.hosted import Hosted, Refused
from svpy.daemon.pair import Pair, Stopper
from svpy.daemon.relay import Relay
from svpy.daemon.report import Report
from svpy.daemon.scanned import Scanned
from svpy.daemon.successor import Successor, in_words
from svpy.daemon.supervisor import Supervisor
from svpy.system import changes, folders, leftovers, signals
from svpy.system.notify import Manager
from svpy.system.tell import because

if TYPE_CHECKING:
    from svpy.daemon.events import Events

SCAN_INTERVAL_S = 5.0
SCANNING = b"scan"
REST_S = 0.01
"""Between a change and the scan that it asks for, and between two such scans four times what it took to look:
a folder in which five hundred links are being made is not to be scanned five hundred times."""

SCANS_TO_CLOSER_LOOK = 12
"""So many regular scans, a minute, are enough for whatever a list of names and numbers does not show."""

SWEEP_S = 2.0
SWEEP_REST_S = 0.001
"""How long what is left at the end is killed and killed again, and how long it has to die each time."""

SIGNALLED = 128
"""What svscan exits with, plus the signal that killed an essential service."""

REAP_INTERVAL_S = 0.001
"""Between two looks for children that ended, when there were some: a turn of trio for each of a flood of
orphans would take ten times what reaping it takes."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: what asked for it, and the exit code."""

    order: Order
    code: int = 0


class Svscan:
    """Hosts what is in an open folder. `orders` are the signals it heeds, by name; `words` its options.
    `ending` is how it is to end, None as long as nobody asked for that."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder_fd: int,
        orders: dict[str, Order] = SVSCAN,
        words: Words = PLAIN,
        report: Report | None = None,
        successor: Successor | None = None,
    ) -> None:
        """Without a `successor` it is not replaced."""
        self._supervisor = supervisor
        self._successor = successor
        self._folder_fd = folder_fd
        self._words = words
        self._orders = {signals.number(name): order for name, order in orders.items()}
        self.ending: Ending | None = None
        self._pairs: dict[scan.Key, Pair] = {}
        self._complaints = scan.Complaints()
        self._look = trio.Event()
        self._stopper = Stopper(supervisor.loops)
        self._scanning = supervisor.loops.join(SCANNING, lambda: self._look.set())
        self._report = report or Report(Manager(b""), None)
        self._report.count = self._status
        supervisor.news = self._report.news
        supervisor.services = self._services
        self._stop_asked = trio.Event()
        self._relay = Relay(supervisor.warn) if words.log_stdout else None
        self._deadline = Deadline()
        if Order.STOP in orders.values():
            supervisor.end_all = self._end_with
        sweeps = words.stop_timeout_s is not None and supervisor.end_all is not None
        self._cgroup = leftovers.own_cgroup() if sweeps else None
        self._upgrade_asked = trio.Event()
        self.ending_signals = [number for number, order in self._orders.items() if order.ends]
        self._heeded = (signal.SIGCHLD, changes.SIGNAL, *self._orders)
        self._heard_now: signals.Heard | None = None
        self._changes_fd = -1
        self._mounts: changes.Mounts | None = None
        self._scans_to_closer_look = 0
        self._looked_s = 0.0
        self._scanned = Scanned()
        self._events: Events | None = None
        if words.events is not None:
            # Most ask for none.
            from svpy.daemon.events import Events

            self._events = Events(words.events, supervisor.warn)
            supervisor.handle = self._events.handle
            supervisor.told = self._events.tell

    def state(self) -> State:
        """What is handed over to the program that follows (core/handover.py). Who adds something that
        outlives a moment adds it here, in Pair, Hosted or Supervisor, and takes it back in `recall`."""
        return {
            **self._supervisor.state(),
            "folder_fd": self._folder_fd,
            "report_fd": -1 if self._successor is None else self._successor.report_fd,
            "scans_fd": self._scanned.fd,
            "events": self._events and self._events.state(),
            "cgroup": self._cgroup,
            "complaints": self._complaints.said(),
            "relay": self._relay and self._relay.state(),
            "pairs": [{"key": key, **pair.state()} for key, pair in self._pairs.items()],
        }

    def recall(self, state: State) -> None:
        """Become what was handed over. Nothing is done about it before `take_over`."""
        self._folder_fd = state["folder_fd"]
        self._supervisor.recall(state)
        if self._successor is not None:
            self._successor.report_fd = state["report_fd"]
        self._scanned.fd = state.get("scans_fd", -1)
        if self._events is not None and state.get("events"):
            self._events.recall(state["events"])
        # Nobody is alone in it any more.
        self._cgroup = state.get("cgroup")
        self._complaints = scan.Complaints(map(tuple, state["complaints"]))
        if self._relay is not None and state.get("relay"):
            self._relay.recall(state["relay"])
        for each in state["pairs"]:
            pair = self._new_pair(each["name"], each["folder_fd"])
            pair.recall(each)
            device, inode = each["key"]
            self._pairs[device, inode] = pair

    def take_over(self) -> None:
        """Supervise what was handed over. Raises OSError."""
        if self._relay is not None:
            self._relay.take_over()
        self._supervisor.natives.left.take_over()
        for pair in self._pairs.values():
            pair.take_over()

    def open_to_watchers(self) -> None:
        """Make, or go on with, what others look at or read to know what happens here."""
        self._scanned.open()
        if self._events is not None:
            self._events.open()

    async def run(self) -> Ending:
        """Until everything was stopped in order."""
        heard = self._begin()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, heard)
                nursery.start_soon(self._supervisor.obey)
                nursery.start_soon(self._supervisor.wake)
                nursery.start_soon(self._supervisor.watch)
                nursery.start_soon(self._stopper.work, self._pairs.values)
                nursery.start_soon(self._report.work, self._supervisor.loops, self._supervisor.warn)
                if self._relay is not None:
                    nursery.start_soon(self._relay.work, self._supervisor.loops)
                nursery.start_soon(self._upgrade_always)
                with trio.CancelScope() as scanning:
                    nursery.start_soon(self._cancel_when_asked, scanning)
                    await self._scan_always()
                self._supervisor.loops.leave(SCANNING)
                if self._relay is not None:
                    self._relay.be_impatient()
                await self._stopper.stop(self._pairs.values(), self._deadline)
                await self._supervisor.natives.end()
                if self._supervisor.readiness is not None:
                    await self._supervisor.readiness.end()
                await self._sweep()
                if self._relay is not None:
                    await self._relay.drain()
                nursery.cancel_scope.cancel()
        finally:
            # Where trio itself has broken off, that was done without us (break_off).
            if self._heard_now is heard:
                self._end(heard.close)
        assert self.ending is not None
        return self.ending

    def _begin(self) -> signals.Heard:
        self._look = trio.Event()
        self._stop_asked = trio.Event()
        self._upgrade_asked = trio.Event()
        self._supervisor.begin_anew()
        self._stopper.begin_anew()
        self._report.begin_anew()
        if self.ending is not None:
            self._begin_to_end()
        if self._relay is not None:
            self._relay.begin_anew()
        heard = self._heard_now = signals.Heard(*self._heeded)
        self._changes_fd = changes.tell_changes(self._folder_fd)
        signals.unblock_all()
        return heard

    def _end(self, close: Callable[[], None]) -> None:
        signals.hold_back(*self._heeded)
        self._heard_now = None
        close()
        if self._changes_fd >= 0:
            folders.close(self._changes_fd)

    def break_off(self) -> None:
        """After a run that ended by an exception: from now on signals wait, until the next one hears."""
        if self._heard_now is not None:
            self._end(self._heard_now.abandon)

    async def _listen(self, heard: signals.Heard) -> None:
        loop = self._supervisor.loops.join(b"signals", heard.nudge)
        while True:
            loop.turn()
            for number in heard.take():
                self._heard(number)
            # Also before the first SIGCHLD: whatever executed us may have left us its children.
            began = trio.current_time()
            if self._supervisor.reap():
                await self._let_more_end(began + REAP_INTERVAL_S)
            else:
                await trio.lowlevel.wait_readable(heard.fd)

    async def _let_more_end(self, next_look: float) -> None:
        """Held back, the signals of children that end meanwhile do not even wake us."""
        signals.hold_back(signal.SIGCHLD)
        try:
            await trio.sleep_until(next_look)
        finally:
            signals.let_in(signal.SIGCHLD)

    def _heard(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        order = self._orders.get(number, Order.SCAN)
        if order is Order.SCAN:
            if number != changes.SIGNAL:
                self._scans_to_closer_look = 0
                if self._events is not None:
                    self._events.reopen()
            self._look.set()
        elif order is Order.UPGRADE:
            self._upgrade_asked.set()
        else:
            self.end(Ending(order))

    def _status(self) -> bytes:
        pairs = self._pairs.values()
        services = [pair.service.service for pair in pairs if pair.service]
        loggers = [pair.logger.service for pair in pairs if pair.logger]
        return status(services, loggers, stopping=self.ending is not None)

    def end(self, ending: Ending) -> None:
        """Stop everything in order, and end so. What asked first decides."""
        if self.ending is None:
            self.ending = ending
            self._begin_to_end()

    def _begin_to_end(self) -> None:
        """Or go on: what its time was counted from stays."""
        self._report.stopping()
        if self._words.stop_timeout_s is not None and self._deadline == Deadline():
            self._deadline = Deadline(trio.current_time() + self._words.stop_timeout_s)
        self._stop_asked.set()

    def asked_meanwhile(self, number: int) -> None:
        """A signal of `ending_signals` came between two runs; 0: none."""
        if number and self.ending is None:
            self.ending = Ending(self._orders[number])

    def give_up(self, ending: Ending) -> Ending:
        """No run of it comes to its end: so much of a stop as needs none. What the services do then is
        theirs, as if we had been killed."""
        self._supervisor.tell_services_to_end()
        return Ending(ending.order, ending.code or FAILED)

    async def _sweep(self) -> None:
        """If all had to end by a deadline that has passed, kill what is left of them and theirs, as long as
        that helps: so a stop ends. Whoever ends a machine has more to do, and does this later."""
        assert self.ending is not None
        is_late = self._deadline.late(trio.current_time()) is not Late.NOT
        if not is_late or self.ending.order is not Order.STOP:
            return
        killed: set[int] = set()
        with trio.move_on_after(SWEEP_S):
            while leftovers.kill(self._cgroup, killed):
                await trio.sleep(SWEEP_REST_S)
        if killed:
            self._supervisor.warn(b"killed %d processes that services left behind" % len(killed))

    def _end_with(self, essential: Hosted, code: int) -> None:
        how = b"exited with %d" % code if code >= 0 else b"was killed by signal %d" % -code
        self._supervisor.warn(essential.name + b" is essential and " + how + b": stopping everything")
        self.end(Ending(Order.STOP, code if code >= 0 else SIGNALLED - code))

    async def _upgrade_always(self) -> None:
        successor = self._successor
        while successor is not None:
            await self._upgrade_asked.wait()
            self._upgrade_asked = trio.Event()
            try:
                why = await successor.replace(self.state, self._against_upgrade)
            except Exception as error:
                why = in_words(error)
                successor.tell(why)
            self._supervisor.warn(b"unable to upgrade: " + why)

    def _against_upgrade(self) -> bytes | None:
        """Signals are blocked now: what came before is heard first."""
        assert self._heard_now is not None
        for number in self._heard_now.take():
            self._heard(number)
        return b"it is stopping" if self.ending is not None else None

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop_asked.wait()
        scope.cancel()

    async def _scan_always(self) -> None:
        if self._successor is not None:
            self._successor.serves()
        regular = trio.current_time()
        while True:
            self._scanning.turn()
            self._look = trio.Event()
            began = trio.current_time()
            changed = began < regular
            if not changed:
                regular = began + SCAN_INTERVAL_S
            await self._scan(changed)
            self._scanned.add(began, trio.current_time())
            self._report.ready()
            not_before = trio.current_time() + 4 * self._looked_s
            with trio.move_on_at(regular):
                await self._look.wait()
                await trio.sleep_until(max(trio.current_time() + REST_S, not_before))

    async def _scan(self, changed: bool) -> None:
        try:
            complaints = await self._scan_once(changed)
        except Exception as error:
            complaints = {b"": b"unexpected " + one_line(repr(error).encode("utf-8", "replace"))}
        for complaint in self._complaints.news(complaints):
            self._supervisor.warn(complaint)

    async def _scan_once(self, changed: bool) -> dict[bytes, bytes]:
        """Look, and host what is new. Returns what went wrong, by name."""
        self._supervisor.publish_late()
        self._supervisor.begin_scan()
        try:
            return await self._look_and_host(changed)
        finally:
            self._supervisor.end_scan()

    def _services(self) -> dict[bytes, Hosted]:
        return {pair.service.name: pair.service for pair in self._pairs.values() if pair.service is not None}

    async def _look_and_host(self, changed: bool) -> dict[bytes, bytes]:
        complaints: dict[bytes, bytes] = {}
        began = trio.current_time()
        try:
            found = self._look_through(changed, complaints)
        except OSError as error:
            return {b"": because(b"unable to read directory", error)}
        finally:
            self._looked_s = trio.current_time() - began
        keys = {folder.key for folder in found}
        known = {
            key: scan.Known(bool(pair.service), bool(pair.logger), pair.stopping is not None)
            for key, pair in self._pairs.items()
            # The others lack nothing.
            if key in keys or pair.is_gone()
        }
        for action in scan.decide(known, found):
            await trio.lowlevel.checkpoint()
            self._scanning.turn()
            try:
                self._act(action)
            except Refused as refused:
                complaints[refused.message] = refused.message
                self._let_go_of_unused()
        self._relay_what_has_lost_its_log(found)
        return complaints

    def _look_through(self, changed: bool, complaints: dict[bytes, bytes]) -> list[scan.Found]:
        """What there may be something to do for, by name. Raises OSError."""
        device = -1 if self._is_to_look_closer(changed) else folders.device(self._folder_fd)
        names = []
        # A change in this folder is none in those that are in it.
        inside = not changed
        for name, inode in folders.entries(self._folder_fd):
            pair = self._pairs.get((device, inode))
            if pair is None or pair.listed_as != name or not pair.lacks_nothing(inside):
                names.append(os.fsencode(name))
        return [
            folder
            for name in sorted(names)
            if scan.may_be_service(name) and (folder := self._look_at(name, changed, complaints))
        ]

    def _is_to_look_closer(self, changed: bool) -> bool:
        """At everything, whatever it is listed as."""
        if self._mounts is None:
            self._mounts = changes.Mounts()
        due = self._mounts.have_changed() or self._complaints.stand() or not self._scans_to_closer_look
        if due:
            self._scans_to_closer_look = SCANS_TO_CLOSER_LOOK
        elif not changed:
            self._scans_to_closer_look -= 1
        return due

    def _relay_what_has_lost_its_log(self, found: list[scan.Found]) -> None:
        for folder in found:
            pair = self._pairs.get(folder.key)
            if pair is not None and not folder.has_log:
                pair.give_to_relay()

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
            is_folder, is_program = folders.folder_or_program(looked_at, self._folder_fd)
            return scan.Found(name, key, is_folder or is_program, log_is_file=is_program)
        except OSError as error:
            complaints[name] = because(b"unable to stat " + one_line(looked_at), error)
            return None

    def _act(self, action: scan.ScanAction) -> None:
        if isinstance(action, scan.Forget):
            self._pairs.pop(action.key).close()
            return
        pair = self._pair(action.found)
        if pair.stopping is not None:
            return
        match action:
            case scan.HostLogger(found):
                # Its service may have left since it was looked at: the next scan takes up both.
                if pair.service is not None or not found.log_is_file:
                    pair.host_logger(is_file=found.log_is_file)
            case scan.HostService(found):
                pair.host_service(has_log=found.has_log)
            case scan.HostTogether():
                pair.host_service_with_log_file()

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
        pair = self._pairs[found.key] = self._new_pair(found.name, folder_fd)
        return pair

    def _new_pair(self, name: bytes, folder_fd: int) -> Pair:
        return Pair(self._supervisor, name, folder_fd, self._stopper.wake, self._relay)
