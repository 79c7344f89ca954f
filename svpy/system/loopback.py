"""The network interface `lo`, which is down in a new network namespace: a container's.

Rules of this module:

- it is looked at with one ioctl, which needs neither /sys nor rights, and only brought up if it is down;
- pyroute2, which brings it up, takes 24 MB and a fifth of a second: it is imported in a short-lived child of
  the same interpreter, which runs while this process imports what it needs itself, and never in this one;
- it is done or given up within LIMIT_S, and without it everything goes on: a container may have been denied
  CAP_NET_ADMIN, and a service need not use lo.
"""

import errno
import fcntl
import os
import sys
from _signal import SIGALRM, alarm  # type: ignore[import-not-found] # see system/entry.py
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

from svpy.system.environment import inherited, mapping
from svpy.system.signals import ALL
from svpy.system.tell import because, say

LIMIT_S = 10

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1
_NAME_BYTES = 16
_IFREQ_BYTES = 40

_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from svpy.system.loopback import bring_up; bring_up()"


class Raising:
    """lo being brought up, if it is down. `program` stands before the warning if it can't be."""

    def __init__(self, program: bytes) -> None:
        self._program = program
        self._pid = 0
        try:
            if is_down():
                self._pid = _start()
        except OSError as error:
            self._warn(error)

    def wait(self) -> None:
        """Until it is up or was given up. To be called before anyone else waits for children."""
        if not self._pid:
            return
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            self._warn(OSError(errno.ETIMEDOUT if code == -SIGALRM else code, "lo"))

    def _warn(self, error: OSError) -> None:
        say(because(self._program + b": warning: unable to bring lo up", error))


def is_down() -> bool:
    """Whether there is an interface lo that is down (netdevice(7)). Raises OSError but for ENODEV."""
    asking = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        answer = fcntl.ioctl(asking.fileno(), _SIOCGIFFLAGS, b"lo".ljust(_IFREQ_BYTES, b"\0"))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    finally:
        asking.close()
    return not int.from_bytes(answer[_NAME_BYTES : _NAME_BYTES + 2], sys.byteorder) & _IFF_UP


def _start() -> int:
    """Start the child. It finds its modules where this process found them. Raises OSError."""
    argv = [sys.executable, "-IS", "-c", _CHILD, *sys.path]
    return os.posix_spawn(sys.executable, argv, mapping(inherited()), setsigmask=(), setsigdef=ALL)


def bring_up() -> None:
    """The child: bring lo up and exit with 0 or an errno."""
    alarm(LIMIT_S)
    os._exit(_bring_up())


def _bring_up() -> int:
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError:
        return errno.ENOPKG
    try:
        with IPRoute() as route:
            route.link("set", index=route.link_lookup(ifname="lo")[0], state="up")
    except NetlinkError as error:
        return int(error.code) & 0xFF or errno.EIO
    except OSError as error:
        return error.errno or errno.EIO
    except Exception:
        return errno.EIO
    return 0
