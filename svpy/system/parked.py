"""Files that only have to be open: held without a descriptor for each.

Rules of this module:

- nobody reads or writes such a file, it is only to be seen that someone has it open (a reader of `ok`). Once
  there are SIZE of them they lie in a socket on their way to ourselves (unix(7), SCM_RIGHTS) and need no
  descriptors: a thousand would count against RLIMIT_NOFILE, and be copied, and closed again, for each process
  that is started;
- few are held as they are, so are those that cannot be sent (ETOOMANYREFS: a user without privileges may send
  so many in all), and none is ever closed because of that;
- they end with this process however it ends, as descriptors do;
- one is got back out of SIZE, one after the other, each back to the end before the next: that takes one
  descriptor at any time.

A hard link of `control` as `ok` was rejected: who may look would be whoever may control. So was opening one
fifo for both: clients open each by its name.
"""

from __future__ import annotations

import os
from typing import Any

from svpy.system.passing import Channel, channels

SIZE = 16


class Lot:
    """Up to SIZE of them in one socket, by their names."""

    __slots__ = ("into_fd", "names", "out_of_fd")

    def __init__(self, into_fd: int, out_of_fd: int, names: list[int]) -> None:
        self.into_fd = into_fd
        self.out_of_fd = out_of_fd
        self.names = names

    def send(self, name: int, fd: int) -> None:
        """Raises OSError."""
        into = Channel(self.into_fd)
        try:
            into.send(b"%d" % name, (fd,))
        finally:
            into.detach()

    def let_go(self, name: int) -> dict[int, int]:
        """Close it. Returns what could not be put back, with its descriptor. Raises OSError."""
        not_put_back = {}
        for _ in range(len(self.names)):
            data, fds = self._next()
            for fd in fds:
                try:
                    if int(data) != name:
                        self.send(int(data), fd)
                    os.close(fd)
                except OSError:
                    not_put_back[int(data)] = fd
        self.names = [each for each in self.names if each != name and each not in not_put_back]
        return not_put_back

    def _next(self) -> tuple[bytes, list[int]]:
        """Raises OSError."""
        out_of = Channel(self.out_of_fd)
        try:
            return out_of.receive()
        finally:
            out_of.detach()

    def close(self) -> None:
        os.close(self.into_fd)
        os.close(self.out_of_fd)


class Parked:
    """All of one process."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[int, int] = {}
        self._lots: list[Lot] = []

    def keep(self, fd: int) -> int:
        """From now on it is held here. Returns its name, never 0."""
        self._last += 1
        self._open[self._last] = fd
        if len(self._open) >= SIZE:
            self._park()
        return self._last

    def _park(self) -> None:
        """As many as can be."""
        try:
            lot = _new_lot()
        except OSError:
            return
        for name in list(self._open)[:SIZE]:
            try:
                lot.send(name, self._open[name])
            except OSError:
                break
            lot.names.append(name)
            os.close(self._open.pop(name))
        if lot.names:
            self._lots.append(lot)
        else:
            lot.close()

    def let_go(self, name: int) -> None:
        """Close one. Raises OSError."""
        if name in self._open:
            os.close(self._open.pop(name))
            return
        for lot in self._lots:
            if name in lot.names:
                self._open |= lot.let_go(name)
                if not lot.names:
                    self._lots.remove(lot)
                    lot.close()
                return

    def state(self) -> dict[str, Any]:
        """What is handed over (core/handover.py)."""
        return {
            "last": self._last,
            "open": [{"name": name, "fd": fd} for name, fd in self._open.items()],
            "lots": [
                {"into_fd": lot.into_fd, "out_of_fd": lot.out_of_fd, "names": lot.names} for lot in self._lots
            ],
        }

    def recall(self, state: dict[str, Any]) -> None:
        """Become what was handed over."""
        self._last = state["last"]
        self._open = {each["name"]: each["fd"] for each in state["open"]}
        self._lots = [Lot(each["into_fd"], each["out_of_fd"], each["names"]) for each in state["lots"]]


def _new_lot() -> Lot:
    """Neither end waits. Raises OSError."""
    into_fd, out_of_fd = (end.detach() for end in channels())
    os.set_blocking(out_of_fd, False)
    return Lot(into_fd, out_of_fd, [])
