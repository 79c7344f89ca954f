"""Where a service's logger keeps its log folders.

Rules of this module:

- what `log/run` says for certain (core/logwords.py) is so, whether the logger runs or not;
- of any other script what the running logger holds open counts: its process, or one below it, has the `lock`
  of a log folder, and the folder or its `current`. A process that has an epoll is no multilog but the host of
  many loggers, whose folders are not this one's alone;
- where that says nothing, a reading of the script with care;
- a logger that is a file, `log`, is run in its service's folder, `log/run` in `log`;
- what lies there was made by others: only a regular file is opened, whatever its name leads to, and no more
  of it is read than a script that is understood may be long.
"""

import errno
import os
import stat

from svpy.core.status import decode
from svpy.system.proc import children, names
from svpy.system.supervised import read_status

_MOST_PROCESSES = 64
_HOST = b"anon_inode:[eventpoll]"
_CURRENT = b"/current"
_LOCK = b"/lock"


def log_folders(folder: bytes, logger_pid: int) -> list[bytes]:
    """Absolute paths of the log folders of the logger of a service, in the order it has them; whether there
    is anything at them is another question. `logger_pid`: that of its process, 0 if it does not run.

    A path goes through what links lead there; none is resolved. Raises nothing: [] if nothing is known."""
    home, name = _home(absolute(folder))
    return _of(home, name, logger_pid) if home else []


def found_at(path: bytes) -> list[bytes]:
    """The log folders that a path stands for: those of the logger of a service, or of the logger whose own
    folder it is, or itself. A relative path stays one: what is above the current folder may be closed to us.
    [] if it is a service whose log folders are not known. Raises OSError if there is no folder."""
    if not stat.S_ISDIR(os.stat(path).st_mode):
        raise OSError(errno.ENOTDIR, "not a directory")
    is_log = _exists(path + _CURRENT)
    if _exists(path + b"/log") and not is_log:
        home, name = _home(path)
        return _of(home, name, _pid(path + (b"/log/supervise" if name == b"run" else b"/supervise/log")))
    found = _of(path, b"run", _pid(path + b"/supervise")) if _exists(path + b"/run") else [path]
    return found or ([path] if is_log else [])


def _pid(where: bytes) -> int:
    try:
        return decode(read_status(where)).pid
    except (OSError, ValueError):
        return 0


def _exists(path: bytes) -> bool:
    return os.access(path, os.F_OK)


def _of(home: bytes, name: bytes, logger_pid: int) -> list[bytes]:
    """The log folders of a logger that is run at `home` by a script of that name."""
    text = _script(home + b"/" + name)
    words, is_certain = _words(text) if text else ([], False)
    if not is_certain and logger_pid and (held := _held(logger_pid)):
        return held
    return [_joined(home, word) for word in words]


def absolute(path: bytes) -> bytes:
    """From the root on, nothing else changed: `..` behind a link leads elsewhere than its text says."""
    if path.startswith(b"/"):
        return path.rstrip(b"/") or b"/"
    try:
        return _joined(os.getcwdb(), path)
    except OSError:
        return path


def _joined(home: bytes, word: bytes) -> bytes:
    if word.startswith(b"/"):
        return word.rstrip(b"/") or b"/"
    parts = [part for part in word.split(b"/") if part not in (b"", b".")]
    return b"/".join([home.rstrip(b"/"), *parts]) or b"/"


def _home(folder: bytes) -> tuple[bytes, bytes]:
    """Where the logger is run, and its script's name there; nothing if there is no logger."""
    try:
        is_folder = stat.S_ISDIR(os.stat(folder + b"/log").st_mode)
    except (OSError, ValueError):
        return b"", b""
    return (folder + b"/log", b"run") if is_folder else (folder, b"log")


def _words(text: bytes) -> tuple[list[bytes], bool]:
    from svpy.core.logwords import folders  # It needs re.

    return folders(text)


def _script(path: bytes) -> bytes:
    """What a script says; nothing if it is too long to be one that is read, or cannot be read."""
    from svpy.core.logwords import MOST_BYTES

    try:
        fd = open_file(path)
    except OSError:
        return b""
    try:
        text = os.read(fd, MOST_BYTES + 1)
    except OSError:
        return b""
    finally:
        os.close(fd)
    return text if len(text) <= MOST_BYTES else b""


def open_file(path: bytes) -> int:
    """A regular file to read, wherever its name leads. What else it may lead to is not opened: that alone can
    set off a device. Raises OSError (EINVAL: it is something else)."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return os.open(b"/proc/self/fd/%d" % fd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(fd)


def _held(pid: int) -> list[bytes]:
    """The log folders that a process and those below it hold."""
    pids, found = [pid], []
    for each in pids:
        found += _held_by(each)
        pids += children(each)[: _MOST_PROCESSES - len(pids)]
    return list(dict.fromkeys(found))


def _held_by(pid: int) -> list[bytes]:
    """Those of one process: the lock that it holds is the one at that path, in our view of the filesystem."""
    where = b"/proc/%d/fd/" % pid
    links: dict[bytes, bytes] = {}
    for fd in sorted(names(where), key=lambda name: (len(name), name)):
        try:
            links.setdefault(os.readlink(where + fd), where + fd)
        except OSError:
            pass  # It has closed it.
    if _HOST in links:
        return []
    locked = [link.removesuffix(_LOCK) for link in links if link.endswith(_LOCK)]
    return [
        path
        for path in locked
        # Within a rotation there is no `current`.
        if (path in links or path + _CURRENT in links) and _is_same(links[path + _LOCK], path + _LOCK)
    ]


def _is_same(one: bytes, other: bytes) -> bool:
    try:
        return os.path.samestat(os.stat(one), os.stat(other, follow_symlinks=False))
    except OSError:
        return False
