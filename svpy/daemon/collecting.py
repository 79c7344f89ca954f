"""Looking at a folder of services for svpy-exporter (core/exposition.py).

Rules of this module:

- everything is looked at when it is asked for, once for each who asks, one after the other; between that
  nothing is kept but what counters need and where log folders are;
- what is in a folder, or is not, never ends it: what could not be seen has no sample;
- a process that several native loggers share is counted once, and not as one of theirs.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

import svpy
from svpy.core import exposition
from svpy.core.exposition import METRICS, Growing, label, truth
from svpy.core.seen import Seen
from svpy.core.states import STATES, state_of
from svpy.core.status import UP
from svpy.core.tai import unix_s
from svpy.system.logsites import log_folders
from svpy.system.logwatch import LogWatch
from svpy.system.scanreader import ScanReader
from svpy.system.seeing import see, services
from svpy.system.trees import Usage, trees

Family = CounterMetricFamily | GaugeMetricFamily
"""Of prometheus_client's: samples of one name."""


class Half:
    """A service or logger that was seen, and the values of its labels."""

    __slots__ = ("key", "labels", "seen")

    def __init__(self, folder: bytes, seen: Seen) -> None:
        self.key = (os.path.basename(folder), seen.is_logger)
        self.labels = (label(self.key[0]), truth(seen.is_logger))
        self.seen = seen


class Collector:
    """Of one folder. `collect` is what prometheus_client asks for."""

    def __init__(self, folder: bytes, logs: LogWatch) -> None:
        self._folder = folder
        self._logs = logs
        self._scans = ScanReader(folder)
        self._cpu = Growing()
        self._shared_cpu = Growing()
        self._shared_before_s = 0.0
        self._sites: dict[bytes, tuple[bytes, list[bytes]]] = {}
        self._lock = threading.Lock()

    def describe(self) -> list[Family]:
        """None: they would have to be looked at for it."""
        return []

    def hear(self) -> None:
        """Of log folders that rotate, when there is something to hear."""
        with self._lock:
            self._logs.hear()

    def collect(self) -> Iterator[Family]:
        with self._lock:
            found = Found()
            began = time.monotonic()
            try:
                self._look(found)
            finally:
                found.add("svpy_scrape_duration_seconds", time.monotonic() - began)
        yield from found.families.values()

    def _look(self, found: Found) -> None:
        found.add("svpy_build_info", 1, svpy.__version__)
        try:
            folders = services(self._folder)
        except OSError:
            found.add("svpy_up", 0)
            folders = []
        else:
            found.add("svpy_up", 1)
        halves = [Half(folder, seen) for folder in folders for seen in see(folder)]
        _count(found, [half.seen for half in halves])
        for half in halves:
            _add_half(found, half)
        self._add_usage(found, halves)
        self._add_logs(found, folders, halves)
        self._add_scans(found)

    def _add_usage(self, found: Found, halves: list[Half]) -> None:
        users = Counter(half.seen.pid for half in halves if half.seen.pid)
        try:
            usage = trees(users)
        except OSError:
            return
        shared = [usage[pid] for pid, number in users.items() if number > 1 and pid in usage]
        found.add("svpy_shared_logger_processes", len(shared))
        found.add("svpy_shared_logger_resident_memory_bytes", sum(each.rss_bytes for each in shared))
        for half in halves:
            seen = half.seen
            if users[seen.pid] != 1 or seen.pid not in usage:
                continue
            self._add_tree(found, half, usage[seen.pid])
        self._cpu.keep({half.key for half in halves})
        # One that is a single logger's for a while may be shared again.
        self._shared_before_s += self._shared_cpu.keep(set(usage))
        shared_s = sum(self._shared_cpu.add(each.pids[0], None, each.cpu_s) for each in shared)
        found.add("svpy_shared_logger_cpu_seconds_total", self._shared_before_s + shared_s)

    def _add_tree(self, found: Found, half: Half, usage: Usage) -> None:
        found.add("svpy_service_processes", len(usage.pids), *half.labels)
        found.add("svpy_service_resident_memory_bytes", usage.rss_bytes, *half.labels)
        cpu_s = self._cpu.add(half.key, half.seen.raw[:16], usage.cpu_s)
        found.add("svpy_service_cpu_seconds_total", cpu_s, *half.labels)

    def _add_logs(self, found: Found, folders: list[bytes], halves: list[Half]) -> None:
        self._logs.hear()
        loggers = {half.key[0]: half for half in halves if half.seen.is_logger}
        sites = {}
        paths = set()
        for folder in folders:
            half = loggers.get(os.path.basename(folder))
            if half is None:
                continue
            sites[folder] = site = self._site(folder, half.seen)
            for path in site[1]:
                if (half.labels[0], path) not in paths:
                    self._add_log(found, half.labels[0], path)
                paths.add((half.labels[0], path))
        self._sites = sites
        self._logs.keep({path for _, path in paths})

    def _site(self, folder: bytes, logger: Seen) -> tuple[bytes, list[bytes]]:
        """Where it logs, looked for anew when its process is another one."""
        known = self._sites.get(folder)
        if known is not None and logger.pid and known[0] == logger.raw:
            return known
        return logger.raw, log_folders(folder, logger.pid)

    def _add_log(self, found: Found, service: str, path: bytes) -> None:
        try:
            sizes, count = self._logs.look(path)
        except OSError:
            return
        labels = (service, label(path))
        found.add("svpy_log_bytes", sizes.bytes, *labels)
        if sizes.current is not None:
            found.add("svpy_log_last_write_timestamp_seconds", sizes.current.st_mtime, *labels)
        found.add("svpy_log_written_bytes_total", count.written_bytes, *labels)
        found.add("svpy_log_rotations_total", count.rotations, *labels)

    def _add_scans(self, found: Found) -> None:
        scans = self._scans.read()
        found.add("svpy_svscan_up", scans is not None)
        if scans is None:
            return
        found.add("svpy_scans_total", scans.count)
        found.add("svpy_scan_seconds_total", scans.total_s)
        found.add("svpy_scan_duration_seconds", scans.last_s)
        found.add("svpy_scan_longest_seconds", scans.longest_s)
        if scans.count:
            at_s = time.time() - time.monotonic() + scans.began_mono_s
            found.add("svpy_scan_last_timestamp_seconds", at_s)


