"""envdir beside C's: what a file's content and name make of a variable, and what stops it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

from support.chaintools import NOBODY
from support.oracle import Outcome, Scenario, each, judge

_LONGEST = 32 * 4096  # execve(2): MAX_ARG_STRLEN, the NUL included
CONTENTS: dict[str, bytes] = {
    "line": b"value\n",
    "no-newline": b"value",
    "empty": b"",
    "empty-line": b"\n",
    "two-empty-lines": b"\n\nvalue\n",
    "second-line": b"one\ntwo\n",
    "blanks-at-the-end": b"value  \t \n",
    "blanks-at-the-end-without-newline": b"value \t",
    "only-blanks": b" \t \n",
    "only-blanks-without-newline": b"  ",
    "blanks-first-and-within": b" \ta \t b\n",
    "carriage-return": b"value\r\n",
    "other-space": b"value\v\f\xc2\xa0\n",
    "nul": b"a\0b\n",
    "nul-alone": b"\0",
    "nul-line": b"\0\n",
    "nuls": b"\0\0\0a\0\0\n",
    "nul-then-blanks": b"a\0 \t\n",
    "blanks-then-nul": b"a \t\0\n",
    "nul-in-the-second-line": b"a\nb\0c",
    "not-utf8": b"caf\xe9\xff\n",
    "every-byte": bytes(byte for byte in range(256) if byte != 10),
    "equals": b"=a=b=\n",
    "quotes": b"'a' \"b\" $HOME `c` \\\n",
    "255": b"x" * 255,
    "256": b"x" * 256,
    "257-and-a-line": b"x" * 257 + b"\ny",
    "512-with-blanks-over-the-edge": b"x" * 250 + b" " * 12 + b"\n",
    "64-KiB": b"x" * 65536 + b"y\n",
    "as-much-as-goes": b"x" * (_LONGEST - len(b"NAME=\0")),
    "one-more-than-goes": b"x" * (_LONGEST - len(b"NAME=")),
    "much-behind-the-line": b"value\n" + b"x" * 3_000_000,
    "a-mebibyte-of-blanks": b"value" + b" " * (1 << 20),
    "a-mebibyte-of-nuls": b"\0" * (1 << 20),
}
NAMES: dict[str, list[bytes]] = {
    "equals-within": [b"NAME=X"],
    "equals-at-the-end": [b"NAME="],
    "equals-twice": [b"NAME=A=B"],
    "equals-first": [b"=NAME"],
    "equals-alone": [b"="],
    "blank": [b" "],
    "newline": [b"NEW\nLINE"],
    "lower-case": [b"name", b"Name", b"nAME"],
    "digits": [b"1", b"2NAME"],
    "dash": [b"-", b"--", b"-x"],
    "not-utf8": [b"caf\xe9", b"\xff"],
    "long": [b"N" * 255],
    "dots": [b".", b".hidden", b"..twice", b"dot.within", b"dot."],
    "tilde": [b"NAME~", b"#NAME#"],
    "path": [b"PATH"],
    "locale": [b"LC_ALL", b"LC_CTYPE", b"LANG"],
    "python": [b"PYTHONHOME", b"PYTHONPATH"],
    "loader": [b"LD_LIBRARY_PATH", b"LD_BIND_NOW"],
    "ifs": [b"IFS", b"PS1", b"ENV", b"PWD", b"OLDPWD"],
}
SEEN = "../tools/envdir e /bin/cat /proc/self/environ"
SCRIPTS: dict[str, str] = {
    "usage": "envdir",
    "usage-folder": "mkdir e; envdir e",
    "usage-missing-folder": "envdir missing",
    "missing": "envdir missing see",
    "empty-folder-name": "envdir '' see",
    "file": ": >f; envdir f see",
    "below-a-file": ": >f; envdir f/e see",
    "link": "mkdir e; echo 1 >e/A; ln -s e l; envdir l see",
    "dangling-link-as-folder": "ln -s gone l; envdir l see",
    "loop-as-folder": "ln -s l l; envdir l see",
    "long-folder-name": "envdir %s see" % ("x" * 300),
    "odd-folder-name": (
        r"IFS=; d=$(printf 'n\n\351'); mkdir $d; echo 1 >$d/A; envdir $d see; envdir $d$d see"
    ),
    "here": "echo 1 >A; envdir . see",
    "above": "echo 1 >A; mkdir .d; cd .d; envdir .. see",
    "absolute": "mkdir e; echo 1 >e/A; envdir $PWD/e see",
    "empty-folder": "mkdir e; envdir e see",
    "dash": "mkdir ./-; echo 1 >./-/A; envdir - see",
    "dashes": "mkdir e; envdir -- e see",
    "subfolder": "mkdir -p e/sub; envdir e see",
    "hidden-subfolder": "mkdir -p e/.sub; echo 1 >e/A; envdir e see",
    "link-to-a-file": "mkdir e; echo 1 >v; ln -s ../v e/A; envdir e see",
    "link-to-a-folder": "mkdir e; ln -s . e/A; envdir e see",
    "link-loop": "mkdir e; ln -s A e/A; envdir e see",
    "link-below-a-file": "mkdir e; : >f; ln -s ../f/x e/A; envdir e see",
    "hidden-dangling-link": "mkdir e; ln -s gone e/.A; echo 1 >e/A; envdir e see",
    "dangling-link-alone": "mkdir e; ln -s gone e/REMOVED; REMOVED=1 envdir e see",
    "fifo": "mkdir e; mkfifo e/REMOVED; REMOVED=1 envdir e see",
    "null": "mkdir e; ln -s /dev/null e/REMOVED; REMOVED=1 envdir e see",
    "terminal": "mkdir e; ln -s /dev/tty e/A; envdir e see",
    "hard-links": "mkdir e; echo 1 >e/A; ln e/A e/B; envdir e see",
    "modes": "mkdir e; echo 1 >e/A; chmod 0 e/A; chmod 500 e; envdir e see; chmod 700 e",
    "twice": (
        "mkdir e f; echo 1 >e/A; echo 2 >f/A; echo 3 >f/B; : >f/HOME; envdir e envdir f see;"
        " envdir f envdir e see"
    ),
    "removed-then-set": "mkdir e f; : >e/HOME; echo /x >f/HOME; envdir e envdir f see",
    "its-own-folder-changed-after": "mkdir e; echo 1 >e/A; envdir e sh -c 'echo 2 >e/A; echo $A'",
    "relative-program": "mkdir e; printf '#!/bin/sh\necho here' >p; chmod 755 p; cp p e; envdir e ./p",
    "descriptors-for-the-folder-only": "mkdir e; echo 1 >e/A; softlimit -o 4 envdir e true; echo $?",
    "file-size-limit": "mkdir e; echo 1 >e/A; softlimit -f 0 envdir e sh -c 'echo $A'",
    "sparse": "mkdir e; truncate -s 2M e/A; envdir e true",
}
AS_NOBODY: dict[str, str] = {
    "unreadable-file": "echo 1 >e/A",
    "unreadable-empty-file": ": >e/A; : >e/B",
    "folder-not-to-be-entered": "chmod 744 e",
    "folder-not-to-be-read": "echo 1 >e/A; chmod 711 e",
    "closed-folder": "chmod 700 e",
    "cwd-not-to-be-read": "echo 1 >e/A; chmod 644 e/A; chmod 711 .",
    "all-is-well": "echo 1 >e/A; chmod 644 e/A",
    "unreadable-hidden": "echo 1 >e/.A; chmod 0 e/.A",
    "link-to-unreadable": "echo 1 >v; chmod 600 v; ln -s ../v e/A",
}


def one_file(name: bytes, content: bytes) -> Callable[[Path], None]:
    def prepare(scene: Path) -> None:
        (scene / "e").mkdir()
        (scene / "e" / os.fsdecode(name)).write_bytes(content)

    return prepare


def named(names: list[bytes], content: bytes) -> Callable[[Path], None]:
    def prepare(scene: Path) -> None:
        (scene / "e").mkdir()
        for name in names:
            if name not in (b".", b".."):
                (scene / "e" / os.fsdecode(name)).write_bytes(content)

    return prepare


def many(scene: Path) -> None:
    (scene / "e").mkdir()
    for number in range(300):
        (scene / "e" / f"V{number}").write_text(f"{number}\n" if number % 3 else "")


def with_socket(scene: Path) -> None:
    (scene / "e").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        # The scene's own path may be too long for an address.
        fd = os.open(scene / "e", os.O_PATH)
        listener.bind(f"/proc/self/fd/{fd}/S")
        os.close(fd)


DANGLING = 8


def dangling(scene: Path) -> None:
    """Files of all kinds among links to nothing, made in turn: in some order or other each file system
    will list a link after a file, a link after a link, and a link after an empty file."""
    (scene / "e").mkdir()
    for number in range(DANGLING):
        (scene / "e" / f"L{number}").symlink_to("gone")
        (scene / "e" / f"M{number}").symlink_to("gone")
        content = (b"value%d  \nmore\n", b"a\0b%d\n", b"", b"\n")[number % 4]
        (scene / "e" / f"F{number}").write_bytes(content % number if b"%d" in content else content)


def links(outcome: Outcome) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The names in the order of the folder, and the variables that the program found."""
    listed, environ = outcome.stdout.split(b"\n--\n")
    entries = [entry.partition(b"=") for entry in environ.split(b"\0") if b"=" in entry]
    return listed.split(b"\n"), {name: value for name, _, value in entries}


