"""svstat beside C's: every state a status file can be in, planted under an ok that somebody holds open."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from support.oracle import Scenario, Shows, each
from support.overlapped import Judged, overlapped

from svpy.core.tai import pack

judged = overlapped()

MADE_NS = time.time_ns()
DIGITS = ((rb"(\d*)\d{7} seconds", rb"\1... seconds"), (rb"\b0 seconds", b"no seconds"))
"""For times far from now: only the digits that a second more or less changes are left out."""


def status(pid: int = 0, paused: int = 0, want: bytes = b"u", since: bytes | None = None) -> bytes:
    at = pack(MADE_NS) if since is None else since
    return at + pid.to_bytes(4, "little") + bytes([paused]) + want


def folder(path: Path, content: bytes | None, down: bool = False) -> None:
    (path / "supervise").mkdir(parents=True)
    os.mkfifo(path / "supervise/ok", 0o600)
    if content is not None:
        (path / "supervise/status").write_bytes(content)
    if down:
        (path / "down").touch()


STATES = {
    "up": status(1),
    "up-with-the-greatest-pid": status(0xFFFFFFFF),
    "up-want-down": status(1, want=b"d"),
    "up-once": status(1, want=b"\0"),
    "up-paused": status(1, paused=1),
    "up-paused-as-never-written": status(1, paused=255),
    "up-paused-want-down": status(1, paused=1, want=b"d"),
    "up-want-nonsense": status(1, want=b"Z"),
    "down": status(want=b"d"),
    "down-want-up": status(),
    "down-once": status(want=b"\0"),
    "down-paused": status(paused=1, want=b"d"),
    "down-want-nonsense": status(want=b"\xff"),
}
TIMES = {
    "in-the-future": pack(MADE_NS + 10**15),
    "in-the-next-second": pack(MADE_NS + 10**11),
    "before-1970": pack(-(10**18)),
    "at-the-epoch": pack(0),
    "beyond-half-of-tai": bytes.fromhex("ffffffffffffffff") + bytes(4),
    "with-too-many-nanoseconds": pack(10**18)[:8] + bytes.fromhex("ffffffff"),
}
HELD = "exec 3<>a/supervise/ok; "


def planted(name: str, content: bytes | None, script: str = "svstat a", **more: object) -> Scenario:
    return Scenario(
        name,
        f"{HELD}{script}; code=$?; touch a/down; svstat a; exit $code",
        prepare=lambda scene: folder(scene / "a", content),
        **more,  # type: ignore[arg-type]
    )


def wrongs(scene: Path) -> None:
    """One folder for each thing that can be wrong with one, and `a`, which is up."""
    folder(scene / "a", status(1))
    folder(scene / "left", status(1))
    (scene / "empty/supervise").mkdir(parents=True)
    (scene / "none").mkdir()
    (scene / "file").touch()
    (scene / "loop").symlink_to("loop")
    (scene / "dangling").symlink_to("nowhere")
    (scene / "link").symlink_to("a")
    (scene / "two words").mkdir()
    (scene / "downloop").mkdir()
    (scene / "downloop/down").symlink_to("down")
    folder(scene / "b", status(want=b"d"))
    (scene / "b/down").symlink_to("nowhere")


def row(name: str, script: str = "", **more: object) -> Scenario:
    return Scenario(name, script, prepare=wrongs, **more)  # type: ignore[arg-type]


def status_as(name: str, plant: str, script: str = "svstat a", **more: object) -> Scenario:
    """`plant` makes a/supervise/status out of a/supervise/good."""
    return row(name, f"mv a/supervise/status a/supervise/good; {plant}; {HELD}{script}", **more)


SCENARIOS = [
    *(planted(name, content) for name, content in STATES.items()),
    *(planted(f"since-{name}", status(1, since=since), normal=DIGITS) for name, since in TIMES.items()),
    planted("all-zero", bytes(18), normal=DIGITS),
    planted("longer", status(1) + b"more"),
    planted("one-byte-short", status(1)[:17]),
    planted("one-byte", b"@"),
    planted("nothing-in-it", b""),
    planted("no-status", None),
    row("nothing", argv=("svstat",)),
    row("nobody-reads", argv=("svstat", "left")),
    row("no-ok", argv=("svstat", "empty")),
    row("no-supervise-folder", argv=("svstat", "none")),
    row("missing-folder", argv=("svstat", "missing")),
    row("no-name-at-all", argv=("svstat", "")),
    row("a-file", argv=("svstat", "file")),
    row("a-loop", argv=("svstat", "loop")),
    row("a-dangling-link", argv=("svstat", "dangling")),
    row("a-name-too-long", argv=("svstat", "x" * 300)),
    row("a-space-in-the-name", argv=("svstat", "two words")),
    row("bytes-that-are-not-utf-8", argv=("svstat", b"\xff\xfe", b"\xe9\n")),
    row("it-has-no-options", argv=("svstat", "-x", "--", "-")),
    row("several", f"{HELD}svstat a missing left a ./link/ ../scene/a none a"),
    row("inside-the-folder", f"{HELD}cd a; svstat . ../a"),
    row("down-that-leads-to-itself", argv=("svstat", "downloop")),
    row("down-that-leads-nowhere", "exec 3<>b/supervise/ok; svstat b"),
    row(
        "a-folder-closed-to-us",
        f"chmod 0700 a; {HELD}exec setuidgid nobody svstat a none",
        needs_root=True,
    ),
    row("an-ok-closed-to-us", f"{HELD}exec setuidgid nobody svstat a", needs_root=True),
    row(
        "a-status-closed-to-us",
        f"chmod 0666 a/supervise/ok; chmod 0600 a/supervise/status; {HELD}exec setuidgid nobody svstat a",
        needs_root=True,
    ),
    row(
        "a-current-folder-closed-to-us",
        'chmod 0711 .; exec setuidgid nobody svstat "$PWD/left"',
        needs_root=True,
    ),
    row("a-current-folder-that-is-gone", 'mkdir x; cd x; rmdir ../x; exec svstat "$OLDPWD/left" left'),
    row("stdout-closed", f"{HELD}svstat a missing >&-"),
    row("all-closed", f"{HELD}svstat a missing <&- >&- 2>&-"),
    row("stdout-full", f"{HELD}svstat a missing >/dev/full"),
    row("nobody-listens", f"{HELD}mkfifo out; exec 4<>out 5>out 4>&-; svstat a missing >&5; echo $?"),
    row("no-environment", f'{HELD}exec env -i "$(command -v svstat)" a'),
    row("another-language", f"{HELD}svstat a missing", env={"LC_ALL": "C", "LANG": "de_DE.UTF-8"}),
    status_as("status-is-a-fifo-without-a-writer", "mkfifo a/supervise/status"),
    status_as(
        "status-is-a-symlink",
        "ln -s good a/supervise/status",
        differs="whoever owns a folder could show any file of root's: a link in supervise is not followed",
        theirs=Shows(stdout=re.compile(rb"a: up \(pid N\) N seconds\n")),
        ours=Shows(stdout=b"a: unable to open supervise/status: symbolic link loop\n"),
    ),
    status_as(
        "status-is-a-folder",
        "mkdir a/supervise/status; exec 4<>left/supervise/ok",
        "svstat left a",
        differs="C shows the folder before it once more where reading has failed",
        theirs=Shows(stdout=re.compile(rb"left: (.*\n)a: \1")),
        ours=Shows(
            stdout=b"left: up (pid N) N seconds\na: unable to read supervise/status: is a directory\n"
        ),
    ),
]


@each(SCENARIOS)
def test_svstat(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
