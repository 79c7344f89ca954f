"""A terminal of the test's own, with a command in it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import time
from pathlib import Path

from support.processes import DEADLINE_S, Running, environment


class Terminal(Running):
    """`with Terminal("svtop", folder) as terminal: …`: stdin, stdout and stderr are a terminal; what is shown
    is read as Running reads what is said, and `type` is the keyboard."""

    def __init__(
        self,
        *argv: str | bytes | Path,
        columns: int = 80,
        lines: int = 24,
        term: str = "xterm-256color",
        **more: object,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))
        env = {**environment(TERM=term, LANG="C.UTF-8"), **more.pop("env", {})}  # type: ignore[dict-item]
        ends = {"stdin": slave, "stdout": slave, "stderr": slave}
        options = {"start_new_session": True, "preexec_fn": own_terminal, **ends, **more}
        super().__init__(*argv, env=env, **options)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process.stdout = os.fdopen(os.dup(self._master), "rb", buffering=0)
        os.close(slave)

    def _more(self, until: float, wanted: bytes) -> None:
        try:
            super()._more(until, wanted)
        except OSError:  # Nobody has the other end any more.
            raise EOFError(f"waiting for {wanted!r}, it ended after {self.said!r}") from None

    def shows(self, text: bytes) -> None:
        """Wait until it has shown something since the last time it was waited for."""
        until = time.monotonic() + DEADLINE_S
        while text not in self._partial:
            self._more(until, text)
        self._partial = self._partial.partition(text)[2]

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Nobody sits there any more."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._master)
        self._master = -1

    def __exit__(self, *raised: object) -> None:
        try:
            super().__exit__(None, None, None)
        finally:
            if self._master >= 0:
                os.close(self._master)


def own_terminal() -> None:
    """Who loses it is told so."""
    for fd in (0, 1, 2):
        if os.isatty(fd):
            fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
            return
