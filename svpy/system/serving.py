"""Sockets that listen: on an address, or at a path.

Rules of this module:

- a socket at a path is its owner's and its group's, 0660, from its first moment on;
- what is at that path already is replaced only if it is a socket of ours that nobody listens on any more; no
  symlink is followed, whatever it leads to;
- who ends takes away his own, and no other that has taken its place.
"""

import errno
import os
import socket
import stat

from svpy.core.listenwords import Where

_BACKLOG = 128
_UMASK = 0o117


class Listener:
    """One that listens. `socket` does not block."""

    __slots__ = ("_identity", "_path", "socket")

    def __init__(self, where: Where) -> None:
        """Raises OSError."""
        self._path = where.path
        self._identity: tuple[int, int] | None = None
        self.socket = _at_path(where.path) if where.path else _on_address(where)
        try:
            self.socket.listen(_BACKLOG)
            self.socket.setblocking(False)
            if where.path:
                self._identity = _identity(where.path)
        except OSError:
            self.socket.close()
            raise

    def close(self) -> None:
        self.socket.close()
        try:
            if self._identity is not None and _identity(self._path) == self._identity:
                os.unlink(self._path)
        except OSError:
            pass


def _identity(path: bytes) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _on_address(where: Where) -> socket.socket:
    try:
        host = where.address.decode()
        found = socket.getaddrinfo(host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(errno.EADDRNOTAVAIL, "no such address") from error
    family, kind, protocol, _, address = found[0]
    new = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    try:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        new.bind(address)
    except OSError:
        new.close()
        raise
    return new


def _at_path(path: bytes) -> socket.socket:
    new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(_UMASK)
    try:
        try:
            _bind(new, path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _is_dead_and_ours(path):
                raise
            os.unlink(path)
            _bind(new, path)
    except OSError:
        new.close()
        raise
    finally:
        os.umask(before)
    return new


def _bind(new: socket.socket, path: bytes) -> None:
    try:
        new.bind(path)
    except OSError as error:
        # Python's own, of a path that is too long, has no number.
        raise OSError(error.errno or errno.ENAMETOOLONG, "bind") from error


def _is_dead_and_ours(path: bytes) -> bool:
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False
