"""Which sockets listen, and which process holds them: sock_diag(7) through pyroute2.

Rules of this module:

- tcp and unix stream sockets that accept connections listen; so do udp sockets that are bound and not
  connected, as a name server's, and unix datagram sockets that have a path, as a syslog daemon's;
- a socket belongs to who holds it, by its inode (/proc/PID/fd, `socket:[INODE]`); several may;
- inodes are those of one network namespace: a process in another one is looked at there, by going there with
  this thread alone (setns(2)) for as long as it takes to open the socket that asks. Where we may not,
  nothing is known of it;
- pyroute2 takes a fifth of a second and 24 MB: it is imported when it is asked something.
"""

import errno
import os

from svpy.core.errors import error_text
from svpy.system.packages import let_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

TCP = b"tcp"
UDP = b"udp"
UNIX = b"unix"

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_IPPROTO_TCP, _IPPROTO_UDP = 6, 17
_CLOSE, _LISTEN = 1 << 7, 1 << 10
"""States of tcp (linux/net/tcp_states.h), which the other protocols use as well."""
_SHOW_NAME, _SHOW_VFS = 1, 2
_CLONE_NEWNET = 0x40000000

_INTERNET = (
    (TCP, _AF_INET, _IPPROTO_TCP, _LISTEN),
    (TCP, _AF_INET6, _IPPROTO_TCP, _LISTEN),
    (UDP, _AF_INET, _IPPROTO_UDP, _CLOSE),
    (UDP, _AF_INET6, _IPPROTO_UDP, _CLOSE),
)


class Listening:
    """`address` is an internet address as text, or a unix socket's path, with `@` in front where it is
    abstract; `port` is 0 then."""

    __slots__ = ("address", "inode", "port", "protocol")

    def __init__(self, protocol: bytes, address: bytes, port: int, inode: int) -> None:
        self.protocol = protocol
        self.address = address
        self.port = port
        self.inode = inode

    @property
    def text(self) -> bytes:
        """`tcp 127.0.0.1:25`, `tcp [::]:25`, `unix /run/a`."""
        if self.protocol == UNIX:
            return self.protocol + b" " + self.address
        address = b"[" + self.address + b"]" if b":" in self.address else self.address
        return self.protocol + b" " + address + b":%d" % self.port


def held(groups: "Mapping[int, Iterable[int]]") -> "dict[int, list[Listening]]":
    """What the processes of each group listen on, by the group's name (its root's pid, of trees.Usage.pids),
    in the order of protocol, port and address. A namespace is asked once for all. Raises OSError as
    `listening` does for our own namespace."""
    inodes: dict[int, dict[bytes, set[int]]] = {}
    for group, pids in groups.items():
        inodes[group] = {}
        for pid in pids:
            if sockets := sockets_of((pid,)):
                inodes[group].setdefault(_namespace(pid), set()).update(sockets)
    asked: dict[bytes, dict[int, Listening]] = {}
    found: dict[int, list[Listening]] = {}
    for group, pids in groups.items():
        found[group] = []
        for pid in pids:
            wanted = inodes[group].pop(space := _namespace(pid), set())
            if wanted and space not in asked:
                asked[space] = {socket.inode: socket for socket in _listening_there(pid, space)}
            found[group] += [asked[space][inode] for inode in wanted if inode in asked[space]]
        found[group].sort(key=lambda socket: (socket.protocol, socket.port, socket.address))
    return found


def _listening_there(pid: int, space: bytes) -> "list[Listening]":
    if space == _namespace(0):
        return listening()
    try:
        return listening(pid)
    except OSError:
        return []


def why_not(error: OSError) -> bytes:
    """Why it is not known who listens, in words."""
    return b"there is no pyroute2" if error.errno == errno.ENOPKG else error_text(error.errno)


def listening(pid: int = 0) -> "list[Listening]":
    """All that listen in the network namespace of a process, 0: our own. Raises OSError (ENOPKG: there is no
    pyroute2; EPERM: another namespace is not ours to enter)."""
    let_in()
    try:
        from pyroute2 import DiagSocket
    except ImportError as error:
        raise OSError(errno.ENOPKG, "no pyroute2") from error
    try:
        with _opened(DiagSocket, pid) as asking:
            return [*_internet(asking), *_unix(asking)]
    except OSError:
        raise
    except Exception as error:
        # Its own errors are of many kinds; a kernel without sock_diag is one.
        raise OSError(getattr(error, "code", 0) or errno.EPROTO, str(error)) from error


def _internet(asking: "Any") -> "Iterator[Listening]":
    for name, family, protocol, states in _INTERNET:
        for found in asking.get_sock_stats(family=family, protocol=protocol, states=states):
            address = os.fsencode(found["idiag_src"])
            yield Listening(name, address, found["idiag_sport"], found["idiag_inode"])


def _unix(asking: "Any") -> "Iterator[Listening]":
    show = _SHOW_NAME | _SHOW_VFS
    for found in asking.get_sock_stats(family=_AF_UNIX, states=_LISTEN | _CLOSE, show=show):
        name = found.get_attr("UNIX_DIAG_NAME")
        has_path = found.get_attr("UNIX_DIAG_VFS") is not None
        if not name or not (has_path or found["udiag_state"] == 10):
            continue
        text = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        address = text.rstrip(b"\0") if has_path else b"@" + text.lstrip(b"\0")
        yield Listening(UNIX, address, 0, found["udiag_ino"])


def _opened(kind: "Any", pid: int) -> "Any":
    """A socket that asks the namespace of a process. Raises OSError."""
    if not pid:
        return _bound(kind)
    here_fd = os.open(_of_thread(b"/net"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        there_fd = os.open(b"/proc/%d/ns/net" % pid, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there_fd)
        finally:
            os.close(there_fd)
        try:
            return _bound(kind)
        finally:
            _enter(here_fd)
    finally:
        os.close(here_fd)


def _bound(kind: "Any") -> "Any":
    asking = kind()
    asking.bind()
    return asking


def _enter(fd: int) -> None:
    from svpy.system.libc import call

    call("setns", fd, _CLONE_NEWNET)


def _of_thread(what: bytes) -> bytes:
    return b"/proc/thread-self/ns" + what


def _namespace(pid: int) -> bytes:
    """What tells a process' network namespace from others, ours for 0; empty if that may not be known."""
    try:
        return os.readlink(b"/proc/%d/ns/net" % pid if pid else _of_thread(b"/net"))
    except OSError:
        return b""


def sockets_of(pids: "Iterable[int]") -> "set[int]":
    """The inodes of all sockets that these processes hold, so far as they are there and ours to look at."""
    inodes = set()
    for pid in pids:
        base = b"/proc/%d/fd/" % pid
        try:
            fds = os.listdir(base)
        except OSError:
            continue
        for fd in fds:
            try:
                link = os.readlink(base + fd)
            except OSError:
                continue
            if link.startswith(b"socket:["):
                inodes.add(int(link[8:-1]))
    return inodes
