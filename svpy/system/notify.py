"""Telling the service manager: sd_notify(3), datagrams to the socket named in NOTIFY_SOCKET."""

import os
import socket


class Manager:
    """Where to tell it; an empty `address` is nobody. A name that begins with `@` is abstract (unix(7)).

    The socket is held: what the watchdog waits for must not fail for want of a descriptor."""

    def __init__(self, address: bytes) -> None:
        self._socket: socket.socket | None = None
        self._address = b"\0" + address[1:] if address.startswith(b"@") else address
        if address[:1] in (b"/", b"@"):
            try:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            except OSError:
                pass

    def listens(self) -> bool:
        return self._socket is not None

    def tell(self, *lines: bytes) -> bool:
        """Send these lines in one message, without waiting. Returns whether it was taken: a manager may be
        busy, or gone, and that is no reason for us to be."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(b"\n".join(lines), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, self._address)
        except (OSError, ValueError):
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def own_pid() -> int:
    """The pid that the manager knows us by."""
    return os.getpid()
