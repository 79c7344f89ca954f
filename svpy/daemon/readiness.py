"""Services that say when they are ready: those with a file `ready` in their folder. Imported when there is
one.

Rules of this module:

- the file is read when `run` is started; what is asked holds for the life of that process, and so does, once
  it was, that it is ready;
- what it says itself (`fd`, `notify`) is heard here, in the set of control fifos; what has to be looked at
  again and again (`listen`, `file`, `exec`), by a process of ours for all of them (native/watcher.py). It is
  begun when it is needed, begun again when it ends without having been told to, and let go a moment after it
  is needed no more. Whatever it does or does not, nothing here waits for it;
- the note `supervise/ready` says so to others. Behind its first line it says to the svscan after us by what
  the process can be heard: its pipe, its socket's name;
- after the death of a supervise a note of READY counts, and what was not ready is heard and looked at anew.
  The pipe of `fd` is held by the service as well, both ends of it: nobody is killed for writing into it while
  there is no svscan. One that has closed it by then has said what it had to say, since that is when it is
  closed: it is ready. What was sent by `notify` meanwhile is lost, as sd_notify(3) has told the sender;
- a `ready` that cannot be read or says nothing we know is said once, and its service never is ready.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import trio

from svpy import __version__
from svpy.core import readiness, readywire
from svpy.core.errors import error_text
from svpy.core.handover import State, memory
from svpy.core.readiness import EXEC, FD, FILE, LISTEN, NOTIFY, Asked, Nonsense
from svpy.core.readywire import Watch
from svpy.core.tai import label
from svpy.daemon.hosted import UNKNOWN_NOTE, Hosted
from svpy.system import descriptors, folders, installed, notified, processes, signals
from svpy.system.children import More, Starter
from svpy.system.clock import file_clock_ns, now_mono_s, unix_ns
from svpy.system.passing import Channel, channels
from svpy.system.tell import because
from svpy.system.waiting import Readable

NAME = b"ready"
LOOKED_AT = (LISTEN, FILE, EXEC)
HEARD_AT_ONCE = 64
"""So many messages are taken from one socket in one turn."""

FLOOD_BYTES = 4096
"""Who has written so much into its pipe at once, and no newline, means to keep us busy."""

MOST_ORDERS = 1000
"""So many more than twice what is looked at may wait for the watcher: one that takes none of them hangs."""

IDLE_S = 2.0
"""How long the watcher is kept when nothing is to be looked at: what fails at once asks again in a second."""

BEGIN_AGAIN_S = 1.0
LONGEST_BEGIN_AGAIN_S = 60.0
"""Between two beginnings of it; twice as long after each one of which nothing was heard: another version
may have been installed, which refuses."""

END_S = 1.0
_END_LOOK_S = 0.005
_TICKS_S = 0.02
"""The start of a process is known by that much."""


class Asking:
    """What is asked of one process. `asked` is None where that is nonsense; `why` says why it is not ready.

    `fd` is the reading end of its pipe or its socket, -1 if there is none; `pipe` device and inode of the
    pipe, `name` that of the socket; `number` its name at the watcher, 0 if that is not to look at it;
    `since_ns` the moment before its start, by the clock of files. `more` is what it gets at its start."""

    __slots__ = (
        "asked",
        "fd",
        "has_begun",
        "is_ready",
        "more",
        "name",
        "number",
        "pipe",
        "refused",
        "since",
        "since_ns",
        "text",
        "why",
    )

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.asked: Asked | None = None
        self.why = b""
        self.is_ready = False
        self.since = b""
        self.since_ns = 0
        self.fd = -1
        self.pipe = (0, 0)
        self.name = b""
        self.number = 0
        self.more: More | None = None
        self.has_begun = False
        self.refused = False

    def understand(self) -> None:
        """Raises Nonsense."""
        self.asked = readiness.parse(self.text)

    @property
    def kind(self) -> bytes:
        return self.asked.kind if self.asked is not None else b""

    def note(self, status: bytes) -> bytes:
        """The bytes of the note."""
        word, text = (readiness.READY, self.since) if self.is_ready else (readiness.NOT, self.why)
        behind = b""
        if self.pipe != (0, 0):
            behind = b"pipe %d %d\n" % self.pipe
        if self.name:
            behind = b"notify " + self.name + b"\n"
        return readiness.encode_note(status, word, text) + behind

    def state(self) -> State:
        """What is handed over of it (core/handover.py)."""
        return memory(self, ("asked", "more", "number"))

    @classmethod
    def handed_over(cls, state: State) -> Asking:
        asking = cls(state["text"])
        for slot in ("is_ready", "since", "since_ns", "fd", "name", "has_begun", "refused", "why"):
            setattr(asking, slot, state.get(slot, getattr(asking, slot)))
        device, inode = state.get("pipe", (0, 0))
        asking.pipe = device, inode
        try:
            asking.understand()
        except Nonsense as nonsense:
            asking.why = nonsense.why
        return asking


class Watcher:
    """The process that looks, as a child of ours. `has_begun`: it has said something."""

    __slots__ = ("channel", "has_begun", "pid")

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel
        self.has_begun = False


class Readiness:
    """All of one process. `script` is what it was started as, `ears` the set in which descriptors are waited
    for, `children` svscan's table of its children, `wake_at` has something called at a moment, `changed` is
    called when one became ready."""

    def __init__(
        self,
        starter: Starter,
        script: bytes,
        ears: Readable,
        children: dict[int, Any],
        warn: Callable[[bytes], None],
        wake_at: Callable[[float, Callable[[], None]], None],
        changed: Callable[[Hosted], None],
    ) -> None:
        self._starter = starter
        self._script = script
        self._ears = ears
        self._children = children
        self._warn = warn
        self._wake_at = wake_at
        self._changed = changed
        self._said: dict[bytes, bytes] = {}
        self._heard: dict[int, Hosted] = {}
        self._looked_at: dict[int, Hosted] = {}
        self._last_number = 0
        self._orders: deque[tuple[int, bool]] = deque()
        self._watcher: Watcher | None = None
        self._begin_mono_s = 0.0
        self._begin_again_s = BEGIN_AGAIN_S
        self._begins_later = False
        self._idle_mono_s = 0.0

    def prepare(self, hosted: Hosted) -> Asking | None:
        """What is asked of the process that is about to be started; None if that is nothing after all."""
        asking = self._read(hosted)
        if asking is None or asking.asked is None:
            return asking
        try:
            if asking.kind == FD:
                self._give_pipe(asking)
            elif asking.kind == NOTIFY:
                self._give_socket(asking)
        except OSError as error:
            self._complain(hosted, because(b"unable to hear when it is ready", error))
            asking.why = error_text(error.errno)
        asking.since_ns = file_clock_ns()
        return asking

    def _read(self, hosted: Hosted) -> Asking | None:
        why = b""
        text = b""
        try:
            text = folders.read_text(NAME, hosted.folder_fd, readiness.MOST_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = error_text(error.errno)
        asking = Asking(text)
        if not why:
            try:
                asking.understand()
            except Nonsense as nonsense:
                why = nonsense.why
        if asking.asked is not None:
            self._said.pop(hosted.name, None)
            asking.why = readiness.nothing_yet(asking.asked)
        else:
            asking.why = b"unable to use ready: " + why
            self._complain(hosted, why)
        return asking

    def _complain(self, hosted: Hosted, why: bytes) -> None:
        """Once, as long as it is the same."""
        if self._said.get(hosted.name) != why:
            self._said[hosted.name] = why
            self._warn(b"unable to use " + hosted.name + b"/" + NAME + b": " + why)

    def _give_pipe(self, asking: Asking) -> None:
        """Raises OSError."""
        assert asking.asked is not None
        pipe = descriptors.Pipe()
        try:
            pipe.survive_us()
            descriptors.set_blocking(pipe.read_fd, False)
            asking.pipe = descriptors.pipe_identity(pipe.read_fd)
        except OSError:
            pipe.close()
            raise
        asking.fd = pipe.read_fd
        asking.more = More([], (pipe.write_fd, asking.asked.number))

    def _give_socket(self, asking: Asking) -> None:
        """Raises OSError."""
        asking.name = notified.new_name()
        asking.fd = notified.listen(asking.name)
        asking.more = More([notified.VARIABLE + b"=" + asking.name])

    def started(self, asking: Asking) -> None:
        """It was, or could not be: what it was given is its own."""
        if asking.more is not None and asking.more.descriptor is not None:
            os.close(asking.more.descriptor[0])
        asking.more = None

    def drop(self, asking: Asking) -> None:
        """It could not be started."""
        self.started(asking)
        self._close(asking)

    def begin(self, hosted: Hosted) -> None:
        """Hear, or look at, what runs now and was published."""
        asking = hosted.asking
        assert asking is not None
        asking.has_begun = True
        self.note(hosted)
        if not asking.is_ready or asking.kind == NOTIFY:
            self._attend(hosted, asking)
        if asking.is_ready:
            self._changed(hosted)

    def _attend(self, hosted: Hosted, asking: Asking) -> None:
        if asking.kind in LOOKED_AT:
            self._last_number += 1
            asking.number = self._last_number
            self._looked_at[asking.number] = hosted
            self._order(asking.number, True)
        elif asking.fd >= 0:
            try:
                self._ears.add(asking.fd)
            except OSError as error:
                self._complain(hosted, because(b"unable to hear when it is ready", error))
                self._close(asking)
                return
            self._heard[asking.fd] = hosted

    def note(self, hosted: Hosted) -> None:
        """Say in `supervise/ready` how it is."""
        assert hosted.asking is not None
        hosted.write_note(hosted.asking.note(hosted.service.status()), self._warn)

    def note_late(self, all_of_them: Iterable[Hosted]) -> None:
        """Try again to say what could not be said."""
        for hosted in all_of_them:
            if hosted.noted == UNKNOWN_NOTE and hosted.asking is not None:
                self.note(hosted)

    def adopt(self, hosted: Hosted, start_ticks: int) -> None:
        """Go on with a process that another supervise has started."""
        asking = self._read(hosted)
        if asking is None:
            return
        hosted.asking = asking
        note = hosted.read_note()
        word, text = readiness.decode_note(hosted.service.status(), note)
        behind = note[readiness.OWNER_BYTES :].partition(b"\n")[2].split() if word else []
        if word == readiness.READY:
            asking.is_ready, asking.since = True, text
        elif asking.kind == FD and word == readiness.NOT and not behind:
            # Its pipe is not heard any more.
            asking.why = text
        if asking.asked is not None:
            self._hear_again(hosted, asking, behind)
        asking.since_ns = unix_ns() - int((processes.seconds_since(start_ticks) + _TICKS_S) * 1e9)
        self.begin(hosted)

    def _hear_again(self, hosted: Hosted, asking: Asking, behind: list[bytes]) -> None:
        try:
            if asking.kind == NOTIFY and behind[:1] == [b"notify"] and notified.may_be_name(behind[-1]):
                asking.name = behind[-1]
                asking.fd = notified.listen(asking.name)
            elif asking.kind == FD and behind[:1] == [b"pipe"] and not asking.is_ready:
                asking.pipe = int(behind[1]), int(behind[2])
                asking.fd = self._pipe_again(hosted.service.pid, asking)
                if asking.fd < 0:
                    self._is_ready(asking)
        except (OSError, ValueError, IndexError) as error:
            number = error.errno if isinstance(error, OSError) else errno.EINVAL
            asking.why = b"unable to hear it again: " + error_text(number)
            self._warn(b"unable to hear again whether " + hosted.name + b" is ready: " + error_text(number))

    def _pipe_again(self, pid: int, asking: Asking) -> int:
        """Its reading end, -1 if the process has closed it. Raises OSError."""
        assert asking.asked is not None
        path_fd = processes.find_pipe(pid, asking.pipe, asking.asked.number)
        if path_fd is None:
            return -1
        try:
            return descriptors.reading_end(path_fd)
        finally:
            os.close(path_fd)

    def take_over(self, hosted: Hosted) -> None:
        """Go on with what was handed over."""
        asking = hosted.asking
        if asking is not None and (not asking.is_ready or asking.kind == NOTIFY):
            self._attend(hosted, asking)

    def ended(self, hosted: Hosted) -> None:
        """Its process has, or is no longer ours to hear."""
        asking, hosted.asking = hosted.asking, None
        if asking is None:
            return
        if asking.number:
            self._forget(asking)
        self._close(asking)

    def _close(self, asking: Asking) -> None:
        if asking.fd >= 0:
            if self._heard.pop(asking.fd, None) is not None:
                self._ears.remove(asking.fd)
            os.close(asking.fd)
            asking.fd = -1

    def _is_ready(self, asking: Asking) -> None:
        asking.is_ready = True
        asking.since = label(unix_ns())

    def _became_ready(self, hosted: Hosted, asking: Asking) -> None:
        self._is_ready(asking)
        self.note(hosted)
        self._changed(hosted)

    def heard(self, fd: int) -> None:
        """One of our descriptors can be read. Raises nothing."""
        try:
            self._hear(fd)
        except Exception as error:
            self._warn(b"unexpected " + repr(error).encode("utf-8", "replace") + b", heard of what is ready")

    def _hear(self, fd: int) -> None:
        """Raises OSError."""
        if self._watcher is not None and fd == self._watcher.channel.fd:
            self._hear_watcher(self._watcher)
            return
        hosted = self._heard.get(fd)
        if hosted is None or hosted.asking is None:
            return
        if hosted.asking.kind == FD:
            self._hear_pipe(hosted, hosted.asking)
        else:
            self._hear_messages(hosted, hosted.asking)

    def _hear_pipe(self, hosted: Hosted, asking: Asking) -> None:
        data = descriptors.read_now(asking.fd, FLOOD_BYTES)
        if data is None:
            return
        if b"\n" in data:
            self._close(asking)
            self._became_ready(hosted, asking)
        elif not data:
            self._hear_no_more(hosted, asking, b"descriptor %d was closed without a newline")
        elif len(data) == FLOOD_BYTES:
            self._hear_no_more(hosted, asking, b"descriptor %d was flooded without a newline")

    def _hear_no_more(self, hosted: Hosted, asking: Asking, why: bytes) -> None:
        self._close(asking)
        # Who follows us is not to take it for one that was closed while nobody heard.
        asking.pipe = (0, 0)
        assert asking.asked is not None
        asking.why = why % asking.asked.number
        self.note(hosted)

    def _hear_messages(self, hosted: Hosted, asking: Asking) -> None:
        pid = hosted.service.pid
        for _ in range(HEARD_AT_ONCE):
            message = notified.receive(asking.fd)
            if message is None:
                return
            data, sender, user = message
            if asking.is_ready or not readiness.says_ready(data):
                continue
            # A sender may be gone by now: then its user decides.
            is_of_tree = sender > 0 and notified.is_of_tree(sender, pid)
            if readiness.may_say(user, notified.user(pid), is_of_tree):
                self._became_ready(hosted, asking)
            elif not asking.refused:
                asking.refused = True
                about = b": it is from user %d, pid %d" % (user, sender)
                self._warn(b"refused READY=1 for " + hosted.name + about)

    def _order(self, number: int, is_to_watch: bool) -> None:
        if self._watcher is not None:
            # One that is begun now is told all there is.
            self._orders.append((number, is_to_watch))
            if len(self._orders) > 2 * len(self._looked_at) + MOST_ORDERS:
                self._lose(self._watcher)
                return
        self._give_orders()

    def _forget(self, asking: Asking) -> None:
        self._looked_at.pop(asking.number, None)
        if self._watcher is not None:
            self._order(asking.number, False)
        asking.number = 0
        if not self._looked_at:
            self._idle_mono_s = now_mono_s() + IDLE_S
            self._wake_at(self._idle_mono_s, self._let_go_if_idle)

    def _let_go_if_idle(self) -> None:
        if not self._looked_at and now_mono_s() >= self._idle_mono_s:
            self.let_go()

    def _give_orders(self) -> None:
        """As many as there is room for; the others when it says that there is."""
        watcher = self._watcher or (self._begin_watcher() if self._looked_at else None)
        while watcher is not None and self._orders:
            number, is_to_watch = self._orders[0]
            try:
                self._send(watcher, number, is_to_watch)
            except BlockingIOError:
                return
            except OSError:
                self._lose(watcher)
                return
            self._orders.popleft()

    def _send(self, watcher: Watcher, number: int, is_to_watch: bool) -> None:
        """Raises OSError."""
        if not is_to_watch:
            watcher.channel.send(readywire.encode_forget(number))
            return
        hosted = self._looked_at.get(number)
        if hosted is None or hosted.asking is None or hosted.asking.asked is None:
            return
        asking, asked = hosted.asking, hosted.asking.asked
        watch = Watch(
            number,
            hosted.service.pid,
            asking.since_ns,
            asked.kind,
            asked.protocol,
            asked.address,
            asked.port,
            asked.path,
            asked.words,
        )
        watcher.channel.send(readywire.encode_watch(watch), (hosted.folder_fd,))

    def _begin_watcher(self) -> Watcher | None:
        """None: not now, but soon."""
        if now_mono_s() < self._begin_mono_s:
            self._begin_later()
            return None
        self._begin_mono_s = now_mono_s() + self._begin_again_s
        self._begin_again_s = min(2 * self._begin_again_s, LONGEST_BEGIN_AGAIN_S)
        try:
            self._watcher = self._start_watcher()
        except OSError as error:
            self._complain_of_watcher(error_text(error.errno))
            self._begin_later()
            return None
        self._orders = deque((number, True) for number in self._looked_at)
        return self._watcher

    def _begin_later(self) -> None:
        """To be woken once for it is enough, however many ask for it."""
        if not self._begins_later:
            self._begins_later = True
            self._wake_at(max(self._begin_mono_s, now_mono_s()), self._begin_now)

    def _begin_now(self) -> None:
        self._begins_later = False
        self._give_orders()

    def _complain_of_watcher(self, why: bytes) -> None:
        """Once, as long as it is the same."""
        if self._said.get(b"") != why:
            self._said[b""] = why
            self._warn(b"unable to start what looks whether services are ready: " + why)

    def _start_watcher(self) -> Watcher:
        """Raises OSError."""
        program = installed.folder_of(self._script) + b"/svpy"
        ours, theirs = channels()
        try:
            argv = [program, readywire.COMMAND, b"%d" % theirs.fd, __version__.encode()]
            pid = self._starter.start_program([*argv, readywire.ROOM_FOR_TITLE], theirs.fd)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        watcher = Watcher(pid, ours)
        self._children[pid] = watcher
        try:
            self._ears.add(ours.fd)
        except OSError:
            ours.close()
            raise
        return watcher

    def _hear_watcher(self, watcher: Watcher) -> None:
        try:
            for _ in range(HEARD_AT_ONCE):
                data = watcher.channel.receive()[0]
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the watcher has ended")
                self._has_begun(watcher)
                self._news(*readywire.decode_news(data))
        except BlockingIOError:
            pass
        except (OSError, EOFError, TypeError, ValueError):
            self._lose(watcher)
            return
        self._give_orders()

    def _has_begun(self, watcher: Watcher) -> None:
        watcher.has_begun = True
        self._begin_again_s = BEGIN_AGAIN_S
        self._said.pop(b"", None)

    def _news(self, number: int, is_ready: bool, why: bytes) -> None:
        hosted = self._looked_at.get(number)
        asking = hosted.asking if hosted is not None else None
        if hosted is None or asking is None:
            return
        if is_ready:
            self._forget(asking)
            self._became_ready(hosted, asking)
        else:
            asking.why = why
            self.note(hosted)

    def _lose(self, watcher: Watcher) -> None:
        """It is of no use any more. Another one begins soon, if there is something to look at."""
        self._part(watcher)
        if not watcher.has_begun and self._looked_at:
            self._complain_of_watcher(b"it ended at once; svpy upgrade helps if another svpy was installed")
        if self._children.get(watcher.pid) is watcher:
            signals.send(watcher.pid, "KILL")
        self._orders.clear()
        if self._looked_at:
            self._begin_later()

    def _part(self, watcher: Watcher) -> None:
        if self._watcher is watcher:
            self._watcher = None
            self._ears.remove(watcher.channel.fd)
            watcher.channel.close()

    def watcher_ended(self, watcher: Watcher) -> None:
        """It was reaped."""
        if self._watcher is watcher:
            self._lose(watcher)

    def let_go(self) -> None:
        """Of the watcher, which ends by itself then."""
        if self._watcher is not None:
            self._part(self._watcher)
        self._orders.clear()

    async def end(self) -> None:
        """Let it go, and wait until it is gone, which does not take long."""
        self.let_go()
        for name in ("", "KILL"):
            for watcher in self._left():
                if name:
                    signals.send(watcher.pid, name)
            with trio.move_on_after(END_S):
                while self._left():
                    await trio.sleep(_END_LOOK_S)

    def _left(self) -> list[Watcher]:
        return [child for child in self._children.values() if isinstance(child, Watcher)]
