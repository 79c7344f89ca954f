"""A machine with a kernel of its own: qemu, Debian's kernel for clouds, and a disk whose root file system
is the minimal Debian that bootstrap has made, with svpy in it.

qemu computes every instruction (tcg): what takes a second here takes some five there. A kernel that
panics restarts at once (`panic=-1`), and every restart is qemu's end (`-no-reboot`)."""

from __future__ import annotations

import compileall
import json
import os
import platform
import py_compile
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import svpy
from support import minimal
from support.processes import Running, run

KERNEL = Path(os.environ.get("SVPY_KERNEL", "/var/cache/svpy/kernel/vmlinuz"))
TREE = Path(__file__).parent.parent.parent
SIZE = "600M"
BOOT_S = 240.0
"""For what comes after a boot: a quiet machine needs ten seconds for it."""


def missing() -> str:
    """Why there can be none here, or nothing."""
    if platform.machine() != "x86_64":
        return f"needs a kernel for {platform.machine()}: bootstrap has one for x86_64 only"
    if not KERNEL.exists():
        return f"needs the kernel that ./bootstrap test unpacks, {KERNEL}"
    return minimal.missing("qemu-system-x86_64", "mke2fs", "dumpe2fs")


def install(layer: Path) -> None:
    """Put svpy where its Debian package has it, and the scripts of svpy-init, into a folder that will lie
    over the root."""
    modules = Path(shutil.copytree(Path(svpy.__file__).parent, layer / "usr/share/svpy/svpy"))
    # There the root file system is read-only when svpy starts.
    compileall.compile_dir(
        modules, quiet=1, stripdir=layer, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    (layer / "usr/bin").mkdir()
    done = run(TREE / "packaging/launchers", layer / "usr/bin", "/usr/bin/python3", "/usr/share/svpy")
    assert done.returncode == 0, done.stderr
    (layer / "usr/sbin").mkdir()
    (layer / "usr/sbin/svpy-init").symlink_to("../bin/svpy-init")
    (layer / "etc/svpy").mkdir(parents=True)
    for name in ("rc.init", "rc.shutdown"):
        shutil.copy(TREE / "units" / name, layer / "etc/svpy")


def make_disk(layer: Path, disk: Path) -> None:
    """A disk image with an ext4 file system: the minimal root with `layer` over it."""
    program = """
mount -t overlay -o "lowerdir=$1:$2" none "$3" && truncate -s "$5" "$4" && mke2fs -q -t ext4 -d "$3" "$4"
"""
    merged = layer.parent / "merged"
    merged.mkdir()
    words = ("sh", layer, minimal.ROOT, merged, disk, SIZE)
    done = run("unshare", "--mount", "--propagation", "private", "sh", "-c", program, *words)
    assert done.returncode == 0, done.stderr


def disk_state(disk: Path) -> dict[str, str]:
    """What dumpe2fs says of the file system, by name."""
    lines = run("dumpe2fs", "-h", disk).stdout.decode().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Virtual(Running):
    """A boot. Its serial console is its output and, where `typed` is used, its input."""

    def __init__(self, disk: Path, *words: str, init: str = "/sbin/svpy-init") -> None:
        """`words` go to the kernel's command line."""
        self._answered = 0
        self._qmp = disk.with_suffix(".qmp")
        kernel = f"console=ttyS0 quiet panic=-1 mitigations=off root=/dev/nvme0n1 ro init={init}"
        super().__init__(
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-m", "512", "-smp", "2",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-qmp", f"unix:{self._qmp},server=on,wait=off",
            "-kernel", KERNEL, "-append", " ".join([kernel, *words]),
            "-drive", f"file={disk},if=none,id=disk,format=raw", "-device", "nvme,drive=disk,serial=1",
            stdin=subprocess.PIPE,
        )  # fmt: skip

    def told(self, containing: str) -> str:
        """The console's first line that contains this, from there on, whatever came meanwhile: who speaks on
        a console does not wait for others."""
        until = time.monotonic() + BOOT_S
        while not (found := re.search(re.escape(containing.encode()) + rb"[^\r\n]*[\r\n]", self.said)):
            self._more(until, containing.encode())
        return found[0].decode(errors="replace").strip()

    def asked(self, question: str) -> None:
        """Wait for the next prompt of that kind; services may say something in the middle of its line."""
        until = time.monotonic() + BOOT_S
        while (at := self.said.find(question.encode(), self._answered)) < 0:
            self._more(until, question.encode())
        self._answered = at + len(question)

    def typed(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()

    def ctrl_alt_delete(self) -> None:
        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        with socket.socket(socket.AF_UNIX) as qmp:
            qmp.settimeout(BOOT_S)
            qmp.connect(str(self._qmp))
            with qmp.makefile("rw") as stream:
                stream.readline()
                for request in (
                    {"execute": "qmp_capabilities"},
                    {"execute": "send-key", "arguments": {"keys": keys}},
                ):
                    stream.write(json.dumps(request) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        assert "error" not in answer, answer
