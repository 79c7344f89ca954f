"""The process that looks whether services are ready, where that has to be looked at again and again.

Rules of this module:

- it looks at what it is told to watch until that is ready or forgotten, at first every few milliseconds, then
  every second, and says only what is new; it ends with its connection;
- everything that listens is asked for at once for all, and the trees of all are found in one walk of /proc;
  looking takes a fifth of the time at most;
- a file counts if it has changed (its ctime) since the process was started: what is left of an earlier one
  does not;
- a program is started in the service's folder, in a group of its own, with nothing to read and nowhere to
  write, one at a time for a service and MOST_PROGRAMS in all. Its exit code 0 says ready. It has PROGRAM_S,
  then its group is killed; so it is when it is forgotten, and when this process ends in order;
- it waits for its own programs alone. pyroute2, which takes more than all else here, is imported only when
  something is to listen.
"""

import errno
import os
import time
from _socket import AF_INET, AF_INET6, inet_pton
from select import POLLIN, poll

from svpy.core import readiness
from svpy.core.errors import FAILED, error_text, one_line
from svpy.core.readiness import EXEC, FILE, UNIX, Asked
from svpy.core.readywire import COMMAND, Watch, decode_order, encode_news
from svpy.system import environment, title
from svpy.system.children import SH
from svpy.system.descriptors import lower_limit, raise_limit, reserve_standard
from svpy.system.passing import Channel
from svpy.system.signals import ALL, number
from svpy.system.waiting import is_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.system.listening import Listening

PROGRAM_S = 10.0
MOST_PROGRAMS = 16
_NOWHERE = [
    (os.POSIX_SPAWN_OPEN, 0, b"/dev/null", os.O_RDWR, 0),
    (os.POSIX_SPAWN_DUP2, 0, 1),
    (os.POSIX_SPAWN_DUP2, 0, 2),
]
_ANY = (bytes(4), bytes(16))


