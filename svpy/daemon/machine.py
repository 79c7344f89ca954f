"""PID 1 of a machine, from its first moment to its last.

Rules of this module:

- nothing that goes wrong ends it: it is said on the console, and what comes next comes;
- what does not need trio does without, for a machine must end in order also where trio cannot be imported;
- signals are held back from the first moment on and are looked at where something is waited for: one that
  asks for the end cuts short whatever comes before the end, none cuts short the end itself;
- it returns in a container only, where that is the end; a kernel whose PID 1 returns panics.
"""

from __future__ import annotations

import errno
import math
import signal
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from svpy.core import machine as rules
from svpy.core.errors import error_text
from svpy.core.numbers import seconds
from svpy.core.orders import MACHINE, Order
from svpy.core.svscanwords import Words
from svpy.system import descriptors, environment, folders, machine, signals, tell, title
from svpy.system.children import Starter, reap
from svpy.system.entry import described
from svpy.system.installed import script
from svpy.system.loopback import Raising
from svpy.system.tell import because

Result = TypeVar("Result")

ENDINGS = {signals.number(name): order for name, order in MACHINE.items() if order.ends}


class Init:
    """`program` stands before what it says; `state_fd` is what the svpy-init before it handed over, None if
    the machine is just starting."""

    def __init__(self, program: bytes, state_fd: int | None) -> None:
        self._program = program
        self._state_fd = state_fd
        self._nofile_soft = descriptors.soft_limit()
        self._is_machine = True
        self._order: Order | None = None

    def run(self) -> None:
        """Until the machine's end, which in a container may be a return."""
        self._protected(self._begin)
        if self._state_fd is None:
            self._protected(self._set_up)
            self._protected(lambda: Raising(self._program).wait())
        self._protected(self._settle)
        while self._order is None:
            self._order = self._protected(self._host) or self._protected(self._asked)
        order = self._order
        self._protected(self._let_go)
        self._protected(lambda: self._stop_all(order))
        self._protected(lambda: self._close_down(order))
        self._protected(lambda: self._bounded(machine.sync, b"sync", rules.SYNC_S))
        self._protected(lambda: self._finish(order))
        while self._is_machine:
            self._protected(lambda: self._code_of(0, math.inf))

    def _protected(self, work: Callable[[], Result]) -> Result | None:
        """`work`'s result, None if it failed: then that was said."""
        try:
            return work()
        except BaseException as error:
            # Also SystemExit: no library's idea of an end is the machine's.
            try:
                self._warn(b"unexpected " + described(error))
            except BaseException:
                pass  # Out of memory for one line, or an exception that cannot be printed.
        return None

    def _warn(self, message: bytes) -> None:
        tell.say(self._program + b": warning: " + message)

    def _begin(self) -> None:
        descriptors.reserve_standard()
        environment.adopt(rules.environment(environment.inherited()))
        machine.enter(b"/")
        try:
            machine.reboot(b"ctrl-alt-del off")
        except OSError:
            # A container's PID 1 has no keyboard. Whatever else goes wrong, a machine's must not return.
            self._is_machine = False

    def _set_up(self) -> None:
        """rc.init, for as long as it takes: checking a file system can take hours."""
        pid = self._start(rules.SETUP)
        if pid:
            self._tell_failure(rules.SETUP, self._code_of(pid, rules.SETUP_S, *ENDINGS) or 0)

    def _settle(self) -> None:
        """What can be had when /proc and /dev are there."""
        machine.speak_to_console()
        title.take(self._program, [])
        tell.never_block()

    def _host(self) -> Order | None:
        """Host the services until one of ENDINGS. Returns what it asks for, None if they cannot be hosted."""
        folder = self._enter()
        if folder is None:
            return None
        from svpy.daemon.main import host_all

        # Not before that could be imported: it is what holds the services, and cannot be had twice.
        state_fd, self._state_fd = self._state_fd, None
        words = Words(folder, stop_timeout_s=self._stop_timeout_s(), state_fd=state_fd)
        return host_all(self._program, MACHINE, words, script()).order

    def _enter(self) -> bytes | None:
        """Go into the folder of services and return its name, None if there is none: that was said."""
        trouble = b""
        for folder in rules.FOLDERS:
            try:
                machine.enter(folder)
                return folder
            except OSError as error:
                trouble = trouble or because(b"unable to chdir to " + folder, error)
                if error.errno != errno.ENOENT:
                    break
        self._warn(trouble)
        return None

    def _stop_timeout_s(self) -> float:
        try:
            said = machine.read_line(rules.STOP_TIMEOUT)
        except OSError:
            return rules.STOP_TIMEOUT_S
        timeout_s = seconds(said)
        if timeout_s is None:
            self._warn(b"unable to use " + rules.STOP_TIMEOUT + b": it is not a number of seconds")
            return rules.STOP_TIMEOUT_S
        return timeout_s

    def _asked(self) -> Order | None:
        """The end that was asked for before they are hosted again. Who ended then is reaped by the next who
        hosts."""
        return ENDINGS.get(signals.wait_for(ENDINGS, rules.RETRY_S))

    def _let_go(self) -> None:
        """Of /service, which may be on a file system that is to be unmounted, and of all that is open."""
        signals.hold_back(signal.SIGCHLD, *ENDINGS)
        machine.enter(b"/")
        machine.close_all_others()
        tell.never_block()

    def _stop_all(self, order: Order) -> None:
        tell.say(self._program + b": " + rules.ENDS[order] + b": all processes are told to end")
        machine.signal_all("TERM")
        machine.signal_all("CONT")
        if not self._nothing_runs(rules.TERM_S):
            self._warn(b"unable to end all processes with TERM: sending KILL")
            self._kill_all()

    def _kill_all(self) -> None:
        machine.signal_all("KILL")
        if not self._nothing_runs(rules.TERM_S):
            self._warn(b"unable to end all processes with KILL: going on without them")

    def _nothing_runs(self, most_s: float) -> bool:
        return any(not machine.has_children() for _ in self._turns({}, most_s))

    def _close_down(self, order: Order) -> None:
        pid = self._start(rules.CLOSE_DOWN, rules.ENDS[order])
        if not pid:
            return
        code = self._code_of(pid, rules.CLOSE_DOWN_S)
        if code is None:
            self._warn(b"unable to wait for " + rules.CLOSE_DOWN + b" any longer: sending KILL")
            self._kill_all()
        else:
            self._tell_failure(rules.CLOSE_DOWN, code)

    def _finish(self, order: Order) -> None:
        # A child asks for it: where the kernel can only halt, the asking process may end there.
        command = rules.ENDS[order]
        self._bounded(lambda: machine.reboot(command), command, rules.SYNC_S)

    def _bounded(self, work: Callable[[], None], what: bytes, most_s: float) -> None:
        pid = machine.in_child(work)
        code = self._code_of(pid, most_s)
        if code is None:
            self._warn(b"unable to wait for " + what + b" any longer")
        elif code:
            self._warn(b"unable to " + what + b": " + error_text(code))

    def _start(self, script: bytes, *words: bytes) -> int:
        """Returns the script's pid, 0 if it could not be started: that was said."""
        root_fd = folders.open_folder(b"/")
        try:
            starter = Starter(environment.inherited(), self._nofile_soft, root_fd)
            return starter.start(root_fd, 0, 1, script.removeprefix(b"/"), words)
        except OSError as error:
            self._warn(because(b"unable to run " + script, error))
            return 0
        finally:
            folders.close(root_fd)

    def _tell_failure(self, what: bytes, code: int) -> None:
        if code:
            how = b"exit code %d" % code if code > 0 else b"killed by signal %d" % -code
            self._warn(b"unable to carry out all of " + what + b": " + how)

    def _code_of(self, pid: int, most_s: float, *heeded: int) -> int | None:
        """The exit code of a child, minus its signal's number, or None if that takes too long."""
        for ended in self._turns({pid: pid}, most_s, *heeded):
            for _, code in ended:
                return code
        return None

    def _turns(self, ours: dict[int, int], most_s: float, *heeded: int) -> Iterator[list[tuple[int, int]]]:
        """What was reaped of `ours`, at once and whenever something may have ended, for so long or until one
        of `heeded` asked for the machine's end."""
        until = time.monotonic() + most_s
        while self._order is None or not heeded:
            yield reap(ours)[0]
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            came = signals.wait_for((signal.SIGCHLD, *heeded), left_s)
            if came in heeded:
                self._order = ENDINGS[came]
