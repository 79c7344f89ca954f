"""Each chain loader in each surrounding a run script may give it: what the program then finds."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from support import namespaces
from support.chaintools import NOBODY, TOOLS, variables
from support.oracle import Scenario, Shows, each, judge

ENVIRONMENTS: dict[str, dict[str | bytes, str | bytes | None]] = {
    "LANG=C": {"LANG": "C"},
    "LC_ALL=C": {"LC_ALL": "C"},
    "LC_ALL=POSIX": {"LC_ALL": "POSIX"},
    "LC_CTYPE=C.UTF-8": {"LC_CTYPE": "C.UTF-8"},
    "LC_ALL-unknown": {"LC_ALL": "xx_YY.UTF-8", "LANG": ""},
    "not-utf8": {b"\xff\xfe": b"\xe9=\n\x80", "LATIN": b"caf\xe9", b"caf\xe9": "x"},
    "empty-values": {"EMPTY": "", "LINES": "a\nb\n", "EQUALS": "=a=b="},
    "python": {
        "PYTHONHOME": "/nonexistent",
        "PYTHONPATH": "/nonexistent:.",
        "PYTHONSTARTUP": "/nonexistent",
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "warn",
        "PYTHONWARNINGS": "error",
    },
}
CLOSED = {
    "+".join(map(str, which)): " ".join(f"{fd}<&-" for fd in which)
    for count in (1, 2, 3)
    for which in itertools.combinations((0, 1, 2), count)
}
# A shell that reads a duplicate or a nameless entry drops it: Python's own execve takes them as they are.
ODD_ENTRIES = """\
import ctypes, sys
words = [word.encode() for word in sys.argv[1:]]
entries = [b"PATH=" + b":".join((b"../tools", b"../bin", b"/usr/bin", b"/bin")), b"TWICE=1", b"TWICE=2",
    b"HOME=a", b"HOME=b", b"nothing", b"=nameless", b"", b"REMOVED=1", b"REMOVED=2", b"LAST=1"]
