"""multilog beside C's: every state in which a log folder can be found, and all that can be in its way."""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path

import pytest
from support.logscenes import NUMBERED, WAITING, files
from support.namespaces import missing
from support.oracle import Entry, Outcome, Scenario, Shows, each, judge

LABEL = "@400000005f5e10001dcd6500"
SIX = NUMBERED[: 512 * 6]
CLEAN, USED = (0o744, b"old\n"), (0o644, b"old\n")


def trying(name: str, script: str, **more: object) -> Scenario:
    return Scenario(name, WAITING + script, **{"stdin": SIX, **more})  # type: ignore[arg-type]


# What a crash leaves: every combination, and a rotation after it.

PRESENT = {"none": None, "used": 0o644, "safe": 0o744}


def found(current: str, previous: str, processed: str) -> Scenario:
    """Four folders in this state, with and without `state` and `newstate`."""
    entries: dict[str, tuple[int, bytes] | str | int] = {}
    for folder, others in {"a": (), "b": ("state",), "c": ("newstate",), "d": ("state", "newstate")}.items():
        entries[folder] = 0o700
        for name, how in (("current", current), ("previous", previous), ("processed", processed)):
            if PRESENT[how]:
                entries[f"{folder}/{name}"] = (PRESENT[how], name.encode() + b"\n")
        for name in others:
            entries[f"{folder}/{name}"] = (0o644, name.encode())
    return Scenario(
        f"current-{current}-previous-{previous}-processed-{processed}",
        argv=("multilog", "s4096", "./a", "./b", "./c", "./d"),
        stdin=SIX,
        prepare=files(entries),
    )


STATES = [found(*state) for state in product(PRESENT, repeat=3)]


def linked(name: str, suffix: str, **others: tuple[int, bytes]) -> Scenario:
    """Between the link and the unlink of a file that gets its label."""

    def prepare(scene: Path) -> None:
        files({"d": 0o700, **{f"d/{other}": entry for other, entry in others.items()}})(scene)
        (scene / f"d/{LABEL}.{suffix}").hardlink_to(scene / "d" / name)

    state = "-".join(f"{other}-{mode:o}" for other, (mode, _) in others.items())
    return Scenario(
        f"{name}-linked-as-{suffix}-and-{state}",
        argv=("multilog", "./d"),
        stdin=b"new\n",
        prepare=prepare,
    )


LINKED = [
    linked("previous", "s", previous=(0o744, b"p\n")),
    linked("previous", "s", previous=(0o744, b"p\n"), current=USED),
    linked("previous", "s", previous=(0o744, b"p\n"), current=CLEAN),
    linked("previous", "u", previous=(0o644, b"p\n"), current=USED),
    linked("processed", "s", processed=(0o744, b"P\n"), previous=(0o744, b"p\n"), current=USED),
    linked("processed", "s", processed=(0o744, b"P\n")),
    linked("current", "u", current=USED),
    linked("current", "u", current=CLEAN),
]

LEFT = [
    Scenario(
        f"left-{name}",
        argv=("multilog", "s4096", "n5", "!cat", "./d"),
        stdin=SIX,
        prepare=files({"d": 0o700, **entries}),
    )
    for name, entries in {
        "current-full": {"d/current": (0o744, NUMBERED[:8192]), "d/state": USED},
        "current-exactly-full": {"d/current": (0o744, NUMBERED[:4096]), "d/state": USED},
        "current-almost-full": {"d/current": (0o744, NUMBERED[:4000]), "d/state": USED},
        "current-2096": {"d/current": (0o744, NUMBERED[:2096]), "d/state": USED},
        "current-2095": {"d/current": (0o744, NUMBERED[:2095]), "d/state": USED},
        "current-without-a-newline": {"d/current": (0o744, b"cut"), "d/state": USED},
        "current-empty-safe": {"d/current": (0o744, b""), "d/state": USED},
        "current-empty-used": {"d/current": (0o644, b"")},
        "current-0100": {"d/current": (0o100, b"old\n"), "d/state": USED},
        "current-0000": {"d/current": (0o000, b"old\n")},
        "current-0677": {"d/current": (0o677, b"old\n")},
        "current-4755": {"d/current": (0o4755, b"old\n"), "d/state": USED},
        "processed-0100": {"d/processed": (0o100, b"P\n"), "d/previous": USED},
        "processed-0677": {"d/processed": (0o677, b"P\n"), "d/previous": USED},
        "state-0000": {"d/current": CLEAN, "d/state": (0o000, b"kept\n")},
        "lock-with-something-in-it": {"d/lock": (0o444, b"mine\n")},
        "more-than-are-to-be-kept": {
            f"d/@4000000{n:017d}.{'us'[n % 2]}": (0o744, b"%d\n" % n) for n in range(9)
        },
        "names-of-all-sorts": {
            f"d/{name}": USED
            for name in (
                "@",
                "@z",
                "@4",
                "@" + "4" * 23,
                "@" + "4" * 24,
                "@" + "3" * 25,
                "@" + "3" * 23 + "4.x",
                "@" + "a" * 40,
                "@" + "A" * 24,
                "x" + "4" * 24,
                "40",
                ".@" + "4" * 24,
                "@" + "y" * 24,
                "@ " + "4" * 24,
            )
        },
        "labels-to-come": {f"d/@7{'f' * 23}.s": USED, f"d/@7{'f' * 22}e.u": USED},
        "other-things": {"d/config": USED, "d/main": "../nowhere", "d/sub": 0o755, "d/status": USED},
    }.items()
]

