"""svpy.service on a machine with a kernel of its own: what a namespace does not allow systemd to set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.booted import UNITS
from support.services import script
from support.virtual import Virtual, install, make_disk, missing

pytestmark = pytest.mark.skipif(bool(why := missing()), reason=why)

RUN = """
# Opened each time: whoever takes the console for a terminal hangs up what was open.
say() { echo "svpy-test: $*" >/dev/console; }
trap 'say last words; exit' TERM
[ -e again ] && start=second || start=first
say $start scores: $(cat /proc/self/oom_score_adj) $(cat /proc/$PPID/oom_score_adj)
say $start limits: $(ulimit -S -n) $(ulimit -H -n)
[ -e again ] || { : >again; exit; }
kill -9 $PPID
shows() { systemctl show -P $1 svpy; }
until [ "$(shows NRestarts) $(shows ActiveState) $(shows StatusText)" = "1 active 1 service, 1 up" ]; do
    sleep 0.1
done
say adopted: $$ $(svstat .)
systemctl --no-block poweroff
while :; do sleep 1; done
"""


def test_scores_limits_and_the_end_of_the_machine(tmp_path: Path) -> None:
    """The second start and what follows are svscan's, which has had its score back, and the next one's."""
    layer = tmp_path / "layer"
    install(layer)
    units = layer / "etc/systemd/system"
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(parents=True)
    shutil.copy(UNITS / "svpy.service", units)
    (wanted / "svpy.service").symlink_to("../svpy.service")
    (layer / "service/a").mkdir(parents=True)
    script(layer / "service/a/run", RUN)
    disk = tmp_path / "disk"
    make_disk(layer, disk)
    words = ("rw", "systemd.mask=serial-getty@ttyS0.service")
    with Virtual(disk, *words, init="/lib/systemd/systemd") as machine:
        for start in ("first", "second"):
            assert machine.told(f"svpy-test: {start} scores").endswith(": 0 -900")
            assert machine.told(f"svpy-test: {start} limits").endswith(": 1024 524288")
        _, _, pid, state = machine.told("svpy-test: adopted").split(maxsplit=3)
        assert state.startswith(f".: up (pid {pid}) ")
        machine.told("svpy-test: last words")
        machine.told("reboot: Power down")
        assert machine.wait() == 0
