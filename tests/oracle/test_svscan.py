"""svscan beside C's, as files, processes and the services themselves show it.

C's looks every five seconds and sends each supervise off as a process of its own; scenarios wait for what
is to be seen in the end, and run beside each other."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from support.oracle import Entry, Scenario, Shows, each
from support.overlapped import Judged, overlapped
from support.servicescenes import CLOSED, GLIBCS_OWN, GONE, STAYS, service, under

NOBODY = 65534
TAKEN_AWAY = """
svscan=$(child svscan)
kill -STOP "$svscan"
mkdir gone
mv s/* gone/ 2>/dev/null
kill -CONT "$svscan"
for one in gone/* gone/*/log; do
	! svok "$one" 2>/dev/null || svc -dx "$one" 2>/dev/null
done
for one in gone/* gone/*/log; do
	until_true sh -c '! svok "$1"' sh "$one"
done
kill -9 "$svscan"
"""
"""What ends a scenario: what is told to leave when svscan sees it no more is not taken up again. svscan is
stopped for it, so that it does not look at half of it."""

MANY = 1100
DESCRIPTORS = 6000
"""svpy's svscan holds five for each of so many services."""

judged = overlapped()
Prepare = Callable[[Path], object]


def s(**services: object) -> Prepare:
    """`s`, and in it services by name: the text of a `run`, or (`run`, `log/run`); None is down."""

    def prepare(scene: Path) -> None:
        (scene / "s").mkdir()
        for name, what in services.items():
            run, log = what if isinstance(what, tuple) else (what, None)
            service(scene / "s" / name, run or STAYS, down=run is None, log=log)

    return prepare


def row(name: str, drive: str, prepare: Prepare | None = None, **more: object) -> Scenario:
    """svscan on `s` in the foreground, `drive` beside it, and at last nothing is left of either. What svscan
    says stands in its own file, sorted, each line once: C's repeats itself."""
    daemon = f"{{ {more.pop('daemon', 'svscan s')}; }} 2>said"
    behind = f"grep -v '^Killed$' said | grep -v '^Terminated$' | sort -u; rm said; {more.pop('behind', '')}"
    drive = f"{drive}\n{more.pop('end', TAKEN_AWAY)}"
    return under(daemon, name, drive, prepare=prepare or s(a=STAYS), behind=behind, **more)


def many(scene: Path) -> None:
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < DESCRIPTORS:
        pytest.skip(f"needs a hard limit of {DESCRIPTORS} descriptors, or to be allowed to raise it")
    for number in range(MANY):
        service(scene / "s" / str(number), down=True)


def alone(name: str, script: str = "", prepare: Prepare | None = None, **more: object) -> Scenario:
    return Scenario(name, script, prepare=prepare or s(), **more)  # type: ignore[arg-type]


def sees(name: str, daemon: str = "svscan s", before: str = "", **more: object) -> Scenario:
    """What a service without a log, one with, and its logger see. Each is started once."""

    def prepare(scene: Path) -> None:
        for folder in ("a", "b"):
            service(scene / "s" / folder, None, down=True)
            (scene / "s" / folder / "run").symlink_to("../../../bin/see")
        service(scene / "s/b/log", "exec see seen", down=True)

    normal = (GLIBCS_OWN, (rb"(descriptor 1: BOX/scene/plain) .*", rb"\1"))
    drive = (
        "for one in s/a s/b s/b/log; do until_true svok $one; done\n"
        "svc -o s/a\nuntil_true grep 'realtime timeout' plain\ndown s/a\n"
        "svc -o s/b/log\nuntil_true grep 'realtime timeout' s/b/log/seen\ndown s/b/log\n"
        # What b says waits in the pipe until its logger takes it.
        "svc -o s/b\ndown s/b\n"
        "printf '#!/bin/sh\\nexec cat >piped\\n' >s/b/log/new\nchmod 755 s/b/log/new\n"
        "mv s/b/log/new s/b/log/run\n"
        "svc -o s/b/log\nuntil_true grep 'realtime timeout' s/b/log/piped"
    )
    return row(
        f"services-see-{name}", drive, prepare, daemon=f"{before}\n{daemon} >plain", normal=normal, **more
    )


