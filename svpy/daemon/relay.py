"""`--log-stdout`: what services without a logger write, line by line in svscan's own output.

Rules of this module:

- it reads the pairs' own pipes, of which both ends are kept: a service that restarts loses nothing, and a
  logger that comes later takes over the pipe with what is in it;
- nothing is read while standard output takes nothing: services wait, as they would for a full output of
  their own, svscan does not;
- a service survives it as every other if svscan is killed, and the next one reads on: what it is given can
  be read by itself, so that it waits instead of getting SIGPIPE;
- each pipe has its turn, of TURN_BYTES; what one turn brought is written before the next;
- what nobody will ever take (a broken pipe) is dropped; a full disk is asked again every RETRY_S;
- when everything stops, standard output that takes nothing for PATIENCE_S is given up, and what is read
  dropped, so that no service waits for it; what is in the pipes when the services are gone is written.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from svpy.core.errors import error_text, one_line
from svpy.core.handover import State, memory, recall
from svpy.core.relay import Prefixer, pieces
from svpy.daemon.loops import Loop, Loops
from svpy.system import descriptors
from svpy.system.tell import non_blocking
from svpy.system.waiting import Readable

TURN_BYTES = 16384
RETRY_S = 1.0
PATIENCE_S = 3.0

_STDOUT = 1
_PASSES = frozenset((errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.ENOBUFS))
"""What is wrong with an output for a while."""


class Inlet:
    """One pipe that is read. `ends` are the places where a process that wrote has ended: how many bytes are
    to be read before the first, from there to the next, and so on. `kept`: the pipe is no pair's any more."""

    __slots__ = ("at_end", "ends", "kept", "pipe", "prefixer")

    def __init__(self, name: bytes, pipe: descriptors.Pipe) -> None:
        self.pipe = pipe
        self.prefixer = Prefixer(one_line(name))
        self.ends: list[int] = []
        self.kept = False
        self.at_end = False

    def state(self) -> State:
        """What is handed over of it, beside its name and its pipe."""
        return {**memory(self, ("pipe", "prefixer")), "prefixer": memory(self.prefixer)}

    def recall(self, state: State) -> None:
        recall(self, state, ("pipe", "prefixer"))
        recall(self.prefixer, state["prefixer"])


