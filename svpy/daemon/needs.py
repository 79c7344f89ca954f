"""Services that wait for others before their first start: those with a file `needs`. Imported when there is
one.

Rules of this module:

- what is decided stands in core/needs.py; it is decided anew whenever anything happens to one that waits or
  is needed, and after every scan, which also reads the `needs` of those that wait again;
- while a scan goes on those whose time has come are started, but why the others wait is said when it is known
  what there is: what is needed may be just about to be found;
- why one waits stands in its note, `supervise/ready`, as long as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from svpy.core import needs, readiness
from svpy.core.errors import error_text
from svpy.daemon.hosted import Hosted
from svpy.system import folders

NAME = b"needs"


class Needs:
    """All that wait. `services` gives every service by its name, `release` lets one start,
    `told` is told when one waits, or for another reason than before."""

    def __init__(
        self,
        services: Callable[[], Mapping[bytes, Hosted]],
        release: Callable[[Hosted], None],
        warn: Callable[[bytes], None],
        told: Callable[[str, Hosted, bytes], None],
    ) -> None:
        self._services = services
        self._release = release
        self._warn = warn
        self._told = told
        self._waiting: dict[Hosted, tuple[bytes, ...] | None] = {}
        self._needed: set[bytes] = set()
        self._unreadable: dict[Hosted, bytes] = {}
        self._said: set[bytes] = set()
        self._reasons: dict[Hosted, bytes] = {}
        self._looks = False
        self._looks_again = False

    def add(self, hosted: Hosted) -> None:
        """It is held now. Nothing is decided before the next look."""
        self._read(hosted)
        self._needed = needs.all_needed(filter(None, self._waiting.values()))

    def _read(self, hosted: Hosted) -> None:
        self._unreadable.pop(hosted, None)
        try:
            self._waiting[hosted] = needs.parse(folders.read_text(NAME, hosted.folder_fd, needs.MOST_BYTES))
        except FileNotFoundError:
            self._waiting[hosted] = ()
        except OSError as error:
            self._waiting[hosted] = None
            self._unreadable[hosted] = error_text(error.errno)

    def read_again(self) -> None:
        """What one needs may be another thing by now."""
        for hosted in self._waiting:
            self._read(hosted)
        self._needed = needs.all_needed(filter(None, self._waiting.values()))

    def forget(self, hosted: Hosted) -> None:
        """It waits no longer, or is not ours any more."""
        if hosted in self._waiting:
            del self._waiting[hosted]
            self._unreadable.pop(hosted, None)
            self._reasons.pop(hosted, None)
            hosted.write_note(b"", self._warn)

    def concerns(self, hosted: Hosted) -> bool:
        """Whether what happens to it may change anything here."""
        return hosted in self._waiting or (hosted.name in self._needed and not hosted.is_logger)

    def look(self, says_why: bool) -> None:
        """Start those that need not wait any more."""
        self._looks_again = True
        if self._looks:
            return
        self._looks = True
        try:
            while self._looks_again:
                self._looks_again = False
                self._look(says_why)
        finally:
            self._looks = False

    def _look(self, says_why: bool) -> None:
        for hosted in [each for each in self._waiting if not each.service.held]:
            # It was told to start, or not to.
            self.forget(hosted)
        if not self._waiting:
            return
        services = self._services()
        waiting = {hosted.name: needed for hosted, needed in self._waiting.items() if needed is not None}
        known = {name: _missing(services.get(name)) for name in needs.all_needed(waiting.values())}
        verdict = needs.decide(waiting, known)
        for hosted in [each for each in self._waiting if each.name in verdict.start]:
            self.forget(hosted)
            self._release(hosted)
        if says_why:
            self._say_why(verdict)

    def _say_why(self, verdict: needs.Verdict) -> None:
        complaints = [b"unable to start " + way[0] + b": " + needs.in_words(way) for way in verdict.ways] + [
            b"unable to start " + hosted.name + b": unable to read needs: " + why
            for hosted, why in self._unreadable.items()
        ]
        for complaint in complaints:
            if complaint not in self._said:
                self._warn(complaint)
        self._said = set(complaints)
        for hosted in self._waiting:
            why = verdict.why.get(hosted.name, b"")
            if hosted in self._unreadable:
                why = NAME + b": " + self._unreadable[hosted]
            if why and hosted.service.held:
                note = readiness.encode_note(hosted.service.status(), readiness.WAITS, why)
                # By its note that is known after an upgrade; but that may be one that cannot be written.
                if hosted.has_files and note != hosted.noted and self._reasons.get(hosted) != why:
                    self._told("waits", hosted, why)
                self._reasons[hosted] = why
                hosted.write_note(note, self._warn)


def _missing(hosted: Hosted | None) -> bytes:
    if hosted is None:
        return needs.NOT_THERE
    service = hosted.service
    is_ready = hosted.asking is None or hosted.asking.is_ready
    return needs.missing(service.pid, service.word, service.held, is_ready)
