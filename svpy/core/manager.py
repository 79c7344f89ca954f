"""The service manager that started us, systemd or what speaks as it does (sd_notify(3)): what it says to us
through the environment, what it is told, and what of that is none of a service's business.

Rules of this module:

- variables that name svscan's own process or its line to the manager are for svscan alone: a service that
  believed them would answer in its name. JOURNAL_STREAM and MEMORY_PRESSURE_WATCH describe what is shared
  with services, and MANAGERPID is as true for them: they pass, as everything else does;
- READY is said when the first scan is over, STOPPING when the ordered stop begins;
- services and loggers are counted by what they do now;
- the watchdog is answered twice in its time.
"""

from __future__ import annotations

from collections.abc import Iterable

from svpy.core.service import Service
from svpy.core.status import STARTED

OWN_NAMES = frozenset(
    (
        b"NOTIFY_SOCKET",
        b"WATCHDOG_USEC",
        b"WATCHDOG_PID",
        b"LISTEN_PID",
        b"LISTEN_FDS",
        b"LISTEN_FDNAMES",
        b"FDSTORE",
        b"INVOCATION_ID",
        b"SYSTEMD_EXEC_PID",
    )
)

READY = b"READY=1"
STOPPING = b"STOPPING=1"
ALIVE = b"WATCHDOG=1"

_KINDS = (b"up", b"paused", b"starting", b"stopping", b"restarting", b"failed", b"down")
"""In the order in which they are told."""


def for_services(entries: list[bytes]) -> list[bytes]:
    """An environment without what is svscan's own."""
    return [entry for entry in entries if entry.partition(b"=")[0] not in OWN_NAMES]


def value(entries: list[bytes], name: bytes) -> bytes:
    """The first entry of that name, as getenv(3) has it; empty if there is none."""
    start = name + b"="
    return next((entry[len(start) :] for entry in entries if entry.startswith(start)), b"")


def answer_interval_s(entries: list[bytes], pid: int) -> float | None:
    """How often the watchdog expects to be answered by `pid`, halved (sd_watchdog_enabled(3)); None: it
    does not."""
    usec = value(entries, b"WATCHDOG_USEC")
    meant = value(entries, b"WATCHDOG_PID")
    if not usec.isdigit() or int(usec) == 0 or (meant and meant != b"%d" % pid):
        return None
    return int(usec) / 2_000_000


def status(services: Iterable[Service], loggers: Iterable[Service], stopping: bool) -> bytes:
    """`STATUS=`, and what `systemctl status` is to show."""
    parts = [_counted(b"service", services), _counted(b"logger", loggers)]
    if stopping:
        left = [part for part in parts if part] or [b"nothing left"]
        return b"STATUS=stopping: " + b"; ".join(left)
    return b"STATUS=" + b"; ".join([parts[0] or b"no services", *parts[1:]]).removesuffix(b"; ")


def _counted(noun: bytes, machines: Iterable[Service]) -> bytes:
    counts = dict.fromkeys(_KINDS, 0)
    for one in machines:
        counts[_kind(one)] += 1
    total = sum(counts.values())
    if not total:
        return b""
    parts = [b"%d %s%s" % (total, noun, b"" if total == 1 else b"s")]
    return b", ".join(parts + [b"%d %s" % (count, kind) for kind, count in counts.items() if count])


def _kind(one: Service) -> bytes:
    if one.word:
        return b"up" if one.word == STARTED else one.word
    if one.pid:
        return b"paused" if one.paused else b"up"
    return b"restarting" if one.due or one.starting else b"down"


def oom_score_of_services(own: int) -> int | None:
    """The oom_score_adj to start services with, None for the same as ours: that svscan is spared must not
    spare them, that it is meant to go first is meant for all."""
    return 0 if own < 0 else None
