"""A svscan whose services end and are started again, as often as is asked for, and what it holds before and
after that.

They end as soon as they have said a byte, which is how they are counted, and are started again a second
later. The first WARM restarts of each are not counted: until then svscan grows to its size.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from common import processor_s
from hosts import Unfit

WARM = 3
RSS, PRIVATE, DESCRIPTORS, CHILDREN = "RSS, KB", "private memory, KB", "descriptors", "children"


@dataclass(frozen=True, slots=True)
class Restarted:
    """What svscan held before and after `restarts` restarts of `services`, and its processor time for one."""

    services: int
    restarts: int
    before: dict[str, int]
    after: dict[str, int]
    work_ms: float
    took_s: float

    def grown(self, what: str) -> int:
        return self.after[what] - self.before[what]


def restart(commands: Path, restarts: int, services: int) -> Restarted:
    """Raises Unfit."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(services):
            service = Path(folder) / f"service-{number}"
            service.mkdir()
            # Without words it writes the end of a line.
            (service / "run").symlink_to("/bin/echo")
        read_fd, write_fd = os.pipe()
        host = subprocess.Popen([commands / "svscan", folder], stdout=write_fd, start_new_session=True)
        os.close(write_fd)
        try:
            # On a busy machine the first have said more than that before the last is there.
            while any(not (service / "supervise/status").exists() for service in Path(folder).iterdir()):
                await_lines(read_fd, 1)
            await_lines(read_fd, WARM * services)
            began, worked_s = time.monotonic(), processor_s(host.pid)
            before = held(host.pid)
            await_lines(read_fd, restarts)
            work_ms = (processor_s(host.pid) - worked_s) * 1000 / restarts
            took_s = time.monotonic() - began
            after = held(host.pid)
        finally:
            host.send_signal(signal.SIGTERM)
            os.close(read_fd)
            host.wait()
    return Restarted(services, restarts, before, after, work_ms, took_s)


def await_lines(fd: int, count: int) -> None:
    while count > 0:
        said = os.read(fd, 65536)
        if not said:
            raise Unfit("svscan has ended")
        count -= len(said)


def held(pid: int) -> dict[str, int]:
    """At a moment at which little is held that is not held always."""
    looks = [look(pid) for _ in range(20)]
    return {what: min(each[what] for each in looks) for what in looks[0]}


def look(pid: int) -> dict[str, int]:
    time.sleep(0.01)
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, private = (
        int(found[1]) if (found := re.search(rf"^{name}:\s+(\d+)", rollup, re.M)) else 0
        for name in ("Rss", "Anonymous")
    )
    return {
        RSS: rss,
        PRIVATE: private,
        DESCRIPTORS: len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        CHILDREN: len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()),
    }
