"""Disks that do not answer, for tests of what goes on beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import deaddisk
from support.processes import Running


class DeadDisk(Running):
    """support/deaddisk.py at work; it is found at `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(sys.executable, "-I", deaddisk.__file__, folder, stdin=subprocess.PIPE)
        self.line(b"ready")
        self.folder = Path(f"/proc/{self.pid}/root{folder}")

    def silent(self, *requests: str) -> None:
        """From now on these requests get no answer, and all others do."""
        assert self.process.stdin is not None
        os.write(self.process.stdin.fileno(), " ".join(requests).encode() + b"\n")


@contextmanager
def dead_disk(folder: Path) -> Iterator[DeadDisk]:
    """Skips the test where there can be none."""
    folder.mkdir()
    if why := deaddisk.missing(folder):
        pytest.skip(why)
    with DeadDisk(folder) as disk:
        yield disk
