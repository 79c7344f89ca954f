"""A log folder: its states, its rotation and its recovery, as steps that can each fail.

Rules of this module (https://cr.yp.to/daemontools/multilog.html, multilog.c):

- `current` is being written; mode 0644 in use, 0744 when it was closed in order and is safe on the disk;
- a full `current` becomes `previous`; without a processor that becomes `@LABEL.s`. With one, sh gets
  `previous` as 0, `processed` as 1, `state` as 4 and `newstate` as 5; `processed` is 0744 when it is safe
  on the disk, then `previous` goes, `newstate` becomes `state` and `processed` becomes `@LABEL.s`;
- what a crash left is found by these names and modes: `processed` with 0744 is complete and becomes
  `@LABEL.s`, otherwise it goes and `previous` becomes `@LABEL.u`; a `current` without 0744 becomes
  `@LABEL.u`. `state` begins anew;
- a file gets its new name by link and unlink: two links mean that only the unlink is left to do;
- there are fewer than `keep` files with labels, the oldest go first;
- every MB of `current` is begun to be written to the disk when it is there: at its end, when nothing else is
  done until it is safe, little is left to wait for;
- `current` never grows beyond its size; within 2000 bytes of it the first end of a line closes it, so a
  line is split only if 2000 bytes have none;
- what fails is said, and tried again after a pause. It is not given up: the data is nowhere else.

The methods of `LogFolder` are generators of steps. A step is (what, arguments, trouble): `what` names
a method of whoever carries it out, which sends its result back or, if it raises OSError, says `trouble` and
tries the same step again after a while, without taking up anything before it. `trouble` is a warning, or the
end if it begins with `FATAL`.
"""

from svpy.core.logscript import Folder
from svpy.core.tai import LABEL_BYTES, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any, TypeAlias

    Step: TypeAlias = tuple[str, tuple[Any, ...], bytes]
    Steps: TypeAlias = Generator[Step, Any, None]

FATAL = b"multilog: fatal: "
WARNING = b"multilog: warning: "
ROTATE_WITHIN_BYTES = 2000
WRITEBACK_BYTES = 1 << 20
IN_USE_MODE = 0o644
SAFE_MODE = 0o744
_SAFE_BIT = 0o100

CURRENT = b"current"
PREVIOUS = b"previous"
PROCESSED = b"processed"
STATE = b"state"
NEWSTATE = b"newstate"
COMPLETE = b".s"
UNFINISHED = b".u"


