"""What PID 1 of a machine asks of Linux."""

import _signal as signal  # type: ignore[import-not-found] # see system/entry.py
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CONSOLE = b"/dev/console"

# linux/reboot.h
_COMMANDS = {
    b"reboot": 0x01234567,
    b"halt": 0xCDEF0123,
    b"poweroff": 0x4321FEDC,
    b"ctrl-alt-del off": 0,
}


def reboot(command: bytes) -> None:
    """reboot(2): `reboot`, `halt` or `poweroff`, after which nothing is left to return to, or
    `ctrl-alt-del off`: from now on that is an INT to PID 1. Raises OSError (in a container EINVAL or
    EPERM)."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.reboot(ctypes.c_int(_COMMANDS[command])):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def in_child(work: "Callable[[], None]") -> int:
    """Begin something that may never come back, as a child: what a dead disk holds up, or what ends its
    process. Returns the child's pid; its exit code is 0 or the errno of the OSError that was raised."""
    pid = os.fork()
    if pid:
        return pid
    code = 255
    try:
        work()
        code = 0
    except OSError as error:
        code = error.errno or errno.EINVAL
    finally:
        os._exit(code)


def signal_all(name: str) -> None:
    """To every process but PID 1, which is us. That there is none is no error."""
    try:
        os.kill(-1, getattr(signal, "SIG" + name))
    except ProcessLookupError:
        pass


def has_children() -> bool:
    """Whether anything that is to be reaped by us lives or was not reaped yet. All that runs comes from
    PID 1 at last, but for the kernel's own threads."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def enter(folder: bytes) -> None:
    """Go there. Raises OSError."""
    os.chdir(folder)


def sync() -> None:
    """sync(2), which a dead disk holds up for ever."""
    os.sync()


def speak_to_console() -> None:
    """stdout and stderr are the console where it was not there yet when the kernel started us; stdin is
    empty: a service that reads must not take what is typed at a login. What cannot be opened stays."""
    for standard in (1, 2):
        # A place holder of descriptors.reserve_standard.
        if stat.S_ISDIR(os.fstat(standard).st_mode):
            _open_as(standard, CONSOLE, os.O_WRONLY)
    _open_as(0, b"/dev/null", os.O_RDONLY)


def _open_as(standard: int, path: bytes, flags: int) -> None:
    try:
        fd = os.open(path, flags | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return
    os.dup2(fd, standard)
    os.close(fd)


def close_all_others() -> None:
    """All descriptors but the standard three: one that is open for writing keeps its file system from being
    made read-only."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def read_line(path: bytes) -> bytes:
    """The first line of a small file, without blanks around it. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096).partition(b"\n")[0].strip()
    finally:
        os.close(fd)


def init_name() -> bytes:
    """What PID 1 calls itself, empty where that cannot be seen."""
    try:
        return read_line(b"/proc/1/comm")
    except OSError:
        return b""
