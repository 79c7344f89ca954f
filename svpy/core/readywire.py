"""What svscan tells the process that looks whether services are ready (native/watcher.py), and what it hears.

Both are of the same version, which is compared when the process is started: what stands here may change.
"""

import marshal

COMMAND = b"ready-watcher"
"""The word by which `svpy` is asked to be that process. Nobody but svscan has a use for it."""

ROOM_FOR_TITLE = b" " * 200


class Watch:
    """Look after the process `pid` until it is ready, and say so under the name `number`. The other slots are
    those of core/readiness.Asked; what counts of a file is what has changed at `since_ns` (Unix time) or
    later. The descriptor of its folder comes with it."""

    __slots__ = ("address", "kind", "number", "path", "pid", "port", "protocol", "since_ns", "words")

    def __init__(
        self,
        number: int,
        pid: int,
        since_ns: int,
        kind: bytes,
        protocol: bytes,
        address: bytes,
        port: int,
        path: bytes,
        words: "tuple[bytes, ...]",
    ) -> None:
        self.number = number
        self.pid = pid
        self.since_ns = since_ns
        self.kind = kind
        self.protocol = protocol
        self.address = address
        self.port = port
        self.path = path
        self.words = words


def encode_watch(watch: Watch) -> bytes:
    return marshal.dumps(
        (
            watch.number,
            watch.pid,
            watch.since_ns,
            watch.kind,
            watch.protocol,
            watch.address,
            watch.port,
            watch.path,
            watch.words,
        )
    )


def encode_forget(number: int) -> bytes:
    """Look after that one no longer."""
    return marshal.dumps(number)


def decode_order(data: bytes) -> "Watch | int":
    """What is to be watched, or the name of what is not any more."""
    order = marshal.loads(data)
    return order if isinstance(order, int) else Watch(*order)


def encode_news(number: int, is_ready: bool, why: bytes) -> bytes:
    """That it is ready, or why it is not. Of 0, which is nobody's name, that we have begun."""
    return marshal.dumps((number, is_ready, why))


def decode_news(data: bytes) -> "tuple[int, bool, bytes]":
    number, is_ready, why = marshal.loads(data)
    return number, is_ready, why
