"""Asking /bin/sh what it makes of an environment (core/shellenv.py)."""

import os
import select
import time
from _signal import SIGKILL  # type: ignore[import-not-found]

from svpy.core import shellenv
from svpy.system.environment import mapping
from svpy.system.folders import version
from svpy.system.signals import ALL

SH = b"/bin/sh"
_DELETED = b" (deleted)"


class Shell:
    """What is known of this machine's. `identity`: which file it was."""

    __slots__ = ("_known", "_pwd_folder", "identity")

    def __init__(self, known: shellenv.Shell, identity: tuple[int, int, int]) -> None:
        self._known = known
        self.identity = identity
        self._pwd_folder = _folder(known.pwd)

    def environment(self, folder_fd: int) -> list[bytes] | None:
        """What a program gets that it executes in that folder, None if that is not certain.

        Where PWD leads was found out once: it may lie on a disk that answers no more, and then not to ask
        is better than to be right about a folder that got another name."""
        try:
            path = os.readlink(b"/proc/self/fd/%d" % folder_fd)
            found = os.fstat(folder_fd)
        except OSError:
            return None
        # Not what getcwd(2) would have said: the folder is gone, or lies outside of our root.
        if path.endswith(_DELETED) or not path.startswith(b"/"):
            return None
        return self._known.environment(path, (found.st_dev, found.st_ino) == self._pwd_folder)


def identity() -> tuple[int, int, int]:
    """Which file /bin/sh is now. Raises OSError."""
    return version(SH)


def learn(environ: list[bytes], deadline_s: float = 1.0) -> Shell | None:
    """What /bin/sh makes of an environment, None if it does not say or not in time.

    It is started twice, which takes some milliseconds. Those that did not end in time are killed, and
    left to whoever reaps this process' children."""
    until = time.monotonic() + deadline_s
    try:
        which = identity()
        answers = [_answer(question, until) for question in shellenv.questions(environ)]
    except OSError:
        return None
    known = shellenv.learned(environ, answers)
    return None if known is None else Shell(known, which)


def _answer(question: shellenv.Question, until: float) -> bytes:
    """All that is printed. Raises OSError (TimeoutError)."""
    read_fd, write_fd = os.pipe()
    try:
        pid = _start(question, write_fd)
    except OSError:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    answer = b""
    how = os.WNOHANG
    # Not select(2): a svscan has more descriptors than that can name.
    waiter = select.poll()
    waiter.register(read_fd, select.POLLIN)
    try:
        while (left_s := until - time.monotonic()) > 0 and waiter.poll(left_s * 1000):
            data = os.read(read_fd, 65536)
            if not data:
                how = 0
                return answer
            answer += data
        raise TimeoutError
    finally:
        os.close(read_fd)
        # Who has printed all has nothing else to do.
        os.kill(pid, SIGKILL)
        os.waitpid(pid, how)


def _start(question: shellenv.Question, write_fd: int) -> int:
    """As a service would be started. Returns the pid; raises OSError."""
    home_fd = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(question.folder)
        return os.posix_spawn(
            SH,
            [SH, *question.words],
            mapping(question.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, write_fd, 1),
                (os.POSIX_SPAWN_DUP2, write_fd, 2),
                (os.POSIX_SPAWN_OPEN, 0, b"/dev/null", os.O_RDONLY, 0),
            ],
            setsigmask=(),
            setsigdef=ALL,
        )
    finally:
        os.fchdir(home_fd)
        os.close(home_fd)


def _folder(path: bytes | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
