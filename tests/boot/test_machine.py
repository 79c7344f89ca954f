"""svpy-init on a real kernel: it boots, its scripts do what they say, and a machine ends as it was told to.

Boots are dear, so each looks at many things. They are boots of one disk, one after the other, and what a
boot does is in /root, in a script that the kernel's command line names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import virtual
from support.machine import BREAKS_ONCE
from support.services import script
from support.virtual import Virtual, disk_state

why_not = virtual.missing()
pytestmark = pytest.mark.skipif(bool(why_not), reason=why_not)

TELL = """
trap 'echo tell: told to end; exit' TERM
echo "tell: up"
. "/root/${scene:-nothing}"
echo "tell: done"
while :; do sleep 1; done
"""
LOOKS = """
sed 's/^/tell: mount /' /proc/self/mounts
echo "tell: hostname $(hostname), lo $(cat /sys/class/net/lo/flags), PID 1 $(cat /proc/1/comm)"
echo "tell: controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "tell: stdin $(readlink /proc/self/fd/0), umask $(umask)"
unshare --pid --fork --mount-proc /etc/svpy/rc.shutdown reboot
echo "tell: a container's rc.shutdown exited $?, / is $(findmnt -n -o OPTIONS /)"
setsid sh -c 'trap "" TERM; exec >/dev/console; echo "tell: deaf"; while :; do sleep 1; done' &
"""
LIMITED = """
ulimit -Sn 512
ulimit -Hn 50000
echo -700 >/proc/self/oom_score_adj
exec svscan /root/limited
"""
LIMITS = """
echo "limited: nofile $(ulimit -Sn) of $(ulimit -Hn), oom score $(cat /proc/self/oom_score_adj)"
echo "limited: svscan's $(awk '/^Max open files/ { print $4 " of " $5 }' /proc/$PPID/limits),\\
 oom score $(cat /proc/$PPID/oom_score_adj)"
exec sleep 1000
"""

BREAKS = f"""#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/usr/share/svpy")
{BREAKS_ONCE}
from svpy.commands.svpy_init import main
main()
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("machine")
    layer = folder / "layer"
    virtual.install(layer)
    (layer / "etc/hostname").write_text("# who we are\nsvpy-machine\n")
    (layer / "etc/fstab").write_text(
        "/dev/nvme0n1 / ext4 errors=remount-ro 0 1\nnone /mnt tmpfs size=1m 0 0\n"
    )
    # Nobody needs a password here.
    shadow = (virtual.minimal.ROOT / "etc/shadow").read_text()
    (layer / "etc/shadow").write_text(shadow.replace("root:*:", "root::").replace("root:!:", "root::"))
    (layer / "root/limited/inner").mkdir(parents=True)
    (layer / "root/nothing").touch()
    (layer / "root/looks").write_text(LOOKS)
    (layer / "root/unsettles").write_text("rm /etc/svpy/rc.init\n")
    script(layer / "usr/sbin/breaks", BREAKS)
    for name, text in (
        ("service/tell", TELL),
        ("service/limited", LIMITED),
        ("service/getty-ttyS0", "exec pgrphack agetty ttyS0 vt102"),
        ("root/limited/inner", LIMITS),
    ):
        (layer / name).mkdir(parents=True, exist_ok=True)
        script(layer / name / "run", text)
    path = folder / "disk"
    virtual.make_disk(layer, path)
    yield path
    path.unlink()


def test_a_machine_from_its_first_process_to_its_last(disk: Path) -> None:
    """Boot 1: what rc.init sets up, a login, limits that a namespace has no right to, power off."""
    with Virtual(disk, "scene=looks") as machine:
        assert machine.told("limited: nofile") == "limited: nofile 512 of 50000, oom score 0"
        svscan = machine.told("limited: svscan's")
        assert svscan == "limited: svscan's 50000 of 50000, oom score -700"
        machine.told("tell: done")
        machine.told("tell: deaf")
        machine.asked("svpy-machine login: ")
        machine.typed("root")
        machine.asked(":~# ")
        machine.typed("svpy shutdown -p")
        machine.told("tell: told to end")
        machine.told("svpy-init: poweroff: all processes are told to end")
        machine.told("svpy-init: warning: unable to end all processes with TERM: sending KILL")
        machine.told("reboot: Power down")
        machine.wait(virtual.BOOT_S)
        said = machine.said.decode(errors="replace").replace("\r\n", "\n")
    mounts = {tuple(line.split()[3:5]) for line in said.splitlines() if line.startswith("tell: mount ")}
    assert mounts == {
        ("/", "ext4"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"), ("/run", "tmpfs"), ("/sys/fs/cgroup", "cgroup2"), ("/mnt", "tmpfs"),
    }  # fmt: skip
    assert "tell: hostname svpy-machine, lo 0x9, PID 1 svpy-init\n" in said
    assert "memory" in said.partition("tell: controllers ")[2].partition("\n")[0].split()
    assert "tell: stdin /dev/null, umask 0022\n" in said
    assert "tell: a container's rc.shutdown exited 0, / is rw," in said
    assert "warning: unable to" not in said.replace("unable to end all processes with TERM", "")
    assert "needs_recovery" not in disk_state(disk)["Filesystem features"]
    assert disk_state(disk)["Filesystem state"] == "clean"


def test_an_exception_does_not_reach_the_kernel_and_ctrl_alt_delete_restarts(disk: Path) -> None:
    """Boot 2."""
    with Virtual(disk, "scene=unsettles", init="/sbin/breaks") as machine:
        machine.told("svpy-init: warning: unexpected SystemExit: not so in ")
        machine.told("tell: done")
        machine.ctrl_alt_delete()
        machine.told("tell: told to end")
        machine.told("svpy-init: reboot: all processes are told to end")
        machine.told("reboot: Restarting system")
        machine.wait(virtual.BOOT_S)
    assert "needs_recovery" not in disk_state(disk)["Filesystem features"]


def test_without_rc_init_a_machine_can_still_be_ended(disk: Path) -> None:
    """Boot 3: nothing is mounted, / is read-only, no service can run, and PID 1 is there."""
    with Virtual(disk) as machine:
        machine.told("svpy-init: warning: unable to run /etc/svpy/rc.init: file does not exist")
        machine.told("svpy-init: warning: unable to")
        machine.ctrl_alt_delete()
        machine.told("reboot: Restarting system")
        machine.wait(virtual.BOOT_S)
        assert b"panic" not in machine.said