class LogFolder:
    """One log folder: what has to be done to open, fill, rotate and close it.

    `filled_bytes` are in `current`. A block that leaves them below `steps_from_bytes` may be written to it
    without any steps, if what was written is then counted there."""

    __slots__ = ("_begun_bytes", "_plan", "filled_bytes", "steps_from_bytes")

    def __init__(self, folder: Folder) -> None:
        self._plan = folder
        self._is_filled(0)

    def _is_filled(self, size_bytes: int) -> None:
        """There is a `current` of this size, all of which is on its way to the disk or safe there."""
        self.filled_bytes = self._begun_bytes = size_bytes
        self.steps_from_bytes = min(self._plan.size_bytes - ROTATE_WITHIN_BYTES, size_bytes + WRITEBACK_BYTES)

    def open(self) -> "Steps":
        """Open and lock it, put right what a crash left, and have a `current` to write to."""
        path = self._plan.path
        yield "open", (path,), FATAL + b"unable to open directory " + path
        yield "lock", (), FATAL + b"unable to lock directory " + path
        found = yield "look", (CURRENT,), FATAL + b"unable to stat " + path + b"/current"
        if found and found.mode & _SAFE_BIT:
            yield "open_current", (), FATAL + b"unable to append to " + path + b"/current"
            self._is_filled(found.size_bytes)
        else:
            yield from self._recover()
            self._is_filled(0)
        yield "set_current_mode", (IN_USE_MODE,), FATAL + b"unable to set mode of " + path + b"/current"

    def _recover(self) -> "Steps":
        path = self._plan.path
        yield "discard", (STATE,), b""
        yield "discard", (NEWSTATE,), b""
        found = yield "look", (PROCESSED,), FATAL + b"unable to stat " + path + b"/processed"
        if found and found.mode & _SAFE_BIT:
            yield "discard", (PREVIOUS,), b""
            yield from self._keep_as(PROCESSED, COMPLETE)
        else:
            yield "discard", (PROCESSED,), b""
            yield from self._keep_as(PREVIOUS, UNFINISHED)
        yield from self._keep_as(CURRENT, UNFINISHED)
        yield "make_empty", (STATE,), FATAL + b"unable to write to " + path + b"/state"
        yield "open_current", (), FATAL + b"unable to write to " + path + b"/current"

    def append(self, block: bytes) -> "Steps":
        """Write all of `block` to `current`, rotating where it is due."""
        trouble = self._warning(b"unable to write to ", b"/current")
        data = memoryview(block)
        at = 0
        while at < len(block):
            if self.filled_bytes >= self._plan.size_bytes:
                yield from self.rotate()
            end = at + self._stretch_bytes(block, at)
            written = yield "write", (data[at:end],), trouble
            if written is None:
                # RLIMIT_FSIZE is smaller than our size. This file will not grow any more, the next may.
                yield "pause", (trouble + b": file too big",), b""
                if self.filled_bytes:
                    yield from self.rotate()
                continue
            at += written
            self.filled_bytes += written
            if self.filled_bytes >= self._plan.size_bytes - ROTATE_WITHIN_BYTES and block[at - 1] == 10:
                yield from self.rotate()
            elif self.filled_bytes >= self._begun_bytes + WRITEBACK_BYTES:
                yield "write_back", (self._begun_bytes, self.filled_bytes), b""
                self._is_filled(self.filled_bytes)

    def _stretch_bytes(self, block: bytes, at: int) -> int:
        """How much of `block` from `at` on goes into `current` before it may have to be rotated."""
        left = self._plan.size_bytes - self.filled_bytes
        if len(block) - at < left - ROTATE_WITHIN_BYTES:
            return len(block) - at
        # A newline that brings the file to exactly size - 2000 counts already.
        newline = block.find(b"\n", at + max(0, left - ROTATE_WITHIN_BYTES - 1), at + left)
        return newline + 1 - at if newline >= 0 else min(left, len(block) - at)

    def rotate(self) -> "Steps":
        """Close `current` for good and begin a new one."""
        path = self._plan.path
        yield "sync_current", (), self._warning(b"unable to write ", b"/current to disk")
        yield (
            "rename",
            (CURRENT, PREVIOUS),
            WARNING + b"unable to rename current to previous in directory " + path + b", pausing",
        )
        yield "open_current", (), self._warning(b"unable to create ", b"/current")
        self._is_filled(0)
        yield "set_current_mode", (IN_USE_MODE,), self._warning(b"unable to set mode of ", b"/current")
        yield "set_previous_mode", (SAFE_MODE,), self._warning(b"unable to set mode of ", b"/previous")
        if self._plan.processor is None:
            yield from self._keep_as(PREVIOUS, COMPLETE)
        else:
            yield from self._process(self._plan.processor)

    def _process(self, processor: bytes) -> "Steps":
        path = self._plan.path
        yield "enter", (), self._warning(b"unable to switch to ", b"")
        while True:
            status = yield "process", (processor,), self._warning(b"unable to fork for processor in ", b"")
            if status == 0:
                break
            how = b"crashed" if status & 127 else b"failed"
            yield "pause", (WARNING + b"processor " + how + b" in " + path + b", pausing",), b""
        for name in (PROCESSED, NEWSTATE):
            yield "open_other", (name,), self._warning(b"unable to create ", b"/" + name)
            yield "sync_other", (), self._warning(b"unable to write ", b"/" + name + b" to disk")
            if name == PROCESSED:
                yield "set_other_mode", (SAFE_MODE,), self._warning(b"unable to set mode of ", b"/processed")
            yield "close_other", (), b""
        yield "remove", (PREVIOUS,), self._warning(b"unable to remove ", b"/previous")
        yield (
            "rename",
            (NEWSTATE, STATE),
            WARNING + b"unable to rename newstate to state in directory " + path + b", pausing",
        )
        yield from self._keep_as(PROCESSED, COMPLETE)

    def _keep_as(self, name: bytes, suffix: bytes) -> "Steps":
        """Give a file, if it is there, its label for a name, and make room for it."""
        found = yield "look", (name,), self._warning(b"unable to stat ", b"/" + name)
        if not found:
            return
        if found.links == 1:
            now_ns = yield "now_ns", (), b""
            while True:
                kept = label(now_ns) + suffix
                done = yield "link", (name, kept), self._warning(b"unable to link to ", b"/" + kept)
                if done:
                    break
                # Taken, by what was rotated in the same nanosecond or before the clock went back.
                now_ns += 1
        yield "remove", (name,), self._warning(b"unable to remove ", b"/" + name)
        names = yield "names", (), self._warning(b"unable to read ", b"")
        for surplus in oldest_surplus(names, self._plan.keep):
            # C says of the folder that it is unable to read it, and pauses as well.
            yield "remove", (surplus,), self._warning(b"unable to remove ", b"/" + surplus)

    def close(self) -> "Steps":
        """Leave `current` in order."""
        yield "sync_current", (), self._warning(b"unable to write ", b"/current to disk")
        yield "set_current_mode", (SAFE_MODE,), self._warning(b"unable to set mode of ", b"/current")

    def _warning(self, unable: bytes, name: bytes) -> bytes:
        return WARNING + unable + self._plan.path + name + b", pausing"


def oldest_surplus(names: "Iterable[bytes]", keep: int) -> list[bytes]:
    """The files to remove, the oldest first, so that fewer than `keep` with a label are left."""
    labelled = sorted(name for name in names if name[:1] == b"@" and len(name) >= LABEL_BYTES)
    return labelled[: max(0, len(labelled) - keep + 1)]