class Program:
    """One that runs, its group's leader."""

    __slots__ = ("pid", "pidfd", "until_mono_s", "was_late")

    def __init__(self, pid: int) -> None:
        """Raises OSError; it is ended then."""
        self.pid = pid
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:
            self.kill()
            os.waitpid(pid, 0)
            raise
        self.until_mono_s = time.monotonic() + PROGRAM_S
        self.was_late = False

    def kill(self) -> None:
        """It and its group. It was not waited for yet, so the number is its own."""
        try:
            os.killpg(self.pid, number("KILL"))
        except OSError:
            pass

    def code(self) -> int:
        """To be called when it has ended."""
        os.close(self.pidfd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Watched:
    """What is looked at. `program` is the one that runs for it."""

    __slots__ = ("asked", "folder_fd", "order", "program", "rest_s", "said", "when_mono_s")

    def __init__(self, order: Watch, folder_fd: int) -> None:
        self.order = order
        self.asked = Asked(
            order.kind,
            protocol=order.protocol,
            address=order.address,
            port=order.port,
            path=order.path,
            words=order.words,
        )
        self.folder_fd = folder_fd
        self.program: Program | None = None
        self.rest_s = 0.0
        self.said = readiness.nothing_yet(self.asked)
        self.when_mono_s = 0.0


class Watcher:
    """The process' work. `channel` leads to svscan."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # A folder's descriptor is held for each: there may be more of them than a program is to have.
        self._nofile_soft = raise_limit()
        self._poll = poll()
        self._poll.register(channel.fd, POLLIN)
        self._watched: dict[int, Watched] = {}
        self._programs: dict[int, tuple[Program, Watched | None]] = {}

    def work(self) -> None:
        """Until svscan lets us go."""
        try:
            while True:
                readable = {fd for fd, _ in self._poll.poll(self._within_ms())}
                for fd in readable - {self._channel.fd}:
                    self._ended(fd)
                if self._channel.fd in readable and not self._obey_all():
                    return
                self._kill_late()
                self._look()
        finally:
            for program, _ in self._programs.values():
                program.kill()

    def _within_ms(self) -> "float | None":
        # Who waits for room is woken by the end of a program.
        has_room = len(self._programs) < MOST_PROGRAMS
        moments = [
            each.when_mono_s
            for each in self._watched.values()
            if each.program is None and (has_room or each.asked.kind != EXEC)
        ]
        moments += [program.until_mono_s for program, _ in self._programs.values() if not program.was_late]
        if not moments:
            return None
        return max(0.0, min(moments) - time.monotonic()) * 1000

    def _obey_all(self) -> bool:
        """What was told by now, so that all that is new is looked at in one look. False: to let go."""
        orders = 0
        while is_readable(self._channel.fd):
            if not self._obey():
                return False
            orders += 1
        if orders > 1:
            # Who found no room for more hears that there is.
            self._channel.send(encode_news(0, False, b""))
        return True

    def _obey(self) -> bool:
        data, fds = self._channel.receive()
        if not data:
            return False
        order = decode_order(data)
        if isinstance(order, int):
            self._forget(order)
        elif fds:
            self._watched[order.number] = Watched(order, fds[0])
        else:
            self._channel.send(encode_news(order.number, False, error_text(errno.EMFILE)))
        return True

    def _forget(self, number: int) -> None:
        watched = self._watched.pop(number, None)
        if watched is None:
            return
        os.close(watched.folder_fd)
        if watched.program is not None:
            watched.program.kill()
            self._programs[watched.program.pidfd] = watched.program, None

    def _look(self) -> None:
        now_mono_s = time.monotonic()
        listeners = []
        due = [
            each for each in self._watched.values() if each.program is None and each.when_mono_s <= now_mono_s
        ]
        # Room for programs is had by who has waited for it longest.
        for watched in sorted(due, key=lambda each: each.when_mono_s):
            if watched.asked.kind == FILE:
                self._found(watched, *_file(watched))
            elif watched.asked.kind == EXEC:
                self._start(watched)
            else:
                listeners.append(watched)
        if listeners:
            began_mono_s = time.monotonic()
            found = _listening(listeners)
            took_s = time.monotonic() - began_mono_s
            for watched, (is_ready, why) in zip(listeners, found, strict=True):
                self._found(watched, is_ready, why, took_s)

    def _found(self, watched: Watched, is_ready: bool, why: bytes, took_s: float = 0.0) -> None:
        """One look at it has come to its end."""
        watched.rest_s = readiness.rest_s(watched.rest_s, took_s)
        watched.when_mono_s = time.monotonic() + watched.rest_s
        if is_ready:
            self._forget(watched.order.number)
        if is_ready or why != watched.said:
            watched.said = why
            self._channel.send(encode_news(watched.order.number, is_ready, why))

    def _start(self, watched: Watched) -> None:
        if len(self._programs) >= MOST_PROGRAMS:
            return
        words = watched.asked.words
        try:
            os.fchdir(watched.folder_fd)
            program = Program(self._spawn(words))
        except OSError as error:
            why = b"unable to start " + one_line(words[0]) + b": " + error_text(error.errno)
            self._found(watched, False, why)
            return
        watched.program = program
        self._programs[program.pidfd] = program, watched
        self._poll.register(program.pidfd, POLLIN)

    def _spawn(self, words: "tuple[bytes, ...]") -> int:
        """As svscan starts a `run`, a text without `#!` too. Raises OSError."""
        environ = environment.mapping(environment.inherited())
        lower_limit(self._nofile_soft)
        try:
            return _spawned(words[0], words, environ)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            return _spawned(SH, (SH, *words), environ)
        finally:
            raise_limit()
            # What a folder stands on may be unmounted.
            os.chdir(b"/")

    def _ended(self, pidfd: int) -> None:
        program, watched = self._programs.pop(pidfd)
        self._poll.unregister(pidfd)
        code = program.code()
        if watched is None:
            return
        watched.program = None
        why = readiness.how_it_ended(watched.asked, code)
        if program.was_late:
            why = one_line(watched.asked.words[0]) + b" did not end in %d seconds" % PROGRAM_S
        self._found(watched, code == 0, why)

    def _kill_late(self) -> None:
        now_mono_s = time.monotonic()
        for program, _ in self._programs.values():
            if program.until_mono_s <= now_mono_s and not program.was_late:
                program.was_late = True
                program.kill()


def _spawned(path: bytes, words: "tuple[bytes, ...]", environ: object) -> int:
    return os.posix_spawnp(
        path,
        words,
        environ,  # type: ignore[arg-type] # see system/environment.py
        file_actions=_NOWHERE,
        setpgroup=0,
        setsigmask=(),
        setsigdef=ALL,
    )


def _file(watched: Watched) -> "tuple[bool, bytes]":
    """Whether its file is there and of this start, or why it does not count."""
    path = watched.asked.path
    try:
        changed_ns = os.stat(path, dir_fd=watched.folder_fd).st_ctime_ns
    except FileNotFoundError:
        return False, b"no file " + one_line(path)
    except OSError as error:
        return False, b"unable to look at " + one_line(path) + b": " + error_text(error.errno)
    if changed_ns < watched.order.since_ns:
        return False, one_line(path) + b" is left of an earlier start"
    return True, b""


def _listening(watched: "list[Watched]") -> "list[tuple[bool, bytes]]":
    """For each of them whether a process of its tree listens, or why not."""
    # They take a fifth of a second: not for who has only files to look for.
    from svpy.system.listening import held, why_not
    from svpy.system.trees import trees

    try:
        usages = trees(each.order.pid for each in watched)
        sockets = held({pid: usage.pids for pid, usage in usages.items()})
    except OSError as error:
        return [(False, b"unable to see who listens: " + why_not(error))] * len(watched)
    return [_listens(each, sockets.get(each.order.pid, [])) for each in watched]


def _listens(watched: Watched, sockets: "list[Listening]") -> "tuple[bool, bytes]":
    asked = watched.asked
    try:
        wanted = _packed(asked.address) if asked.address else None
    except OSError:
        return False, one_line(asked.address) + b" is no address"
    for socket in sockets:
        if socket.protocol != asked.protocol:
            continue
        if asked.protocol == UNIX:
            if _is_path(watched, socket.address):
                return True, b""
        elif socket.port == asked.port and (wanted is None or _is_heard_at(wanted, socket.address)):
            return True, b""
    return False, readiness.nothing_yet(asked)


def _is_heard_at(wanted: bytes, bound: bytes) -> bool:
    """Whether what comes to an address comes to a socket that is bound to another: every address is one of
    those behind 0.0.0.0 or ::."""
    try:
        packed = _packed(bound)
    except OSError:
        return False
    return packed == wanted or (packed in _ANY and len(packed) >= len(wanted))


def _packed(address: bytes) -> bytes:
    """Raises OSError."""
    return inet_pton(AF_INET6 if b":" in address else AF_INET, address.decode("ascii"))


def _is_path(watched: Watched, bound: bytes) -> bool:
    """Whether a socket is the one, by the name it was bound by: as it was written, or from the folder on."""
    path = watched.asked.path
    if bound == path or path.startswith(b"@"):
        return bound == path
    if bound.startswith(b"@"):
        return False
    try:
        folder = os.readlink(b"/proc/self/fd/%d" % watched.folder_fd)
    except OSError:
        return False
    return os.path.normpath(os.path.join(folder, bound)) == os.path.normpath(os.path.join(folder, path))


def run(words: "list[bytes]", version: bytes) -> int:
    """Be that process: `words` are the descriptor of its connection and the version of who asks."""
    if words[1] != version:
        return FAILED
    channel = Channel(int(words[0]))
    os.set_inheritable(channel.fd, False)
    reserve_standard()
    environment.inherited()
    title.take(b"svpy", [COMMAND])
    try:
        channel.send(encode_news(0, False, b""))  # That it can be relied on.
        Watcher(channel).work()
    except (ConnectionError, BrokenPipeError):
        pass  # svscan has ended.
    return 0
