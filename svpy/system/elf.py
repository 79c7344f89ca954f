"""How much memory a program needs before its first line runs: what the kernel and ld.so map for it.

Rules of this module:

- nothing is executed, ld.so neither: files are read, a bounded part of each, and what is not as elf(5) and
  ld.so(8) say is not known;
- a library is looked for as ld.so does: DT_RPATH or DT_RUNPATH with $ORIGIN, /etc/ld.so.cache, the standard
  folders; LD_LIBRARY_PATH is nobody's here. If one is not found, nothing is known;
- counted is what is mapped at least: of address space all segments, in a library with what lies between them,
  and the stack that each program begins with; of data what is private and writable. Heap, caches and locales
  come on top: below that the program cannot start, above it may fail a little later.
"""

import os
import struct

from svpy.system.logsites import open_file

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STACK_BYTES = 131072 + PAGE_BYTES
"""What the kernel gives a new program (fs/exec.c, setup_arg_pages)."""

_MOST_SEGMENTS = 64
_MOST_LIBRARIES = 300
_MOST_DYNAMIC_BYTES = 65536
_MOST_NAME_BYTES = 4096
_MOST_CACHE_BYTES = 16 << 20
_CACHE = b"/etc/ld.so.cache"
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_PF_W = 2
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
_STANDARD_64 = (b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib")
_STANDARD_32 = (b"/lib", b"/usr/lib")


class Unclear(Exception):
    """It is no program whose needs can be read."""


class Needs:
    """The least of address space, and of private writable memory, in bytes."""

    __slots__ = ("address_bytes", "data_bytes")

    def __init__(self, address_bytes: int, data_bytes: int) -> None:
        self.address_bytes = address_bytes
        self.data_bytes = data_bytes


class _Elf:
    """What of one file is needed here."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.needed: list[bytes] = []
        self.rpath = b""
        self.runpath = b""
        self.interpreter = b""
        self.loads: list[tuple[int, int, int, int, int]] = []
        try:
            fd = open_file(path)
        except OSError as error:
            raise Unclear from error
        try:
            self._read(fd)
        except (OSError, struct.error, ValueError, OverflowError) as error:
            raise Unclear from error
        finally:
            os.close(fd)

    def _read(self, fd: int) -> None:
        head = os.pread(fd, 64, 0)
        if head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise ValueError("no ELF")
        self.is_64 = head[4] == 2
        self.order = "<" if head[5] == 1 else ">"
        form = self.order + ("HHIQQQIHHHHHH" if self.is_64 else "HHIIIIIHHHHHH")
        fields = struct.unpack_from(form, head, 16)
        self.machine = fields[1]
        offset, size, count = fields[4], fields[8], min(fields[9], _MOST_SEGMENTS)
        form = self.order + ("IIQQQQQQ" if self.is_64 else "IIIIIIII")
        if size != struct.calcsize(form):
            raise ValueError("strange segments")
        table = os.pread(fd, size * count, offset)
        dynamic = None
        for at in range(0, size * count, size):
            if self.is_64:
                kind, flags, start, address, _, in_file, in_memory, _ = struct.unpack_from(form, table, at)
            else:
                kind, start, address, _, in_file, in_memory, flags, _ = struct.unpack_from(form, table, at)
            if kind == _PT_LOAD:
                self.loads.append((start, address, in_file, in_memory, flags))
            elif kind == _PT_INTERP:
                self.interpreter = os.pread(fd, min(in_file, _MOST_NAME_BYTES), start).rstrip(b"\0")
            elif kind == _PT_DYNAMIC:
                dynamic = (start, min(in_file, _MOST_DYNAMIC_BYTES))
        if not self.loads:
            raise ValueError("nothing to load")
        if dynamic:
            self._read_dynamic(fd, *dynamic)

    def _read_dynamic(self, fd: int, start: int, size: int) -> None:
        form = self.order + ("qQ" if self.is_64 else "iI")
        step = struct.calcsize(form)
        data = os.pread(fd, size, start)
        entries = list(struct.iter_unpack(form, data[: len(data) // step * step]))
        if (0, 0) in entries:
            entries = entries[: entries.index((0, 0))]
        strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
        if strings is None:
            return
        for offset, address, in_file, _, _ in self.loads:
            if address <= strings < address + in_file:
                strings += offset - address
                break
        else:
            raise ValueError("no strings")
        for tag, value in entries:
            if tag in (_DT_NEEDED, _DT_RPATH, _DT_RUNPATH):
                text = os.pread(fd, _MOST_NAME_BYTES, strings + value).partition(b"\0")[0]
                if tag == _DT_NEEDED:
                    self.needed.append(text)
                elif tag == _DT_RPATH:
                    self.rpath = text
                else:
                    self.runpath = text

    def is_like(self, other: "_Elf") -> bool:
        return (self.is_64, self.order, self.machine) == (other.is_64, other.order, other.machine)

    def segments_bytes(self, flags: int = 0) -> int:
        return sum(
            _up(address + in_memory) - _down(address)
            for _, address, _, in_memory, has in self.loads
            if has & flags == flags
        )

    def span_bytes(self) -> int:
        if not self.loads:
            return 0
        return _up(max(load[1] + load[3] for load in self.loads)) - _down(min(load[1] for load in self.loads))


def _up(address: int) -> int:
    return -(-address // PAGE_BYTES) * PAGE_BYTES


def _down(address: int) -> int:
    return address // PAGE_BYTES * PAGE_BYTES


def needs(path: bytes) -> Needs:
    """What an ELF program needs with its libraries. Raises Unclear."""
    program = _Elf(path)
    address = program.segments_bytes() + STACK_BYTES
    data = program.segments_bytes(_PF_W)
    if not program.interpreter:
        return Needs(address, data)
    interpreter = _Elf(program.interpreter)
    address += interpreter.segments_bytes()
    data += interpreter.segments_bytes(_PF_W)
    for library in _libraries(program, interpreter):
        address += library.span_bytes()
        data += library.segments_bytes(_PF_W)
    return Needs(address, data)


def _libraries(program: _Elf, interpreter: _Elf) -> list[_Elf]:
    """All that it needs, each once; ld.so itself is there already."""
    found: list[_Elf] = []
    known = {os.path.basename(program.interpreter)}
    waiting: list[tuple[bytes, _Elf, bytes]] = [(name, program, program.rpath) for name in program.needed]
    while waiting:
        name, by, rpath = waiting.pop(0)
        if name in known:
            continue
        known.add(name)
        if len(found) >= _MOST_LIBRARIES:
            raise Unclear
        library = _library(name, by, rpath)
        if os.path.realpath(library.path) == os.path.realpath(interpreter.path):
            continue
        found.append(library)
        inherited = b":".join(part for part in (library.rpath, rpath) if part)
        waiting += [(each, library, inherited) for each in library.needed]
    return found


def _library(name: bytes, by: _Elf, rpath: bytes) -> _Elf:
    if b"/" in name:
        if not name.startswith(b"/"):
            raise Unclear
        return _Elf(name)
    for path in _places(name, by, rpath):
        try:
            library = _Elf(path)
        except Unclear:
            continue
        if library.is_like(by):
            return library
    raise Unclear


def _places(name: bytes, by: _Elf, rpath: bytes) -> list[bytes]:
    searched = by.runpath or rpath
    if b"$" in searched:
        here = os.path.dirname(os.path.realpath(by.path))
        searched = searched.replace(b"${ORIGIN}", here).replace(b"$ORIGIN", here)
        if b"$" in searched:
            raise Unclear
    folders = [part for part in searched.split(b":") if part]
    standard = _STANDARD_64 if by.is_64 else _STANDARD_32
    return [
        *(folder + b"/" + name for folder in folders),
        *_cached().get(name, ()),
        *(folder + b"/" + name for folder in standard),
    ]


_cache: "dict[bytes, list[bytes]] | None" = None


def _cached() -> "dict[bytes, list[bytes]]":
    """What ld.so.cache has, those for every processor first."""
    global _cache
    if _cache is None:
        try:
            _cache = _read_cache()
        except (OSError, struct.error, ValueError):
            _cache = {}
    return _cache


def _read_cache() -> "dict[bytes, list[bytes]]":
    fd = open_file(_CACHE)
    try:
        data = os.read(fd, _MOST_CACHE_BYTES)
    finally:
        os.close(fd)
    start = data.find(_CACHE_MAGIC)
    if start < 0:
        return {}
    count, _ = struct.unpack_from("II", data, start + 20)
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    for number in range(min(count, len(data) // 24)):
        _, key, value, _, hardware = struct.unpack_from("iIIIQ", data, start + 48 + number * 24)
        name, path = (data[at : data.index(b"\0", at)] for at in (start + key, start + value))
        found.setdefault(name, []).append((hardware, path))
    return {name: [path for _, path in sorted(paths)] for name, paths in found.items()}
