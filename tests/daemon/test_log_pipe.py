"""A million numbered lines through a service and multilog, both killed again and again."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import eventually
from support.services import Daemon, Services, svscan

LINES = 1_000_000
LINES_A_LIFE = 125_000
CHUNK_LINES = 100

# Each life of the writer is a generation; its lines are numbered from 0. `progress` says how many it
# wrote for certain: a pipe takes up to 4096 bytes whole or not at all (pipe(7)), so the chunk that a
# KILL interrupts is there or is not.
WRITER = f"""#!{sys.executable} -I
import os, signal
generation = len(os.listdir("progress"))
progress = os.open(f"progress/{{generation}}", os.O_WRONLY | os.O_CREAT)
for first in range(0, {LINES_A_LIFE}, {CHUNK_LINES}):
    numbers = range(first, first + {CHUNK_LINES})
    lines = b"".join(b"%d %d %s\\n" % (generation, n, b"x" * (n % 13)) for n in numbers)
    assert len(lines) <= 4096
    os.write(1, lines)
    # Always as long as before: a reader that comes in between sees the old digits or the new.
    os.pwrite(progress, b"%07d" % (first + {CHUNK_LINES}), 0)
signal.pause()
"""
LOGGER = "exec multilog s16777215 n100 ./main"


def written(folder: Path) -> list[int]:
    """How many lines each generation wrote at least."""
    progress = folder / "progress"
    return [int((progress / str(n)).read_bytes() or b"0") for n in range(len(list(progress.iterdir())))]


def logged(folder: Path) -> bytes:
    """All that is in the log folder, in order."""
    main = folder / "log/main"
    names = sorted(name for name in os.listdir(main) if name.startswith("@"))
    return b"".join((main / name).read_bytes() for name in [*names, "current"])


def kill_and_kill(services: Services, signals: dict[str, list[str]], chance: random.Random) -> dict[str, int]:
    """Until LINES are written, send the service `a` and its logger one of their signals each, at
    different moments, once a start. Returns how often each half was killed."""
    folder = services.folder / "a"
    (folder / "progress").mkdir(exist_ok=True)
    last = dict.fromkeys(signals, 0)
    due: dict[str, float] = {}
    kills = dict.fromkeys(signals, 0)
    until = time.monotonic() + 120

    def turn() -> bool:
        for half, letters in signals.items():
            pid = services.pid(half)
            if pid not in (0, last[half]):
                last[half] = pid
                due[half] = time.monotonic() + chance.uniform(0.05, 0.6)
            elif half in due and time.monotonic() >= due[half]:
                del due[half]
                kills[half] += 1
                services.svc(f"-{chance.choice(letters)}", half)
        return sum(written(folder)) >= LINES

    eventually(turn, "a million lines", deadline_s=until - time.monotonic())
    return kills


def lines_of(data: bytes) -> Iterator[tuple[int, int]]:
    """(generation, number) of each whole line; a torn one is (-1, -1)."""
    for line in data.splitlines():
        match = re.fullmatch(rb"(\d+) (\d+) (x*)", line)
        whole = match is not None and len(match[3]) == int(match[2]) % 13
        yield (int(match[1]), int(match[2])) if match and whole else (-1, -1)


def stop(services: Services, daemon: Daemon) -> bytes:
    """Stop all in order when both halves are up. Returns what is in the log folder then."""
    eventually(lambda: services.pid("a") and services.pid("a/log"))
    assert daemon.stop() == 0
    return logged(services.folder / "a")


@pytest.mark.parametrize("letters", [["t"], ["t", "k"]], ids=["TERM", "TERM and KILL"])
def test_nothing_is_lost_while_loggers_end_by_themselves(services: Services, letters: list[str]) -> None:
    """The service is killed in both ways; multilog is sent TERM, on which it finishes its line."""
    folder = services.make("a", run=WRITER, log=LOGGER)
    with svscan(services) as daemon:
        kills = kill_and_kill(services, {"a": letters, "a/log": ["t"]}, random.Random(76))
        data = stop(services, daemon)
    assert min(kills.values()) >= 5, kills
    at = iter(lines_of(data))
    for generation, count in enumerate(written(folder)):
        for number in range(count):
            assert next(at) == (generation, number)
        # The chunk that a KILL met between the write and its note.
        if generation + 1 < len(written(folder)):
            at = _skip_unnoted(at, generation, count)


def _skip_unnoted(at: Iterator[tuple[int, int]], generation: int, count: int) -> Iterator[tuple[int, int]]:
    for number in range(count, count + CHUNK_LINES):
        found = next(at)
        if found != (generation, number):
            assert number == count, "a chunk is there or is not"
            yield found
            break
    yield from at


def test_a_killed_logger_loses_what_it_had_read_and_nothing_else(services: Services, runs: str) -> None:
    folder = services.make("a", run=WRITER, log=LOGGER)
    with svscan(services) as daemon:
        kills = kill_and_kill(services, {"a": ["t", "k"], "a/log": ["k"]}, random.Random(76))
        data = stop(services, daemon)
    assert min(kills.values()) >= 5, kills
    gaps = torn = 0
    last = (0, -1)
    for generation, number in lines_of(data):
        if generation < 0:
            torn += 1
            continue
        assert (generation, number) > last, "in order, and none twice"
        # Only the last chunk of a life may be unnoted; the next generation begins at 0.
        if (generation, number) not in ((last[0], last[1] + 1), (last[0] + 1, 0)):
            gaps += 1
        last = (generation, number)
    assert gaps <= kills["a/log"], "one tail for each logger killed"
    assert torn <= 2 * kills["a/log"]
    assert last[0] == len(written(folder)) - 1


def test_a_logger_that_is_down_holds_the_service_and_loses_nothing(services: Services) -> None:
    folder = services.make("a", run=WRITER, log=LOGGER)
    (folder / "progress").mkdir()
    (folder / "log/down").touch()
    with svscan(services) as daemon:
        services.up("a")
        eventually(lambda: sum(written(folder)) > 0)
        services.svc("-k", "a")
        eventually(lambda: len(written(folder)) == 2)
        services.svc("-u", "a/log")
        eventually(lambda: len(written(folder)) == 2 and written(folder)[1] == LINES_A_LIFE)
        os.kill(services.up("a"), signal.SIGKILL)
        data = stop(services, daemon)
    counts = [generation for generation, _ in lines_of(data)]
    assert -1 not in counts
    assert counts.count(1) == LINES_A_LIFE
    assert written(folder)[0] <= counts.count(0) <= written(folder)[0] + CHUNK_LINES


def test_a_logger_taken_up_again_reads_on_from_the_same_pipe(services: Services) -> None:
    """Left with `svc -dx` and found again by the next scan, while the service goes on writing."""
    folder = services.make(
        "a",
        run="echo ready >&2\nwhile :; do read line <>orders; echo $line; done",
        log="exec cat >>log",
        down=True,
    )
    os.mkfifo(folder / "orders")
    with svscan(services) as daemon:
        logger = services.up("a/log")
        services.svc("-u", "a")
        daemon.line(b"ready")
        pid = services.pid("a")
        expected = ""
        for line in ("one\n", "two\n", "three\n"):
            services.svc("-dx", "a/log")
            (folder / "orders").write_text(line)
            daemon.signal(signal.SIGHUP)
            expected += line
            eventually(lambda expected=expected: (folder / "log/log").read_text() == expected, line)
            logger = services.up("a/log", since=logger)
        assert services.pid("a") == pid
        assert daemon.stop() == 0


def test_a_service_taken_up_again_writes_into_the_same_pipe(services: Services) -> None:
    folder = services.make("a", run="echo life; echo ready >&2; exec sleep 1000", log="exec cat >>log")
    with svscan(services) as daemon:
        logger = services.up("a/log")
        for lives in (1, 2):
            daemon.line(b"ready")
            eventually(lambda lives=lives: (folder / "log/log").read_text() == "life\n" * lives)
            services.svc("-dx", "a")
            daemon.signal(signal.SIGHUP)
        daemon.line(b"ready")
        assert services.pid("a/log") == logger
        assert daemon.stop() == 0
    assert (folder / "log/log").read_text() == "life\n" * 3
