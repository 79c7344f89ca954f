"""What can be seen of a process from outside: a picture of it, in words that can be compared.

Nothing is left out but what no two processes have in common (pids, times, addresses, what they have used)
and what only the kernel's own view of an interpreter's memory tells. A number that names a pipe or a socket
becomes its name, if `names` has one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

Picture = dict[str, str]
"""What was seen, by what it is called."""

_STATUS = (
    *("Name", "Umask", "Uid", "Gid", "Groups", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"),
    *("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"),
    *("Speculation_Store_Bypass", "THP_enabled", "CoreDumping", "Cpus_allowed", "Mems_allowed"),
)
_FILES = (
    *("comm", "cgroup", "oom_score_adj", "loginuid", "sessionid", "personality", "timerslack_ns"),
    *("coredump_filter", "uid_map", "attr/current"),
)
_LINKS = ("cwd", "root")
_STAT = {"nice": 19, "priority": 18, "rt_priority": 40, "policy": 41, "tty": 7, "exit signal": 38}
"""Fields of /proc/PID/stat, as proc(5) numbers them."""
_FLAGS = {
    name: getattr(os, name) for name in ("O_APPEND", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "O_PATH")
}
_WAYS = ("reads", "writes", "reads and writes")
_ENDPOINT = re.compile(r"(pipe|socket):\[(\d+)\]")


def picture(pid: int, names: Mapping[str, str], leader: int) -> Picture:
    """`names` are those of open files (`pipe:[1]`), `leader` the pid that group and session are told beside.
    Raises FileNotFoundError, ProcessLookupError if it has ended meanwhile."""
    proc = Path(f"/proc/{pid}")
    fields = _fields(proc)
    seen = dict(_limits(proc))
    seen |= {f"status {name}": value for name, value in _status(proc).items()}
    seen |= {name: _content(proc / name) for name in _FILES}
    seen |= {name: os.readlink(proc / name) for name in _LINKS}
    seen |= {name: fields[number] for name, number in _STAT.items()}
    seen |= {f"namespace {name}": os.readlink(proc / "ns" / name) for name in os.listdir(proc / "ns")}
    is_svscans = _content(proc / "autogroup") == _content(Path(f"/proc/{leader}/autogroup"))
    seen["autogroup"] = "svscan's" if is_svscans else "another"
    # Who owns it in /proc is root where it may not be dumped.
    seen["owner"] = str(proc.stat().st_uid)
    seen["command line"] = repr((proc / "cmdline").read_bytes().rstrip(b"\0").split(b"\0"))
    seen["environment"] = repr((proc / "environ").read_bytes())
    seen["parent"] = _told(fields[4], pid, leader)
    seen["group"] = _told(fields[5], pid, leader)
    seen["session"] = _told(fields[6], pid, leader)
    seen["threads' names"] = " ".join(
        sorted((task / "comm").read_text().rstrip("\n") for task in (proc / "task").iterdir())
    )
    seen["children"] = " ".join(
        name
        for task in (proc / "task").iterdir()
        for child in (task / "children").read_text().split()
        for name in [Path(f"/proc/{child}/comm").read_text().rstrip("\n")]
    )
    others = []
    for fd in sorted(map(int, os.listdir(proc / "fd"))):
        told = _descriptor(proc, fd, names)
        if fd < 3 or "O_CLOEXEC" not in told:
            seen[f"descriptor {fd}"] = told
        else:
            others.append(told)
    # Their numbers are nobody's business: they stay with the process.
    seen["its own descriptors"] = "\n".join(sorted(others))
    return seen


def _status(proc: Path) -> dict[str, str]:
    lines = (proc / "status").read_text().splitlines()
    found = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {name: value for name, value in found.items() if name in _STATUS}


def _limits(proc: Path) -> Iterator[tuple[str, str]]:
    for line in (proc / "limits").read_text().splitlines()[1:]:
        found = re.match(r"Max (.*?)  +(\S+) +(\S+)", line)
        assert found is not None
        yield f"limit {found[1]}", f"{found[2]} {found[3]}"


def _fields(proc: Path) -> dict[int, str]:
    after = (proc / "stat").read_text().rpartition(")")[2].split()
    return dict(enumerate(after, start=3))


def _content(path: Path) -> str:
    try:
        return path.read_text().rstrip("\n\0")
    except OSError as error:
        return os.strerror(error.errno or 0)


def _told(number: str, pid: int, leader: int) -> str:
    return {str(pid): "itself", str(leader): "svscan"}.get(number, "another")


def _descriptor(proc: Path, fd: int, names: Mapping[str, str]) -> str:
    link = os.readlink(proc / "fd" / str(fd)).replace(f"{proc}/", "its ")
    found = re.search(r"flags:\s+(\d+)", (proc / "fdinfo" / str(fd)).read_text())
    assert found is not None
    flags = int(found[1], 8)
    words = [name for name, bit in _FLAGS.items() if flags & bit == bit]
    kind = stat.S_IFMT((proc / "fd" / str(fd)).stat().st_mode)
    if kind in (stat.S_IFIFO, stat.S_IFSOCK):
        end = _ENDPOINT.fullmatch(link)
        link = names.get(link, f"a {end[1]} of its own" if end else link)
    return " ".join([link, _WAYS[flags & os.O_ACCMODE], *words])
