"""Where something listens, as one word: `ADDRESS:PORT`, `[ADDRESS]:PORT` of IPv6, or `unix:PATH`."""

UNIX = b"unix:"
_MOST_PORT = 65535


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
    address, colon, port = word.rpartition(b":")
    if address.startswith(b"[") and address.endswith(b"]"):
        address = address[1:-1]
    elif b":" in address:
        return None
    if not colon or not address or not port.isdigit() or not 0 < int(port) <= _MOST_PORT:
        return None
    return Where(word, address=address, port=int(port))