class Found:
    """The families of METRICS, in that order, and what is found for them."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {row.name: _family(row) for row in METRICS}

    def add(self, name: str, value: float, *labels: str) -> None:
        self.families[name].add_metric(labels, value)


def _family(row: exposition.Metric) -> Family:
    kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    return kind(row.name, row.help, labels=row.labels)


def _count(found: Found, halves: list[Seen]) -> None:
    counts = Counter((state_of(seen).word, seen.is_logger) for seen in halves)
    words = dict.fromkeys(state.word for state, _ in STATES)
    for is_logger in (False, True):
        for word in words:
            found.add("svpy_services", counts[word, is_logger], word, truth(is_logger))


def _add_half(found: Found, half: Half) -> None:
    seen, labels = half.seen, half.labels
    found.add("svpy_service_supervised", seen.is_supervised, *labels)
    found.add("svpy_service_up", seen.is_up, *labels)
    found.add("svpy_service_as_wanted", seen.is_wanted, *labels)
    found.add("svpy_service_ready", seen.ready, *labels)
    if seen.status is not None:
        found.add("svpy_service_wanted_up", seen.status.want == UP, *labels)
        if seen.pid:
            found.add("svpy_service_start_time_seconds", unix_s(seen.status.since), *labels)
    if seen.restarts is not None:
        found.add("svpy_service_restarts_total", seen.restarts, *labels)
    if seen.exits is not None and seen.exits.exits:
        _add_last_exit(found, half, seen.exits.code, seen.exits.at)


def _add_last_exit(found: Found, half: Half, code: int | None, at: bytes) -> None:
    found.add("svpy_service_last_exit_timestamp_seconds", unix_s(at), *half.labels)
    if code is None:
        return
    found.add("svpy_service_last_exit_signal", max(0, -code), *half.labels)
    if code >= 0:
        found.add("svpy_service_last_exit_code", code, *half.labels)
