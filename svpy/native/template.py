"""The process from which logger processes are forked: small, all they need imported, frozen.

Rules of this module:

- it does nothing by itself: a request, a fork, an answer; and it ends with its connection;
- it forks twice, and answers when the one in the middle is reaped: by then the logger process is a child of
  svscan, which takes in orphans, and svscan alone waits for it;
- a forked process does what sh and the chain would have done: descriptors, folder, environment, title and
  privileges are as if it had been executed, and so is what it says and how it ends when it cannot;
- one that several loggers are to share must not become another program, for all but the first would be lost
  with it: it leaves with ELSEWHERE, and they are executed. So it does when it cannot begin. It stays in no
  logger's folder and keeps none's pipe as descriptor 0;
- one that has a single logger gets signals as any process does, nobody is connected to it, and it ends as
  that logger did. It begins when svscan knows of it, and not at all if svscan has ended or waits no longer:
  nobody must have a log pipe and a log folder without svscan's knowing.
"""

import errno
import gc
import os

from svpy.core.errors import FAILED
from svpy.core.templatewire import (
    COMMAND,
    ELSEWHERE,
    OF_MANY,
    OF_ONE,
    READY,
    Forked,
    Wanted,
    decode,
    encode_answer,
)
from svpy.native import loggers
from svpy.system import environment, execplan, installed, multilog, title
from svpy.system.descriptors import hold_place, reserve_standard
from svpy.system.entry import entry
from svpy.system.passing import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_UMASK = 0o022
"""multilog's own, for its files and its processors."""


def run(words: list[bytes], version: bytes) -> int:
    """Be the template: `words` are the descriptor of its connection and the version of who asks."""
    if words[1] != version:
        return FAILED
    channel = Channel(int(words[0]))
    os.set_inheritable(channel.fd, False)
    reserve_standard()
    installed.remember()
    title.take(b"svpy", [COMMAND])
    gc.collect()
    gc.freeze()
    channel.send(READY)
    while True:
        data, fds = channel.receive()
        if not data:
            return 0
        wanted = decode(data)
        named = dict(zip(OF_MANY if wanted.is_shared else OF_ONE, fds, strict=False))
        # They come all or not at all (system/passing.py).
        pid, number = _fork(wanted, named, channel) if named else (0, errno.EMFILE)
        for fd in fds:
            os.close(fd)
        orders_fd, reports_fd = named.get("orders_write", 0), named.get("reports_read", 0)
        channel.send(encode_answer(Forked(pid, number, orders_fd, reports_fd)))


def _fork(wanted: Wanted, fds: dict[str, int], channel: Channel) -> tuple[int, int]:
    """The pid of the logger process, or 0 and the errno."""
    try:
        reading, writing = os.pipe()
    except OSError as error:
        return 0, error.errno or errno.EMFILE
    try:
        middle = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return 0, error.errno or errno.EAGAIN
    if not middle:
        _in_the_middle(wanted, fds, (reading, writing, channel.fd))
    os.close(writing)
    # To its end: the process that was forked last has closed what it had of it by then.
    said = os.read(reading, 64)
    os.close(reading)
    os.waitpid(middle, 0)
    pid, _, number = said.partition(b" ")
    return (int(pid), int(number)) if number else (0, errno.EIO)


def _in_the_middle(wanted: Wanted, fds: dict[str, int], templates_fds: tuple[int, ...]) -> "NoReturn":
    pid = number = 0
    try:
        pid = os.fork()
    except OSError as error:
        number = error.errno or errno.EAGAIN
    if not pid and not number:
        for fd in templates_fds:
            os.close(fd)
        entry(b"multilog", lambda _: _logger_process(wanted, fds))
    os.write(templates_fds[1], b"%d %d" % (pid, number))
    os._exit(0)


def _logger_process(wanted: Wanted, fds: dict[str, int]) -> int:
    """What sh, the chain and multilog would have done. Returns the exit code; raises Die."""
    if not wanted.is_shared:
        if not os.read(fds["go"], 1):
            return 0
        os.close(fds["go"])
    os.dup2(fds["pipe"], 0)
    if wanted.merges_stderr:
        os.dup2(1, 2)
    os.fchdir(fds["folder"])
    os.close(fds["pipe"])
    os.close(fds["folder"])
    environment.adopt(wanted.environ)
    work = _shared(wanted, fds) if wanted.is_shared else _alone(wanted)
    title.hold()
    if not wanted.loaders:
        return work([])
    words = [*wanted.loaders, wanted.program, *wanted.script]
    tool = words.pop(0)
    leave = _leave if wanted.is_shared else None
    return execplan.carry_out(tool[tool.rfind(b"/") + 1 :], words, lambda _: work, leave)


def _leave() -> "NoReturn":
    os._exit(ELSEWHERE)


def _shared(wanted: Wanted, fds: dict[str, int]) -> "Callable[[list[bytes]], int]":
    def work(_: list[bytes]) -> int:
        os.umask(_UMASK)
        reserve_standard()
        title.become(b"multilog", list(wanted.script))
        os.dup2(hold_place(), 0, inheritable=False)
        os.chdir(b"/")
        orders = fds["orders_read"], fds["orders_write"]
        reports = fds["reports_read"], fds["reports_write"]
        try:
            return loggers.serve(fds["socket"], orders, reports)
        except OSError:
            # No thread to be had for that account (RLIMIT_NPROC), say: a multilog alone needs none.
            _leave()

    return work


def _alone(wanted: Wanted) -> "Callable[[list[bytes]], int]":
    """Nobody else is in it, so it is the command's multilog: what a chain may limit, threads and descriptors
    among it, is enough for that. The environment is what the chain has made of it."""
    return lambda _: multilog.run(list(wanted.script))
