"""Where something listens, as one word: `ADDRESS:PORT`, `[ADDRESS]:PORT` of IPv6, or `unix:PATH`."""

from svpy.core.numbers import MOST_PORT, within

UNIX = b"unix:"


class Where:
    """`path` of a unix socket, or an address and a port; `word` is how it was said."""

    __slots__ = ("address", "path", "port", "word")

    def __init__(self, word: bytes, path: bytes = b"", address: bytes = b"", port: int = 0) -> None:
        self.word = word
        self.path = path
        self.address = address
        self.port = port


def parse(word: bytes) -> "Where | None":
    """None of what is no such word."""
    if word.startswith(UNIX):
        path = word.removeprefix(UNIX)
        return Where(word, path=path) if path and b"\0" not in path else None
    address, _, digits = word.rpartition(b":")
    if address.startswith(b"[") and address.endswith(b"]"):
        address = address[1:-1]
    elif b":" in address:
        return None
    port = within(digits, 1, MOST_PORT)
    return Where(word, address=address, port=port) if address and port is not None else None
