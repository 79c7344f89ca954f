"""Unpacking what log processors have packed, with what the standard library has.

Only imported where something is met that is no plain log."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_READ_BYTES = 1 << 16
_PART_BYTES = 1 << 18
MOST_BYTES = 1 << 30
"""A file of multilog's has 16 MB at most: what becomes more than this was not packed by a processor."""


def _gzip() -> "Any":
    import zlib

    return zlib.decompressobj(zlib.MAX_WBITS + 16)


def _bzip2() -> "Any":
    from _bz2 import BZ2Decompressor

    return BZ2Decompressor()


def _xz() -> "Any":
    from lzma import LZMADecompressor

    return LZMADecompressor()


def _zstd() -> "Any":
    from compression.zstd import ZstdDecompressor  # type: ignore[import-not-found]

    return ZstdDecompressor()


_KINDS: "tuple[tuple[bytes, bytes, Callable[[], Any]], ...]" = (
    (b"\x1f\x8b\x08", b"gzip", _gzip),
    (b"BZh", b"bzip2", _bzip2),
    (b"\xfd7zXZ\0", b"xz", _xz),
    (b"\x28\xb5\x2f\xfd", b"zstd", _zstd),
)
_BZIP2_GOES_ON = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
"""Behind its first bytes, which text may begin with as well: a block, or its end."""


def unpacked(fd: int, beginning: bytes) -> tuple[int, bytes]:
    """A descriptor of what a file holds that begins so, the same if it is not packed; and what is to be said
    if that is not all. Raises OSError."""
    kind = next((kind for kind in _KINDS if beginning.startswith(kind[0])), None)
    if kind is None or (kind[1] == b"bzip2" and beginning[4:10] not in _BZIP2_GOES_ON):
        return fd, b""
    plain_fd = _nameless()
    size = 0
    try:
        for part in _parts(fd, kind[2]):
            size += len(part)
            if size > MOST_BYTES:
                return plain_fd, b"it would become more than 1 GB"
            os.write(plain_fd, part)
    except ImportError:
        return plain_fd, b"this Python cannot read " + kind[1]
    except EOFError:
        return plain_fd, kind[1] + b" data ends too early"
    except OSError as error:
        if error.errno is None:
            return plain_fd, kind[1] + b" data is damaged"
        os.close(plain_fd)
        raise
    except Exception:  # Each library has an error of its own.
        return plain_fd, kind[1] + b" data is damaged"
    return plain_fd, b""


def _nameless() -> int:
    """A file without a name. Raises OSError."""
    try:
        return os.open(b"/tmp", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create("svlog")


def _parts(fd: int, make: "Callable[[], Any]") -> "Iterator[bytes]":
    """What it unpacks to, which may be several packed files one behind the other."""
    at, data = 0, b""
    while True:
        machine = make()
        is_begun = False
        while not machine.eof:
            if not data:
                data = os.pread(fd, _READ_BYTES, at)
                at += len(data)
            part = machine.decompress(data, _PART_BYTES)
            if not data and not part and not machine.eof:
                if is_begun:
                    raise EOFError
                return
            is_begun = True
            yield part
            # zlib gives back what it has not taken, the others keep it.
            data = getattr(machine, "unconsumed_tail", b"")
            while not (machine.eof or data or getattr(machine, "needs_input", True)):
                yield machine.decompress(b"", _PART_BYTES)
        data = machine.unused_data
