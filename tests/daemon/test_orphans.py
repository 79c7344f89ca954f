"""A flood of children that are not svscan's services: nothing is lost in it, nobody waits for its end."""

from __future__ import annotations

import os
import re
from pathlib import Path

from support.processes import eventually
from support.services import Services, script, svscan

ORPHANS = Path(__file__).parent.parent.parent / "bench/orphans"
CODES = range(1, 6)
MANY = 1000


def made(pid: int) -> int:
    """How many times a process has waited: the flood does for each child that it makes."""
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return int(found[1])


def test_nothing_is_lost_in_a_flood_of_orphans(services: Services) -> None:
    """They come as children of svscan's own, thousands a second, while services end and start."""
    for code in CODES:
        new = services.prepare(str(code))
        script(new / "run", "read code <gate; exit $code")
        script(new / "notify", 'echo "$2 $4" >>notes')
        os.mkfifo(new / "gate")
        new.rename(services.folder / str(code))
    services.make("flood", run=f"exec /usr/bin/python3 {ORPHANS} 1000000000")
    with svscan(services) as daemon:
        flood = services.up("flood")
        eventually(lambda: made(flood) > MANY)
        for code in CODES:
            folder, pid = services.folder / str(code), services.up(str(code))
            (folder / "gate").write_text(f"{code}\n")
            eventually(lambda folder=folder, code=code: f"exit {code}\n" in (folder / "notes").read_text())
            services.up(str(code), since=pid)
            services.svc("-d", str(code))
            eventually(lambda code=code: services.pid(str(code)) == 0)
        so_far = made(flood)
        eventually(lambda: made(flood) > so_far + MANY)
        services.svc("-d", "flood")
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
        eventually(lambda: children.read_text() == "", "all are reaped")


def test_a_flood_does_not_hold_up_the_end(services: Services) -> None:
    services.make("flood", run=f"exec /usr/bin/python3 {ORPHANS} 1000000000")
    with svscan(services) as daemon:
        flood = services.up("flood")
        eventually(lambda: made(flood) > MANY)
        assert daemon.stop() == 0
