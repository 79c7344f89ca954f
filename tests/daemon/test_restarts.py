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
from svpy.system.children import More, Starter

WARM_UP = 500


@pytest.fixture(autouse=True)
def same_signal_mask() -> Iterator[None]:
    """supervise ends with its signals blocked, which a process that goes on must undo."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.mark.parametrize(
    ("restarts", "scripts"),
    [(10_000, []), (2_000, ["start", "stop", "notify"])],
    ids=["run alone", "all scripts"],
)
async def test_no_task_timer_descriptor_or_memory_is_left(
    services: Services, monkeypatch: pytest.MonkeyPatch, restarts: int, scripts: list[str]
) -> None:
    """The daemon's own code in this process, with real children; only the second between two starts
    is taken out, which would make this last three hours. With scripts it is told again and again to
    run once, so that each life has all of them."""
    monkeypatch.setattr(machine, "START_INTERVAL_S", 0.0)
    folder = services.make("a")
    (folder / "run").unlink()
    for name in ("run", *scripts):
        (folder / name).symlink_to("/bin/true")
    monkeypatch.chdir(folder)
    starts = 0
    spawned: set[bytes] = set()
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
            more: More | None = None,
        ) -> int:
            nonlocal starts
            starts += script == b"run"
            spawned.add(script)
            if starts == WARM_UP:
                warm.set()
            if starts == restarts:
                reached.set()
            return super().start(folder_fd, stdin_fd, stdout_fd, script, words, more)

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

    async def again_and_again() -> None:
        while True:
            for hosted in supervisor._by_control.values():
                if not hosted.service.pid and not hosted.service.due:
                    supervisor.command(hosted, b"o")
            await trio.sleep(0.0005)

    with trio.fail_after(300):
        async with trio.open_nursery() as asking:
            if scripts:
                asking.start_soon(again_and_again)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervise, supervisor, b"a")
                await warm.wait()
                before, before_kb = held(), memory_kb(os.getpid())
                await reached.wait()
                after, after_kb = held(), memory_kb(os.getpid())
                hosted = next(iter(supervisor._by_control.values()))
                supervisor.command(hosted, b"dx")
            asking.cancel_scope.cancel()
    os.close(home_fd)
    assert starts >= restarts
    assert spawned == {b"run", *(name.encode() for name in scripts)}
    assert after == before
    assert after_kb - before_kb < 600, f"RSS grew by {after_kb - before_kb} kB"
