"""The order in which everything stops.

Rules of this module:

- services first, all at once: down and exit (TERM and CONT to each); one that has a `stop` is gone when
  that has ended;
- when a service is gone, svscan closes its own writing end of the log pipe, so that the logger
  reads to the end and exits by itself: it is not signalled, because TERM would make multilog
  stop short of what is still in the pipe;
- a logger that dies before its pipe is empty is started again, unless it got nothing out of it;
- a logger whose pipe stays empty but has no end (something the service left in the background
  still holds it) is sent TERM; one that has been given the end takes the time it needs;
- a logger's own `stop` is waited for, whatever is in the pipe;
- nothing is killed, but for a `stop-timeout`, which core/service.py counts: a service's from its `d`, its
  logger's from the moment when svscan closes its end of the pipe, whoever may hold it still;
- with a deadline for all, time is up for services that are still there when it has passed, and for loggers a
  second later, whether their services went or not; a second after that, what even KILL did not end is
  given up, so that a stop ends;
- who waits for something to end asks again, and the answer is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import inf

EMPTY_LOOKS = 3
"""So many looks, a second apart, at an empty pipe without an end are enough."""

SERVICE_ORDER = b"dx"
LOGGER_READS_ON = b"co"
LOGGER_LEAVES = b"dx"
"""TERM to one that runs; the others leave at once, `d` calling off a start that is due."""


class Late(IntEnum):
    """Which of its moments a deadline has passed."""

    NOT = 0
    SERVICES = 1
    LOGGERS = 2
    GIVE_UP = 3


LATER_S = (0.0, 1.0, 2.0)
"""How long after the deadline each of them is, in their order."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When everything is to have ended; by itself, never."""

    mono_s: float = inf

    def late(self, now_mono_s: float) -> Late:
        return Late(sum(now_mono_s >= self.mono_s + later_s for later_s in LATER_S))

    def next_mono_s(self, now_mono_s: float) -> float:
        """The next of its moments."""
        moments = [self.mono_s + later_s for later_s in LATER_S]
        return min([moment for moment in moments if moment > now_mono_s], default=inf)


@dataclass(slots=True)
class Stopping:
    """What is remembered of one folder while it stops; `left_bytes` were in its log pipe when its
    logger was last told to read on."""

    service_told: bool = False
    logger_told: bool = False
    logger_termed: bool = False
    left_bytes: int | None = None
    empty_looks: int = 0
    end_told: bool = False
    service_timed_out: bool = False
    logger_timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Half:
    """A service or a logger as it is now: supervised or gone, with a process, about to get one
    (its second has not passed yet) or without; `stopping`: the process is its `stop`."""

    supervised: bool
    running: bool = False
    due: bool = False
    wanted_up: bool = True
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What one half is told now: letters, that its input has its end, that its time is up."""

    letters: bytes = b""
    input_ended: bool = False
    time_up: bool = False

    def __bool__(self) -> bool:
        return bool(self.letters) or self.input_ended or self.time_up


NOTHING = Order()
_TIME_UP = Order(time_up=True)


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do now: what each half is told, and whether to close svscan's writing end before."""

    service: Order = NOTHING
    logger: Order = NOTHING
    close_pipe: bool = False


@dataclass(frozen=True, slots=True)
class Pipe:
    """A log pipe as it is now: bytes in it, and whether anyone but svscan may still write to it."""

    waiting_bytes: int
    has_writer: bool


def orders(
    memory: Stopping, service: Half, logger: Half, pipe: Pipe, ticked: bool, late: Late = Late.NOT
) -> Orders:
    """The next orders for one folder; none of them is given twice for nothing.

    `ticked` says that a second passed since the last look (EMPTY_LOOKS counts those)."""
    timed_out = _time_up(memory, service, logger, late)
    if timed_out is not None:
        return timed_out
    if service.supervised:
        if memory.service_told:
            return Orders()
        memory.service_told = True
        return Orders(service=Order(SERVICE_ORDER))
    if not logger.supervised or memory.logger_timed_out:
        return Orders(close_pipe=True)
    letters = _for_logger(memory, logger, pipe, ticked)
    end_told, memory.end_told = memory.end_told, True
    return Orders(logger=Order(letters, input_ended=not end_told), close_pipe=True)


def _time_up(memory: Stopping, service: Half, logger: Half, late: Late) -> Orders | None:
    """What is left when time is up is told so, once each."""
    if service.supervised and late >= Late.SERVICES and not memory.service_timed_out:
        memory.service_timed_out = memory.service_told = True
        return Orders(service=_TIME_UP)
    if logger.supervised and late >= Late.LOGGERS and not memory.logger_timed_out:
        memory.logger_timed_out = True
        return Orders(logger=_TIME_UP)
    return None


def _for_logger(memory: Stopping, logger: Half, pipe: Pipe, ticked: bool) -> bytes:
    if logger.stopping:
        return b""
    if logger.running:
        if not memory.logger_told:
            memory.logger_told = True
            return LOGGER_READS_ON
        return _term_if_endless(memory, pipe, ticked)
    if logger.due and memory.logger_told and pipe.waiting_bytes:
        return b""
    stuck = memory.left_bytes is not None and pipe.waiting_bytes >= memory.left_bytes
    if not pipe.waiting_bytes or stuck or not logger.wanted_up:
        return LOGGER_LEAVES
    memory.logger_told = True
    memory.left_bytes = pipe.waiting_bytes
    return LOGGER_READS_ON


def _term_if_endless(memory: Stopping, pipe: Pipe, ticked: bool) -> bytes:
    if ticked:
        endless = pipe.has_writer and not pipe.waiting_bytes
        memory.empty_looks = memory.empty_looks + 1 if endless else 0
    if memory.empty_looks < EMPTY_LOOKS or memory.logger_termed:
        return b""
    memory.logger_termed = True
    return LOGGER_LEAVES
