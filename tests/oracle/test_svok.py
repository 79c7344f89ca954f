"""svok beside C's: a silent 0 or 100, and 111 where it could not find out."""

from __future__ import annotations

import os
from pathlib import Path

from support.oracle import Scenario, Shows, each
from support.overlapped import Judged, overlapped

judged = overlapped()
HELD = "exec 3<>a/supervise/ok; "


def folders(scene: Path) -> None:
    """`a`, whose ok can be held open, and one folder for each thing that can be wrong with one."""
    for name in ("a", "empty", "left", "linked", "plain", "folder", "two words"):
        (scene / name / "supervise").mkdir(parents=True)
    for name in ("a", "left"):
        os.mkfifo(scene / name / "supervise/ok", 0o600)
    (scene / "none").mkdir()
    (scene / "file").touch()
    (scene / "linked/supervise/ok").symlink_to("../../a/supervise/ok")
    (scene / "plain/supervise/ok").touch()
    (scene / "folder/supervise/ok").mkdir()
    (scene / "loop").symlink_to("loop")
    (scene / "link").symlink_to("a")


def row(name: str, script: str = "", **more: object) -> Scenario:
    return Scenario(name, script, prepare=folders, **more)  # type: ignore[arg-type]


SCENARIOS = [
    row("nothing", argv=("svok",)),
    row("two-folders-are-one", f"{HELD}svok a missing"),
    row("two-folders-are-one-that-is-not-there", f"{HELD}svok missing a"),
    row("supervised", f"{HELD}svok a"),
    row("supervised-by-another-path", f"{HELD}svok ./link/; echo $?; cd a; svok .; echo $?; svok ../a"),
    row("nobody-reads", argv=("svok", "left")),
    row("no-ok", argv=("svok", "empty")),
    row("no-supervise-folder", argv=("svok", "none")),
    row("missing-folder", argv=("svok", "missing")),
    row("a-file", argv=("svok", "file")),
    row("a-loop", argv=("svok", "loop")),
    row("no-name-at-all", argv=("svok", "")),
    row("a-name-too-long", argv=("svok", "x" * 300)),
    row("ok-is-a-folder", argv=("svok", "folder")),
    row("it-has-no-options", argv=("svok", "-x")),
    row("two-dashes-are-a-folder", argv=("svok", "--", "a")),
    row("bytes-that-are-not-utf-8", argv=("svok", b"\xff")),
    row("a-folder-closed-to-us", f"chmod 0700 a; {HELD}exec setuidgid nobody svok a", needs_root=True),
    row("an-ok-closed-to-us", f"{HELD}exec setuidgid nobody svok a", needs_root=True),
    row("all-closed", f"{HELD}svok a <&- >&- 2>&-"),
    row("all-closed-and-missing", "svok missing <&- >&- 2>&-"),
    row("stderr-closed", "svok missing 2>&-"),
    row(
        "a-current-folder-that-is-gone",
        f'{HELD}here=$PWD; mkdir x; cd x; rmdir ../x; svok "$here/a"; echo $?; svok a',
    ),
    row("no-environment", f'{HELD}exec env -i "$(command -v svok)" a'),
    row(
        "ok-is-a-symlink",
        f"{HELD}svok linked",
        differs="whoever owns a folder could send svok anywhere: a link in supervise is not followed",
        theirs=Shows(code=0, stderr=b""),
        ours=Shows(code=111, stderr=b"svok: fatal: unable to open linked/supervise/ok: symbolic link loop\n"),
    ),
    row(
        "ok-is-a-file",
        "svok plain",
        differs="a file is not held open by a supervise",
        theirs=Shows(code=0, stderr=b""),
        ours=Shows(code=111, stderr=b"svok: fatal: unable to open plain/supervise/ok: not a stream device\n"),
    ),
]


@each(SCENARIOS)
def test_svok(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
