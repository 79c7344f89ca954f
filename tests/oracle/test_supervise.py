"""supervise beside C's, as files, processes and the service itself show it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from support.oracle import Outcome, Scenario, Shows, each
from support.overlapped import Judged, overlapped
from support.services import script
from support.servicescenes import CLOSED, GLIBCS_OWN, GONE, STAYS, service, under

NOBODY = 65534
judged = overlapped()

Prepare = Callable[[Path], object]


def a(run: str | None = STAYS, **more: object) -> Prepare:
    return lambda scene: service(scene / "a", run, **more)  # type: ignore[arg-type]


def row(name: str, drive: str, prepare: Prepare | None = None, **more: object) -> Scenario:
    """`daemon` in the foreground (supervise a), `drive` beside it and `end` (svc -dx a) behind that."""
    return under(
        str(more.pop("daemon", "supervise a")),
        name,
        f"{drive}\n{more.pop('end', 'svc -dx a')}",
        prepare=prepare or a(),
        **more,
    )


def alone(name: str, script: str = "", prepare: Prepare | None = None, **more: object) -> Scenario:
    return Scenario(name, script, prepare=prepare or a(), **more)  # type: ignore[arg-type]


LISTENS = """
for name in HUP ALRM INT TERM; do trap "echo $name >>heard" $name; done
echo ready >ready
while :; do sleep 0.02; done
"""
IGNORES = "trap '' TERM\necho ready >ready\nexec sleep 1000"
COUNTS = "tenths() { read -r now rest </proc/uptime; now=${now%?}; echo ${now%.*}${now#*.}; }; tenths >>times"


def thrice(end: str) -> str:
    """A run that ends like that twice, and stays the third time."""
    return f"{COUNTS}\n[ $(wc -l <times) -ge 3 ] || {end}\nexec sleep 1000"


def restarts(end: str) -> Scenario:
    return row(
        f"is-started-again-after-{end.replace(' ', '-').replace('$', '')}",
        "until_lines a/times 3\nup a\nsvstat a",
        a(thrice(end)),
        behind="apart a/times",
    )


def sees(name: str, daemon: str = "supervise a", before: str = "", **more: object) -> Scenario:
    """What a service sees. It is started once, so that it tells it once."""

    def prepare(scene: Path) -> None:
        service(scene / "a", None, down=True)
        (scene / "a/run").symlink_to("../../bin/see")

    normal = (GLIBCS_OWN, (rb"(descriptor 1: BOX/scene/seen) .*", rb"\1"), *more.pop("normal", ()))  # type: ignore[misc]
    return row(
        f"a-service-sees-{name}",
        "until_true svok a\nsvc -o a\nuntil_true grep 'realtime timeout' seen\ndown a",
        prepare,
        daemon=f"{before}\n{daemon} >seen",
        normal=normal,
        **more,
    )


def planted(name: str, plant: Callable[[Path], object]) -> Prepare:
    def prepare(scene: Path) -> None:
        service(scene / "a")
        plant(scene / "a" / name)

    return prepare


def file_at(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")


def locked(scene: Path) -> None:
    service(scene / "a")
    (scene / "a/supervise").mkdir()


def cannot_start(name: str, run: Callable[[Path], object], text: str, deed: str) -> Scenario:
    def prepare(scene: Path) -> None:
        run(service(scene / "a", None))

    attempts = "until_lines said 2"
    fatal = rb"(supervise: fatal: unable to start a/run: " + text.encode() + rb"\n){2,}"
    return row(
        name,
        f"{attempts}\nsvc -d a\ndown a\nsvstat a",
        prepare,
        daemon="supervise a 2>said",
        behind="cat said >&2; rm said",
        differs="svpy's supervise itself finds out: a warning, and no pid is shown for the attempt",
        theirs=Shows(stderr=re.compile(fatal)),
        ours=Shows(stderr=re.compile(fatal.replace(b"fatal", b"warning")), stdout=re.compile(deed.encode())),
    )


def is_file(folder: Path, text: str, mode: int = 0o755) -> None:
    (folder / "run").write_text(text)
    (folder / "run").chmod(mode)


DOWN = r"a: down N seconds, normally up\nleft 0\n"

SCENARIOS = [
    alone("nothing", argv=("supervise",)),
    alone("two-folders", argv=("supervise", "a", "b")),
    alone("missing-folder", argv=("supervise", "missing")),
    alone("no-name-at-all", argv=("supervise", "")),
    alone("a-file", argv=("supervise", "a/run")),
    alone("it-has-no-options", argv=("supervise", "-x")),
    alone("two-dashes-are-a-folder", argv=("supervise", "--")),
    alone("bytes-that-are-not-utf-8", argv=("supervise", b"\xff\xe9")),
    alone(
        "a-folder-closed-to-us",
        argv=("supervise", "a"),
        prepare=lambda s: (service(s / "a")).chmod(0o700),
        user=NOBODY,
    ),
    alone("a-folder-it-may-not-write-to", argv=("supervise", "a"), user=NOBODY),
    alone("stderr-closed", "supervise missing 2>&-"),
    alone(
        "down-that-leads-to-itself",
        argv=("supervise", "a"),
        prepare=planted("down", lambda path: path.symlink_to("down")),
    ),
    alone("supervise-is-a-file", argv=("supervise", "a"), prepare=planted("supervise", file_at)),
    row(
        "supervise-leads-to-a-place-that-was-emptied",
        "up a\nsvstat a",
        planted("supervise", lambda path: path.symlink_to("../place")),
    ),
    alone("locked", "exec setlock -n a/supervise/lock supervise a", locked),
    alone(
        "lock-is-a-folder",
        argv=("supervise", "a"),
        prepare=planted("supervise/lock", lambda path: path.mkdir(parents=True)),
    ),
    row("twice", "up a\nsupervise a 2>said\necho $?", behind="cat said"),
    row("up", "up a\nsvstat a\nsvok a\necho $?"),
    row("normally-down", "until_true svok a\ndown a\nsvstat a\nsvok a\necho $?", a(down=True)),
    row(
        "normally-down-by-text-and-a-link",
        "until_true svok a\ndown a\nsvstat a",
        planted("down", lambda path: path.symlink_to("run")),
    ),
    row(
        "normally-up-by-a-dangling-down",
        "up a\nsvstat a",
        planted("down", lambda path: path.symlink_to("nowhere")),
    ),
    row("a-new-down-changes-what-is-normal", "up a\ntouch a/down\nsvstat a\nsvc -d a\ndown a\nsvstat a"),
    row("leaves-at-once-when-down", "down a", a(down=True)),
    row(
        "leaves-when-its-service-has-ended",
        "up a\nuntil_true test -s a/ready\nsvc -x a\nuntil_true svok a\nsvstat a\nsvc -k a",
        a(LISTENS),
        end="",
    ),
    row("down-and-up", "up a\nsvc -d a\ndown a\nsvstat a\nsvc -u a\nup a\nsvstat a"),
    row("once", "down a\nsvc -o a\nuntil_lines a/out 1\ndown a\nsvstat a", a("echo once >>out", down=True)),
    row(
        "once-again",
        "down a\nsvc -o a\nuntil_lines a/out 1\ndown a\nsvc -o a\nuntil_lines a/out 2\ndown a",
        a("echo once >>out", down=True),
    ),
    row(
        "once-while-it-is-up",
        "up a\nsvc -o a\nuntil_wants a ' \\0 \\0'\nsvstat a\nsvc -t a\ndown a\nsvstat a",
    ),
    row("once-and-then-leaves", "down a\nsvc -ox a", a("echo once >>out", down=True), end=""),
    row(
        "up-while-it-is-up",
        "up a\nfirst=$(pid a)\nsvc -u a\nsvc -p a\nuntil_wants a ' 001 u'\n"
        '[ "$first" = "$(pid a)" ] && svstat a',
    ),
    row(
        "down-while-it-is-down", "down a\nsvc -d a\nsvc -d a\nuntil_wants a ' \\0 d'\nsvstat a", a(down=True)
    ),
    row(
        "wanted-down-but-up",
        "until_true test -s a/ready\nsvc -d a\nuntil_wants a ' \\0 d'\nsvstat a\nsvc -k a\ndown a",
        a(IGNORES),
    ),
    row(
        "wanted-up-again-before-it-is-down",
        "until_true test -s a/ready\nsvc -d a\nuntil_wants a ' \\0 d'\nsvc -u a\n"
        "until_wants a ' \\0 u'\nsvstat a",
        a(IGNORES),
        end="svc -xk a",
    ),
    row(
        "paused-and-continued",
        "up a\nsvc -p a\nuntil_true stopped $(pid a)\nsvstat a\nsvc -c a\nuntil_wants a ' \\0 u'\nsvstat a",
    ),
    row("paused-while-it-is-down", "down a\nsvc -p a\nsvc -o a\nup a\nsvstat a\nsvc -c a", a(down=True)),
    row("paused-and-told-down", "up a\nsvc -p a\nuntil_true stopped $(pid a)\nsvc -d a\ndown a\nsvstat a"),
    row(
        "paused-and-killed",
        "up a\nsvc -p a\nuntil_true stopped $(pid a)\nfirst=$(pid a)\nsvc -k a\nagain a $first\nsvstat a",
    ),
    row("terminated-and-up-again", "up a\nfirst=$(pid a)\nsvc -t a\nagain a $first\nsvstat a"),
    row("killed-by-hand-and-up-again", "up a\nfirst=$(pid a)\nkill -9 $first\nagain a $first\nsvstat a"),
    row(
        "every-signal",
        "until_true test -s a/ready\n"
        + "".join(f"svc -{letter} a\nuntil_lines a/heard {n}\n" for n, letter in enumerate("hait", 1))
        + "sort a/heard",
        a(LISTENS),
        end="svc -xk a",
    ),
    row(
        "unknown-letters",
        "up a\nprintf 'ZU\\n\\0\\377 D' >a/supervise/control\nsvc -p a\nuntil_wants a ' 001 u'\nsvstat a",
    ),
    row(
        "letters-from-inside",
        "until_lines a/out 2\ndown a\nsvstat a",
        a("echo here >>out\nsvok . && echo supervised >>out\nsvc -d .\nexec sleep 1000"),
    ),
    *(restarts(end) for end in ("exit 0", "exit 1", "exit 111", "kill -9 $$", "kill -TERM $$")),
    row(
        "argv-and-folder",
        "until_lines a/out 3\ndown a",
        a(
            'echo "$0 $#" >>out\npwd -P >>out\ntr "\\0" " " </proc/$$/cmdline >>out; echo >>out\n'
            "svc -d .\nexec sleep 1000"
        ),
    ),
    row(
        "the-folder-as-a-link",
        "until_lines real/out 2\ndown link",
        lambda s: (
            service(s / "real", 'pwd -P >out; echo "$0" >>out; svc -d .; exec sleep 1000'),
            (s / "link").symlink_to("real"),
            (s / "a").symlink_to("link"),
        ),
        daemon="supervise link",
    ),
    row(
        "run-as-a-link",
        "until_lines a/out 1\ndown a",
        lambda s: (
            service(s / "a", None),
            script(s / "elsewhere", 'echo "$0" >out; svc -d .; exec sleep 1000'),
            (s / "a/run").symlink_to("../elsewhere"),
        ),
    ),
    row("from-inside-the-folder", "up a\nsvstat a", daemon="cd a; supervise .; cd .."),
    row("an-absolute-path", "up a\nsvstat a", daemon='supervise "$PWD/a"'),
    row("from-a-folder-that-is-gone", "up a\nsvstat a", daemon=f'({GONE}; exec supervise "$OLDPWD/a")'),
    alone("a-folder-that-is-gone", f"{GONE}; exec supervise ."),
    row(
        "from-a-folder-closed-to-us",
        "up a\nsvstat a",
        lambda scene: os.chown(service(scene / "a"), NOBODY, NOBODY),
        daemon=f'({CLOSED}; exec setuidgid nobody supervise "$OLDPWD/a")',
        needs_root=True,
    ),
    row(
        "supervise-is-a-link-to-elsewhere",
        "up a\nsvstat a",
        planted(
            "supervise", lambda path: (path.symlink_to("../place"), (path.parent.parent / "place").mkdir())
        ),
    ),
    row(
        "a-space-in-the-name",
        "up 'b c'\nsvc -dx 'b c'",
        lambda s: (service(s / "a"), service(s / "b c")),
        daemon="supervise 'b c'",
    ),
    row("modes-under-umask-0", "up a", daemon="umask 0; supervise a"),
    row("modes-under-umask-077", "up a", daemon="umask 077; supervise a"),
    row(
        "what-is-there-from-before",
        "until_true svok a\nup a\nsvstat a",
        lambda s: (
            service(s / "a"),
            (s / "a/supervise").mkdir(mode=0o755),
            (s / "a/supervise/status").write_bytes(b"x" * 40),
            (s / "a/supervise/status.new").write_bytes(b"y" * 40),
            (s / "a/supervise/lock").write_text("z"),
            os.mkfifo(s / "a/supervise/ok", 0o644),
        ),
    ),
    row(
        "folder-renamed-meanwhile",
        "up a\nmv a b\nsvc -p b\nuntil_wants b ' 001 u'\nsvstat b\nsvc -dx b",
        behind="svstat b",
    ),
    row(
        "stdin-is-the-services",
        "until_lines a/got 1\ndown a",
        a("read line\necho $line >got\nsvc -d .\nexec sleep 1000"),
        daemon="echo hello | supervise a",
    ),
    row(
        "killed-itself-and-its-service-stays",
        "up a\nfirst=$(pid a)\nkill -9 $(child supervise)\n"
        "until_true sh -c '! svok a'\nsvstat a\nkill -0 $first && echo alive\nkill $first",
    ),
    row(
        "hung-up-and-its-service-stays",
        "up a\nfirst=$(pid a)\nkill -HUP $(child supervise)\n"
        "until_true sh -c '! svok a'\nsvstat a\nkill -0 $first && echo alive\nkill $first",
    ),
    row(
        "taken-over-after-a-kill",
        "up a\nfirst=$(pid a)\nkill -9 $(child supervise)\nkill $first\n"
        "until_true has_child supervise\nagain a $first\nsvstat a",
        daemon="supervise a\nsupervise a",
        differs="what the dead one ran is known to the next, which cannot know its exit code and says so",
        theirs=Shows(stderr=b"Killed\n"),
        ours=Shows(
            stderr=re.compile(rb"Killed\nsupervise: warning: exit code of a \(pid N\) is unknown: .*\n")
        ),
    ),
    sees("what-it-is-to"),
    sees("odd-variables", env={b"ODD": b"\xff\xfe=\n", "EMPTY": "", "LC_ALL": "C"}),
    sees("an-environment-of-path-alone", daemon='env -i PATH="$PATH" supervise a'),
    sees("descriptors-that-were-open", before="exec 5<a/down 6>>six 7<>seven"),
    sees("an-umask", before="umask 027"),
    sees("limits", before="ulimit -c 0; ulimit -S -n 77; ulimit -f 9999; ulimit -S -s 4096; ulimit -H -n 99"),
    sees("stdin-closed", daemon="<&- supervise a"),
    sees("stderr-closed", daemon="2>&- supervise a"),
    sees("all-closed-but-one", daemon="<&- 2>&- supervise a"),
    sees("another-user", before="chown -R nobody .", daemon="setuidgid nobody supervise a", needs_root=True),
    sees("a-group-of-its-own", daemon="pgrphack supervise a"),
    sees(
        "ignored-signals",
        before="trap '' HUP USR1",
        differs="a service starts with default dispositions, whoever started its supervise",
        theirs=lambda outcome: _ignored(outcome, b"0000000000000201"),
        ours=lambda outcome: _ignored(outcome, b"0000000000000000"),
    ),
    cannot_start("run-missing", lambda folder: None, "file does not exist", DOWN),
    cannot_start("run-not-executable", lambda f: is_file(f, "#!/bin/sh\n", 0o644), "access denied", DOWN),
    cannot_start("run-is-a-folder", lambda f: (f / "run").mkdir(), "access denied", DOWN),
    cannot_start("run-leads-nowhere", lambda f: (f / "run").symlink_to("x"), "file does not exist", DOWN),
    cannot_start(
        "run-without-its-interpreter", lambda f: is_file(f, "#!/nowhere/sh\n"), "file does not exist", DOWN
    ),
    row(
        "run-without-an-interpreter-line",
        "until_true sh -c 'test -s a/out || test -s said'\nsvc -d a\ndown a",
        lambda s: is_file(service(s / "a", None), '# no such line\necho "$0 $#" >out\nexec sleep 1000\n'),
        daemon="supervise a 2>said",
        behind="sort -u said; rm said",
        differs="as execvp would: the scripts of qmail, as they were published, have none",
        theirs=Shows(stdout=re.compile(rb"left 0\nsupervise: fatal: .*run: exec format error\n")),
        ours=Shows(stdout=b"left 0\n", tree={b"a/out": b"./run 0\n"}),
    ),
    row(
        "control-is-a-file",
        "until_true sh -c 'svok a || test -s said'",
        planted("supervise/control", file_at),
        daemon="{ supervise a & } 2>said; until_true sh -c 'svok a || test -s said'",
        behind="cat said; rm said",
        differs="letters would be read from a file, or nobody's",
        theirs=Shows(stdout=b"left 0\n"),
        ours=Shows(
            stdout=b"left 0\nsupervise: fatal: unable to read a/supervise/control: not a stream device\n",
            stderr=lambda text: None,
            tree=lambda tree: None,
        ),
    ),
    row(
        "told-in-its-first-second",
        # Several times, as the machine may be slow; C never does it.
        "until_true svok a\nanswer=later\nfor try in 1 2 3; do\nrm -f a/times\nsvc -o a\n"
        "until_lines a/times 1\nup a\nsvc -d a\ndown a\n"
        "[ $(($(tenths) - $(cat a/times))) -ge 9 ] || { answer='at once'; break; }\n"
        "done\necho $answer\nrm a/times",
        a(f"{COUNTS}\nexec sleep 1000", down=True),
        differs="letters are answered at once; C is deaf for a second after each start",
        theirs=Shows(stdout=b"later\nleft 0\n"),
        ours=Shows(stdout=b"at once\nleft 0\n"),
    ),
    row(
        "told-to-leave-and-then-up",
        "until_true svok a\nsvc -xu a",
        a("echo once >>out", down=True),
        end="",
        differs="letters that came together are all obeyed; C's is gone before it reads the u",
        theirs=Shows(tree={b"a/out": None, b"a/supervise/status": b"since, down, \0d"}),
        ours=Shows(tree={b"a/out": b"once\n", b"a/supervise/status": b"since, down, \0u"}),
    ),
    row(
        "terminated-itself",
        "up a\nfirst=$(pid a)\nkill -TERM $(child supervise)\nuntil_true sh -c '! svok a'\n"
        "kill -0 $first 2>/dev/null && echo alive\nkill $first 2>/dev/null",
        end="",
        differs="TERM stops the service, then supervise; C's dies and leaves its service behind",
        theirs=Shows(stdout=b"left 143\nalive\n"),
        ours=Shows(stdout=b"left 0\n", stderr=b"", tree=lambda tree: None),
    ),
    row(
        "interrupted-itself",
        "up a\nfirst=$(pid a)\nkill -INT $(child supervise)\nuntil_true sh -c '! svok a'\n"
        "kill -0 $first 2>/dev/null && echo alive\nkill $first 2>/dev/null",
        end="",
        differs="INT is as TERM",
        theirs=Shows(stdout=lambda text: _has(text, b"alive\n")),
        ours=Shows(stdout=b"left 0\n", tree=lambda tree: None),
    ),
    row(
        "the-letters-of-encore",
        "until_true test -s a/ready\nprintf q12w >a/supervise/control\nsvc -i a\nuntil_lines a/int 1\n"
        "svc -i a\nuntil_lines a/int 2",
        a(
            'for name in QUIT USR1 USR2 WINCH; do trap "echo $name >>heard" $name; done\n'
            "trap 'echo >>int' INT\necho ready >ready\nwhile :; do sleep 0.02; done"
        ),
        behind="sort a/heard; rm -f a/heard",
        differs="q, 1, 2 and w are obeyed as daemontools-encore does",
        theirs=lambda outcome: _lacks(outcome.stdout, b"WINCH"),
        ours=Shows(stdout=b"left 0\nQUIT\nUSR1\nUSR2\nWINCH\n", stderr=b""),
    ),
    alone(
        "lock-is-a-symlink",
        argv=("supervise", "a"),
        prepare=lambda s: (
            service(s / "a"),
            (s / "a/supervise").mkdir(),
            (s / "a/supervise/lock").symlink_to("../../precious"),
            (s / "precious").mkdir(),
        ),
        differs="a planted symlink is not followed",
        theirs=Shows(stderr=b"supervise: fatal: unable to acquire a/supervise/lock: is a directory\n"),
        ours=Shows(stderr=b"supervise: fatal: unable to acquire a/supervise/lock: symbolic link loop\n"),
    ),
]


def _ignored(outcome: Outcome, mask: bytes) -> None:
    assert re.findall(rb"SigIgn:\s(.*)", outcome.content(b"seen")) == [mask]


def _lacks(text: bytes, part: bytes) -> None:
    assert part not in text, (part, text)


def _has(text: bytes, part: bytes) -> None:
    assert part in text, (part, text)


@each(SCENARIOS)
def test_supervise(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
