"""What signals mean to the one who hosts everything: tables.

Rules of this module:

- HUP: scan now; every host has it (daemontools' svscan dies of it);
- svscan stops everything in order on TERM, INT and QUIT, on PWR, which lxc sends, and on RTMIN+3, which
  systemd-nspawn sends and a container's manager takes from the image's STOPSIGNAL;
- PID 1 of a machine ends it: TERM and INT, which is Ctrl-Alt-Del, reboot, PWR and USR2 power off, USR1
  halts, as under busybox, sysvinit's and runit's notions of the same where these agree;
- RTMIN+1 replaces the program by the installed one (`svpy upgrade`); nobody types it, and to a process
  that does not know it, it is never sent.
"""

from __future__ import annotations

from enum import Enum, auto


class Order(Enum):
    """What a signal asks for. All but the first two end what is hosted, in order."""

    SCAN = auto()
    UPGRADE = auto()
    STOP = auto()
    HALT = auto()
    POWER_OFF = auto()
    REBOOT = auto()

    @property
    def ends(self) -> bool:
        return self not in (Order.SCAN, Order.UPGRADE)


UPGRADE_SIGNAL = "RTMIN+1"

SVSCAN: dict[str, Order] = {
    "HUP": Order.SCAN,
    UPGRADE_SIGNAL: Order.UPGRADE,
    "TERM": Order.STOP,
    "INT": Order.STOP,
    "QUIT": Order.STOP,
    "PWR": Order.STOP,
    "RTMIN+3": Order.STOP,
}
"""Signals by their name without SIG."""

MACHINE: dict[str, Order] = {
    "HUP": Order.SCAN,
    UPGRADE_SIGNAL: Order.UPGRADE,
    "TERM": Order.REBOOT,
    "INT": Order.REBOOT,
    "PWR": Order.POWER_OFF,
    "USR1": Order.HALT,
    "USR2": Order.POWER_OFF,
}
"""The same for PID 1 of a machine."""
