"""svpy unlink: end services and their loggers for good: `rm` and `svc -dx`, in the order that loses no line.

The link goes first, so that svscan does not take up again what leaves; its folder was opened before."""

import os
import time

from svpy.commands.own import PROGRAM, folder_of_services
from svpy.core.catalogue import usage
from svpy.core.errors import FAILED, USAGE, Die, one_line
from svpy.core.leaving import Leaving, Present
from svpy.core.longoptions import parse
from svpy.core.numbers import seconds
from svpy.core.shellwords import quoted
from svpy.system import links
from svpy.system.folders import identity_of
from svpy.system.leaving import LOG_FOLDER, Halves
from svpy.system.seeing import SERVICES
from svpy.system.supervised import LOGGER
from svpy.system.tell import because, say

TIMEOUT_S = 60.0
"""As long as svpy.service gives services to stop."""

_LOOK_EVERY_S = 0.003


class Unlinked:
    """One whose link is gone. `target` is where its folder is."""

    def __init__(self, word: bytes, target: bytes, halves: Halves) -> None:
        self.word = word
        self.target = target
        self.halves = halves
        self.memory = Leaving(logger_is_file=halves.logger_at == LOGGER)
        self.seen = Present(service=True, logger=True)

    def is_left(self) -> bool:
        """Tell it what there is to tell now; whether it is gone. Raises OSError."""
        self.seen = self.halves.seen()
        to_service, to_logger = self.memory.letters(self.seen)
        try:
            if to_service:
                self.halves.tell_service(to_service)
            if to_logger:
                self.halves.tell_logger(to_logger)
        except OSError:
            # It may have left just now; if not, what is wrong with it is said by who looks again.
            if not self.halves.seen().is_left:
                raise
        return self.seen.is_left

    def what_is_left(self) -> bytes:
        """What has not ended in time, and what is to be done then."""
        service, logger = self.halves.pids()
        if not self.seen.service:
            unread = b" with %d bytes to read" % self.seen.waiting_bytes if self.seen.waiting_bytes else b""
            return b"its logger (pid %d) is still there%s; its service has ended" % (logger, unread)
        said = b"its service (pid %d) is still there; it is not started again" % service
        if self.halves.logger_at == LOG_FOLDER:
            said += b". When it has ended: svc -dx " + quoted(one_line(self.target)) + b"/log"
        return said


def run(words: list[bytes]) -> int:
    found = parse(words, {b"--service": True, b"--timeout": True}, usage(PROGRAM))
    options = dict(found.options)
    names = found.words + (found.behind or [])
    timeout_s = seconds(options[b"--timeout"]) if b"--timeout" in options else TIMEOUT_S
    if not names or not all(names) or timeout_s is None:
        raise Die(USAGE, usage(PROGRAM))
    parent = folder_of_services(options.get(b"--service", SERVICES))
    failed = False
    unlinked: list[Unlinked] = []
    # Before anything is done: looking goes into folders.
    for word, link in [(word, _found(word, parent)) for word in names]:
        try:
            one = _unlink(word, link, parent)
            unlinked += [one] if one is not None else []
        except Die as refused:
            say(refused.message)
            failed = True
    return FAILED if not _leave(unlinked, timeout_s) or failed else 0


def _found(word: bytes, parent: bytes) -> bytes:
    """The link that is meant: a name in the folder of services, a path of a link there or in another that is
    scanned, or a folder that one leads to."""
    if b"/" not in word and word not in (b".", b".."):
        return parent + b"/" + word
    try:
        path = links.absolute(word.rstrip(b"/") or b"/")
        beside = os.path.dirname(path)
        if identity_of(beside) == identity_of(parent) or (links.is_link(path) and links.is_scanned(beside)):
            return path
        key = identity_of(path)
        names = links.names_of(parent, key) if key is not None else []
    except OSError:
        return word
    return parent + b"/" + names[0] if names else path


def _unlink(word: bytes, link: bytes, parent: bytes) -> Unlinked | None:
    """Remove the link. Returns what is to leave, None if it led nowhere. Raises Die."""
    trouble = PROGRAM + b": fatal: unable to unlink " + one_line(word)
    try:
        if not links.is_link(link):
            raise Die(FAILED, trouble + b": " + _instead(link, parent))
        key = identity_of(link)
        if key is None:
            os.unlink(link)
            nowhere = b" led nowhere: what may still run of it is out of reach"
            say(PROGRAM + b": warning: " + one_line(link) + nowhere)
            return None
        folder, _, name = link.rpartition(b"/")
        others = [other for other in links.names_of(folder, key) if other != name]
        if others:
            also = b": it is linked as " + one_line(others[0]) + b", too; rm one of the two first"
            raise Die(FAILED, trouble + also)
        halves, target = Halves(link), os.path.realpath(link)
        if pid := halves.running_alone():
            raise Die(FAILED, trouble + b": it runs (pid %d) without svscan: start that first" % pid)
        halves.find_pipe()
        os.unlink(link)
    except OSError as error:
        raise Die(FAILED, because(trouble, error)) from None
    return Unlinked(word, target, halves)


def _instead(folder: bytes, parent: bytes) -> bytes:
    """What to do with a service folder that is not linked but there itself, if it is."""
    beside, _, name = folder.rpartition(b"/")
    if identity_of(beside) != identity_of(parent):
        return b"no link in " + one_line(parent) + b" leads there"
    there, aside = quoted(one_line(folder)), quoted(one_line(beside + b"/." + name))
    to_end = b"mv " + there + b" " + aside + b" && svc -dx " + aside + b" " + aside + b"/log"
    return b"it is no link. To end it: " + to_end


def _leave(unlinked: list[Unlinked], timeout_s: float) -> bool:
    """Wait until all are gone. Returns whether they are."""
    until = time.monotonic() + timeout_s
    failed = False
    staying = unlinked
    while staying:
        still = []
        for one in staying:
            try:
                still += [] if one.is_left() else [one]
            except OSError as error:
                failed = True
                say(because(PROGRAM + b": fatal: unable to control " + one_line(one.target), error))
        staying = still
        if not staying or time.monotonic() >= until:
            break
        time.sleep(_LOOK_EVERY_S)
    for one in staying:
        say(PROGRAM + b": fatal: " + one_line(one.word) + b" is unlinked, but " + one.what_is_left())
    return not (failed or staying)
