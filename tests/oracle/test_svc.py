"""svc beside C's: words, folders, and the letters as they reach a control fifo."""

from __future__ import annotations

import os
import re
from pathlib import Path

from support.oracle import Scenario, Shows, each
from support.overlapped import Judged, overlapped

NOBODY = 65534
judged = overlapped()


def folders(scene: Path) -> None:
    """One folder for each thing that can be wrong with one, and `a`, whose control can be held open."""
    for name in ("empty", "left", "a", "b", "linked", "plain", "folder", "two words", "-d"):
        (scene / name / "supervise").mkdir(parents=True)
    odd = os.fsencode(scene) + b"/\xe9\n"
    os.makedirs(odd + b"/supervise")
    for name in ("left", "a", "b", "two words", "-d"):
        os.mkfifo(scene / name / "supervise/control", 0o600)
        (scene / name / "supervise/control").chmod(0o666)
    (scene / "none").mkdir()
    (scene / "file").touch()
    (scene / "precious").write_text("precious")
    (scene / "linked/supervise/control").symlink_to(scene / "precious")
    (scene / "plain/supervise/control").write_text("plain")
    (scene / "plain/supervise/control").chmod(0o666)
    (scene / "folder/supervise/control").mkdir()
    (scene / "dangling").symlink_to("nowhere")
    (scene / "loop").symlink_to("loop")
    (scene / "link").symlink_to("a")
    os.mkfifo(scene / "control", 0o600)
    (scene / "asked").mkdir()
    (scene / "asked/supervise").symlink_to("../dangling")


def row(name: str, script: str = "", **more: object) -> Scenario:
    return Scenario(name, script, prepare=folders, **more)  # type: ignore[arg-type]


def sent(name: str, script: str, **more: object) -> Scenario:
    """What comes through `a` and `b`: the byte that ours writes behind the letters is taken away."""
    held = "exec 3<>a/supervise/control 4<>b/supervise/control"
    show = "echo . >&$fd; dd bs=999 count=1 <&$fd 2>/dev/null | tr -d '\\n'; echo"
    shown = f"for fd in 3 4; do {show}; done; exit $code"
    return row(name, f"{held}\n{script}\ncode=$?\n{shown}", **more)


# Debian 13's svc has three more of daemontools-encore's.
LETTERS = "u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, k kill"
MAYBE = "(, q quit, 1 usr1, 2 usr2)?"
MORE_LETTERS = Shows(stderr=re.compile(rb".*\bsvc options: .*w winch.*\n", re.S))


def other_letters(name: str, *argv: str) -> Scenario:
    return row(
        name,
        argv=("svc", *argv),
        differs="svc has letters that C's does not: they stand in what it says of a bad one",
        theirs=Shows(
            code=100, stderr=re.compile(rb".*svc options: " + (LETTERS + MAYBE).encode() + rb"\n", re.S)
        ),
        ours=MORE_LETTERS,
    )


