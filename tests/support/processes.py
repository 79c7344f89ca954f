"""Real processes, ended by their pid, waited for with a deadline."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

DEADLINE_S = 60.0
"""How long anything may take before a test gives up: far more than it needs, since two cores share it."""

BIN = Path(sys.executable).parent
"""Where the commands under test are installed: beside the interpreter that runs the tests."""

PATH = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TooLate(AssertionError):
    """Something did not happen before its deadline."""


def eventually(true: Callable[[], object], what: str = "", deadline_s: float = DEADLINE_S) -> None:
    """Wait until `true()` is, for what gives no event of its own (a file's content, a /proc entry). Where it
    looks at what is not there yet, it is not true yet."""
    until = time.monotonic() + deadline_s
    while True:
        missing: OSError | None = None
        try:
            if true():
                return
        except (FileNotFoundError, ProcessLookupError) as error:
            missing = error
        if time.monotonic() > until:
            raise TooLate(what or "condition did not become true") from missing
        time.sleep(0.003)


def environment(**more: str) -> dict[str, str]:
    """A small environment with the commands under test first on PATH."""
    return {"PATH": PATH, "HOME": "/", **more}


def run(*argv: str | bytes | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run to the end, output captured as bytes, never longer than the deadline."""
    settings: dict[str, object] = {
        "env": environment(),
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
        "timeout": DEADLINE_S,
        **options,
    }
    if "input" in options:
        del settings["stdin"]
    return subprocess.run(argv, **settings)  # type: ignore[call-overload,no-any-return]


class Running:
    """A process of the test's own: `with Running("svscan", folder) as svscan: …`.

    Its stdout is read by line with a deadline; at the end it is killed and reaped if it still lives.
    stderr goes into stdout unless told otherwise."""

    def __init__(self, *argv: str | bytes | Path, **options: object) -> None:
        settings: dict[str, object] = {
            "env": environment(),
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            **options,
        }
        self.process: subprocess.Popen[bytes] = subprocess.Popen(argv, **settings)  # type: ignore[call-overload]
        self.pid = self.process.pid
        self.said = b""
        self._partial = b""

    def line(self, containing: bytes = b"", deadline_s: float = DEADLINE_S) -> bytes:
        """The next line of stdout that contains something, without its newline."""
        until = time.monotonic() + deadline_s
        while True:
            found, newline, rest = self._partial.partition(b"\n")
            if newline:
                self._partial = rest
                if containing in found:
                    return found
                continue
            self._more(until, containing)

    def rest(self, deadline_s: float = DEADLINE_S) -> bytes:
        """All that is said until the end of its output."""
        until = time.monotonic() + deadline_s
        try:
            while True:
                self._more(until, b"the end of its output")
        except EOFError:
            rest, self._partial = self._partial, b""
            return rest

    def _more(self, until: float, wanted: bytes) -> None:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TooLate(f"waiting for {wanted!r}, it said {self.said!r}")
        data = os.read(fd, 65536)
        if not data:
            raise EOFError(f"waiting for {wanted!r}, it ended after {self.said!r}")
        self.said += data
        self._partial += data

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """The exit code (negative: the signal that killed it)."""
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise TooLate(f"{self.process.args!r} did not end; it said {self.said!r}") from None

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
