"""What one look at one supervised half, a service or its logger, has found.

Rules of this module:

- it is as wanted (`is_wanted`) if what its status says last was asked for is so: `u` and it runs, `d` and it
  does not, once and nobody asks for more. It is not if its `start` or `stop` still runs, if it is paused, has
  failed, is not ready where its folder asks for readiness, or if it could not be seen at all: no supervise
  runs, or we may not look;
- nobody needs to have said `u`: a service without a file `down` is wanted up from its first start on, one
  with it is wanted down.
"""

from svpy.core.status import DOWN, FAILED, STARTED, STARTING, STOPPING, UP
from svpy.core.tai import unix_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.exits import Exits
    from svpy.core.status import Status

NOT_RUNNING = b"supervise not running"

_PASSING = (STARTING, STOPPING)


class Seen:
    """`name`: as it was asked for, `DIR`; a logger is `DIR/log`, whether that is a folder or a file.
    `is_file`: it is a file in its service's folder (daemontools-encore's), and supervised in `supervise/log`.
    `trouble`: svstat's words for why nothing else is known, empty if it is; `error`: their errno, if there
    was one. `raw`: the bytes of the status,
    `word` what `state` has for it. `normally_up`: there is no file `down`. `native`: how its process was
    started, None if it has none or that is not recorded where we may read it. `shared`: that process hosts
    other services' loggers as well. `exits`: None if we may not read them. `asks_ready`: its folder says what
    ready means. `note`: for a person, why it waits or is not ready."""

    __slots__ = (
        "asks_ready", "error", "exits", "is_file", "is_logger", "is_supervised", "name", "native",
        "normally_up", "note", "raw", "ready", "shared", "status", "trouble", "word",
    )  # fmt: skip

    def __init__(self, name: bytes, is_logger: bool = False, is_file: bool = False) -> None:
        self.name = name
        self.is_logger = is_logger
        self.is_file = is_file
        self.trouble = b""
        self.error = 0
        self.is_supervised = False
        self.raw = b""
        self.status: Status | None = None
        self.word = b""
        self.normally_up = True
        self.native: bool | None = None
        self.shared = False
        self.exits: Exits | None = None
        self.asks_ready = False
        self.ready = False
        self.note = b""

    @property
    def pid(self) -> int:
        """0 if it has no process, or that is not known."""
        return 0 if self.status is None else self.status.pid

    @property
    def is_up(self) -> bool:
        """As svup has it: it has a process, or needs none."""
        return self.pid != 0 or self.word == STARTED

    @property
    def is_wanted(self) -> bool:
        """Whether it is as wanted."""
        status = self.status
        if status is None or not self.is_supervised or self.word == FAILED:
            return False
        if status.want == DOWN:
            return not self.is_up
        if not self.is_up:
            return status.want != UP
        return not (status.paused or self.word in _PASSING or (self.asks_ready and not self.ready))

    @property
    def restarts(self) -> "int | None":
        """How often it was started again since boot; None if we may not read that. An end is noted a moment
        before it is published: what was read of both may be of that moment, and an end is no restart yet."""
        if self.exits is None:
            return None
        status = self.status
        is_over = status is not None and self.exits.pid == status.pid and self.exits.at > status.since
        # Plain svstat never asks.
        from svpy.core.exits import restarts

        return restarts(self.exits, self.is_up and not is_over)

    def uptime_s(self, now_unix_s: int) -> int:
        """Since when it is as it is, up or down, by the clock on the wall; never less than 0."""
        return 0 if self.status is None else max(0, now_unix_s - unix_s(self.status.since))
