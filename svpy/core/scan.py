"""What a scan of the folder of services leads to.

Rules of this module (daemontools' svscan.c, where it does not say otherwise):

- names that begin with a dot, and whatever is not a folder, are no services;
- a folder is known by device and inode: renaming it, or a second link to it, is the same service;
- a folder with `log` in it has a logger, joined by a pipe that outlives both processes; one that
  gets its `log` later gets its logger then (C looks only once); `log` is a folder with a `run`, or, as
  in daemontools-encore, an executable file; anything else is nothing;
- what svscan stopped supervising (`svc -x`) is taken up again while its folder is there;
- a folder that disappears keeps running until it is told to leave (`svc -dx`);
- any number of them (C: 1000).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Key = tuple[int, int]
"""Device and inode of a service folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """One folder seen by a scan."""

    name: bytes
    key: Key
    has_log: bool
    log_is_file: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What svscan has of a folder it knows: which halves it supervises now, and whether what is left
    of them is stopping: then nothing is begun."""

    service: bool
    logger: bool
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class HostService:
    found: Found


@dataclass(frozen=True, slots=True)
class HostLogger:
    found: Found


@dataclass(frozen=True, slots=True)
class HostTogether:
    """A service and the logger that is a file in its folder: both or neither."""

    found: Found


@dataclass(frozen=True, slots=True)
class Forget:
    """The folder is gone and nothing of it runs: close its pipe."""

    key: Key


ScanAction = HostService | HostLogger | HostTogether | Forget


def may_be_service(name: bytes) -> bool:
    return not name.startswith(b".")


def decide(known: Mapping[Key, Known], found: Iterable[Found]) -> list[ScanAction]:
    """What is to be done, in the order of `found`; a logger comes before its service, so that
    the first line already has a reader."""
    actions: list[ScanAction] = []
    seen: set[Key] = set()
    for folder in found:
        if folder.key in seen:
            continue
        seen.add(folder.key)
        running = known.get(folder.key, _NEW)
        if not running.stopping:
            actions += _missing(folder, running)
    for key, running in known.items():
        if key not in seen and not (running.service or running.logger or running.stopping):
            actions.append(Forget(key))
    return actions


_NEW = Known(service=False, logger=False)


def _missing(folder: Found, running: Known) -> list[ScanAction]:
    needs_logger = folder.has_log and not running.logger
    if folder.log_is_file and needs_logger and not running.service:
        return [HostTogether(folder)]
    actions: list[ScanAction] = []
    if needs_logger:
        actions.append(HostLogger(folder))
    if not running.service:
        actions.append(HostService(folder))
    return actions


class Complaints:
    """Says each complaint about a name once, and again only when it changed in between."""

    def __init__(self, said: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._said = dict(said)

    def said(self) -> list[tuple[bytes, bytes]]:
        """What is not said again, by name."""
        return list(self._said.items())

    def stand(self) -> bool:
        """Whether the last scan made any."""
        return bool(self._said)

    def news(self, current: Mapping[bytes, bytes]) -> list[bytes]:
        """All complaints of one scan in (name to text), those that are new out."""
        new = [text for name, text in current.items() if self._said.get(name) != text]
        self._said = dict(current)
        return new
