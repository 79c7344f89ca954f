"""A service folder: its service, its logger, and the pipe between them; and how both stop in order.

Rules of this module:

- a log pipe is two plain descriptors kept here for as long as either of its halves is supervised
  or its folder is there: whoever restarts loses nothing; after the death of a supervise it is got back from
  whoever still has it;
- a logger that is an executable file shares its service's folder: the two are taken over together or
  not at all, and when the service has been left (`svc -dx`) its logger follows, in the order of
  core/shutdown.py.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace

import trio

from svpy.core import service as machine
from svpy.core.errors import one_line
from svpy.core.handover import State, memory, recall
from svpy.core.record import Record
from svpy.core.service import LOG_FILE
from svpy.core.shutdown import Deadline, Half, Late, Order, Pipe, Stopping, orders
from svpy.core.status import DOWN
from svpy.daemon import adoption
from svpy.daemon.hosted import Hosted, Place, Refused
from svpy.daemon.loops import Loops
from svpy.daemon.relay import Inlet, Relay
from svpy.daemon.supervisor import Supervisor, now
from svpy.system import descriptors, folders
from svpy.system.supervised import LOGGER, SERVICE
from svpy.system.tell import because

STOP_LOOK_S = 1.0


class Pair:
    """The two halves of one folder. `changed` is called when a process of one of them has ended, and when
    supervising one has.

    The folder is opened once, so that both halves are those of the same one whatever becomes of its
    name meanwhile. `relay` reads what a service writes that has no logger. `stopping` is what is
    remembered while it stops, None if it is not to stop. `listed_as` is its name as a scan finds it."""

    __slots__ = (
        "_changed",
        "_earliest_mono_s",
        "_inlet",
        "_lingering",
        "_relay",
        "_supervisor",
        "folder_fd",
        "listed_as",
        "logger",
        "name",
        "pipe",
        "service",
        "stopping",
    )

    def __init__(
        self,
        supervisor: Supervisor,
        name: bytes,
        folder_fd: int,
        changed: Callable[[Pair], None],
        relay: Relay | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._relay = relay
        self._inlet: Inlet | None = None
        self._changed = changed
        self.name = name
        self.listed_as = os.fsdecode(name)
        self.folder_fd = folder_fd
        self.service: Hosted | None = None
        self.logger: Hosted | None = None
        self.pipe: descriptors.Pipe | None = None
        self.stopping: Stopping | None = None
        self._lingering: Hosted | None = None
        self._earliest_mono_s: dict[bytes, float] = {}

    def state(self) -> State:
        """What is handed over of it."""
        return {
            "name": self.name,
            "folder_fd": self.folder_fd,
            "pipe": self.pipe and memory(self.pipe),
            "inlet": self._inlet and self._inlet.state(),
            "earliest_mono_s": list(self._earliest_mono_s.items()),
            "stopping": self.stopping and memory(self.stopping),
            "service": self.service and self.service.state(),
            "logger": self.logger and self.logger.state(),
            "lingering": self._lingering and self._lingering.state(),
        }

    def recall(self, state: State) -> None:
        """Become what was handed over. Nothing is done about it before `take_over`."""
        if state["pipe"]:
            self.pipe = descriptors.Pipe.of(**state["pipe"])
            if self._relay is not None and state.get("inlet"):
                self._inlet = Inlet(self.name, self.pipe)
                self._inlet.recall(state["inlet"])
        self._earliest_mono_s = dict(state["earliest_mono_s"])
        if state["stopping"]:
            self.stopping = Stopping()
            recall(self.stopping, state["stopping"])
        self.logger = Hosted.handed_over(state["logger"]) if state["logger"] else None
        self.service = self._handed_over(state["service"])
        self._lingering = self._handed_over(state["lingering"])

    def _handed_over(self, state: State | None) -> Hosted | None:
        if not state:
            return None
        hosted = Hosted.handed_over(state)
        hosted.logger = self.logger if state["with_logger"] else None
        return hosted

    def take_over(self) -> None:
        """Supervise what was handed over. Raises OSError."""
        if self._relay is not None and self._inlet is not None:
            self._relay.read_on(self._inlet)
        for half in (self.service, self.logger):
            if half is not None:
                half.ended = self._process_ended
        for hosted, left in (
            (self.logger, self._logger_left),
            (self.service, self._service_left),
            (self._lingering, self._service_left),
        ):
            if hosted is not None:
                self._supervisor.take_over(hosted, left)

    def host_service(self, has_log: bool = False) -> None:
        """Raises Refused, as those below."""
        service = self._take_service()
        try:
            if self.logger is None and (has_log or self._relay is not None):
                self._get_pipe_back([(service.record, 1)])
            if self._relay is not None and not has_log:
                self._open_pipe()
                self.give_to_relay()
        except Refused:
            self._supervisor.release(service)
            raise
        if self.pipe is not None:
            service.stdout_fd = self.pipe.write_fd
        self.service = service
        self._supervisor.begin(service)

    def host_logger(self, is_file: bool) -> None:
        self._host_logger(is_file, self.service)

    def _host_logger(self, is_file: bool, service: Hosted | None) -> None:
        place = self._log_file() if is_file else self._log_folder()
        try:
            logger = self._supervisor.take(place, self._logger_left)
        except Refused:
            # What the service says waits for the logger.
            self._open_pipe()
            raise
        logger.ended = self._process_ended
        try:
            if self.pipe is None:
                of_service = self._service_record() if service is None else service.record
                number = self._supervisor.natives.pipe_number(logger)
                self._get_pipe_back([(logger.record, number), (of_service, 1)])
            logger.stdin_fd = self._open_pipe().read_fd
        except Refused:
            self._supervisor.release(logger)
            raise
        if self._relay is not None and self._inlet is not None:
            self._relay.detach(self._inlet)
            self._inlet = None
        self.logger = logger
        if self.service is not None:
            self._join(self.service)
        self._supervisor.begin(logger)

    def give_to_relay(self) -> None:
        """Unless a logger reads what the service writes, the relay does from now on."""
        if self._relay is None or self._inlet is not None or self.logger is not None or self.pipe is None:
            return
        try:
            self._inlet = self._relay.attach(self.name, self.pipe)
        except OSError as error:
            raise Refused(because(b"unable to read output of " + one_line(self.name), error)) from error

    def _process_ended(self) -> None:
        if self._relay is not None and self._inlet is not None:
            self._relay.process_ended(self._inlet)
        self._changed(self)

    def host_service_with_log_file(self) -> None:
        service = self._take_service()
        try:
            self._host_logger(is_file=True, service=service)
        except Refused:
            self._supervisor.release(service)
            raise
        self._join(service)
        self.service = service
        self._supervisor.begin(service)

    def _take_service(self) -> Hosted:
        stdout_fd = 1 if self.pipe is None else self.pipe.write_fd
        service = self._supervisor.take(self._place(self.name, b"."), self._service_left, stdout_fd=stdout_fd)
        service.ended = self._process_ended
        return service

    def _join(self, service: Hosted) -> None:
        assert self.pipe is not None and self.logger is not None
        service.stdout_fd = self.pipe.write_fd
        service.logger = self.logger if self.logger.scripts is LOG_FILE else None

    def _service_record(self) -> Record | None:
        return adoption.service_record(self.folder_fd, SERVICE + b"/lock")

    def _get_pipe_back(self, holders: list[tuple[Record | None, int]]) -> None:
        """The pipe between what a supervise before us left running, if there is one."""
        try:
            pipe = adoption.pipe_again(holders, self._supervisor.boot)
        except adoption.NotGotBack as not_got_back:
            name = one_line(self.name)
            message = because(b"unable to get back the log pipe of " + name, not_got_back.error)
            self._supervisor.warn(message + b"; svc -t " + name + b" " + name + b"/log makes a new one")
            return
        if pipe is not None:
            self._let_go_of_pipe()
            self.pipe = pipe

    def _open_pipe(self) -> descriptors.Pipe:
        if self.pipe is None:
            try:
                self.pipe = descriptors.Pipe()
            except OSError as error:
                raise Refused(because(b"unable to create pipe for " + one_line(self.name), error)) from error
        return self.pipe

    def _place(self, name: bytes, path: bytes) -> Place:
        return Place(name, path, self.folder_fd, self._earliest_mono_s.get(path, -math.inf))

    def _log_folder(self) -> Place:
        return replace(self._place(self.name + b"/log", b"log"), is_logger=True)

    def _log_file(self) -> Place:
        earliest_mono_s = self._earliest_mono_s.get(b"log", -math.inf)
        return Place(self.name, b".", self.folder_fd, earliest_mono_s, LOG_FILE, LOGGER, is_logger=True)

    def _service_left(self) -> None:
        """A service that makes svscan leave it is still started once a second, not once a scan."""
        assert self.service is not None
        self._earliest_mono_s[b"."] = self.service.service.earliest_mono_s
        if self.service.logger is not None:
            self._lingering = self.service
            # It starts nothing any more, and that end of the pipe is closed before it is gone.
            self._lingering.stdout_fd = 1
            if self.stopping is None:
                self.stopping = Stopping(service_told=True)
        self.service = None
        self._changed(self)

    def _logger_left(self) -> None:
        assert self.logger is not None
        self._earliest_mono_s[b"log"] = self.logger.service.earliest_mono_s
        self.logger = None
        if self.service is not None:
            self.service.logger = None
        if self._lingering is not None:
            self._supervisor.give_back(self._lingering)
            self._lingering = None
        self._changed(self)

    def lacks_nothing(self, looks_inside: bool) -> bool:
        """Whether a scan that finds its folder again has nothing to do. What a `log` leads to is worth
        looking at only where there is no logger."""
        if self.service is None or self.stopping is not None:
            return False
        if self.logger is not None or not looks_inside:
            return True
        return not folders.has(b"log", self.folder_fd) and (self._relay is None or self._inlet is not None)

    def is_gone(self) -> bool:
        """Whether neither half is supervised."""
        return self.service is None and self.logger is None

    def is_unused(self) -> bool:
        """Whether nothing would be lost with it: no half, no line in the pipe, no start to remember."""
        idle = self.is_gone() and not self._earliest_mono_s
        return idle and (self.pipe is None or not self.pipe.waiting_bytes())

    def close(self) -> None:
        folders.close(self.folder_fd)
        self._let_go_of_pipe()

    def _let_go_of_pipe(self) -> None:
        """Close it, or leave it to who reads it to the end."""
        if self._relay is not None and self._inlet is not None:
            self._relay.keep(self._inlet)
        elif self.pipe is not None:
            self.pipe.close()
        self.pipe = self._inlet = None

    def stop(self) -> None:
        """From now on it stops; more than once is as good as once."""
        if self.stopping is None:
            self.stopping = Stopping()

    def go_on_stopping(self, ticked: bool, late: Late = Late.NOT) -> None:
        """Give the orders that are to be given now."""
        while self.stopping is not None:
            halves = _half(self.service), _half(self.logger)
            order = orders(self.stopping, *halves, _state(self.pipe), ticked, late)
            if order.close_pipe and self.pipe is not None:
                self.pipe.close_writing_end()
            self._give(self.service, order.service)
            self._give(self.logger, order.logger)
            if not (order.service or order.logger):
                return
            ticked = False

    def _give(self, hosted: Hosted | None, order: Order) -> None:
        if hosted is None:
            return
        if order.letters:
            hosted.stopping = True
            self._supervisor.command(hosted, order.letters)
        if order.input_ended:
            self._supervisor.tell(hosted, machine.InputEnded(now()))
        if order.time_up:
            self._supervisor.tell(hosted, machine.TimeUp(now()))

    def stop_no_longer(self) -> None:
        """It has stopped. It may be taken up again, and then what a logger left in the pipe is there."""
        self.stopping = None
        if self.pipe is None:
            return
        try:
            if self._inlet is None and self.pipe.waiting_bytes():
                self.pipe.open_writing_end()
                return
        except OSError:
            pass
        self._let_go_of_pipe()


class Stopper:
    """Stops, in order, the pairs that have `stopping` set. `wake` says that one of them changed."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self._woken = trio.Event()
        self._done = trio.Event()
        self._changed: set[Pair] = set()
        self._deadline = Deadline()

    def begin_anew(self) -> None:
        """In a new run of trio: the events of one that was broken off may have waiters that are no more."""
        self._woken = trio.Event()
        self._done = trio.Event()

    def wake(self, pair: Pair) -> None:
        self._changed.add(pair)
        self._woken.set()

    async def work(self, pairs: Callable[[], Iterable[Pair]]) -> None:
        """For ever. All of `pairs` are looked at once a second, one that changed at once: to look at five
        hundred whenever one of them ends would take longer than any of them."""
        next_look, late = -math.inf, Late.NOT
        loop = self._loops.join(b"stop", lambda: self._woken.set())
        while True:
            loop.turn()
            self._woken = trio.Event()
            now_mono_s = trio.current_time()
            earlier, late = late, self._deadline.late(now_mono_s)
            ticked = now_mono_s >= next_look
            if ticked:
                next_look = now_mono_s + STOP_LOOK_S
            changed, self._changed = self._changed, set()
            stopping = [pair for pair in pairs() if pair.stopping is not None]
            for pair in stopping:
                if ticked or late > earlier or pair in changed:
                    pair.go_on_stopping(ticked, late)
                    if pair.is_gone():
                        pair.stop_no_longer()
            goes_on = any(pair.stopping is not None for pair in stopping)
            if not goes_on or late is Late.GIVE_UP:
                self._done.set()
            next_moment = min(next_look, self._deadline.next_mono_s(now_mono_s))
            with trio.move_on_at(next_moment if goes_on else math.inf):
                await self._woken.wait()

    async def stop(self, pairs: Iterable[Pair], deadline: Deadline) -> None:
        """Stop these; returns when none of those that are to stop is supervised any more, or when they
        are given up."""
        self._deadline = deadline
        for pair in pairs:
            pair.stop()
            self._changed.add(pair)
        self._done = trio.Event()
        self._woken.set()
        await self._done.wait()


def _half(hosted: Hosted | None) -> Half:
    if hosted is None:
        return Half(supervised=False)
    service = hosted.service
    return Half(
        supervised=True,
        running=service.pid != 0,
        due=service.due or service.starting,
        wanted_up=service.want != DOWN,
        stopping=service.stopping,
    )


def _state(pipe: descriptors.Pipe | None) -> Pipe:
    return Pipe(0, has_writer=False) if pipe is None else Pipe(pipe.waiting_bytes(), pipe.has_writer())
