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
- nothing is killed; who waits for something to end asks again, and the answer is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

EMPTY_LOOKS = 3
"""So many looks, a second apart, at an empty pipe without an end are enough."""

SERVICE_ORDER = b"dx"
LOGGER_READS_ON = b"co"
LOGGER_LEAVES = b"dx"
"""TERM to one that runs; the others leave at once, `d` calling off a start that is due."""


@dataclass(slots=True)
class Stopping:
    """What is remembered of one folder while it stops; `left_bytes` were in its log pipe when its
    logger was last told to read on."""

    service_told: bool = False
    logger_told: bool = False
    logger_termed: bool = False
    left_bytes: int | None = None
    empty_looks: int = 0


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
class Orders:
    """What to do now: letters for each half, and whether to close svscan's writing end."""

    service: bytes = b""
    logger: bytes = b""
    close_pipe: bool = False


@dataclass(frozen=True, slots=True)
class Pipe:
    """A log pipe as it is now: bytes in it, and whether anyone but svscan may still write to it."""

    waiting_bytes: int
    has_writer: bool


def orders(memory: Stopping, service: Half, logger: Half, pipe: Pipe, ticked: bool) -> Orders:
    """The next orders for one folder; none of them is given twice for nothing.

    `ticked` says that a second passed since the last look (EMPTY_LOOKS counts those)."""
    if service.supervised:
        if memory.service_told:
            return Orders()
        memory.service_told = True
        return Orders(service=SERVICE_ORDER)
    if not logger.supervised:
        return Orders(close_pipe=True)
    return Orders(logger=_for_logger(memory, logger, pipe, ticked), close_pipe=True)


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