# What is in its way. Where C follows a link, svpy does not: the folder may be somebody else's.

KINDS: dict[str, dict[str, tuple[int, bytes] | str | int]] = {
    "folder": {"NAME": 0o755},
    "folder-not-to-be-entered": {"NAME": 0o600},
    "link-to-a-safe-file": {"NAME": "../target", "../target": CLEAN},
    "link-to-a-used-file": {"NAME": "../target", "../target": USED},
    "link-to-nothing": {"NAME": "../target"},
    "link-to-a-folder": {"NAME": "../target", "../target": 0o755},
    "link-to-itself": {"NAME": "NAME"},
    "fifo": {},
    "fifo-safe": {},
}
FIFOS = {"fifo": 0o644, "fifo-safe": 0o744}


def in_the_way(name: str, kind: str) -> Scenario:
    def prepare(scene: Path) -> None:
        (scene / "d").mkdir(mode=0o700)
        for entry, what in KINDS[kind].items():
            what = what.replace("NAME", name) if isinstance(what, str) else what
            files({entry.replace("NAME", name): what})(scene / "d")
        if kind in FIFOS:
            os.mkfifo(scene / "d" / name)
            (scene / "d" / name).chmod(FIFOS[kind])

    # With a processor, so that all of them are needed.
    scenario = trying(f"{name}-is-a-{kind}", "cat >in; paused s4096 '!cat' ./d", prepare=prepare)
    theirs, ours, why = DIFFERENT.get((name, kind), (None, None, ""))
    return scenario.but(differs=why, theirs=theirs, ours=ours)


ONCE, REST = SIX[: 512 * 5], SIX[512 * 5 :]
ROTATED = {
    b"d/current": Entry("-", 0o744, 0, 0, REST),
    b"d/state": Entry("-", 0o644, 0, 0),
    b"d/previous": None,
    b"d/processed": None,
    b"d/newstate": None,
    b"d/@LABEL1.s": None,
    b"d/@LABEL1.u": None,
    b"d/@LABEL2.s": None,
}
TARGETS = {
    "link-to-a-safe-file": Entry("-", 0o744, 0, 0, b"old\n"),
    "link-to-a-used-file": Entry("-", 0o644, 0, 0, b"old\n"),
    "link-to-a-folder": Entry("d", 0o755, 0, 0),
    "link-to-nothing": None,
    "link-to-itself": None,
}
COMPLETE = Entry("-", 0o744, 0, 0, ONCE)


def refused(kind: str) -> Shows:
    """svpy does not lock what a link leads to."""
    loop = b"code 111\nmultilog: fatal: unable to lock directory ./d: symbolic link loop\n"
    return Shows(stdout=loop, tree={**dict.fromkeys(ROTATED), b"target": TARGETS[kind]})


def put_aside(name: str, kind: str) -> Shows:
    """svpy gives the link itself a label, as C does with one that leads to a file in use."""
    link = Entry(
        "l", 0o777, 0, 0, b"../target" if TARGETS[kind] or kind == "link-to-nothing" else name.encode()
    )
    tree = {**ROTATED, b"d/@LABEL1.u": link, b"d/@LABEL2.s": COMPLETE, b"target": TARGETS[kind]}
    return Shows(stdout=b"code 0\n", tree=tree)


