"""What a supervise that was killed left behind, for the one after it.

Rules of this module:

- only who holds a folder's lock looks, and only a record of this boot is believed (core/record.py);
- a process is the recorded one if it has the recorded pid and start; a pidfd is opened first, so that what
  is watched and signalled afterwards is that process or nothing. Any other is never touched;
- a start of which it was not heard what became of it, because its supervise was killed in that moment, is
  looked for: a process that began then, an orphan, in this folder or with its log pipe;
- a log pipe is got back from whoever of the two still has it, and only the recorded one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from svpy.core import service as machine
from svpy.core.exits import Exits
from svpy.core.record import NO_PIPE, Identity, Record
from svpy.core.service import Instant
from svpy.core.status import SIZE_BYTES, STATE_BYTES, Status, decode, state_word
from svpy.core.tai import earlier
from svpy.daemon.hosted import Hosted, read_record
from svpy.daemon.nativesleft import Left
from svpy.system import descriptors, folders, processes


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A record of this boot, and what stands beside it. `is_child`: the process is a child of ours (PID 1
    begins its work again), and reaped as any other."""

    record: Record
    is_child: bool
    running: bool
    status: Status | None
    word: bytes
    has_stop: bool
    has_notify: bool
    exits: Exits | None

    def resumed(self, at: Instant, held: bool) -> machine.Resumed:
        record = self.record
        ago_s = processes.seconds_since(record.start_ticks)
        return machine.Resumed(
            at,
            record.pid,
            record.script,
            Instant(at.mono_s - ago_s, earlier(at.tai, ago_s)),
            self.running,
            self.status,
            self.word,
            record.leaving,
            self.has_stop,
            self.has_notify,
            self.exits,
            held,
        )


def look(hosted: Hosted, boot: bytes | None, left: Left) -> LeftBehind | None:
    """What the supervise before us left in a folder that is locked by us; a process that still runs is held
    by `hosted.pidfd` or `hosted.native` then. None if it ended in order, or in another boot.
    Raises OSError."""
    record = hosted.record
    if boot is None or record is None or record.boot != boot:
        return None
    if record.script and not record.pid:
        record = _find_start(hosted, record)
    is_child = running = False
    pidfd = None
    if record.is_shared:
        running = left.adopt(hosted, record)
    elif record.pid:
        pidfd = processes.hold(record.pid, record.start_ticks)
    if pidfd is not None:
        running = True
        hosted.pidfd = pidfd
        is_child = processes.is_child(record.pid)
        if is_child:
            hosted.let_go()
    status, word = _published(hosted)
    may_stop = hosted.scripts is machine.SERVICE_FOLDER
    has_stop = may_stop and folders.is_program(machine.STOP, hosted.folder_fd)
    has_notify = folders.is_program(machine.NOTIFY, hosted.folder_fd)
    exits = hosted.read_exits(boot)
    return LeftBehind(record, is_child, running, status, word, has_stop, has_notify, exits)


def _published(hosted: Hosted) -> tuple[Status | None, bytes]:
    try:
        status = folders.read(hosted.status_name, SIZE_BYTES, hosted.files_fd)
        decoded = decode(status)
    except (OSError, ValueError):
        return None, b""
    try:
        return decoded, state_word(status, folders.read(hosted.state_name, STATE_BYTES, hosted.files_fd))
    except OSError:
        return decoded, b""


def _find_start(hosted: Hosted, record: Record) -> Record:
    """The same record, with the process if it was started after all."""
    folder = folders.identify_open(hosted.folder_fd)
    standard_fd = 0 if hosted.is_logger else 1
    found = processes.find_orphan(record.start_ticks, folder, record.pipe, standard_fd)
    if found is None:
        return record
    pid, start_ticks = found
    record = replace(record, pid=pid, start_ticks=start_ticks)
    hosted.write_record(record)
    return record


class NotGotBack(Exception):
    """A log pipe that is still in use could not be had."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def pipe_again(holders: list[tuple[Record | None, int]], boot: bytes | None) -> descriptors.Pipe | None:
    """The log pipe that one of these recorded processes still holds; each is named with the descriptor it
    was given it as. None if there is none. Raises NotGotBack."""
    refused: OSError | None = None
    for record, standard_fd in holders:
        if boot is None or record is None or record.boot != boot or not record.pid or record.pipe == NO_PIPE:
            continue
        try:
            pipe = _pipe_of(record, record.pipe, standard_fd)
        except OSError as error:
            refused = error
            continue
        if pipe is not None:
            return pipe
    if refused is not None:
        raise NotGotBack(refused)
    return None


def _pipe_of(record: Record, identity: Identity, standard_fd: int) -> descriptors.Pipe | None:
    if not processes.is_running(record.pid, record.start_ticks):
        return None
    path_fd = processes.find_pipe(record.pid, identity, standard_fd)
    if path_fd is None:
        return None
    try:
        return descriptors.Pipe(path_fd)
    finally:
        folders.close(path_fd)


def service_record(folder_fd: int, lock_name: bytes) -> Record | None:
    """The record of a service that is not taken yet, so nothing but a hint where a pipe may be."""
    try:
        lock_fd = folders.open_lock(lock_name, folder_fd)
    except OSError:
        return None
    try:
        return read_record(lock_fd)[1]
    except OSError:
        return None
    finally:
        folders.close(lock_fd)
