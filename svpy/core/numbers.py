"""Numbers as daemontools' scan_ulong reads them."""

_MODULUS = 2**64


def scan_ulong(text: bytes) -> int | None:
    """The decimal number that `text` is, None if it holds anything but digits.

    No digits at all is 0, and what is too large wraps at 2**64, both as in C."""
    if not text:
        return 0
    if not text.isdigit():
        return None
    # 10**64 is a multiple of 2**64: further digits change nothing, and int() refuses thousands.
    return int(text[-64:]) % _MODULUS
