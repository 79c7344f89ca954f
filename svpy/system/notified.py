"""Being told by services: the other end of sd_notify(3).

Rules of this module:

- each service that wants to say something has a socket of its own with an abstract name (unix(7)), so it is
  known whose it is; who has sent, the kernel says (SO_PASSCRED);
- what comes with a message is let go: who waits until that is closed (systemd-notify does) goes on then.
"""

import os
from _socket import (  # not socket: see system/entry.py
    AF_UNIX,
    CMSG_SPACE,
    MSG_DONTWAIT,
    SCM_CREDENTIALS,
    SO_PASSCRED,
    SOCK_DGRAM,
    SOL_SOCKET,
    socket,
)

from svpy.system.proc import read
from svpy.system.processes import look

VARIABLE = b"NOTIFY_SOCKET"
_PREFIX = b"@svpy-ready-"
_MESSAGE_BYTES = 4096
_CREDENTIALS_BYTES = 12
_MOST_ABOVE = 1000


def new_name() -> bytes:
    """A name that nobody can know before."""
    return _PREFIX + os.urandom(12).hex().encode()


def may_be_name(name: bytes) -> bool:
    """Whether it is one that `new_name` gives."""
    return name.startswith(_PREFIX) and len(name) < 100


def listen(name: bytes) -> int:
    """A socket of that name. Raises OSError (EADDRINUSE: somebody has it)."""
    ears = socket(AF_UNIX, SOCK_DGRAM)
    try:
        ears.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        ears.bind(b"\0" + name[1:])
    except OSError:
        ears.close()
        raise
    return ears.detach()


def receive(fd: int) -> "tuple[bytes, int, int] | None":
    """The next message, with the pid (0: not visible from here) and uid of who has sent it; None if there is
    none now. Raises OSError."""
    ears = socket(AF_UNIX, SOCK_DGRAM, 0, fd)
    try:
        data, with_it, _, _ = ears.recvmsg(_MESSAGE_BYTES, CMSG_SPACE(_CREDENTIALS_BYTES), MSG_DONTWAIT)
    except BlockingIOError:
        return None
    finally:
        ears.detach()
    for _, kind, said in with_it:
        if kind == SCM_CREDENTIALS and len(said) >= 8:
            return data, int.from_bytes(said[:4], "little"), int.from_bytes(said[4:8], "little")
    return data, 0, -1


def is_of_tree(pid: int, root: int) -> bool:
    """Whether a process is that one, or descends from it, as far as that can be known."""
    try:
        for _ in range(_MOST_ABOVE):
            if pid == root:
                return True
            if pid <= 1:
                return False
            pid = look(pid).parent
    except OSError:
        pass
    return False


def user(pid: int) -> int:
    """The effective uid of a process, -1 if that cannot be known."""
    try:
        for line in read(b"/proc/%d/status" % pid).split(b"\n"):
            if line.startswith(b"Uid:"):
                return int(line.split()[2])
    except (OSError, IndexError, ValueError):
        pass
    return -1
