"""What svpy-exporter shows: the names, kinds and meanings of its metrics, in Prometheus' customs.

Rules of this module:

- a name begins with `svpy_`, ends in its unit, and, if it is a counter, in `_total`; what is not known has no
  sample, which is not the same as 0;
- counters never go back while the exporter runs, but where what they count is begun anew: scans with svscan's
  process, restarts with the machine;
- `service` is a folder's name in DIR; `logger` is `true` for its logger. What of a name cannot be printed or
  is not UTF-8, and a backslash, stands as `\\xHH` for each byte, so that no two names look alike;
- there are as many series as folders, and their log folders, times the rows below: nothing that clients or
  users choose makes more of them, and what is gone is forgotten.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

HALF = ("service", "logger")
LOG = ("service", "folder")


class Metric(NamedTuple):
    """`kind` is gauge or counter; `labels` are the names of its labels."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("svpy_build_info", "gauge", ("version",), "The version of svpy-exporter."),
    Metric("svpy_up", "gauge", (), "Whether the folder of services could be read."),
    Metric("svpy_scrape_duration_seconds", "gauge", (), "What it took to look at everything."),
    Metric("svpy_services", "gauge", ("state", "logger"), "How many are in each state."),
    Metric("svpy_service_supervised", "gauge", HALF, "Whether a svscan or supervise has it."),
    Metric("svpy_service_up", "gauge", HALF, "Whether it has a process, or needs none."),
    Metric("svpy_service_wanted_up", "gauge", HALF, "Whether it is to be started whenever it ends."),
    Metric("svpy_service_as_wanted", "gauge", HALF, "Whether it is as it is wanted."),
    Metric(
        "svpy_service_ready", "gauge", HALF, "Whether it is up, and ready if its folder says what that is."
    ),
    Metric("svpy_service_restarts_total", "counter", HALF, "How often it was started again since boot."),
    Metric("svpy_service_last_exit_code", "gauge", HALF, "Exit code of its last end, unless it was killed."),
    Metric("svpy_service_last_exit_signal", "gauge", HALF, "Signal that killed it last time it ended, or 0."),
    Metric("svpy_service_last_exit_timestamp_seconds", "gauge", HALF, "When it ended last."),
    Metric("svpy_service_start_time_seconds", "gauge", HALF, "When its process was started."),
    Metric("svpy_service_processes", "gauge", HALF, "Its process and all that descend from it."),
    Metric("svpy_service_resident_memory_bytes", "gauge", HALF, "What these processes have resident."),
    Metric("svpy_service_cpu_seconds_total", "counter", HALF, "Processor time of them, and of those before."),
    Metric("svpy_shared_logger_processes", "gauge", (), "Processes that several native loggers share."),
    Metric("svpy_shared_logger_resident_memory_bytes", "gauge", (), "What they and theirs have resident."),
    Metric("svpy_shared_logger_cpu_seconds_total", "counter", (), "Processor time of them and theirs."),
    Metric("svpy_log_bytes", "gauge", LOG, "The size of all files of a log folder."),
    Metric("svpy_log_last_write_timestamp_seconds", "gauge", LOG, "When its current was written to last."),
    Metric("svpy_log_written_bytes_total", "counter", LOG, "What was written into it since it is looked at."),
    Metric("svpy_log_rotations_total", "counter", LOG, "How often its current was begun anew since then."),
    Metric("svpy_svscan_up", "gauge", (), "Whether the folder's svscan was found and could be looked into."),
    Metric("svpy_scans_total", "counter", (), "How often that svscan has looked through the folder."),
    Metric("svpy_scan_seconds_total", "counter", (), "How long that took, all in all."),
    Metric("svpy_scan_duration_seconds", "gauge", (), "How long the last took."),
    Metric("svpy_scan_longest_seconds", "gauge", (), "How long the longest took."),
    Metric("svpy_scan_last_timestamp_seconds", "gauge", (), "When the last began."),
)


def label(name: bytes) -> str:
    """A name as the value of a label."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(letter if letter.isprintable() and letter != "\\" else _hex(letter) for letter in text)


def _hex(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def truth(of: bool) -> str:
    """As the value of a label."""
    return "true" if of else "false"


class Growing:
    """Sums of what processes say of themselves, each from nothing on, as counters that only grow. `key`
    is whom it is about, `process` tells one of its processes from the one before."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, tuple[object, float, float]] = {}

    def add(self, key: Hashable, process: object, value: float) -> float:
        """What the process says now. Returns the counter."""
        known = self._sums.get(key)
        if known is None:
            total = value
        else:
            was, said, total = known
            # A process that ends unwaited for takes its time with it: then it stays as it was.
            total += max(0.0, value - said) if was == process else value
            value = max(value, said) if was == process else value
        self._sums[key] = (process, value, total)
        return total

    def keep(self, keys: set[Hashable]) -> float:
        """Forget all others. Returns the sum of what these came to."""
        gone = sum(total for key, (_, _, total) in self._sums.items() if key not in keys)
        self._sums = {key: kept for key, kept in self._sums.items() if key in keys}
        return gone