class Relay:
    """Reads the pipes attached to it. `unwritten` are lines that standard output did not take yet."""

    def __init__(self, warn: Callable[[bytes], None]) -> None:
        self.unwritten = b""
        self._warn = warn
        self._write = non_blocking(_STDOUT)
        self._readable = Readable()
        self._inlets: dict[int, Inlet] = {}
        self._reading = trio.CancelScope()
        self._room = trio.CancelScope()
        self._working = trio.CancelScope()
        self._has_worked = trio.Event()
        self._loop = Loop(self._come_round, lambda: None)
        self._complained = False
        self._refused_mono_s: float | None = None
        self._impatient_mono_s = math.inf

    def begin_anew(self) -> None:
        """In a new run of trio: see Stopper."""
        self._reading = trio.CancelScope()
        self._room = trio.CancelScope()
        self._working = trio.CancelScope()
        self._has_worked = trio.Event()

    def state(self) -> State:
        """What is handed over that is no pair's."""
        kept = [inlet for inlet in self._inlets.values() if inlet.kept]
        return {
            "unwritten": self.unwritten,
            "kept": [{**inlet.state(), "pipe": memory(inlet.pipe)} for inlet in kept],
        }

    def recall(self, state: State) -> None:
        self.unwritten = state["unwritten"]
        for each in state["kept"]:
            inlet = Inlet(b"", descriptors.Pipe.of(**each["pipe"]))
            inlet.recall(each)
            self._inlets[inlet.pipe.read_fd] = inlet

    def take_over(self) -> None:
        """Read on what was handed over. Raises OSError."""
        for inlet in tuple(self._inlets.values()):
            self.read_on(inlet)

    def read_on(self, inlet: Inlet) -> None:
        """Read on from where another program has stopped. Raises OSError."""
        if not inlet.at_end:
            self._readable.add(inlet.pipe.read_fd)
            # It is this end's alone: what a service has is the other one.
            descriptors.set_blocking(inlet.pipe.read_fd, False)
            self._inlets[inlet.pipe.read_fd] = inlet

    def attach(self, name: bytes, pipe: descriptors.Pipe) -> Inlet:
        """Read a pipe from now on. Raises OSError."""
        try:
            pipe.survive_us()
        except OSError:
            pass  # Without /proc nobody could find the pipe again either.
        inlet = Inlet(name, pipe)
        self.read_on(inlet)
        return inlet

    def detach(self, inlet: Inlet) -> None:
        """A logger reads on."""
        self._forget(inlet)
        descriptors.set_blocking(inlet.pipe.read_fd, True)

    def keep(self, inlet: Inlet) -> None:
        """The pair is no more: read to the end and close the pipe."""
        inlet.pipe.close_writing_end()
        inlet.kept = True
        if inlet.at_end:
            inlet.pipe.close()

    def process_ended(self, inlet: Inlet) -> None:
        """What is in the pipe now is the last of a process."""
        more_bytes = inlet.pipe.waiting_bytes() - sum(inlet.ends)
        if more_bytes:
            inlet.ends.append(more_bytes)
        elif not inlet.ends:
            self._say(inlet.prefixer.end())

    def _say(self, lines: bytes) -> None:
        self.unwritten += lines
        self._reading.cancel()

    def _forget(self, inlet: Inlet) -> None:
        if self._inlets.pop(inlet.pipe.read_fd, None) is not None:
            self._readable.remove(inlet.pipe.read_fd)
        self._say(inlet.prefixer.end())

    async def work(self, loops: Loops) -> None:
        """Until `drain`."""
        self._loop = loops.join(b"relay", self._come_round)
        with self._working:
            try:
                while True:
                    self._loop.turn()
                    await self._flush()
                    with trio.CancelScope() as self._reading:
                        await trio.lowlevel.wait_readable(self._readable.fd)
                    await self._read_all()
            finally:
                loops.leave(b"relay")
                self._has_worked.set()

    def _come_round(self) -> None:
        self._reading.cancel()
        self._room.cancel()

    async def _read_all(self) -> None:
        for fd in self._readable.ready():
            inlet = self._inlets.get(fd)
            # A pipe of the same number may be another by now: then there is nothing in it, or it is ours too.
            if inlet is not None:
                self._read(inlet, TURN_BYTES)
                await self._flush()

    def be_impatient(self) -> None:
        """Everything is about to stop."""
        self._impatient_mono_s = trio.current_time()
        self._room.deadline = self._impatient_mono_s + PATIENCE_S

    async def drain(self) -> None:
        """The services are gone: write what they left, and no more if something goes on writing."""
        self._working.cancel()
        await self._has_worked.wait()
        for inlet in tuple(self._inlets.values()):
            left_bytes = inlet.pipe.waiting_bytes()
            while left_bytes > 0 and (read_bytes := self._read(inlet, min(left_bytes, TURN_BYTES))):
                left_bytes -= read_bytes
                await self._flush()
            self.unwritten += inlet.prefixer.end()
        await self._flush()

    def _read(self, inlet: Inlet, most_bytes: int) -> int:
        """Returns how much was read."""
        if inlet.ends:
            most_bytes = min(most_bytes, inlet.ends[0])
        data = descriptors.read_now(inlet.pipe.read_fd, most_bytes)
        if data is None:
            return 0
        self.unwritten += inlet.prefixer.feed(data)
        if not data:
            self._come_to_end(inlet)
        elif inlet.ends:
            inlet.ends[0] -= len(data)
            if not inlet.ends[0]:
                del inlet.ends[0]
                self.unwritten += inlet.prefixer.end()
        return len(data)

    def _come_to_end(self, inlet: Inlet) -> None:
        inlet.at_end = True
        self._forget(inlet)
        if inlet.kept:
            inlet.pipe.close()

    async def _flush(self) -> None:
        while self.unwritten:
            for piece in pieces(self.unwritten):
                taken_bytes = await self._write_piece(piece)
                self.unwritten = self.unwritten[taken_bytes:]
                if taken_bytes < len(piece):
                    break

    async def _write_piece(self, piece: bytes) -> int:
        """Returns how much of it is done with; nothing after having waited for room."""
        self._loop.turn()
        try:
            taken_bytes = self._write(piece)
        except BlockingIOError:
            await self._wait_for_room(trio.lowlevel.wait_writable, _STDOUT)
            return 0
        except OSError as error:
            self._complain(error_text(error.errno))
            if error.errno not in _PASSES:
                return len(piece)
            await self._wait_for_room(trio.sleep, RETRY_S)
            return 0
        self._complained = False
        self._refused_mono_s = None
        return taken_bytes

    async def _wait_for_room(self, wait: Callable[[Any], Awaitable[None]], what: object) -> None:
        if self._refused_mono_s is None:
            self._refused_mono_s = trio.current_time()
        since_mono_s = max(self._refused_mono_s, self._impatient_mono_s)
        with trio.CancelScope(deadline=since_mono_s + PATIENCE_S) as self._room:
            await wait(what)
        if trio.current_time() >= self._room.deadline:
            self._complain(b"timed out")
            self._write = len

    def _complain(self, why: bytes) -> None:
        if not self._complained:
            self._complained = True
            self._warn(b"unable to write to stdout: " + why)
