"""How one folder is left for good: what is said to its service and its logger, and when.

Rules of this module:

- first the service, `dx`; its logger is told nothing as long as that is there: it reads what the service says
  to its end;
- then the logger, when the log pipe is empty: TERM would have multilog stop short of what is still in it. One
  that is down or paused with something left to read is started, or goes on, for that;
- a logger that is a file in the service's folder follows its service by itself;
- a half that is taken up again meanwhile is told again.
"""

SERVICE_LEAVES = b"dx"
LOGGER_READS_ON = b"co"
LOGGER_LEAVES = b"dx"


class Present:
    """Which halves are supervised now, and what is in the log pipe, 0 if that can't be seen."""

    __slots__ = ("logger", "service", "waiting_bytes")

    def __init__(self, service: bool, logger: bool, waiting_bytes: int = 0) -> None:
        self.service = service
        self.logger = logger
        self.waiting_bytes = waiting_bytes

    @property
    def is_left(self) -> bool:
        return not (self.service or self.logger)


class Leaving:
    """What was said already."""

    __slots__ = ("_logger_is_file", "_logger_reads", "_logger_told", "_service_told")

    def __init__(self, logger_is_file: bool) -> None:
        self._logger_is_file = logger_is_file
        self._service_told = self._logger_reads = self._logger_told = False

    def letters(self, seen: Present) -> tuple[bytes, bytes]:
        """What is to be said now, to the service and to the logger."""
        told, self._service_told = self._service_told, seen.service
        if seen.service:
            return b"" if told else SERVICE_LEAVES, b""
        if not seen.logger:
            self._logger_told = False
        if not seen.logger or self._logger_told or self._logger_is_file:
            return b"", b""
        if not seen.waiting_bytes:
            self._logger_told = True
            return b"", LOGGER_LEAVES
        reads, self._logger_reads = self._logger_reads, True
        return b"", b"" if reads else LOGGER_READS_ON