def removed(kind: str) -> Shows:
    """svpy does not take a link for the complete output of a processor."""
    return Shows(stdout=b"code 0\n", tree={**ROTATED, b"d/@LABEL1.s": COMPLETE, b"target": TARGETS[kind]})


def c_says(text: bytes, code: int = 0) -> Shows:
    return Shows(stdout=b"code %d\n" % code + text)


LOCKS = "C locks and makes what the link leads to"
WRITES = "C writes to what the link leads to"
LOOKS = "C looks at what the link leads to"
DIFFERENT: dict[tuple[str, str], tuple[Shows, Shows, str]] = {
    **{
        ("lock", kind): (c_says(b""), refused(kind), LOCKS)
        for kind in TARGETS
        if "-file" in kind or "nothing" in kind
    },
    ("lock", "link-to-a-folder"): (
        c_says(b"multilog: fatal: unable to lock directory ./d: is a directory\n", 111),
        refused("link-to-a-folder"),
        LOCKS,
    ),
    ("current", "link-to-a-safe-file"): (
        Shows(tree={b"target": Entry("-", 0o744, 0, 0, b"old\n" + ONCE)}),
        put_aside("current", "link-to-a-safe-file"),
        WRITES,
    ),
    ("current", "link-to-nothing"): (
        Shows(tree={b"target": Entry("-", 0o744, 0, 0, ONCE)}),
        put_aside("current", "link-to-nothing"),
        WRITES,
    ),
    ("current", "link-to-a-folder"): (
        c_says(b"multilog: fatal: unable to append to ./d/current: is a directory\n", 111),
        put_aside("current", "link-to-a-folder"),
        WRITES,
    ),
    ("current", "link-to-itself"): (
        c_says(b"multilog: fatal: unable to stat ./d/current: symbolic link loop\n", 111),
        put_aside("current", "link-to-itself"),
        LOOKS,
    ),
    ("previous", "link-to-nothing"): (
        Shows(tree={b"d/@LABEL1.u": None}),
        put_aside("previous", "link-to-nothing"),
        LOOKS,
    ),
    ("previous", "link-to-a-folder"): (
        Shows(tree={b"d/@LABEL1.u": None}),
        put_aside("previous", "link-to-a-folder"),
        LOOKS,
    ),
    ("previous", "link-to-itself"): (
        c_says(b"multilog: warning: unable to stat ./d/previous, pausing: symbolic link loop\n", 137),
        put_aside("previous", "link-to-itself"),
        LOOKS,
    ),
    ("processed", "link-to-a-safe-file"): (
        Shows(tree={b"d/@LABEL1.s": Entry("l", 0o777, 0, 0, b"../target")}),
        removed("link-to-a-safe-file"),
        LOOKS,
    ),
    ("processed", "link-to-itself"): (
        c_says(b"multilog: fatal: unable to stat ./d/processed: symbolic link loop\n", 111),
        removed("link-to-itself"),
        LOOKS,
    ),
}

WAYS = [
    in_the_way(name, kind)
    for name in ("lock", "current", "previous", "processed", "state", "newstate")
    for kind in KINDS
]


# Disks that are full or must not be written to, and limits.

MOUNTED = r"""
cat >in
exec unshare --mount --propagation private sh -c '
mount -t tmpfs -o "$1" none disk || exit 99
cd disk
ln -s ../in in
eval "$2"' sh "$MOUNT" "$STEPS"
"""


def mounted(name: str, options: str, steps: str, **more: object) -> Scenario:
    """In a file system of its own, of which nothing is left; so what is in it has to be told."""
    return Scenario(
        name,
        MOUNTED,
        stdin=SIX,
        needs_root=True,
        prepare=files({"disk": 0o755}),
        env={"MOUNT": options, "STEPS": WAITING + "said=../err\n" + steps},
        **more,  # type: ignore[arg-type]
    )


TELL = 'cd d && for name in * @*; do test ! -f "$name" || { stat -c "%A %s" "$name"; cksum <"$name"; }; done'

