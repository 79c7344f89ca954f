"""Which sockets listen, and who holds them."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest
from support.processes import Running

from svpy.core.seen import Seen
from svpy.core.status import UP, Status
from svpy.core.tai import pack
from svpy.system.details import gather
from svpy.system.listening import TCP, UDP, UNIX, held, listening, sockets_of

OWN = os.getpid()


def test_what_listens_is_found_by_the_process_that_holds_it(tmp_path: Path) -> None:
    """Kinds of sockets beside what only looks like them: connected, not listening, without a name."""
    path, datagrams, odd = tmp_path / "stream", tmp_path / "datagrams", bytes(tmp_path) + b"/\xff\x1b"
    kept = []

    def made(family: int, kind: int, name: object, listens: bool = True) -> socket.socket:
        kept.append(one := socket.socket(family, kind))
        one.bind(name)  # type: ignore[arg-type]
        if listens:
            one.listen()
        return one

    try:
        four = made(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)).getsockname()
        six = made(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)).getsockname()
        names = made(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0), False).getsockname()
        made(socket.AF_UNIX, socket.SOCK_STREAM, str(path))
        made(socket.AF_UNIX, socket.SOCK_STREAM, odd)
        made(socket.AF_UNIX, socket.SOCK_SEQPACKET, f"\0svpy-{OWN}")
        made(socket.AF_UNIX, socket.SOCK_DGRAM, str(datagrams), False)
        made(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0), False)
        made(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0svpy-{OWN}-asks", False)
        kept += [socket.create_connection(four), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        kept[-1].connect(names)
        found = held({OWN: (OWN,)})[OWN]
    finally:
        for each in kept:
            each.close()
    assert {(each.protocol, each.address, each.port) for each in found} == {
        (TCP, b"127.0.0.1", four[1]),
        (TCP, b"::1", six[1]),
        (UDP, b"127.0.0.1", names[1]),
        (UNIX, bytes(path), 0),
        (UNIX, odd, 0),
        (UNIX, bytes(datagrams), 0),
        (UNIX, b"@svpy-%d" % OWN, 0),
    }
    texts = {each.text for each in found}
    assert {b"tcp 127.0.0.1:%d" % four[1], b"tcp [::1]:%d" % six[1], b"unix " + bytes(path)} <= texts
    assert not {each.inode for each in found} & sockets_of((OWN,)), "closed by now"


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace of one's own takes root")
def test_a_process_in_another_network_namespace_is_looked_at_there() -> None:
    script = (
        "import signal, socket\n"
        "s = socket.create_server(('', 25)); print('ready', flush=True); signal.pause()"
    )
    here = os.readlink("/proc/self/ns/net")
    with Running("unshare", "-n", "python3", "-c", script) as other:
        other.line(b"ready")
        with socket.create_server(("127.0.0.1", 0)) as ours:
            found = held({OWN: (OWN,), other.pid: (other.pid,)})
            assert b"tcp 127.0.0.1:%d" % ours.getsockname()[1] in [each.text for each in found[OWN]]
        assert [each.text for each in found[other.pid]] == [b"tcp 0.0.0.0:25"]
        assert [each.port for each in listening(other.pid) if each.protocol == TCP] == [25]
    assert os.readlink("/proc/thread-self/ns/net") == here
    assert held({other.pid: (other.pid,)}) == {other.pid: []}, "it has ended"


def test_that_there_is_no_pyroute2_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    seen = Seen(b"a")
    seen.status = Status(pack(time.time_ns()), os.getpid(), False, UP)
    with socket.socket():
        (shown,), why = gather([seen])
    assert (shown.sockets, why) == (None, b"there is no pyroute2")
