"""How readily the kernel kills this process when memory is short: /proc/self/oom_score_adj (proc(5))."""

import os

_PATH = b"/proc/self/oom_score_adj"


def own() -> int:
    """-1000, never, to 1000; 0 where it cannot be read."""
    try:
        fd = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(fd, 64))
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return 0


class Score:
    """Its own file, held open: it is set twice for every start.

    Whoever may not lower it (CAP_SYS_RESOURCE) may raise it, and lower it again to where someone who may
    has put it."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._fd = os.open(_PATH, os.O_WRONLY | os.O_CLOEXEC)

    def set(self, score: int) -> None:
        """Raises OSError."""
        os.write(self._fd, b"%d" % score)

    def close(self) -> None:
        os.close(self._fd)
