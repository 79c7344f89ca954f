"""PID 1 of a machine: what it runs, how long it waits for whom, and how the machine ends.

Rules of this module:

- what a machine needs before and after its services stands in two scripts that its administrator may
  change; what they answer, and whether they are there at all, decides nothing;
- every wait has its end, so that a machine that was told to end does;
- what asks first decides how.
"""

from __future__ import annotations

from svpy.core.orders import MACHINE, Order

FOLDERS = (b"/service", b"/etc/service")
"""Where the services are: in the first of these that can be entered. The second is Debian's."""
SETUP = b"/etc/svpy/rc.init"
CLOSE_DOWN = b"/etc/svpy/rc.shutdown"
STOP_TIMEOUT = b"/etc/svpy/stop-timeout"

SETUP_S = float("inf")
"""rc.init may have to check a file system for hours; a signal that asks for the end ends this, too."""
STOP_TIMEOUT_S = 60.0
"""For the services to stop in order, where STOP_TIMEOUT says nothing else."""
TERM_S = 5.0
"""For all other processes, from TERM to KILL, and from KILL to being given up."""
CLOSE_DOWN_S = 60.0
SYNC_S = 30.0
RETRY_S = 5.0
"""Before services are hosted again after that could not be done."""

PATH = b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENDS: dict[Order, bytes] = {
    Order.HALT: b"halt",
    Order.POWER_OFF: b"poweroff",
    Order.REBOOT: b"reboot",
}
"""What the machine does in the end: rc.shutdown's word for it."""

LETTERS: dict[bytes, Order] = {b"h": Order.HALT, b"p": Order.POWER_OFF, b"r": Order.REBOOT}
"""The options of `svpy shutdown`."""


def signal_for(order: Order) -> str:
    """The signal by which a machine's PID 1 is asked for it, without SIG."""
    return next(name for name, asked in MACHINE.items() if asked is order)


def environment(entries: list[bytes]) -> list[bytes]:
    """What the kernel gave (HOME, TERM, each NAME=value of its command line that it does not know), with a
    PATH: without one a shell has its own, and other programs none."""
    if any(entry.startswith(b"PATH=") for entry in entries):
        return entries
    return [PATH, *entries]
