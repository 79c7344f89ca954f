"""What svscan asks of its template (native/template.py), and what that answers.

Both are of the same version, which is compared when the template is started: what stands here may change.
What a logger process is told later, by a newer svscan too, stands in core/nativewire.py.
"""

import marshal

COMMAND = b"native-template"
"""The word by which `svpy` is asked to be a template. Nobody but svscan has a use for it."""

ROOM_FOR_TITLES = b" " * 2000
"""The last word of its command line: a title cannot be longer than the line it is written over."""

ELSEWHERE = 75
"""Exit code of a process that was to be shared and found, as another user, that its chain leads elsewhere, or
that it cannot host loggers."""

READY = b"ready"
"""What the template says first."""

OF_ONE = ("pipe", "folder", "go")
OF_MANY = ("pipe", "folder", "socket", "orders_read", "orders_write", "reports_read", "reports_write")
"""The descriptors that come with a request, for a process of one logger and for one that is shared. From `go`
comes a byte when svscan knows of the process; before that it does nothing, as one does that got no logger."""


class Wanted:
    """The logger process that is asked for. `loaders`: the words of the chain before multilog, `program` the
    one by which that is called, `script` those behind it; `environ` is what sh would have left.
    `merges_stderr`: descriptor 2 is to be what 1 is. `is_shared`: other loggers may join it."""

    __slots__ = ("environ", "is_shared", "loaders", "merges_stderr", "program", "script")

    def __init__(
        self,
        loaders: tuple[bytes, ...],
        program: bytes,
        script: tuple[bytes, ...],
        environ: list[bytes],
        merges_stderr: bool,
        is_shared: bool,
    ) -> None:
        self.loaders = loaders
        self.program = program
        self.script = script
        self.environ = environ
        self.merges_stderr = merges_stderr
        self.is_shared = is_shared


def encode(wanted: Wanted) -> bytes:
    return marshal.dumps(
        (
            wanted.loaders,
            wanted.program,
            wanted.script,
            wanted.environ,
            wanted.merges_stderr,
            wanted.is_shared,
        )
    )


def decode(data: bytes) -> Wanted:
    return Wanted(*marshal.loads(data))


class Forked:
    """The answer: the process, or why there is none (`errno`); `orders_fd` and `reports_fd` are the numbers
    under which it holds the ends of its pipes that are for svscan (core/nativewire.py)."""

    __slots__ = ("errno", "orders_fd", "pid", "reports_fd")

    def __init__(self, pid: int, errno: int, orders_fd: int = 0, reports_fd: int = 0) -> None:
        self.pid = pid
        self.errno = errno
        self.orders_fd = orders_fd
        self.reports_fd = reports_fd


def encode_answer(forked: Forked) -> bytes:
    return marshal.dumps((forked.pid, forked.errno, forked.orders_fd, forked.reports_fd))


def decode_answer(data: bytes) -> Forked:
    return Forked(*marshal.loads(data))