def left_over(outcome: Outcome) -> None:
    """C keeps the buffer of the file before, to which it added a NUL for execve; that then counts as
    a newline."""
    listed, environ = links(outcome)
    kept = b""
    for name in listed:
        if name.startswith(b"F"):
            kept = outcome.content(b"e/" + name)
        elif name[:1] not in (b"L", b"M"):
            continue
        if kept:
            line = kept.partition(b"\n")[0].rstrip(b" \t").replace(b"\0", b"\n")
            assert environ[name] == line, (name, listed)
            kept = line + b"\0"
        else:
            assert environ.get(name) in (None, b"old"), (name, listed)
    assert any(name[:1] in b"LM" for name in environ), "no link came after a file"


def removed(outcome: Outcome) -> None:
    _, environ = links(outcome)
    assert not [name for name in environ if re.fullmatch(rb"[LM]\d", name)]
    assert environ[b"F0"] == b"value0"
    assert environ[b"F1"] == b"a\nb1"


SCENARIOS = [
    *(
        Scenario(
            f"content-{name}", SEEN, prepare=one_file(b"NAME", content), env={"NAME": "old", "LAST": "1"}
        )
        for name, content in CONTENTS.items()
    ),
    *(
        Scenario(
            f"name-{name}-{kind}",
            SEEN,
            prepare=named(names, content),
            env={"NAME": "old", "LANG": "old", "PYTHONHOME": "old", "LAST": "1"},
        )
        for name, names in NAMES.items()
        for kind, content in (("set", b"value\n"), ("removed", b""))
    ),
    *(Scenario(name, script) for name, script in SCRIPTS.items()),
    *(
        Scenario(
            f"as-nobody-{name}",
            f"mkdir e; chmod 755 e; umask 077; {script}; umask 022; exec setuidgid nobody envdir e see",
            needs_root=True,
        )
        for name, script in AS_NOBODY.items()
    ),
    Scenario("as-nobody-usage", "envdir e", user=NOBODY),
    Scenario("hundreds", SEEN, prepare=many, env={"V3": "old", "V4": "old", "V299": "old", "LAST": "1"}),
    Scenario("socket", SEEN, prepare=with_socket),
    Scenario(
        "large-together",
        "mkdir e; head -c 120000 /dev/zero | tr '\\0' x >e/A; for n in B C D E F G H I J K L M N O P Q R; do "
        "cp e/A e/$n; done; softlimit -s 4000000 envdir e true; echo $?; softlimit -s 40000000 envdir e true",
    ),
    Scenario(
        "dangling-links",
        f"ls -U e; echo --; {SEEN}",
        prepare=dangling,
        env={f"{kind}{number}": "old" for kind in "LM" for number in range(DANGLING)},
        differs="C gives a link to nothing the value of the file listed before it, sometimes with a newline;"
        " to svpy it is a variable to be removed, as if the file were empty",
        ours=removed,
        theirs=left_over,
    ),
]  # fmt: skip


@each(SCENARIOS)
def test_envdir(scenario: Scenario) -> None:
    judge(scenario)