def said(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def in_s(make: Callable[[Path], object], **services: object) -> Prepare:
    def prepare(scene: Path) -> None:
        s(**(services or {"a": STAYS}))(scene)
        make(scene / "s")

    return prepare


LOGS = "exec cat >>logged"
SAYS = "echo one\necho two\nexec sleep 1000"

SCENARIOS = [
    alone("missing-folder", argv=("svscan", "missing")),
    alone("no-name-at-all", argv=("svscan", "")),
    alone("a-file", argv=("svscan", "/dev/null")),
    alone("it-has-no-options", argv=("svscan", "-x")),
    alone("bytes-that-are-not-utf-8", argv=("svscan", b"\xff\n\xe9")),
    alone("a-name-too-long", argv=("svscan", "x" * 300)),
    alone("stderr-closed", "svscan missing 2>&-"),
    alone(
        "a-folder-closed-to-us",
        argv=("svscan", "s"),
        prepare=in_s(lambda folder: folder.chmod(0o700)),
        user=NOBODY,
    ),
    row("one-service", "up s/a\nsvstat s/a\nsvok s/a\necho $?"),
    row("the-current-folder", "up s/a\nsvstat s/a", daemon="cd s; svscan; cd .."),
    row("from-a-folder-that-is-gone", "up s/a\nsvstat s/a", daemon=f'({GONE}; exec svscan "$OLDPWD/s")'),
    row(
        "from-a-folder-closed-to-us",
        "up s/a\nsvstat s/a",
        lambda scene: (s(a=STAYS)(scene), os.chown(scene / "s/a", NOBODY, NOBODY)),
        daemon=f'({CLOSED}; exec setuidgid nobody svscan "$OLDPWD/s")',
        needs_root=True,
    ),
    row("more-words-are-ignored", "up s/a\nsvstat s/a", daemon="svscan s missing"),
    row(
        "several",
        "for one in a b c; do until_true svok s/$one; done\nup s/a\nup s/b\nsvstat s/*",
        s(a=STAYS, b=STAYS, c=None),
    ),
    row(
        "with-a-log",
        "up s/a\nup s/a/log\nuntil_lines s/a/log/logged 2\nsvstat s/a s/a/log",
        s(a=(SAYS, LOGS)),
    ),
    row(
        "a-log-that-is-down",
        "up s/a\nuntil_true svok s/a/log\nsvstat s/a s/a/log\nsvc -u s/a/log\nuntil_lines s/a/log/logged 2",
        in_s(lambda f: (f / "a/log/down").touch(), a=(SAYS, LOGS)),
    ),
    row(
        "a-log-that-begins-again-loses-nothing",
        "up s/a\nuntil_lines s/a/log/logged 3\nsvstat s/a/log",
        s(
            a=(
                SAYS + "\n",
                "read line; echo $line >>logged; [ $line = two ] && echo end >>logged && exec sleep 1000",
            )
        ),
    ),
    row(
        "a-service-that-begins-again",
        "up s/a\nfirst=$(pid s/a)\nsvc -t s/a\nagain s/a $first\nuntil_lines s/a/log/logged 4",
        s(a=(SAYS, LOGS)),
    ),
    row("what-left-comes-again", "up s/a\nfirst=$(pid s/a)\nsvc -dx s/a\nagain s/a $first\nsvstat s/a"),
    row(
        "what-left-with-its-log-comes-again",
        "up s/a\nup s/a/log\nfirst=$(pid s/a)\nlog=$(pid s/a/log)\nsvc -dx s/a s/a/log\nagain s/a $first\n"
        "again s/a/log $log\nuntil_lines s/a/log/logged 4",
        s(a=(SAYS, LOGS)),
    ),
    row(
        "what-comes",
        "up s/a\nmv b s/b\nup s/b\nsvstat s/b",
        lambda scene: (s(a=STAYS)(scene), service(scene / "b")),
    ),
    row(
        "what-comes-as-a-link",
        "up s/a\nln -s ../b s/b\nup s/b\nsvstat s/b\nsvc -dx s/b",
        lambda scene: (s(a=STAYS)(scene), service(scene / "b")),
    ),
    row(
        "what-goes-stays-up",
        "up s/a\nup s/b\nmv s/b away\nsvc -p away\nuntil_wants away ' 001 u'\nsvstat away\nsvc -dx away",
        s(a=STAYS, b=STAYS),
    ),
    row(
        "what-goes-and-is-told-to-leave",
        "up s/a\nup s/b\nmv s/b away\nsvc -dx away\nuntil_true sh -c '! svok away'\nsvstat away",
        s(a=STAYS, b=STAYS),
    ),
    row(
        "dot-folders-and-files",
        "up s/a\nls -A s/.hidden s/..odd",
        in_s(
            lambda f: (
                service(f / ".hidden"),
                service(f / "..odd"),
                (f / "file").touch(),
                os.mkfifo(f / "fifo"),
                (f / "flink").symlink_to("file"),
            )
        ),
    ),
    row(
        "links-that-lead-nowhere",
        "up s/a\nuntil_lines said 2",
        in_s(lambda f: ((f / "dangling").symlink_to("nowhere"), (f / "loop").symlink_to("loop"))),
    ),
    row(
        "a-folder-as-a-link",
        "up s/b\nup s/a\nsvstat s/b",
        in_s(lambda f: (service(f.parent / "real"), (f / "b").symlink_to("../real"))),
        behind="svc -dx real",
    ),
    row(
        "two-links-to-one-folder",
        "up s/b\nup s/a\nup s/c\nuntil_lines real/starts 1\ncat real/starts",
        in_s(
            lambda f: (
                service(f.parent / "real", "echo here >>starts; exec sleep 1000"),
                (f / "b").symlink_to("../real"),
                (f / "c").symlink_to("../real"),
            )
        ),
    ),
    row(
        "odd-names",
        'up s/a\nfor one in s/-x \'s/b c\' s/log s/down; do up "$one"; svstat "$one"; done',
        in_s(lambda f: [service(f / name) for name in ("-x", "b c", "log", "down")]),
    ),
    row(
        "a-name-that-is-not-utf-8",
        "up s/a\nup s/$(printf '\\351')\nsvstat s/$(printf '\\351')",
        in_s(lambda f: service(Path(os.fsdecode(os.fsencode(f) + b"/\xe9")))),
    ),
    row(
        "a-log-that-leads-nowhere", "up s/a\nsvstat s/a", in_s(lambda f: (f / "a/log").symlink_to("nowhere"))
    ),
    row(
        "a-log-as-a-link",
        "up s/a\nup s/a/log\nuntil_lines s/a/log/logged 2",
        in_s(
            lambda f: (service(f.parent / "logger", LOGS), (f / "a/log").symlink_to("../../logger")), a=SAYS
        ),
    ),
    row(
        "letters-from-inside",
        "until_lines s/a/out 1\ndown s/a\nuntil_true svok s/b\ndown s/b",
        s(
            a="until svok ../b; do sleep 0.02; done; echo supervised >>out; svc -d . ../b; exec sleep 1000",
            b=STAYS,
        ),
    ),
    row(
        "supervise-leads-elsewhere",
        "up s/a\nls place",
        in_s(lambda f: ((f.parent / "place").mkdir(), (f / "a/supervise").symlink_to("../../place"))),
    ),
    row("modes-under-umask-077", "up s/a\nup s/a/log", s(a=(STAYS, LOGS)), daemon="umask 077; svscan s"),
    row("stdin-closed", "up s/a\nuntil_lines s/a/log/logged 2", s(a=(SAYS, LOGS)), daemon="<&- svscan s"),
    row("stdout-closed", "up s/a\nuntil_lines s/a/log/logged 2", s(a=(SAYS, LOGS)), daemon=">&- svscan s"),
    sees("what-it-is-to"),
    sees("odd-variables", env={b"ODD": b"\xff\xfe=\n", "EMPTY": "", "LC_ALL": "C"}),
    sees(
        "descriptors-umask-and-limits",
        before="exec 5</dev/null 6>>six; umask 027; ulimit -c 0; ulimit -S -n 77; ulimit -f 9999",
    ),
    sees("another-user", before="chown -R nobody .", daemon="setuidgid nobody svscan s", needs_root=True),
    row(
        "a-log-that-leads-to-itself",
        "until_lines said 1\nup s/b\nls s/a",
        in_s(lambda f: (f / "a/log").symlink_to("log"), a=STAYS, b=STAYS),
    ),
    row(
        "a-folder-it-may-not-list",
        "until_lines said 1",
        in_s(lambda f: (f.chmod(0o711), f.parent.chmod(0o755))),
        daemon="setuidgid nobody svscan s",
        needs_root=True,
    ),
    row("hung-up-does-not-hurt-a-service", "up s/a\nfirst=$(pid s/a)\nkill -HUP $first\nagain s/a $first"),
    row(
        "a-log-that-is-a-file",
        "up s/a\nuntil_true test -s s/a/out",
        in_s(
            lambda f: (f / "a/log").write_text("x"),
            a="out=$(readlink /proc/$$/fd/1); echo $out >out; exec sleep 1000",
        ),
        daemon="svscan s >plain",
        differs="no logger, no pipe: the service writes to svscan's output, not to nobody",
        theirs=Shows(
            stdout=lambda text: _has(text, b"supervise: fatal: unable to chdir to log: not a directory\n"),
            tree={b"gone/a/out": b"pipe:[1]\n"},
        ),
        ours=Shows(stdout=b"left 137\n", tree={b"gone/a/out": b"BOX/scene/plain\n"}),
    ),
    row(
        "run-missing",
        "until_lines said 2",
        in_s(lambda f: (f / "a/run").unlink()),
        differs="svscan itself supervises, and says so",
        theirs=Shows(stdout=said("left 137", "supervise: fatal: unable to start a/run: file does not exist")),
        ours=Shows(stdout=said("left 137", "svscan: warning: unable to start a/run: file does not exist")),
    ),
    row(
        "a-lock-that-is-held",
        "until_lines said 1\nup s/b\nsvstat s/a",
        in_s(lambda f: (f / "a/supervise").mkdir(), a=STAYS, b=STAYS),
        daemon="setlock s/a/supervise/lock sleep 1000 &\n"
        "until_true sh -c '! setlock -n s/a/supervise/lock true'\nsvscan s",
        end=TAKEN_AWAY + "kill $(child sleep)",
        differs="one warning until it changes; C's tries every five seconds, in supervise's name",
        theirs=lambda outcome: _has(
            outcome.stdout, b"supervise: fatal: unable to acquire a/supervise/lock: temporary failure\n"
        ),
        ours=lambda outcome: _has(
            outcome.stdout, b"svscan: warning: unable to acquire a/supervise/lock: temporary failure\n"
        ),
    ),
    row(
        "processes",
        "up s/a\nup s/a/log\nfor one in $(cat /proc/$(child svscan)/task/*/children)\n"
        "do cat /proc/$one/comm; done",
        s(a=(STAYS, "exec sleep 1000")),
        differs="one process supervises all services",
        theirs=Shows(stdout=said("supervise", "supervise", "left 137")),
        ours=Shows(stdout=said("sleep", "sleep", "left 137")),
    ),
    row(
        "a-change-is-seen-at-once",
        "up s/a\nmv b s/b\nbegan=$(tenths)\nup s/b\n"
        "[ $(($(tenths) - began)) -lt 25 ] && echo soon || echo late",
        lambda scene: (s(a=STAYS)(scene), service(scene / "b")),
        differs="svscan is told of changes; C's looks every five seconds",
        theirs=Shows(stdout=said("late", "left 137")),
        ours=Shows(stdout=said("soon", "left 137")),
    ),
    row(
        "a-log-that-comes-later",
        "up s/a\nmv log s/a/log\n: two scans of C\nmv b s/b\nup s/b\nmv c s/c\nup s/c\n"
        "kill -HUP $(child svscan)\nuntil_true sh -c 'svok s/a/log || ! kill -0 $1' sh $(child svscan)\n"
        "svok s/a/log && echo logs",
        lambda scene: (
            s(a=STAYS)(scene),
            service(scene / "log", LOGS),
            service(scene / "b"),
            service(scene / "c"),
        ),
        end="kill $(child svscan); svc -dx s/* s/*/log 2>/dev/null",
        differs="a log is found by the next scan, and HUP asks for one; C's looks once, and dies of HUP",
        theirs=lambda outcome: _has(outcome.stdout, b"left 129\n"),
        ours=lambda outcome: _has(outcome.stdout, b"logs\nleft 0\n"),
    ),
    row(
        "terminated",
        "up s/a\nup s/a/log\nuntil_lines s/a/log/logged 2",
        s(a=(SAYS, LOGS)),
        end="kill -TERM $(child svscan)",
        behind="svok s/a && echo supervised && svc -dx s/a s/a/log",
        differs="TERM stops the services, then their loggers, then svscan; C's dies and leaves all behind",
        theirs=Shows(stdout=said("left 143", "supervised")),
        ours=lambda outcome: _stopped(outcome.stdout, outcome.tree),
    ),
    row(
        "interrupted",
        "up s/a\nup s/a/log\nuntil_lines s/a/log/logged 2",
        s(a=(SAYS, LOGS)),
        end="kill -INT $(child svscan)",
        behind="svok s/a && echo supervised && svc -dx s/a s/a/log",
        differs="INT is as TERM",
        theirs=Shows(stdout=said("left 130", "supervised")),
        ours=lambda outcome: _stopped(outcome.stdout, outcome.tree),
    ),
    row(
        "more-than-a-thousand",
        f"all() {{ set -- s/*/supervise/status; [ $# -eq {MANY} ] || "
        "{ [ $# -eq 1000 ] && lines said 100; }; }\n"
        "until_true all\n"
        "set -- s/*/supervise/status; echo $#",
        many,
        end="kill $(child svscan); svc -dx s/* 2>/dev/null",
        normal=((rb"unable to start \d+:", b"unable to start N:"),),
        differs="no cap",
        theirs=lambda outcome: _has(
            outcome.stdout, b"1000\nleft 143\nsvscan: warning: unable to start N: running"
        ),
        ours=lambda outcome: _is(outcome.stdout, b"%d\nleft 0\n" % MANY),
    ),
]


def _has(text: bytes, part: bytes) -> None:
    assert part in text, (part, text)


def _is(text: bytes, whole: bytes) -> None:
    assert text == whole


def _stopped(stdout: bytes, tree: dict[bytes, Entry]) -> None:
    assert stdout == b"left 0\n"
    for half in (b"s/a", b"s/a/log"):
        assert tree[half + b"/supervise/status"].content.startswith(b"since, down"), half
    assert tree[b"s/a/log/logged"].content == b"one\ntwo\n"


@each(SCENARIOS)
def test_svscan(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