vector = lambda words: (ctypes.c_char_p * (len(words) + 1))(*words, None)
ctypes.CDLL(None).execve(b"../tools/" + words[0], vector(words), vector(entries))
"""
STATE: dict[str, str] = {
    "inherited-descriptors": "exec 5</dev/null 7>made 9<>/dev/null; TOOL see",
    "stdin-half-read": "printf 'one\\ntwo\\nthree\\n' >f; exec <f; read x; TOOL see; cat",
    "umask-077": "umask 077; TOOL see; TOOL sh -c 'mkdir d; echo >f'",
    "umask-0": "umask 0; TOOL see; TOOL mkdir d",
    "blocked-signals": "env --block-signal=USR1,TERM,CHLD TOOL see",
    "ignored-signals": "trap '' HUP INT QUIT TERM USR1 ALRM TSTP; TOOL see",
    "ignored-SIGCHLD": "env --ignore-signal=CHLD TOOL grep ^Sig[BI] /proc/self/status",
    "lower-hard-limits": "ulimit -n 100; ulimit -f 1000; ulimit -t 60; ulimit -s 4096; TOOL see",
    "soft-below-hard": "ulimit -S -n 40; ulimit -S -c 0; ulimit -S -s 1024; TOOL see",
    "oom-score": "echo 500 >/proc/self/oom_score_adj; TOOL see",
    "arguments": "TOOL printf '%s|' '' ' a  b ' '-n' '--' \"$(printf 'new\\nline')\" \"$(printf '\\351')\"",
    "exit-code": "TOOL sh -c 'exit 77'",
    "killed": "TOOL sh -c 'kill -9 $$'",
    "stdin-passes-through": "printf 'some\\ndata' | TOOL cat",
    "cwd-removed": "mkdir gone; cp -r e gone; cd gone; rm -r ../gone; TOOL see",
    "deep-cwd": 'd=$(printf "%0200d" 0); for i in 1 2 3 4 5; do mkdir $d; cp -r e $d; cd $d; done; TOOL see',
    "exec": "exec TOOL see",
    "leader-in-the-background": "TOOL see & wait $!",
    "by-relative-path": "../tools/TOOL see",
    "by-absolute-path": "$PWD/../tools/TOOL see",
}
AS_ROOT: dict[str, str] = {
    "groups": "setpriv --groups 1,2,3 TOOL see",
    "real-and-effective-differ": (
        "setpriv --ruid 65534 --rgid 65534 --clear-groups"
        " TOOL grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status"
    ),
    "ambient-capabilities": "setpriv --inh-caps +sys_nice,+sys_time --ambient-caps +sys_time TOOL see",
    "another-with-capabilities": (
        "chmod 777 .; setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all,+sys_nice"
        " --ambient-caps=+sys_nice TOOL see"
    ),
    "smaller-bounding-set": "setpriv --bounding-set -sys_time,-net_raw TOOL see",
    "no-new-privileges": "setpriv --no-new-privs TOOL see",
    "securebits": "setpriv --securebits +no_setuid_fixup,+noroot TOOL see",
}
WITHOUT_PROC: dict[str, dict[str | bytes, str | bytes | None]] = {
    "plain": {},
    "LANG=C": {"LANG": "C"},
    "LC_CTYPE=C.UTF-8": {"LC_CTYPE": "C.UTF-8"},
    "not-utf8": {b"\xff": b"\xe9"},
}
AS_NOBODY: dict[str, str] = {
    "plain": "TOOL see",
    "umask-077": "umask 077; TOOL see",
    "secret-cwd": "cd secret; TOOL see",
    "cwd-only-to-enter": "cd enter; TOOL see",
}
IGNORED_AT_START = (
    "CPython ignores SIGPIPE and SIGXFSZ before any code of ours runs: whether they were ignored already"
    " cannot be told any more, and default is what programs expect"
)


def with_tool(script: str, words: str) -> str:
    return script.replace("TOOL", words)


def everywhere(scene: Path) -> None:
    variables(scene)
    for name in ("secret", "enter"):
        (scene / name).mkdir()
        variables(scene / name)
    scene.chmod(0o777)


def shut(scene: Path) -> None:
    everywhere(scene)
    (scene / "secret").chmod(0o700)
    (scene / "enter").chmod(0o311)


def scenarios() -> list[Scenario]:
    rows = []
    for tool, words in TOOLS.items():
        base = Scenario("", prepare=variables, env={"REMOVED": "no", "LAST": "1"})
        for name, entries in ENVIRONMENTS.items():
            rows.append(base.but(name=f"{tool}-{name}", script=f"{words} see", env={**base.env, **entries}))
        rows.append(base.but(name=f"{tool}-env-i", argv=(f"../tools/{tool}", *words.split()[1:], "/bin/cat",
            "/proc/self/environ"), only_env={}))  # fmt: skip
        rows.append(
            base.but(
                name=f"{tool}-odd-entries",
                argv=(sys.executable, "-c", ODD_ENTRIES, *words.split(), "cat", "/proc/self/environ"),
            )
        )
        for name, redirections in CLOSED.items():
            rows.append(
                base.but(name=f"{tool}-closed-{name}", script=f"{words} see out {redirections}; cat out")
            )
        for name in ("2", "0+1+2"):
            script = f"{words} nonexistent {CLOSED[name]}; echo $?"
            rows.append(base.but(name=f"{tool}-fails-closed-{name}", script=script))
        for name, script in STATE.items():
            rows.append(base.but(name=f"{tool}-{name}", script=with_tool(script, words)))
        for name, script in AS_ROOT.items():
            rows.append(base.but(name=f"{tool}-{name}", script=with_tool(script, words), needs_root=True))
        for name, script in AS_NOBODY.items():
            rows.append(
                base.but(
                    name=f"{tool}-as-nobody-{name}",
                    script=with_tool(script, words),
                    prepare=everywhere if name == "umask-077" else shut,
                    user=NOBODY,
                )
            )
        rows.append(
            base.but(
                name=f"{tool}-ignored-SIGPIPE",
                script=f"trap '' PIPE XFSZ; {words} grep SigIgn /proc/self/status",
                differs=IGNORED_AT_START,
                ours=Shows(stdout=b"SigIgn:\t0000000000000000\n"),
                theirs=Shows(stdout=b"SigIgn:\t0000000001001000\n"),
            )
        )
        rows.append(base.but(name=f"{tool}-usage", script=tool))
        rows.append(base.but(name=f"{tool}-full-stderr", script=f"{words} nonexistent 2>/dev/full; echo $?"))
        rows.append(base.but(name=f"{tool}-no-reader", script=f"{words} yes | head -n 1"))
    return rows


def without_proc() -> list[Scenario]:
    """Where /proc is not mounted, nothing tells what CPython adds to the environment. It is covered: below
    a pid namespace's own there is the machine's."""
    return [
        Scenario(
            f"{tool}-without-proc-{name}",
            f"exec unshare --mount sh -c 'mount -t tmpfs none /proc; exec {words} env'",
            prepare=variables,
            env={"REMOVED": "no", **entries},
        )
        for tool, words in TOOLS.items()
        for name, entries in WITHOUT_PROC.items()
    ] + [
        Scenario(
            "without-proc-LC_CTYPE=C",
            "exec unshare --mount sh -c 'mount -t tmpfs none /proc; exec pgrphack env'",
            env={"LC_CTYPE": "C"},
            differs="CPython overwrites LC_CTYPE=C with what it then uses; only /proc has the original",
            ours=Shows(stdout=lambda said: _lacks(said, b"LC_CTYPE=C\n")),
            theirs=Shows(stdout=lambda said: _has(said, b"LC_CTYPE=C\n")),
        )
    ]


def _has(said: bytes, line: bytes) -> None:
    assert line in said


def _lacks(said: bytes, line: bytes) -> None:
    assert line not in said


@pytest.mark.skipif(bool(namespaces.missing()), reason=namespaces.missing())
@each(without_proc())
def test_without_proc(scenario: Scenario) -> None:
    judge(scenario)


@each(scenarios())
def test_surroundings(scenario: Scenario) -> None:
    judge(scenario)
