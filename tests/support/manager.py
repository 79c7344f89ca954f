"""A service manager that only listens, sd_notify's other end; and a svscan that is to fall silent."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from support.processes import DEADLINE_S, TooLate

_HANGS = """
import time
import trio
from svpy.daemon import pair, relay, supervisor, svscan
from svpy.commands import svscan as command

{owner} = {module}.{owner}
once = {owner}.{method}
until = time.monotonic() + {after_s}
async def hang(self, *words):
    if time.monotonic() < until:
        with trio.move_on_at(until):
            return await once(self, *words)
    await trio.sleep_forever()
{owner}.{method} = hang
command.main()
"""


def hanging(module: str, owner: str, method: str, after_s: float) -> str:
    """A svscan, as a program, of which one method, or what it awaits, does nothing more some time after it
    began."""
    return _HANGS.format(module=module, owner=owner, method=method, after_s=after_s)


class Listener:
    """`env` is what a service manager gives; a name without a path is abstract (unix(7))."""

    def __init__(
        self, name: str | Path, watchdog_s: float | None = None, watchdog_pid: int | None = None
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.abstract = not isinstance(name, Path)
        address = f"@{name}" if self.abstract else str(name)
        self._socket.bind(address.replace("@", "\0", 1) if self.abstract else address)
        self.env = {"NOTIFY_SOCKET": address}
        if watchdog_s is not None:
            self.env["WATCHDOG_USEC"] = str(round(watchdog_s * 1_000_000))
        if watchdog_pid is not None:
            self.env["WATCHDOG_PID"] = str(watchdog_pid)

    def next(self, deadline_s: float = DEADLINE_S) -> list[str]:
        """The lines of the next message."""
        self._socket.settimeout(max(0.01, deadline_s))
        try:
            return self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            raise TooLate("a message to the service manager") from None

    def until(self, line: str, deadline_s: float = DEADLINE_S) -> list[str]:
        """All lines up to this one."""
        until = time.monotonic() + deadline_s
        heard: list[str] = []
        while line not in heard:
            try:
                heard += self.next(until - time.monotonic())
            except TooLate:
                raise TooLate(f"waiting for {line!r}, it was told {heard}") from None
        return heard

    def drop(self) -> None:
        """What has been told so far."""
        self._socket.settimeout(0)
        try:
            while True:
                self._socket.recv(4096)
        except BlockingIOError:
            pass

    def fill(self) -> None:
        """Leave no room for a further message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(self._socket.getsockname())
            sender.setblocking(False)
            try:
                while True:
                    sender.send(b"X=1")
            except BlockingIOError:
                pass

    def close(self) -> None:
        self._socket.close()
        if not self.abstract:
            os.unlink(self.env["NOTIFY_SOCKET"])
