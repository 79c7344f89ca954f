"""What happens to services, one JSON object a line, for who collects it (`svscan --events`).

Rules of this module:

- `time` is UTC as RFC 3339 has it, with nanoseconds, made of the TAI64N time that the status shows;
  `monotonic_s` is CLOCK_MONOTONIC's, which does not jump: differences are taken of it;
- `service` is the service's name as in messages, with `?` for what cannot be printed; `logger` says
  whether this is about its logger; `script` is what was started (`run`, `start`, `stop`, `log`),
  `pid` its process, which natively run loggers share;
- `exited` has `code` or `signal`, neither if nobody was told, and, but for a `stop`, `ran_s`;
- a line that nobody took is counted: `dropped`, in the next that is taken, says how many are missing;
- a line is ASCII, with JSON's escapes;
- a line is never longer than MOST_BYTES, which a pipe takes whole or not at all.

| event | what happened | beside the above |
| --- | --- | --- |
| adopted | a process that another svscan had started is supervised again | pid, script |
| started | | pid, script |
| unstartable | it could not be started, and is tried again | script, error |
| exited | | pid, script, code or signal, ran_s |
| killed | it did not end in its time (stop-timeout, --stop-timeout) and is sent KILL | pid, script |
| failed | its `start` failed or its `run` exited 100: it stays down | |
| waits | its first start waits for services it needs | reason |
| ready | it is ready (svpy-service(7), `ready`) | pid |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from svpy.core import service as machine
from svpy.core.errors import error_text
from svpy.core.status import FAILED
from svpy.core.tai import unix_s

MOST_BYTES = 4096
_MOST_TEXT_BYTES = 255
"""Of one text, as of a name in a folder: each may take six as JSON writes it."""

Fields = dict[str, Any]


def encoder() -> Callable[[Fields], bytes]:
    """How to make a line of fields."""
    # Only who is asked for events needs it.
    import json

    dumps = json.JSONEncoder(separators=(",", ":")).encode
    return lambda fields: dumps(fields).encode() + b"\n"


def text(data: bytes) -> str:
    """Bytes as text, cut where they are too long."""
    return data[:_MOST_TEXT_BYTES].decode("utf-8", "backslashreplace")


def rfc3339(tai: bytes) -> str:
    """A packed TAI64N time in UTC."""
    import datetime

    at = datetime.datetime.fromtimestamp(unix_s(tai), datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{int.from_bytes(tai[8:12], 'big'):09}Z"


class Before:
    """What a service was before an event."""

    __slots__ = ("pid", "script", "started_mono_s", "word")

    def __init__(self, service: machine.Service) -> None:
        self.pid = service.pid
        self.script = service.script
        self.started_mono_s = service.started_mono_s
        self.word = service.word


def told(
    event: machine.Event, before: Before, service: machine.Service, actions: list[machine.Action]
) -> Iterator[tuple[str, Fields]]:
    """What there is to tell of an event that led to these actions: its name, and its own fields."""
    match event:
        case machine.Resumed(pid=pid, script=script, running=True):
            yield "adopted", {"pid": pid, "script": text(script)}
        case machine.Started(pid=pid, script=script):
            yield "started", {"pid": pid, "script": text(script)}
        case machine.StartFailed(script=script, errno=number):
            yield "unstartable", {"script": text(script), "error": text(error_text(number))}
        case machine.Exited() if before.pid:
            of = {"pid": before.pid, "script": text(before.script)}
            yield "exited", {**of, **_how(event.code), **_how_long(before, event.at.mono_s)}
    if any(isinstance(action, machine.Warn) and action.doing == machine.KILLING for action in actions):
        yield "killed", {"pid": service.pid, "script": text(service.script)}
    if service.word == FAILED != before.word:
        yield "failed", {}


def _how(code: int | None) -> Fields:
    if code is None:
        return {}
    return {"code": code} if code >= 0 else {"signal": -code}


def _how_long(before: Before, mono_s: float) -> Fields:
    if before.started_mono_s is None:
        return {}
    return {"ran_s": round(max(0.0, mono_s - before.started_mono_s), 6)}
