"""Hearing of changes in a folder: dnotify (fcntl(2), F_NOTIFY).

dnotify needs one fcntl and no library: the standard library has its constants. inotify would tell
names as well, which a scan does not need; the libraries for it are one more thing to install.
"""

import fcntl
import os
import select
import signal

SIGNAL = signal.SIGIO


def tell_changes(folder_fd: int) -> int:
    """From now on every name made, removed or renamed in the folder sends SIGIO to this process.

    Returns the descriptor this hangs on: closing any duplicate of it (os.listdir makes one) would
    end it. -1 where the kernel or the filesystem cannot do it:
    the scan every five seconds remains."""
    what = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT
    try:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError:
        return -1
    try:
        fcntl.fcntl(fd, fcntl.F_NOTIFY, what)
    except OSError:
        os.close(fd)
        return -1
    return fd


class Mounts:
    """Hears of changes in the table of mounts (proc(5), /proc/PID/mountinfo)."""

    def __init__(self) -> None:
        self._poll = select.poll()
        try:
            self._fd = os.open(b"/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1
        else:
            self._poll.register(self._fd, select.POLLPRI)

    def have_changed(self) -> bool:
        """Whether they may have since this was asked last. Always where nobody tells."""
        return self._fd < 0 or bool(self._poll.poll(0))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # As an epoll object does.
    __del__ = close
