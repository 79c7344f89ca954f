"""Starting the scripts of a service folder and reaping what ended."""

import errno
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

from svpy.core.natives import Program
from svpy.system.descriptors import hold_place
from svpy.system.environment import mapping
from svpy.system.oomscore import Score
from svpy.system.spawner import Argv, Move, Spawner, spawn

T = TypeVar("T")
SH = b"/bin/sh"

MANY_FDS = 1024
"""From so many descriptors on, what is started is started by a thread that has few of them: asking it costs
15 µs, on an idle machine 80, and each 1000 descriptors as much as 120."""


class More:
    """What one script gets that the others do not: entries of its environment, and a descriptor with the
    number it is to have there, 3 or more."""

    __slots__ = ("descriptor", "environ")

    def __init__(self, environ: list[bytes], descriptor: tuple[int, int] | None = None) -> None:
        self.environ = environ
        self.descriptor = descriptor

    def over(self, environ: list[bytes]) -> list[bytes]:
        """An environment with its entries in place of those of their names: the first of a name counts."""
        names = tuple(entry[: entry.index(b"=") + 1] for entry in self.environ)
        return [*(entry for entry in environ if not entry.startswith(names)), *self.environ]


class Starter:
    """How this process starts a script: all that is the same for every service.

    `environ` is what the services get, `nofile_soft` the soft RLIMIT_NOFILE they get, `home_fd`
    the folder this process stays in; `oom_score_adj`: the services' and our own where they differ."""

    def __init__(
        self,
        environ: list[bytes],
        nofile_soft: int,
        home_fd: int,
        oom_score_adj: tuple[int, int] | None = None,
    ) -> None:
        """Raises OSError: the score is to differ and cannot be set, or there are no descriptors left."""
        self.environ = environ
        self._environ = mapping(environ)
        self._home_fd = home_fd
        self._nofile_soft = nofile_soft
        self._oom_score_adj = oom_score_adj
        self._score = Score() if oom_score_adj is not None else None
        # glibc refuses to move a descriptor that is not below the soft limit, which is the services' then.
        is_raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0] != nofile_soft
        self._places = [hold_place() for _ in range(2 * is_raised)]
        self._spawner: Spawner | None = None
        self._is_spawner_tried = False

    def state(self) -> dict[str, int]:
        """What a Starter of the program that follows is made of, beside the environment."""
        return {"nofile_soft": self._nofile_soft, "home_fd": self._home_fd}

    def start(
        self,
        folder_fd: int,
        stdin_fd: int,
        stdout_fd: int,
        script: bytes = b"run",
        words: tuple[bytes, ...] = (),
        more: More | None = None,
    ) -> int:
        """Start `./SCRIPT WORDS` in its folder with these descriptors as 0 and 1. Returns its pid.

        Every signal has its default disposition and none is blocked (glibc's posix_spawn leaves
        32 and 33, its own two, ignored); other descriptors that we were started with are passed
        on. Raises OSError, of fork as well as of exec.

        posix_spawn can set neither the folder nor the limit of a child, nor its score: they are changed
        here, around the call, which nothing else can observe: a second thread, if there is one, only
        does what it is asked for meanwhile."""
        argv = [b"./" + script, *words]
        environ = self._environ if more is None else mapping(more.over(self.environ))
        also = None if more is None else more.descriptor

        def start() -> int:
            try:
                return self._start(argv[0], argv, environ, stdin_fd, stdout_fd, also=also)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # No `#!` line: what execvp(3) does. Bernstein's supervise refuses such a run; the qmail
                # scripts as they were published are of this kind.
                return self._start(SH, [SH, *argv], environ, stdin_fd, stdout_fd, also=also)

        self._look_for_many(folder_fd)
        return self._beside_ours(folder_fd, start)

    def execute(self, folder_fd: int, stdin_fd: int, stdout_fd: int, program: Program) -> int:
        """Start a program in that folder as sh would have, in the same way otherwise. Returns its pid.
        Raises OSError."""
        environ = mapping(program.environ)

        def start() -> int:
            return self._start(
                program.path, program.words, environ, stdin_fd, stdout_fd, program.merges_stderr
            )

        self._look_for_many(folder_fd)
        return self._beside_ours(folder_fd, start)

    def start_program(self, argv: list[bytes], handed_on_fd: int) -> int:
        """Start a program of our own, with all that a service gets and the same number of one descriptor
        more. Returns its pid. Raises OSError."""
        os.set_inheritable(handed_on_fd, True)
        try:
            return self._beside_ours(self._home_fd, lambda: spawn(argv[0], argv, self._environ, []))
        finally:
            os.set_inheritable(handed_on_fd, False)

    def _beside_ours(self, folder_fd: int, spawn: Callable[[], int]) -> int:
        own_soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        os.fchdir(folder_fd)
        try:
            if own_soft != self._nofile_soft:
                lowered = (
                    self._nofile_soft if hard == resource.RLIM_INFINITY else min(self._nofile_soft, hard)
                )
                resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, hard))
            if self._score is not None and self._oom_score_adj is not None:
                self._score.set(self._oom_score_adj[0])
            return spawn()
        finally:
            self._restore(own_soft, hard)

    def _restore(self, own_soft: int, hard: int) -> None:
        """What fails here must not hide that something was started. Without the way home we stay in
        the service's folder: no path of ours depends on where we are."""
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (own_soft, hard))
        except (OSError, ValueError):
            pass
        try:
            if self._score is not None and self._oom_score_adj is not None:
                self._score.set(self._oom_score_adj[1])
        except OSError:
            pass
        try:
            os.fchdir(self._home_fd)
        except OSError:
            pass

    def _look_for_many(self, folder_fd: int) -> None:
        """Whether a thread with few descriptors is worth it, until it was once. Numbers are given from below:
        a high one says that there are many. What refuses it will do so again."""
        if self._is_spawner_tried or folder_fd < MANY_FDS:
            return
        self._is_spawner_tried = True
        try:
            self._spawner = Spawner()
        except OSError:
            pass

    def _start(
        self,
        path: bytes,
        argv: Argv,
        environ: Mapping[bytes, bytes],
        stdin_fd: int,
        stdout_fd: int,
        merges_stderr: bool = False,
        also: tuple[int, int] | None = None,
    ) -> int:
        if self._spawner is not None:
            stdio = (stdin_fd, stdout_fd, stdout_fd if merges_stderr else 2)
            pid = self._spawner.spawn(path, argv, environ, stdio, also)
            if pid is not None:
                return pid
        places = self._places[:]
        moves: list[Move] = []
        for number, fd in enumerate((stdin_fd, stdout_fd)):
            if fd >= self._nofile_soft and places:
                fd = os.dup2(fd, places.pop(), inheritable=False)
            if fd != number:
                moves.append((os.POSIX_SPAWN_DUP2, fd, number))
        if merges_stderr:
            moves.append((os.POSIX_SPAWN_DUP2, 1, 2))
        if also is not None:
            # The last one: its number may be that of one of the others here.
            fd, number = also
            if fd >= self._nofile_soft and places:
                fd = os.dup2(fd, places.pop(), inheritable=False)
            moves.append((os.POSIX_SPAWN_DUP2, fd, number))
        try:
            return spawn(path, argv, environ, moves)
        finally:
            # Not a new descriptor: below this limit there may be none.
            for place in self._places[len(places) :]:
                os.dup2(self._home_fd, place, inheritable=False)


def reap(ours: dict[int, T], most: int = sys.maxsize) -> tuple[list[tuple[T, int]], int]:
    """Take up to `most` children that ended: our own, and those that their parents left to us.

    Returns those of `ours`, a dict by pid which they leave, with the exit code each, or minus the number of
    the signal that killed it; and how many were taken in all. What is not ours costs one turn of this
    loop, in which nothing is made or kept: half of one would be 20% more than waitpid(2) itself takes."""
    ended = []
    waitpid = os.waitpid
    try:
        for taken in range(most):
            pid, status = waitpid(-1, os.WNOHANG)
            if pid in ours:
                # It leaves at once: the pid is free now, and the next that has it may have ended already.
                ended.append((ours.pop(pid), os.waitstatus_to_exitcode(status)))
            elif not pid:
                return ended, taken
    except ChildProcessError:
        return ended, taken
    return ended, most
