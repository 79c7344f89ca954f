"""Titles, in processes of their own: one that is changed cannot be changed back."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.processes import DEADLINE_S

PROGRAM = """
import sys
from svpy.system.environment import inherited
from svpy.system.title import become, hold
hold()
{change}
become(b"a-name-longer-than-comm", [b"x", eval(sys.argv[1])])
out = sys.stdout.buffer
for name in ("comm", "cmdline", "environ"):
    with open("/proc/self/" + name, "rb") as file:
        out.write(file.read().rstrip(b"\\0\\n") + b"|")
out.write(repr(inherited()).encode())
"""


def seen(word: str, env: dict[str, str], change: str = "") -> list[bytes]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(change=change), word],
        env=env,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.split(b"|")


@pytest.mark.parametrize("env", [{}, {"A": "1"}], ids=["empty", "one"])
@pytest.mark.parametrize("change", ["", "import os; os.putenv('A', '2'); os.putenv('B', '3' * 9000)"])
def test_become(env: dict[str, str], change: str) -> None:
    comm, cmdline, environ, inherited = seen("b'\\xff y'", env, change)
    assert comm == b"a-name-longer-t"
    assert cmdline == b"a-name-longer-than-comm\0x\0\xff y"
    assert environ == b"".join(b"%b=%b" % (k.encode(), v.encode()) for k, v in env.items())
    assert inherited == repr([environ] if environ else []).encode()


def test_a_title_too_long_is_cut_and_spares_the_environment() -> None:
    _, cmdline, environ, _ = seen("b'z' * 100_000", {"A": "1"})
    assert cmdline.startswith(b"a-name-longer-than-comm\0x\0zzz")
    assert len(cmdline) < 2000
    assert environ == b"A=1"


HELD = """
import os, resource, sys
from svpy.system import title
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), 4096))
def held():
    for fd in range(700):
        try:
            name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
        if name in ("comm", "mem"):
            print(fd, name)
title.hold()
held()
title.take(b"taken", [])
print("then")
held()
with open("/proc/self/comm") as file:
    print(file.read(), end="")
"""


@pytest.mark.parametrize(
    ("limit", "held"),
    [
        ("1024", ["512 comm", "513 mem", "then", "taken"]),
        ("250", ["64 comm", "65 mem", "then", "taken"]),
        ("60", ["then", "python"]),
    ],
)
def test_what_is_held_for_a_title_is_out_of_the_way(limit: str, held: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, limit], capture_output=True, timeout=DEADLINE_S, text=True
    )
    assert (done.stdout.splitlines()[: len(held) - 1], done.stderr) == (held[:-1], "")
    assert done.stdout.splitlines()[-1].startswith(held[-1])
