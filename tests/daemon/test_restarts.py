"""Ten thousand restarts leave nothing behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import trio
from support.services import Services, memory_kb

from svpy.core import service as machine
from svpy.daemon.supervise import supervise
from svpy.daemon.supervisor import Supervisor
from svpy.system import folders
from svpy.system.children import Starter

RESTARTS = 10_000
WARM_UP = 500


@pytest.fixture(autouse=True)
def same_signal_mask() -> Iterator[None]:
    """supervise ends with its signals blocked, which a process that goes on must undo."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


async def test_no_task_timer_descriptor_or_memory_is_left(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon's own code in this process, with real children; only the second between two starts
    is taken out, which would make this last three hours."""
    monkeypatch.setattr(machine, "START_INTERVAL_S", 0.0)
    folder = services.make("a")
    (folder / "run").unlink()
    (folder / "run").symlink_to("/bin/true")
    monkeypatch.chdir(folder)
    starts = 0
    reached = trio.Event()
    warm = trio.Event()

    class Counting(Starter):
        def start(
            self,
            folder_fd: int,
            stdin_fd: int,
            stdout_fd: int,
            script: bytes = b"run",
            words: tuple[bytes, ...] = (),
        ) -> int:
            nonlocal starts
            starts += script == b"run"
            if starts == WARM_UP:
                warm.set()
            if starts == RESTARTS:
                reached.set()
            return super().start(folder_fd, stdin_fd, stdout_fd, script, words)

    home_fd = folders.open_folder(b".")
    starter = Counting([b"PATH=/bin"], 1024, home_fd)
    supervisor = Supervisor(b"supervise", starter)

    def held() -> dict[str, int]:
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "timers": len(supervisor._wakes),
            "children": len(supervisor._by_pid),
        }

    with trio.fail_after(300):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, supervisor, b"a")
            await warm.wait()
            before, before_kb = held(), memory_kb(os.getpid())
            await reached.wait()
            after, after_kb = held(), memory_kb(os.getpid())
            hosted = next(iter(supervisor._by_control.values()))
            supervisor.command(hosted, b"dx")
    os.close(home_fd)
    assert starts >= RESTARTS
    assert after == before
    assert after_kb - before_kb < 600, f"RSS grew by {after_kb - before_kb} kB"
