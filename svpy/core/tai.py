"""Time as daemontools shows it: TAI64 and TAI64N (https://cr.yp.to/libtai/tai64.html).

Rules of this module:

- a TAI second is the Unix second plus 4611686018427387914 (2**62 + 10), as in daemontools:
  no leap-second table;
- packed, a TAI64N time is 12 bytes, big-endian: 8 of seconds, 4 of nanoseconds;
- as a label it is `@` and the same 12 bytes as 24 lower-case hex digits.
"""

UNIX_EPOCH_TAI = 4611686018427387914
LABEL_BYTES = 25
_NS_PER_S = 1_000_000_000


def label(unix_ns: int) -> bytes:
    """The TAI64N label (25 bytes) of a Unix time in nanoseconds."""
    return b"@%016x%08x" % (UNIX_EPOCH_TAI + unix_ns // _NS_PER_S, unix_ns % _NS_PER_S)


def pack(unix_ns: int) -> bytes:
    """The 12 bytes of TAI64N of a Unix time in nanoseconds."""
    seconds = UNIX_EPOCH_TAI + unix_ns // _NS_PER_S
    return seconds.to_bytes(8, "big") + (unix_ns % _NS_PER_S).to_bytes(4, "big")


def unix_s(packed: bytes) -> int:
    """The Unix second in 8 or 12 packed bytes; before 1970 it is negative."""
    return int.from_bytes(packed[:8], "big") - UNIX_EPOCH_TAI


def earlier(packed: bytes, seconds: float) -> bytes:
    """A packed TAI64N time so many seconds before another."""
    ns = unix_s(packed) * _NS_PER_S + int.from_bytes(packed[8:12], "big") - int(seconds * _NS_PER_S)
    return pack(ns)
