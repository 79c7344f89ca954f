"""Numbers as they are written: as daemontools' scan_ulong reads them, seconds, and what has bounds."""

MOST_PORT = 65535

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


def within(word: bytes, least: int, most: int) -> int | None:
    """The decimal number that `word` is; None if it is none, not between these, or longer than it need be."""
    if not word.isdigit() or len(word) > len(b"%d" % most):
        return None  # int() would refuse thousands of digits with an exception of its own.
    number = int(word)
    return number if least <= number <= most else None


def seconds(word: bytes) -> float | None:
    """A number of seconds as people write it, `30` or `0.5`; None if it is none."""
    whole, _, part = word.partition(b".")
    if not (whole + part).isdigit():
        return None
    return float(word)
