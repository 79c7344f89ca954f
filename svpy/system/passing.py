"""Messages with descriptors in them, between processes of svpy's own (unix(7), SOCK_SEQPACKET, SCM_RIGHTS).

Rules of this module:

- a message is whole or not there, and its end is seen: nothing at all is the end of them;
- descriptors that arrive are close-on-exec from the beginning;
- what arrives without some of its descriptors, because whoever receives it may have no more of them, arrives
  without any: it is known what was asked for, and that it cannot be done.
"""

import errno
import os
from _socket import (  # not socket: see system/entry.py
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_NOSIGNAL,
    MSG_TRUNC,
    SCM_RIGHTS,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
    socketpair,
)

MOST_BYTES = 1 << 18
"""Of one message. The kernel refuses to send longer ones long before (net.core.wmem_default)."""

_FD_BYTES = 4
_MOST_FDS = 16


class Channel:
    """One end of a connection. `fd` may be waited for."""

    __slots__ = ("_socket", "fd")

    def __init__(self, fd: int) -> None:
        """The one that a descriptor is; from now on it is this object's."""
        self._socket = socket(AF_UNIX, SOCK_SEQPACKET, 0, fd)
        self.fd = fd

    def send(self, data: bytes, fds: "tuple[int, ...] | list[int]" = ()) -> None:
        """Raises OSError (EAGAIN: a descriptor that does not block, and no room; EPIPE: nobody is there any
        more; EMSGSIZE)."""
        rights = b"".join([fd.to_bytes(_FD_BYTES, "little") for fd in fds])
        with_them = [(SOL_SOCKET, SCM_RIGHTS, rights)] if fds else []
        self._socket.sendmsg([data], with_them, MSG_NOSIGNAL)

    def receive(self, most_bytes: int = 0) -> tuple[bytes, list[int]]:
        """The next message and its descriptors, none of them if it could not have all; nothing when the
        other end is closed. `most_bytes` is 0 where one may be as long as they get.

        Raises OSError (EAGAIN, ECONNRESET; EMSGSIZE: it was cut off)."""
        data, with_it, flags, _ = self._socket.recvmsg(
            most_bytes or MOST_BYTES, CMSG_SPACE(_MOST_FDS * _FD_BYTES), MSG_CMSG_CLOEXEC
        )
        fds = [
            int.from_bytes(rights[at : at + _FD_BYTES], "little")
            for _, kind, rights in with_it
            if kind == SCM_RIGHTS
            for at in range(0, len(rights) - _FD_BYTES + 1, _FD_BYTES)
        ]
        if flags & (MSG_TRUNC | MSG_CTRUNC):
            for fd in fds:
                os.close(fd)
            fds = []
        if flags & MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "cut off")
        return data, fds

    def detach(self) -> int:
        """Returns its descriptor, which is no longer this object's."""
        self.fd = -1
        return self._socket.detach()

    def close(self) -> None:
        """More than once is as good as once."""
        self._socket.close()
        self.fd = -1


def channels() -> tuple[Channel, Channel]:
    """Both ends of a new connection, close-on-exec; the first does not block. Raises OSError."""
    ours, theirs = (Channel(each.detach()) for each in socketpair(AF_UNIX, SOCK_SEQPACKET))
    os.set_blocking(ours.fd, False)
    return ours, theirs
