"""Signals: by name, sending one, and hearing them without being interrupted."""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import os

from svpy.system.waiting import is_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALL = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""Every signal whose disposition can be set."""

_LONGEST_WAIT_S = 3600.0


def number(name: str) -> int:
    """The number of SIG`name`; `RTMIN+1` counts from the C library's first."""
    base, _, more = name.partition("+")
    return int(getattr(signal, "SIG" + base)) + int(more or 0)


def names() -> "dict[int, str]":
    """The names of signals, without their `SIG`. Those of real time have none."""
    found: dict[int, str] = {}
    for word in dir(signal):
        if word.startswith("SIG") and not word.startswith(("SIG_", "SIGRT")):
            # One number may have several: ABRT is IOT, CHLD is CLD, IO is POLL. The first in order.
            found.setdefault(int(getattr(signal, word)), word[3:])
    return found


def send(pid: int, name: str) -> None:
    """Send the signal SIG`name` to a child that was not reaped yet, so its pid is its own.

    Raises OSError (EPERM: the service changed its user and we are not root)."""
    os.kill(pid, getattr(signal, "SIG" + name))


def send_to_group(pid: int, name: str) -> None:
    """The same to the child's whole process group if it leads one (pgrphack, setsid), else to it alone.

    A child that was not reaped yet keeps its pid, and with it the group's number, from being anyone
    else's; and a group that it does not lead may be ours. Raises OSError."""
    if os.getpgid(pid) == pid:
        os.killpg(pid, getattr(signal, "SIG" + name))
    else:
        send(pid, name)


def send_through(pidfd: int, name: str) -> None:
    """The same to a process that is not our child, by its pidfd. One that has ended needs none.

    Raises OSError."""
    try:
        signal.pidfd_send_signal(pidfd, getattr(signal, "SIG" + name))
    except ProcessLookupError:
        pass


def send_to_group_through(pidfd: int, pid: int, name: str) -> None:
    """The same to its whole process group if it leads one, else to it alone.

    The group's number is its pid, and asked for before it is known that the process still lives: then
    it was, and is, its group's. Raises OSError."""
    try:
        leads = os.getpgid(pid) == pid
    except ProcessLookupError:
        return
    if leads and not is_readable(pidfd):
        os.killpg(pid, getattr(signal, "SIG" + name))
    elif not leads:
        send_through(pidfd, name)


def unblock_all() -> None:
    """Whoever started us may have blocked SIGCHLD or TERM and forgotten it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def hold_back(*numbers: int) -> None:
    """From now on these signals wait: to be called when a process ends, before its handlers go, so
    that one that comes at the last moment does not decide how it ended; and when it begins, before they
    are there, so that one that comes at the first moment is not lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def let_in(*numbers: int) -> None:
    """These wait no longer; what came meanwhile is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def wait_for(numbers: "Iterable[int]", most_s: float) -> int:
    """The next of these signals, all of them held back, or 0 after `most_s`."""
    came = signal.sigtimedwait(numbers, min(max(0.0, most_s), _LONGEST_WAIT_S))
    return came.si_signo if came else 0


class Heard:
    """From its making to `close`, the signals that came, each once until it is taken.

    `fd` is readable when there are some. The handler is a method of dict's, for Python's own code would be
    interrupted by the next signal, and that by the one after it: under a flood of them (trio's receiver
    was tried) the interpreter runs out of stack, and the process ends or hangs. Nothing is lost in a
    flood: the byte in the pipe only wakes, that it may be full does not matter. To be made after
    trio has started, which sets a wakeup descriptor of its own."""

    def __init__(self, *numbers: int) -> None:
        self._came: dict[int, object] = {}
        self.fd, self._wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wake_fd = signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        self._old_handlers = {number: signal.signal(number, self._came.setdefault) for number in numbers}

    def nudge(self) -> None:
        """Have `fd` become readable, for nothing."""
        try:
            os.write(self._wake_fd, b"\0")
        except BlockingIOError:
            pass

    def take(self) -> "Iterator[int]":
        """Those that came since the last time; one that comes meanwhile may be among them."""
        try:
            while len(os.read(self.fd, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        while self._came:
            yield self._came.popitem()[0]

    def close(self) -> None:
        """Put back what was there before."""
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wake_fd)
        self._close()

    def abandon(self) -> None:
        """The same where trio has broken off, and what was there before is there no longer."""
        signal.set_wakeup_fd(-1)
        self._close()

    def _close(self) -> None:
        os.close(self.fd)
        os.close(self._wake_fd)
