"""What svstat --json writes: docs/svstat.schema.json describes it.

Rules of this module:

- a key that is there stays, with its meaning; keys are added. `format` changes if that cannot be kept;
- a number carries its unit in its name; moments are Unix seconds;
- what is not known, or not to be had of what is down, is null;
- names and paths are as core/jsonbytes.py has them.
"""

from svpy.core.details import reason, signal_name
from svpy.core.errors import one_line
from svpy.core.jsonbytes import named
from svpy.core.states import state_of
from svpy.core.status import DOWN, ONCE, UP
from svpy.core.tai import unix_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from svpy.core.details import Details, LogFolder, Socket

FORMAT = 1
_WANTS = {UP: "up", DOWN: "down", ONCE: "once"}


def document(shown: "list[Details]", now_unix_s: int, names: "Mapping[int, str]") -> "dict[str, Any]":
    """All of it in plain values. A logger directly behind its service is that one's."""
    services: list[dict[str, Any]] = []
    for one in shown:
        half = _half(one, now_unix_s, names)
        if one.seen.is_logger and services:
            services[-1]["logger"] = half
        else:
            services.append({**half, "logger": None})
    return {"format": FORMAT, "at_unix_s": now_unix_s, "services": services}


def _half(one: "Details", now_unix_s: int, names: "Mapping[int, str]") -> "dict[str, Any]":
    seen, status = one.seen, one.seen.status
    return {
        **named("name", seen.name),
        "state": state_of(seen).word,
        "as_wanted": seen.is_wanted,
        "supervised": seen.is_supervised,
        "trouble": _words(seen.trouble),
        "up": None if status is None else seen.is_up,
        "pid": seen.pid or None,
        "since_unix_s": None if status is None else unix_s(status.since),
        "for_s": None if status is None else seen.uptime_s(now_unix_s),
        "want": None if status is None else _WANTS.get(status.want),
        "normally_up": None if status is None else seen.normally_up,
        "paused": None if status is None else bool(status.paused and status.pid),
        "word": _words(seen.word),
        "asks_ready": seen.asks_ready,
        "ready": None if status is None else seen.ready,
        "why_not": _words(one_line(seen.note)),
        "restarts": seen.restarts,
        "last_exit": _exit(one, names),
        "how": {True: "native", False: "executed", None: None}[seen.native],
        "shared": one.shared,
        "processes": None if one.shared else one.processes,
        "memory_bytes": None if one.shared else one.memory_bytes,
        "cpu_s": None if one.shared else one.cpu_s,
        "sockets": None if one.sockets is None else [_socket(each) for each in one.sockets],
        "logs": [_log(each) for each in one.logs],
    }


def _words(text: bytes) -> "str | None":
    return text.decode("utf-8", "replace") or None


def _exit(one: "Details", names: "Mapping[int, str]") -> "dict[str, Any] | None":
    exits = one.seen.exits
    if exits is None or not exits.exits:
        return None
    killed = exits.code is not None and exits.code < 0
    return {
        "reason": reason(exits.code, names).decode(),
        "code": None if killed else exits.code,
        "signal": signal_name(-exits.code, names).decode() if killed and exits.code is not None else None,
        "pid": exits.pid or None,
        "at_unix_s": unix_s(exits.at),
    }


def _socket(socket: "Socket") -> "dict[str, Any]":
    return {
        "protocol": socket.protocol.decode(),
        **named("address", socket.address),
        "port": socket.port or None,
    }


def _log(log: "LogFolder") -> "dict[str, Any]":
    age = log.age_s
    return {
        **named("path", log.path),
        "current_bytes": log.current_bytes,
        "current_age_s": None if age is None else round(age, 3),
        "trouble": _words(log.trouble),
    }
