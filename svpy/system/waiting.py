"""Which of very many descriptors have something to read."""

import select


class Readable:
    """A set of descriptors in one epoll(7) set, which is itself readable when one of them is."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.fd = self._epoll.fileno()

    def add(self, fd: int) -> None:
        """Raises OSError (ENOSPC: /proc/sys/fs/epoll/max_user_watches)."""
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """To be called before `fd` is closed."""
        self._epoll.unregister(fd)

    def ready(self) -> list[int]:
        """Those that can be read now, without waiting."""
        return [fd for fd, _ in self._epoll.poll(0)]
