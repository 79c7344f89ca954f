"""The template, from svscan's side: begun when the first process of loggers is wanted, asked, and given up.

Rules of this module:

- it is waited for while it begins, for a moment and once: what is wanted before it is ready is executed;
- what is asked is waited for, a moment as well; one that has been stopped is found out sooner. One that does
  not answer in time is killed. What it may have forked meanwhile does nothing before it hears that we know of
  it;
- one that had ended since the last time has done no wrong: another one is begun. So it is when another
  program has been installed since: what is begun now must be as new as what would be executed.
"""

from __future__ import annotations

import errno

import trio

from svpy import __version__
from svpy.core import templatewire
from svpy.core.natives import Identity
from svpy.core.templatewire import Forked, Wanted
from svpy.system import folders, processes, signals
from svpy.system.children import Starter
from svpy.system.passing import Channel, channels
from svpy.system.waiting import is_readable

ANSWER_S = 1.0
LOOK_S = 0.1
"""After that it is looked at whether it was stopped."""

BEGIN_S = 1.0
"""It imports what it needs, which takes a tenth of that."""

LONGEST_BEGIN_S = 60.0
"""After that it is not expected to become ready any more."""

OUR_FAULT = (errno.EMSGSIZE, errno.ETOOMANYREFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What says nothing against the template."""


class NoTemplate(OSError):
    """There is none, and none is to be had soon."""


class NotReady(Exception):
    """What is needed is just beginning, or has ended at once: why, its exit code will tell."""


class Template:
    """A running one."""

    __slots__ = ("begun_mono_s", "channel", "is_ready", "pid", "program")

    def __init__(self, pid: int, channel: Channel, program: Identity) -> None:
        """`program`: which file it was begun from."""
        self.pid = pid
        self.channel = channel
        self.program = program
        self.begun_mono_s = trio.current_time()
        self.is_ready = False

    def get_ready(self) -> None:
        """Raises NotReady, OSError (ConnectionError: it has ended)."""
        age_s = trio.current_time() - self.begun_mono_s
        if not is_readable(self.channel.fd, max(0.0, BEGIN_S - age_s)):
            if age_s > LONGEST_BEGIN_S:
                raise _late()
            raise NotReady
        self._receive()
        self.is_ready = True

    def ask(self, wanted: Wanted, fds: list[int]) -> Forked:
        """Raises OSError (ETIMEDOUT; ConnectionError: it has ended)."""
        self.channel.send(templatewire.encode(wanted), fds)
        if not is_readable(self.channel.fd, LOOK_S) and (
            processes.is_stopped(self.pid) or not is_readable(self.channel.fd, ANSWER_S - LOOK_S)
        ):
            raise _late()
        said = self._receive()
        try:
            return templatewire.decode_answer(said)
        except (EOFError, TypeError, ValueError) as error:
            raise OSError(errno.EPROTO, "not an answer") from error

    def _receive(self) -> bytes:
        said = self.channel.receive()[0]
        if not said:
            raise ConnectionResetError(errno.ECONNRESET, "the template has ended")
        return said


def _late() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "the template does not answer")


class Templates:
    """The one that runs, if there is one. `children` is svscan's table of its children, `commands` the folder
    of our own commands."""

    def __init__(self, starter: Starter, children: dict[int, object], commands: bytes) -> None:
        self._starter = starter
        self._children = children
        self._program = commands + b"/svpy"
        self._template: Template | None = None

    def ask(self, wanted: Wanted, fds: list[int]) -> Forked:
        """Have a process forked. Raises NotReady, NoTemplate, and OSError if only this could not be done."""
        try:
            forked = self._ask_twice(wanted, fds)
        except OSError as error:
            if error.errno in OUR_FAULT:
                raise
            self._give_up()
            raise NoTemplate(error.errno, error.strerror) from error
        if not forked.pid:
            raise OSError(forked.errno, "not forked")
        return forked

    def _ask_twice(self, wanted: Wanted, fds: list[int]) -> Forked:
        had_been_ready = self._template is not None and self._template.is_ready
        try:
            return self._ask(wanted, fds)
        except ConnectionError:
            if not had_been_ready:
                raise
        self._give_up()
        return self._ask(wanted, fds)

    def _ask(self, wanted: Wanted, fds: list[int]) -> Forked:
        program = folders.version(self._program)
        if self._template is not None and self._template.program != program:
            self.let_go()
        template = self._template = self._template or self._begin(program)
        if not template.is_ready:
            template.get_ready()
        return template.ask(wanted, fds)

    def _begin(self, program: Identity) -> Template:
        """Raises OSError."""
        ours, theirs = channels()
        try:
            argv = [self._program, templatewire.COMMAND, b"%d" % theirs.fd]
            pid = self._starter.start_program(
                [*argv, __version__.encode(), templatewire.ROOM_FOR_TITLES], theirs.fd
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        template = Template(pid, ours, program)
        self._children[pid] = template
        return template

    def _give_up(self) -> None:
        """It is not our child only when it was reaped."""
        template, self._template = self._template, None
        if template is not None and self._children.get(template.pid) is template:
            template.channel.close()
            signals.send(template.pid, "KILL")

    def ended(self, template: Template) -> None:
        """It was reaped."""
        template.channel.close()
        if self._template is template:
            self._template = None

    def let_go(self) -> None:
        """It is needed no more, and ends by itself."""
        if self._template is not None:
            self._template.channel.close()
            self._template = None
