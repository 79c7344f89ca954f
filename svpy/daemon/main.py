"""From a command to a running supervisor: what this process takes for itself first.

Rules of this module:

- the signals that a host heeds are blocked by its command before anything else, so that one that comes
  while trio is still being imported is heard later instead of ending the process, or being lost to PID 1;
- a host never ends by an exception: it says it, keeps the services, and begins its loop again; a signal that
  ends it is heard between two loops, too, and where none of them comes to an end it ends without;
- a host that was handed over what another program held, and cannot go on with it, lets go of it and
  hosts the folder afresh.
"""

from __future__ import annotations

import trio

from svpy.core import manager
from svpy.core.errors import FAILED, Die
from svpy.core.handover import UNDERSTOOD, State, decode, descriptors
from svpy.core.orders import Order
from svpy.core.svscanwords import Words
from svpy.daemon.clock import Monotonic
from svpy.daemon.hosted import Refused
from svpy.daemon.report import Report
from svpy.daemon.successor import Successor
from svpy.daemon.supervise import supervise
from svpy.daemon.supervisor import Supervisor
from svpy.daemon.svscan import Ending, Svscan
from svpy.system import descriptors as system_descriptors
from svpy.system import (
    environment,
    folders,
    installed,
    limits,
    notify,
    oomscore,
    orphans,
    replacing,
    signals,
    tell,
)
from svpy.system.children import Starter
from svpy.system.entry import described

PAUSE_S = 1.0
"""Between a loop that was ended by an exception and the next one."""

LOOPS_TO_END = 3
"""So many that were ended by an exception are enough when everything is to be stopped."""

_broken_off: list[BaseException] = []
"""What trio itself left unfinished, kept from being collected: its tasks would go on for a moment then, and
get at what the next run has."""


def host_all(program: bytes, orders: dict[str, Order], words: Words, script: bytes) -> Ending:
    """Be svscan on the current folder until a signal of `orders` ends it. `script` is what follows this
    program when it is to be replaced."""
    successor = Successor(script, words.shown)
    commands = installed.folder_of(script) if words.native else None
    try:
        orphans.take_in()
    except OSError as error:
        # What is forked natively would be somebody else's child.
        commands = None
        tell.say(tell.because(program + b": warning: unable to take in orphans", error))
    svscan = None
    if words.state_fd is not None:
        svscan = _taken_over(program, orders, words, successor, script, commands)
    if svscan is None:
        supervisor = _supervisor(program, commands)
        supervisor.script = script
        svscan = Svscan(supervisor, folders.open_folder(b"."), orders, words, _report(), successor)
    svscan.open_to_watchers()
    return run_always(program, svscan)


def run_always(program: bytes, svscan: Svscan) -> Ending:
    """Until it has ended as it should, or was asked to and cannot."""
    left_to_end = LOOPS_TO_END
    while True:
        try:
            return trio.run(svscan.run, clock=Monotonic())
        except BaseException as error:
            _say(program + b": warning: unexpected ", error)
            if isinstance(error, trio.TrioInternalError):
                _broken_off.append(error)
        svscan.break_off()
        if svscan.ending is not None:
            left_to_end -= 1
            if not left_to_end:
                tell.say(program + b": warning: unable to stop in order: services are only told to end")
                return svscan.give_up(svscan.ending)
        svscan.asked_meanwhile(signals.wait_for(svscan.ending_signals, PAUSE_S))


def check_state(program: bytes, orders: dict[str, Order], words: Words) -> int:
    """Say whether this program understands the state it is shown: all that it would do before it asks
    the kernel for anything."""
    assert words.check_fd is not None
    state = decode(replacing.read(words.check_fd))
    starter = _starter(state["nofile_soft"], state["home_fd"], None)
    Svscan(Supervisor(program, starter), state["folder_fd"], orders, words).recall(state)
    tell.write_all(1, UNDERSTOOD + b"\n")
    return 0


def _taken_over(
    program: bytes,
    orders: dict[str, Order],
    words: Words,
    successor: Successor,
    script: bytes,
    commands: bytes | None,
) -> Svscan | None:
    """What another program held of this process; None if it cannot be gone on with."""
    state_fd = words.state_fd
    assert state_fd is not None
    state: State | None = None
    try:
        replacing.keep([state_fd])
        state = decode(replacing.read(state_fd))
        replacing.keep(descriptors(state))
        _prepare()
        starter = _starter(state["nofile_soft"], state["home_fd"], _oom_score_adj(program))
        supervisor = Supervisor(program, starter, commands)
        supervisor.script = script
        svscan = Svscan(supervisor, state["folder_fd"], orders, words, _report(), successor)
        svscan.recall(state)
        folders.enter(state["home_fd"])
        svscan.take_over()
        replacing.close([state_fd])
        successor.taken_over = True
        return svscan
    except Exception as error:
        _say(program + b": warning: unable to take over: ", error)
        _let_go(successor, state, state_fd)
        return None


def _let_go(successor: Successor, state: State | None, state_fd: int) -> None:
    """Close what was handed over, the locks with it, and tell who waits for it."""
    successor.report_fd = -1
    if state is None:
        replacing.close_all()
        return
    report_fd = state.get("report_fd", -1)
    replacing.close(descriptors(state) - {report_fd} | {state_fd})
    if isinstance(nofile_soft := state.get("nofile_soft"), int):
        limits.set_soft_limit("NOFILE", nofile_soft)
    successor.report_fd = report_fd
    successor.tell(b"unable to take over: services are hosted afresh")


def _say(what: bytes, error: BaseException) -> None:
    try:
        tell.say(what + described(error))
    except Exception:
        pass  # Out of memory for one line: the next attempt is worth more than that.


def host_one(program: bytes, name: bytes, script: bytes) -> None:
    """Be supervise on the current folder, called `name`, until told to leave. `script` is what this program
    was started as. Raises Die."""
    supervisor = _supervisor(program)
    supervisor.script = script
    try:
        trio.run(supervise, supervisor, name, clock=Monotonic())
    except Refused as refused:
        raise Die(FAILED, program + b": fatal: " + refused.message) from refused


def _supervisor(program: bytes, commands: bytes | None = None) -> Supervisor:
    """Standard descriptors reserved, limit raised; the services are given what was there before."""
    nofile_soft = _prepare()
    home_fd = folders.open_folder(b".")
    return Supervisor(program, _starter(nofile_soft, home_fd, _oom_score_adj(program)), commands)


def _starter(nofile_soft: int, home_fd: int, oom_score_adj: tuple[int, int] | None) -> Starter:
    entries = manager.for_services(environment.inherited())
    return Starter(entries, nofile_soft, home_fd, oom_score_adj)


def _report() -> Report:
    entries = environment.inherited()
    to = notify.Manager(manager.value(entries, b"NOTIFY_SOCKET"))
    return Report(to, manager.answer_interval_s(entries, notify.own_pid()))


def _oom_score_adj(program: bytes) -> tuple[int, int] | None:
    """The services' and ours, if they are to differ and it can be changed back and forth."""
    ours = oomscore.own()
    services = manager.oom_score_of_services(ours)
    if services is None:
        return None
    try:
        score = oomscore.Score()
        try:
            score.set(services)
            score.set(ours)
        finally:
            score.close()
    except OSError as error:
        message = b"unable to keep an oom_score_adj of our own, which services do not get"
        tell.say(tell.because(program + b": warning: " + message, error))
        return None
    return services, ours


def _prepare() -> int:
    """Returns the soft limit on descriptors that was there before."""
    system_descriptors.reserve_standard()
    tell.never_block()
    return system_descriptors.raise_limit()
