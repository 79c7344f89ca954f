"""The last part of units/rc.init, the root file system, with other programs in the place of its own.

The first part is tested where it does what it says: tests/boot/test_machine.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.processes import run
from support.services import script

RC_INIT = Path(__file__).parent.parent.parent / "units/rc.init"
FIRST, LAST = "# What the kernel shows of itself.", "# The root file system"
FINDMNT = """case $* in
*FSTYPE*) echo ext4 ;;
*SOURCE*) echo "$DEVICE" ;;
*--fstab*) echo "$IN_FSTAB" ;;
*) echo "$IS" ;;
esac"""
DEVICE = next((str(path) for path in Path("/dev").iterdir() if path.is_block_device()), None)


def carried_out(tmp_path: Path, fsck: int = 0, helper: bool = True, **environ: str) -> tuple[int, list[str]]:
    """What its commands were, and what it said."""
    text = RC_INIT.read_text()
    words = (text.partition(FIRST)[0], f'kill() {{ echo "kill $*"; }}\n{LAST}', text.partition(LAST)[2])
    lines = "".join(words).splitlines()
    lines = [line for line in lines if not line.startswith(("PATH=", "export PATH"))]
    script(tmp_path / "rc", "\n".join(lines).replace("/etc/fstab", str(tmp_path / "fstab")))
    tools = {"findmnt": FINDMNT, "mount": 'echo "mount $*"', "fsck": f'echo "fsck $*"; exit {fsck}'}
    for name, does in {**tools, **({"fsck.ext4": ":"} if helper else {})}.items():
        script(tmp_path / name, does)
    done = run("/bin/sh", tmp_path / "rc", env={"PATH": str(tmp_path), "IS": "ro,relatime", **environ})
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()


def test_a_writable_root_is_left_alone(tmp_path: Path) -> None:
    assert carried_out(tmp_path, IS="rw,relatime", DEVICE="x") == (0, [])


def test_one_without_a_device_is_not_checked(tmp_path: Path) -> None:
    assert carried_out(tmp_path, DEVICE="server:/root") == (0, ["mount -o remount,rw /"])


def test_one_that_is_to_be_read_only_stays_so(tmp_path: Path) -> None:
    assert carried_out(tmp_path, DEVICE="server:/root", IN_FSTAB="defaults,ro") == (0, [])


@pytest.mark.skipif(DEVICE is None, reason="/dev has no block device")
@pytest.mark.parametrize(
    ("fsck", "code", "then"),
    [
        (0, 0, ["mount -o remount,rw /"]),
        (1, 0, ["mount -o remount,rw /"]),
        (3, 1, ["rc.init: fsck has corrected what was in use: rebooting", "kill -TERM 1"]),
        (
            4,
            1,
            [
                "rc.init: warning: unable to check /: fsck's exit code is 4",
                "rc.init: warning: unable to make / writable: it is damaged. Run fsck, then reboot",
            ],
        ),
    ],
)
def test_what_fsck_says_decides(tmp_path: Path, fsck: int, code: int, then: list[str]) -> None:
    assert DEVICE is not None
    ended, said = carried_out(tmp_path, fsck, DEVICE=DEVICE)
    assert (ended, sorted(said)) == (code, sorted([f"fsck -T -a {DEVICE}", *then]))


@pytest.mark.skipif(DEVICE is None, reason="/dev has no block device")
def test_one_that_nothing_here_can_check_is_not_damaged(tmp_path: Path) -> None:
    """util-linux's fsck says 8 then; a machine must be writable to be given what it lacks."""
    assert DEVICE is not None
    assert carried_out(tmp_path, 8, helper=False, DEVICE=DEVICE) == (0, ["mount -o remount,rw /"])


def test_the_others_are_checked_and_mounted(tmp_path: Path) -> None:
    (tmp_path / "fstab").write_text("x\n")
    assert carried_out(tmp_path, IS="rw", DEVICE="x") == (0, ["fsck -T -a -A -R -M", "mount -a"])
