"""A disk that stops answering when it is told to: a filesystem in memory, served through /dev/fuse.

As a program (`deaddisk.py FOLDER`) it serves it in a mount namespace of its own, so that nothing is left of
it. A line on its stdin tells which requests get no answer from now on (`fsync write`), an empty one that all
get theirs. It says `ready`, and `held REQUEST` of each it does not answer."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import stat
import struct
import subprocess
import sys
from pathlib import Path

_CLONE_NEWNS = 0x20000
_MS_PRIVATE = 1 << 18
_MS_REC = 1 << 14
_IN = struct.Struct("<IIQQIIII")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_NO_ANSWER = {"forget", "batch_forget", "interrupt"}
_REQUESTS = {
    1: "lookup", 2: "forget", 3: "getattr", 4: "setattr", 9: "mkdir", 10: "unlink", 12: "rename", 13: "link",
    14: "open", 15: "read", 16: "write", 18: "release", 20: "fsync", 26: "init", 27: "opendir", 28: "readdir",
    29: "release", 35: "create", 36: "interrupt", 42: "batch_forget", 45: "rename2",
}  # fmt: skip


class Node:
    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.links = 1
        self.data = bytearray()
        self.entries: dict[bytes, int] = {}


class Disk:
    """One method for each request: the node's number and what came with it; returns the answer."""

    def __init__(self) -> None:
        self.nodes = {1: Node(stat.S_IFDIR | 0o755)}

    def _attributes(self, number: int) -> bytes:
        node = self.nodes[number]
        size = len(node.data)
        return _ATTRIBUTES.pack(number, size, 0, 0, 0, 0, 0, 0, 0, node.mode, node.links, 0, 0, 0, 4096, 0)

    def _entry(self, number: int) -> bytes:
        return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)

    def _found(self, parent: int, name: bytes) -> int:
        try:
            return self.nodes[parent].entries[name]
        except KeyError:
            raise OSError(errno.ENOENT, "") from None

    def _new(self, parent: int, name: bytes, mode: int) -> int:
        number = max(self.nodes) + 1
        self.nodes[number] = Node(mode)
        self.nodes[parent].entries[name] = number
        return number

    def init(self, number: int, data: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 16, 12, 1 << 17, 1, 32, 0, 0)

    def lookup(self, number: int, data: bytes) -> bytes:
        return self._entry(self._found(number, data[:-1]))

    def getattr(self, number: int, data: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + self._attributes(number)

    def setattr(self, number: int, data: bytes) -> bytes:
        valid, size, mode = struct.unpack_from("<I12xQ44xI", data)
        node = self.nodes[number]
        if valid & 1:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if valid & 8:
            del node.data[size:]
        return self.getattr(number, data)

    def mkdir(self, number: int, data: bytes) -> bytes:
        return self._entry(self._new(number, data[8:-1], stat.S_IFDIR | 0o755))

    def create(self, number: int, data: bytes) -> bytes:
        mode = struct.unpack_from("<4xI", data)[0]
        return self._entry(self._new(number, data[16:-1], mode)) + self.open(number, data)

    def open(self, number: int, data: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0)

    opendir = open

    def release(self, number: int, data: bytes) -> bytes:
        return b""

    fsync = release

    def write(self, number: int, data: bytes) -> bytes:
        offset, size = struct.unpack_from("<8xQI", data)
        node = self.nodes[number]
        node.data[offset : offset + size] = data[40:]
        return struct.pack("<II", size, 0)

    def read(self, number: int, data: bytes) -> bytes:
        offset, size = struct.unpack_from("<8xQI", data)
        return bytes(self.nodes[number].data[offset : offset + size])

    def readdir(self, number: int, data: bytes) -> bytes:
        offset = struct.unpack_from("<8xQ", data)[0]
        entries = [*self.nodes[number].entries.items()][offset:]
        answer = b""
        for place, (name, of) in enumerate(entries, offset + 1):
            entry = struct.pack("<QQII", of, place, len(name), 0) + name
            answer += entry.ljust(-len(entry) % 8 + len(entry), b"\0")
        return answer

    def unlink(self, number: int, data: bytes) -> bytes:
        self.nodes[self._found(number, data[:-1])].links -= 1
        del self.nodes[number].entries[data[:-1]]
        return b""

    def link(self, number: int, data: bytes) -> bytes:
        of = struct.unpack_from("<Q", data)[0]
        self.nodes[of].links += 1
        self.nodes[number].entries[data[8:-1]] = of
        return self._entry(of)

    def rename(self, number: int, data: bytes, names_at: int = 8) -> bytes:
        old, new, _ = data[names_at:].split(b"\0")
        self.nodes[number].entries[new] = self.nodes[number].entries.pop(old)
        return b""

    def rename2(self, number: int, data: bytes) -> bytes:
        return self.rename(number, data, 16)


def serve(fd: int, disk: Disk) -> None:
    silent: set[str] = set()
    held: list[bytes] = []
    while True:
        ready, _, _ = select.select([0, fd], [], [])
        if 0 in ready:
            line = os.read(0, 4096)
            if not line:
                return
            silent = set(line.decode().split())
            if not silent:
                for request in held:
                    _answer(fd, disk, request)
                held = []
        if fd in ready:
            request = os.read(fd, 1 << 18)
            name = _REQUESTS.get(_IN.unpack_from(request)[1], "unknown")
            if name in silent:
                held.append(request)
                print("held", name, flush=True)
            elif name not in _NO_ANSWER:
                _answer(fd, disk, request)


def _answer(fd: int, disk: Disk, request: bytes) -> None:
    length, opcode, unique, number, *_ = _IN.unpack_from(request)
    failed, answer = 0, b""
    try:
        do = getattr(disk, _REQUESTS.get(opcode, ""), None)
        if do is None:
            raise OSError(errno.ENOSYS, "")
        answer = do(number, request[_IN.size : length])
    except OSError as error:
        failed = -(error.errno or errno.EIO)
    os.write(fd, struct.pack("<IiQ", 16 + len(answer), failed, unique) + answer)


def mount(folder: bytes) -> int:
    """Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
    for failed in (
        libc.unshare(_CLONE_NEWNS),
        libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None),
        libc.mount(b"deaddisk", folder, b"fuse", 0, options),
    ):
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def missing(folder: Path) -> str:
    """Why there can be no such disk here, or nothing."""
    tried = subprocess.run(
        [sys.executable, "-I", __file__, folder], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return "" if tried.stdout == b"ready\n" else f"needs /dev/fuse: {tried.stderr.decode().splitlines()[-1]}"


if __name__ == "__main__":
    served = mount(os.fsencode(sys.argv[1]))
    print("ready", flush=True)
    serve(served, Disk())
