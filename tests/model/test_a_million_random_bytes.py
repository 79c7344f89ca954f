"""A million random bytes into the control fifos of services under one svscan.

Among them is every letter: services are started, paused, killed and told to leave at random. What
left is taken up again by the next scan, as long as its folder is there; so nothing has to be brought
back by hand but what was told to stay down, paused or to leave."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import termios
from pathlib import Path

from support.processes import Running, eventually, run
from support.services import Services, descriptors, memory_kb, svscan

SERVICES = 60
TOTAL_BYTES = 1_000_000
PIECE_BYTES = 4000
GROWTH_KB = 600
"""RSS moves by some hundred kB with the moment it is read; a leak of one byte a byte would be 1000 kB,
one of a small object for each letter known (one byte in seventeen) more than 3000 kB."""


def unread_bytes(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")


def flood(daemon: Running, fifos: list[int], total_bytes: int, chance: random.Random) -> None:
    """Write that many in all, and see that every one is read; HUP makes svscan look for what has left."""
    for fd in fifos:
        left = total_bytes // len(fifos)
        while left:
            left -= os.write(fd, chance.randbytes(min(left, PIECE_BYTES)))

    read_to_the_end(daemon, fifos)


def read_to_the_end(daemon: Running, fifos: list[int]) -> None:
    def all_read() -> bool:
        daemon.signal(signal.SIGHUP)
        return not any(unread_bytes(fd) for fd in fifos)

    eventually(all_read)


def bring_back(daemon: Running, services: Services, names: list[str], fifos: list[int]) -> None:
    """All leave (TERM and CONT end what is up, paused or not) and begin a new life, normally up."""
    run("svc", "-dx", *names, cwd=services.folder)
    # Those that have left are told when they are taken up again.
    read_to_the_end(daemon, fifos)

    def all_up() -> bool:
        daemon.signal(signal.SIGHUP)
        return up_and_wanted(services, names)

    eventually(all_up)


def up_and_wanted(services: Services, names: list[str]) -> bool:
    said = run("svstat", *names, cwd=services.folder).stdout.splitlines()
    return all(b": up (pid " in line and line.endswith(b" seconds") for line in said)


def test_svscan_lives_answers_and_does_not_grow(services: Services) -> None:
    names = [f"{number:02}" for number in range(SERVICES)]
    for name in names:
        services.make(name)
    chance = random.Random(3)
    with svscan(services) as daemon:
        eventually(lambda: up_and_wanted(services, names))
        # Opened for both: what is written is kept while nobody supervises the folder.
        controls = [Path(services.folder, name, "supervise/control") for name in names]
        fifos = [os.open(control, os.O_RDWR | os.O_NONBLOCK) for control in controls]
        flood(daemon, fifos, TOTAL_BYTES // 10, chance)
        bring_back(daemon, services, names, fifos)
        before, before_kb = descriptors(daemon.pid), memory_kb(daemon.pid)

        flood(daemon, fifos, TOTAL_BYTES, chance)
        bring_back(daemon, services, names, fifos)
        after_kb = memory_kb(daemon.pid)
        assert descriptors(daemon.pid) == before
        assert after_kb - before_kb < GROWTH_KB, f"RSS {before_kb} kB before, {after_kb} kB after"

        lives = {name: services.pid(name) for name in names}
        services.svc("-p", *names)
        assert all(services.state(name).endswith(", paused") for name in names[:5])
        services.svc("-ck", *names)
        eventually(lambda: all(services.pid(name) not in (0, lives[name]) for name in names))
        for fd in fifos:
            os.close(fd)
        assert daemon.stop() == 0
        assert daemon.said + daemon.rest() == b""
    print(f"RSS {before_kb} kB before, {after_kb} kB after")
