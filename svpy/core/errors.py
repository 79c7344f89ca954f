"""What went wrong, in daemontools' words.

Rules of this module:

- a message is one line: program, severity, object, errno text
  (`svc: warning: unable to control DIR: access denied`);
- 100 is wrong usage, 111 is failed;
- the texts of the errnos are those of daemontools' error_str.c, because scripts match them.
"""

import errno

USAGE = 100
FAILED = 111


class Die(Exception):
    """Ends a command: `message` (without a newline) goes to stderr, `code` is the exit code.

    An empty message says nothing, as `svok` does."""

    def __init__(self, code: int, message: bytes = b"") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


_TEXTS = {
    errno.EINTR: b"interrupted system call",
    errno.ENOMEM: b"out of memory",
    errno.ENOENT: b"file does not exist",
    errno.ETXTBSY: b"text busy",
    errno.EIO: b"input/output error",
    errno.EEXIST: b"file already exists",
    errno.ETIMEDOUT: b"timed out",
    errno.EINPROGRESS: b"operation in progress",
    errno.EAGAIN: b"temporary failure",
    errno.EPIPE: b"broken pipe",
    errno.EPERM: b"permission denied",
    errno.EACCES: b"access denied",
    errno.ENXIO: b"device not configured",
    errno.EPROTO: b"protocol error",
    errno.EISDIR: b"is a directory",
    errno.ECONNREFUSED: b"connection refused",
    errno.ENOTDIR: b"not a directory",
    errno.ESRCH: b"no such process",
    errno.E2BIG: b"argument list too long",
    errno.ENOEXEC: b"exec format error",
    errno.EBADF: b"file descriptor not open",
    errno.ECHILD: b"no child processes",
    errno.EDEADLK: b"operation would cause deadlock",
    errno.EFAULT: b"bad address",
    errno.ENOTBLK: b"not a block device",
    errno.EBUSY: b"device busy",
    errno.EXDEV: b"cross-device link",
    errno.ENODEV: b"device does not support operation",
    errno.EINVAL: b"invalid argument",
    errno.ENFILE: b"system cannot open more files",
    errno.EMFILE: b"process cannot open more files",
    errno.ENOTTY: b"not a tty",
    errno.EFBIG: b"file too big",
    errno.ENOSPC: b"out of disk space",
    errno.ESPIPE: b"unseekable descriptor",
    errno.EROFS: b"read-only file system",
    errno.EMLINK: b"too many links",
    errno.EDOM: b"input out of range",
    errno.ERANGE: b"output out of range",
    errno.EALREADY: b"operation already in progress",
    errno.ENOTSOCK: b"not a socket",
    errno.EDESTADDRREQ: b"destination address required",
    errno.EMSGSIZE: b"message too long",
    errno.EPROTOTYPE: b"incorrect protocol type",
    errno.ENOPROTOOPT: b"protocol not available",
    errno.EPROTONOSUPPORT: b"protocol not supported",
    errno.ESOCKTNOSUPPORT: b"socket type not supported",
    errno.EOPNOTSUPP: b"operation not supported",
    errno.EPFNOSUPPORT: b"protocol family not supported",
    errno.EAFNOSUPPORT: b"address family not supported",
    errno.EADDRINUSE: b"address already used",
    errno.EADDRNOTAVAIL: b"address not available",
    errno.ENETDOWN: b"network down",
    errno.ENETUNREACH: b"network unreachable",
    errno.ENETRESET: b"network reset",
    errno.ECONNABORTED: b"connection aborted",
    errno.ECONNRESET: b"connection reset",
    errno.ENOBUFS: b"out of buffer space",
    errno.EISCONN: b"already connected",
    errno.ENOTCONN: b"not connected",
    errno.ESHUTDOWN: b"socket shut down",
    errno.ETOOMANYREFS: b"too many references",
    errno.ELOOP: b"symbolic link loop",
    errno.ENAMETOOLONG: b"file name too long",
    errno.EHOSTDOWN: b"host down",
    errno.EHOSTUNREACH: b"host unreachable",
    errno.ENOTEMPTY: b"directory not empty",
    errno.EUSERS: b"too many users",
    errno.EDQUOT: b"disk quota exceeded",
    errno.ESTALE: b"stale NFS file handle",
    errno.EREMOTE: b"too many levels of remote in path",
    errno.ENOLCK: b"no locks available",
    errno.ENOSYS: b"system call not available",
    errno.ENOSTR: b"not a stream device",
    errno.ETIME: b"timer expired",
    errno.ENOSR: b"out of stream resources",
    errno.ENOMSG: b"no message of desired type",
    errno.EBADMSG: b"bad message type",
    errno.EIDRM: b"identifier removed",
    errno.ENONET: b"machine not on network",
    errno.ENOLINK: b"link severed",
    errno.EADV: b"advertise error",
    errno.ESRMNT: b"srmount error",
    errno.ECOMM: b"communication error",
    errno.EMULTIHOP: b"multihop attempted",
    errno.EREMCHG: b"remote address changed",
}


def error_text(number: int | None) -> bytes:
    """daemontools' text for an errno (`OSError.errno`, so None is possible)."""
    return _TEXTS.get(number or 0, b"unknown error")


def one_line(name: bytes) -> bytes:
    """A name as it may stand in a log's line: what cannot be printed becomes `?`.

    A folder's name is chosen by whoever may write to /service; it must be able neither to forge a
    second line nor to speak to a terminal, in UTF-8 or in one of the older encodings."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return name
    return "".join(letter if letter.isprintable() else "?" for letter in text).encode()
