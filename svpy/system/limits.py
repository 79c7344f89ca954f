"""Soft resource limits, and working below one's own size.

A limit here is the kernel's rlim_t: 0 to 2**64-1, the last meaning none. The resource module
takes and gives C's long instead, so large ones are negative there.
"""

import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MODULUS = 2**64
_LONG_MAX = 2**63 - 1
_PAGE_BYTES = resource.getpagesize()


def hard_limit(name: str) -> int:
    """The hard limit of a resource (`AS`, `NOFILE`, …). Raises OSError."""
    return resource.getrlimit(_number(name))[1] % _MODULUS


def set_soft_limit(name: str, soft: int) -> None:
    """Set the soft limit, leave the hard one. Raises OSError."""
    number = _number(name)
    hard = resource.getrlimit(number)[1]
    resource.setrlimit(number, (soft if soft <= _LONG_MAX else soft - _MODULUS, hard))


def _number(name: str) -> int:
    number: int = getattr(resource, "RLIMIT_" + name)
    return number


def used_bytes() -> tuple[int, int]:
    """Address space, and data and stack of it, that this process has now: what RLIMIT_AS and
    RLIMIT_DATA count. Raises OSError."""
    fd = os.open(b"/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fields = os.read(fd, 256).split()
    finally:
        os.close(fd)
    return int(fields[0]) * _PAGE_BYTES, int(fields[5]) * _PAGE_BYTES


def reserve(size_bytes: int) -> None:
    """Put `size_bytes` of free memory into the heap, so that so much can still be allocated when
    the limits are below what this process already has. Raises MemoryError.

    glibc takes large blocks from mmap and gives a free end of the heap back. To let one mmapped
    block go makes it do neither up to that block's size (mallopt(3), M_MMAP_THRESHOLD: "dynamic").
    CPython asks malloc whenever it cannot map a further arena, so this serves small objects too."""
    block = bytes(2 * size_bytes)
    del block
    block = bytes(size_bytes)
    del block


def limited(limits: list[tuple[str, int]], what: "Callable[[], None]") -> None:
    """Do `what` under soft limits that may be below what this process uses; afterwards they are as
    before, so that there is room to say what went wrong."""
    before = [(name, resource.getrlimit(_number(name))) for name, _ in limits]
    try:
        for name, soft in limits:
            set_soft_limit(name, soft)
        what()
    finally:
        for name, limit in before:
            resource.setrlimit(_number(name), limit)
