"""Which of very many descriptors have something to read."""

import os
import select


class Readable:
    """A set of descriptors in one epoll(7) set, which is itself readable when one of them is."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.fd = self._epoll.fileno()
        self._nudge_fd = -1

    def add(self, fd: int) -> None:
        """Raises OSError (ENOSPC: /proc/sys/fs/epoll/max_user_watches)."""
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """To be called before `fd` is closed."""
        self._epoll.unregister(fd)

    def ready(self) -> list[int]:
        """Those that can be read now, without waiting."""
        return [fd for fd, _ in self._epoll.poll(0) if fd != self._nudge_fd or self._pass_over()]

    def nudge(self) -> None:
        """Have the set become readable, for nothing. Raises OSError."""
        if self._nudge_fd < 0:
            self._nudge_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._epoll.register(self._nudge_fd, select.EPOLLIN)
        os.eventfd_write(self._nudge_fd, 1)

    def _pass_over(self) -> bool:
        os.eventfd_read(self._nudge_fd)
        return False


def is_readable(fd: int, within_s: float = 0) -> bool:
    """Whether a descriptor can be read now, or can soon. A pidfd can when its process has ended."""
    return _is_ready(fd, select.POLLIN, within_s)


def is_writable(fd: int, within_s: float = 0) -> bool:
    """Whether there is room in a pipe or connection now, or soon; also if nobody is there to read."""
    return _is_ready(fd, select.POLLOUT, within_s)


def _is_ready(fd: int, events: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(within_s * 1000))