DISKS = [
    *(
        mounted(f"disk-with-{inodes}-files", f"nr_inodes={inodes}", f"paused s4096 ./d; {TELL}")
        for inodes in (2, 3, 4, 5, 6, 7, 8)
    ),
    *(
        mounted(f"disk-of-{size_kb}-kB", f"size={size_kb}k", f"paused s16384 ./d; {TELL}").but(stdin=NUMBERED)
        for size_kb in (4, 8, 12, 16, 24)
    ),
    mounted("disk-full-for-a-status-file", "size=4k", "echo >full; paused =s"),
    mounted("disk-full-in-a-processor", "size=12k", f"paused s8192 '!cat' ./d; {TELL}").but(stdin=NUMBERED),
    *(
        mounted(
            f"disk-read-only-{name}",
            "size=1m",
            f"mkdir x; {steps}; mount -o remount,ro .; multilog =x/../s ./d <in; multilog ./d <in",
        )
        for name, steps in {
            "empty": ":",
            "folder": "mkdir d",
            "lock": "mkdir d; : >d/lock",
            "log": "multilog ./d <in",
            "status": "multilog =s ./d <in",
        }.items()
    ),
]


def writes_into_its_status_file(outcome: Outcome) -> None:
    assert outcome.content(b"s") != REST[:-1].ljust(1001, b"\n")


# Descriptor 4 is a fifo that nobody reads.
NO_READER = "cat >in; mkfifo f; exec 3<>f 4>f 3<&-; "

LIMITS = [
    trying(
        "file-size-limit",
        "cat >in; ulimit -f 2; paused ./d",
        differs="SIGXFSZ ends C; svpy tells it and goes on in a new file",
        theirs=Shows(stdout=b"code 153\n"),
        ours=Shows(
            stdout=b"code 137\nmultilog: warning: unable to write to ./d/current, pausing: file too big\n",
        ),
    ),
    trying("file-size-limit-sigxfsz-ignored", "cat >in; trap '' XFSZ; ulimit -f 2; paused ./d"),
    trying("twenty-descriptors", "cat >in; ulimit -n 20; multilog =s ./a ./b <in"),
    trying(
        "twelve-descriptors",
        "cat >in; ulimit -n 12; multilog =s ./a ./b <in",
        differs="svpy needs more descriptors for itself",
        theirs=Shows(code=0, stderr=b""),
        ours=Shows(
            code=111,
            stderr=re.compile(rb"multilog: fatal: unable to .*: process cannot open more files\n"),
            tree=lambda found: None,
        ),
    ),
    trying(
        "e-to-who-reads-no-more",
        NO_READER + "multilog e ./d <in 2>&4; echo $? >code",
        differs="SIGPIPE ends C; what cannot be shown is lost to svpy, and the log goes on",
        theirs=Shows(tree={b"code": b"141\n"}),
        ours=Shows(tree={b"code": b"0\n", b"d/current": Entry("-", 0o744, 0, 0, SIX)}),
    ),
    trying(
        "e-to-who-reads-no-more-sigpipe-ignored",
        "trap '' PIPE; " + NO_READER + "multilog e ./d <in 2>&4; echo $? >code",
    ),
    trying(
        "stdin-is-a-folder",
        "multilog ./d <.",
        stdin=None,
        differs="CPython does not start with a folder as its stdin",
        theirs=Shows(code=0),
        ours=Shows(
            code=1,
            stderr=re.compile(rb"(?s)Fatal Python error: .* is a directory, cannot continue\n.*"),
            tree={b"d": None, b"d/current": None, b"d/lock": None, b"d/state": None},
        ),
    ),
    trying(
        "status-file-is-descriptor-2",
        "cat >in; multilog =s e <in >&- 2>&-; echo $? >code",
        differs="with descriptors 1 and 2 closed C's status file becomes its stderr, and `e` writes into it",
        theirs=writes_into_its_status_file,
        ours=Shows(tree={b"s": REST[:-1].ljust(1001, b"\n")}),
    ),
    trying(
        "an-old-file-that-cannot-be-removed",
        f"cat >in; mkdir -p d/{LABEL}.s; : >d/{LABEL[:-1]}1.s; paused s4096 n2 ./d",
        differs="C says of the folder what is true of a file in it",
        theirs=c_says(b"multilog: warning: unable to read ./d, pausing: is a directory\n", 137),
        ours=c_says(b"multilog: warning: unable to remove ./d/@LABEL.s, pausing: is a directory\n", 137),
    ),
]


@each([*STATES, *LINKED, *LEFT])
def test_found(scenario: Scenario) -> None:
    judge(scenario)


@each(WAYS)
def test_in_the_way(scenario: Scenario) -> None:
    judge(scenario)


@each(LIMITS)
def test_limits(scenario: Scenario) -> None:
    judge(scenario)


@pytest.mark.skipif(bool(missing()), reason=missing())
@each(DISKS)
def test_disks(scenario: Scenario) -> None:
    judge(scenario)