SCENARIOS = [
    row("nothing", argv=("svc",)),
    row("letters-alone", argv=("svc", "-du")),
    other_letters("bad-letter", "-Z"),
    other_letters("bad-letter-behind-good-ones", "-dZu", "a"),
    other_letters("bad-letter-in-a-later-word", "-d", "-Z", "a"),
    other_letters("a-colon-is-no-letter", "-:"),
    row("missing-folder", argv=("svc", "-d", "missing")),
    row("a-file", argv=("svc", "-d", "file")),
    row("no-name-at-all", argv=("svc", "-d", "")),
    row("a-dangling-link", argv=("svc", "-d", "dangling")),
    row("a-loop", argv=("svc", "-d", "loop")),
    row("a-name-too-long", argv=("svc", "-d", "x" * 300)),
    row("no-supervise-folder", argv=("svc", "-d", "none")),
    row("no-control", argv=("svc", "-d", "empty")),
    row("supervise-leads-nowhere", argv=("svc", "-d", "asked")),
    row("nobody-reads", argv=("svc", "-d", "left")),
    row("control-is-a-folder", argv=("svc", "-d", "folder")),
    row("bytes-that-are-not-utf-8", argv=("svc", "-d", b"\xff\xfe", b"\xe9\n")),
    row("a-space-in-the-name", argv=("svc", "-d", "two words")),
    row("stops-at-nothing", argv=("svc", "-d", "missing", "left", "file", "empty")),
    row("no-letters-and-nobody-reads", argv=("svc", "left")),
    row(
        "control-is-a-symlink",
        argv=("svc", "-d", "linked"),
        differs="who owns a folder must not be able to make root's svc write into any file",
        theirs=Shows(stderr=b"", tree={b"precious": b"drecious"}),
        ours=Shows(
            stderr=b"svc: warning: unable to control linked: symbolic link loop\n",
            tree={b"precious": b"precious"},
        ),
    ),
    row(
        "control-is-a-file",
        argv=("svc", "-u", "plain"),
        differs="letters written into a file reach nobody",
        theirs=Shows(stderr=b"", tree={b"plain/supervise/control": b"ulain"}),
        ours=Shows(
            stderr=b"svc: warning: unable to control plain: not a stream device\n",
            tree={b"plain/supervise/control": b"plain"},
        ),
    ),
    row("a-folder-closed-to-us", "chmod 0700 a; exec setuidgid nobody svc -d a", needs_root=True),
    row(
        "a-control-closed-to-us", "chmod 0600 a/supervise/*; exec setuidgid nobody svc -d a", needs_root=True
    ),
    row("as-nobody", argv=("svc", "-d", "left", "none"), user=NOBODY),
    row(
        "a-current-folder-closed-to-us",
        'chmod 0711 .; exec setuidgid nobody svc -d "$PWD/left"',
        needs_root=True,
    ),
    row("a-current-folder-that-is-gone", 'mkdir x; cd x; rmdir ../x; exec svc -d "$OLDPWD/left" left'),
    row("stderr-closed", "svc -d missing left 2>&-"),
    row("stdin-closed", "svc -d missing left <&-"),
    row("stdout-closed", "svc -d missing left >&-"),
    row("all-closed", "svc -d missing left <&- >&- 2>&-"),
    row("stderr-full", "svc -d missing left 2>/dev/full"),
    row("no-environment", 'exec env -i "$(command -v svc)" -d missing left'),
    row("another-language", argv=("svc", "-d", b"\xc3\xa9"), env={"LC_ALL": "C", "LANG": "de_DE.UTF-8"}),
    sent("one-letter", "svc -d a"),
    sent("letters-in-order", "svc -pcxdut a"),
    sent("letters-apart", "svc -u -d -- a"),
    sent("a-letter-twice", "svc -dd -ud -u a"),
    sent("every-letter", "svc -udopchaitkx a"),
    sent("several-folders", "svc -t a missing b"),
    sent("a-folder-twice", "svc -t a a"),
    sent("no-letters", "svc a b"),
    sent("options-end-at-a-folder", "svc -t a -d"),
    sent("options-end-at-two-dashes", "svc -t -- -d a"),
    sent("options-end-at-a-dash", "svc -t - a"),
    sent("relative-paths", "svc -t ./a link/../b a/ ../scene/b a//."),
    sent("absolute-paths", 'svc -t "$PWD/a" "$PWD/b"'),
    sent("through-a-link", "svc -t link"),
    sent("inside-the-folder", "cd a; svc -d ."),
    sent("stdin-closed-and-a-reader", "svc -d a <&-"),
    sent("all-closed-and-a-reader", "svc -d a b <&- >&- 2>&-"),
    row(
        "a-byte-behind-the-letters",
        "exec 3<>a/supervise/control; svc -d a; dd bs=99 count=1 <&3 2>/dev/null | od -c",
        differs="a byte that means nothing tells svc when the letters before it took effect",
        theirs=Shows(stdout=re.compile(rb"0000000   d\n.*\n")),
        ours=Shows(stdout=re.compile(rb"0000000   d  \\n\n.*\n")),
    ),
    sent(
        "the-letters-of-encore",
        "svc -q12w a",
        differs="q, 1, 2 and w are sent as daemontools-encore does",
        theirs=Shows(code=100, stdout=b".\n.\n", stderr=re.compile(rb"svc: illegal option -- [qw]\n.*\n")),
        ours=Shows(code=0, stdout=b"q12w.\n.\n", stderr=b""),
    ),
]


@each(SCENARIOS)
def test_svc(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
