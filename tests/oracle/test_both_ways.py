"""A logger that runs natively cannot be told from one that was executed, but for what stands in DIFFERENCES.

Both ways are svpy's: that the executed one is as C's is for the other tests here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus.scene import CORPUS_FOLDER
from support.bothways import ENVIRON, Row, Shown, Way, both_ways
from support.scripts import LOGGERS

from svpy.core import nativerun

SH = "#!/bin/sh\n"


def folder_with(**files: str) -> Callable[[Path], object]:
    """What makes a folder `env` with these files."""

    def make(log: Path) -> None:
        (log / "env").mkdir()
        for name, text in files.items():
            (log / "env" / name).write_text(text)

    return make


def open_to_all(log: Path) -> None:
    log.chmod(0o777)


SHARED = [
    ("plain", SH + "exec multilog t ./main\n"),
    ("no-first-line", "exec multilog t ./main\n"),
    ("sh-e", "#!/bin/sh -e\nexec multilog t ./main\n"),
    ("sh-eu-spaced", "#! /bin/sh  -eu \nexec multilog t ./main\n"),
    ("no-last-newline", SH + "exec multilog t ./main"),
    ("no-label", SH + "exec multilog ./main\n"),
    ("stderr", SH + "exec 2>&1\nexec multilog t ./main\n"),
    ("stderr-among-words", SH + "exec multilog t 2>&1 ./main\n"),
    ("comments", SH + "# (a\n\n\texec multilog t ./main # it's so\nnobody gets here `\n"),
    ("joined-lines", SH + "exec \\\n  multi\\\nlog t \\\n  ./main\\\n\n"),
    ("quotes", SH + "exec 'multilog' \"t\" s1'000'0 ./\\m\"ai\"n\n"),
    ("by-its-path", SH + "exec {bin}/multilog t ./main\n"),
    ("absolute-folder", SH + "exec multilog t {log}/main\n"),
    ("folder-name-with-space", SH + "exec multilog t './my main'\n", "my main/current"),
    ("two-folders", SH + "exec multilog t s4096 n3 ./small '-*' '+* fatal*' '+* three' ./main\n"),
    ("status", SH + "exec multilog t ./main '-*' '+* fatal*' =status\n"),
    ("rotates", SH + "exec multilog t s4096 n3 ./main\n"),
    ("processor", SH + "exec multilog t s4096 '!tr o O' ./main\n"),
    ("processor-looks-round", SH + "exec multilog s4096 '!see a b' ./main\n"),
    ("stderr-of-multilog", SH + "exec multilog '-*' '+*fatal*' e '+*' ./main\n"),
    ("stderr-of-multilog-merged", SH + "exec 2>&1\nexec multilog '-*' '+*fatal*' e '+*' ./main\n"),
    ("nowhere", SH + "exec multilog t '-*'\n", ""),
    ("no-words", SH + "exec multilog\n", ""),
    ("wrong-numbers", SH + "exec multilog sx n ./main '!'\n"),
    ("long-line", SH + "exec multilog t '+" + "a" * 3000 + "' ./main\n"),
    ("account", SH + "exec setuidgid nobody multilog t ./main\n"),
    ("account-stderr", SH + "exec 2>&1\nexec setuidgid nobody multilog t ./main\n"),
    ("account-by-path", SH + "exec {bin}/setuidgid nobody {bin}/multilog t ./main\n"),
    ("account-processor", SH + "exec setuidgid nobody multilog s4096 '!see' ./main\n"),
]  # fmt: skip
SHARED_END = [
    ("folder-of-a-missing-one", SH + "exec multilog t ./no/main\n"),
    ("folder-is-a-file", SH + "exec multilog t ./run\n"),
    ("second-folder-is-missing", SH + "exec multilog t ./main ./no/main\n"),
    ("unknown-account", SH + "exec setuidgid no-such-account multilog t ./main\n"),
    ("closed-folder", SH + "exec setuidgid daemon multilog t ./main\n"),
]
ALONE: list[tuple[str, str, Callable[[Path], object] | None]] = [
    ("softlimit-o", SH + "exec softlimit -o 60 multilog t ./main\n", None),
    ("softlimit-m", SH + "exec softlimit -m 3000000 multilog t ./main\n", None),
    ("softlimit-all", SH + "exec softlimit -a 900000000 -c 0 -d 900000000 -f 1000000 -l 5000 -p 400"
     " -s 3000000 -t 100 multilog t ./main\n", None),
    ("softlimit-hard", SH + "exec softlimit -o = -c = multilog t ./main\n", None),
    ("softlimit-setuidgid", SH + "exec softlimit -m 8000000 setuidgid nobody multilog t ./main\n", None),
    ("setuidgid-softlimit", "exec 2>&1\nexec setuidgid nobody softlimit -o 70 multilog t ./main\n", None),
    ("envdir", SH + "exec envdir ./env multilog s4096 '!see' ./main\n",
     folder_with(A="1\n2\n", EMPTY="", HOME="/x  \n", no="a\0b\n")),
    ("envdir-path", SH + "exec envdir ./env multilog s4096 '!env' ./main\n",
     folder_with(PATH="/usr/bin:/bin\n")),
    ("envuidgid", SH + "exec envuidgid nobody multilog s4096 '!see' ./main\n", None),
    ("setlock", SH + "exec setlock ./one multilog t ./main\n", None),
    ("setlock-nx", SH + "exec setlock -nx ./one multilog t ./main\n", None),
    ("account-numbers", SH + "exec setuidgid 65534:65534:7 multilog t ./main\n", None),
    ("pgrphack", SH + "exec pgrphack multilog t ./main\n", None),
    ("setuser", SH + "exec setuser daemon multilog t {log}/main\n", open_to_all),
    ("long-chain", SH + "exec setlock ./one \\\n envdir ./env \\\n softlimit -o 50 \\\n setuidgid nobody \\\n"
     " multilog t ./main\n", folder_with(A="1")),
]  # fmt: skip
ALONE_END: list[tuple[str, str, Callable[[Path], object] | None]] = [
    ("envdir-missing", SH + "exec envdir ./env multilog t ./main\n", None),
    ("setlock-missing", SH + "exec setlock ./no/one multilog t ./main\n", None),
    ("setlock-x-missing", SH + "exec setlock -nx ./no/one multilog t ./main\n", None),
    ("setuser-unknown", SH + "exec setuser no-such-account multilog t ./main\n", None),
    ("setuser-closed", SH + "exec setuser daemon multilog t {log}/main\n", None),
    ("alone-folder-is-a-file", SH + "exec pgrphack multilog t ./run\n", None),
    ("envuidgid-unknown", SH + "exec envuidgid no-such-account multilog t ./main\n", None),
]  # fmt: skip
EXECUTED = [
    ("carriage-returns", SH + "exec multilog t ./main\r\n", "main\r/current"),
    ("other-shell", "#!/bin/bash\nexec multilog t ./main\n"),
    ("variable", SH + 'exec multilog t "./main${EMPTY}"\n'),
    ("assignment", SH + "A=1 exec multilog t ./main\n"),
    ("other-program-first", SH + "exec env A=1 multilog t ./main\n"),
    ("command-before", SH + "umask 077\nexec multilog t ./main\n"),
    ("fghack", SH + "exec nice -n 1 multilog t ./main\n"),
]
EXECUTED_END = [
    ("wrong-usage-setuidgid", SH + "exec setuidgid\n"),
    ("wrong-usage-softlimit", SH + "exec softlimit -q multilog t ./main\n"),
    ("wrong-usage-envdir", SH + "exec envdir\n"),
    ("unclosed-quote", SH + "exec multilog t './main\n"),
]


def here(text: str) -> str:
    """A logger's script of somebody else's host, for one that can be had on this one."""
    for there in ("qmaill", "Gdnslog", "dnslog", "ftplog", " log "):
        text = text.replace(there, there.replace(there.strip(), "nobody"))
    for folder in ("/var/log/qmail/smtpd", "/var/log/qmail/qmail-send", "/var/log/qmail"):
        text = text.replace(folder, "./main")
    return text.replace("/usr/local/bin", "{bin}")


def rows() -> list[Row]:
    made = [Row(name, text, "shared", reads=(*more, "main/current")[0]) for name, text, *more in SHARED]
    made += [Row(name, text, "shared", ends=True) for name, text in SHARED_END]
    made += [Row(name, text, "alone", prepare) for name, text, prepare in ALONE]
    made += [Row(name, text, "alone", prepare, ends=True) for name, text, prepare in ALONE_END]
    made += [Row(name, text, "executed", reads=(*more, "main/current")[0]) for name, text, *more in EXECUTED]
    made += [Row(name, text, "executed", ends=True) for name, text in EXECUTED_END]
    return made + corpus()


def corpus() -> list[Row]:
    """log/run of each folder of the corpus, and of documents."""
    reads = {"log-status": "", "log-two-folders": "large/current", "log-nothing": ""}
    made = []
    known: set[str] = set()
    for path in sorted(CORPUS_FOLDER.glob("*/log/run")):
        text = path.read_text()
        if text not in known:
            known.add(text)
            name = path.parent.parent.name
            made.append(Row(f"corpus-{name}", text, "shared", reads=reads.get(name, "main/current")))
    for number, (script, loaders, _) in enumerate(LOGGERS):
        how = "shared" if len(loaders.split()) == 2 else "alone"
        made.append(Row(f"document-{number}", here(script.decode()), how, prepare=folder_with()))
    return made


ROWS = rows()


@dataclass(frozen=True)
class Difference:
    """`is_so`: whether what is seen of a native logger and an executed one differs as it may, and `why`."""

    why: str
    is_so: Callable[[str, str], bool]


def only(native: str, why: str) -> Difference:
    return Difference(why, lambda found, _: found == native)


def has_more(*descriptors: str) -> Callable[[str, str], bool]:
    return lambda native, executed: (
        Counter(native.split("\n")) == Counter(executed.split("\n")) + Counter(descriptors)
    )


def is_svscans(native: str, _: str) -> bool:
    entries = [f"{name}={value}".encode() for name, value in ENVIRON.items()]
    return native.startswith("b'PATH=") and native.endswith(repr(b"\0" + b"\0".join(entries) + b"\0")[2:])


ALONE_DIFFERS = {
    "environment": Difference(
        "/proc shows the environment that svscan was started with; processors get what sh leaves", is_svscans
    ),
    "command line": Difference(
        "2000 bytes of it, as it was begun with so many", lambda native, executed: (
            len(executed) > 2000 and executed.startswith(native[:-3]) and len(native) > 1900
        )
    ),
}  # fmt: skip
MEMORY_DIFFERS = {
    f"limit {name}": Difference(
        "what the process uses at the time, and as much again for each: the one that was forked uses more",
        lambda native, executed: 0 < int(native.split()[0]) - int(executed.split()[0]) < 16 << 20,
    )
    for name in ("address space", "data size")
}
"""After softlimit has set them to less than multilog needs."""
SHARED_DIFFERS = ALONE_DIFFERS | {
    "cwd": only("/", "it stays in no logger's folder"),
    "descriptor 0": only("/ reads O_CLOEXEC O_PATH", "it is no logger's pipe"),
    "limit open files": only("4000 4000", "for many loggers; processors get the services'"),
    "status Threads": only("3", "one waits for signals, one works, one watches over it"),
    "threads' names": only("multilog multilog multilog", "the same"),
    "status SigBlk": only("0000000000000000", "another of its threads is shown: the one that waits for them"),
    "status SigCgt": only("0000000100000000", "signals are waited for; the one that is caught is glibc's"),
    "its own descriptors": Difference(
        "what it is told, reports and waits with", has_more(
            "its comm writes O_CLOEXEC",
            "its mem writes O_CLOEXEC",
            "a pipe of its own reads O_NONBLOCK O_CLOEXEC",
            "a pipe of its own reads O_NONBLOCK O_CLOEXEC",
            "a pipe of its own writes O_NONBLOCK O_CLOEXEC",
            "a pipe of its own writes O_NONBLOCK O_CLOEXEC",
            "a socket of its own reads and writes O_NONBLOCK O_CLOEXEC",
            "anon_inode:[eventfd] reads and writes O_NONBLOCK O_CLOEXEC",
            "anon_inode:[eventpoll] reads and writes O_CLOEXEC",
        )
    ),
}  # fmt: skip
DIFFERENCES: dict[str, dict[str, Difference]] = {
    "shared": SHARED_DIFFERS,
    "alone": ALONE_DIFFERS | MEMORY_DIFFERS,
    "executed": {},
}
"""All that may differ, by how a logger runs: nothing else."""

Ways = dict[str, tuple[Shown | Exception, Shown | Exception]]


@pytest.fixture(scope="module")
def ways() -> Ways:
    """What each row shows, natively and executed."""
    if os.geteuid() != 0:
        pytest.skip("only root can change users")
    return both_ways(Way, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_both_ways_show_the_same(row: Row, ways: Ways) -> None:
    native, executed = ways[row.name]
    for each in (native, executed):
        if isinstance(each, Exception):
            raise each
    assert isinstance(native, Shown) and isinstance(executed, Shown)
    if not row.ends:
        assert (native.how, executed.how) == ("executed" if row.how == "executed" else "native", "executed")
    assert (native.files, native.said, native.exits) == (executed.files, executed.said, executed.exits)
    may_differ = DIFFERENCES[row.how]
    for name in {*native.process, *executed.process}:
        pair = native.process.get(name, ""), executed.process.get(name, "")
        assert pair[0] == pair[1] or (name in may_differ and may_differ[name].is_so(*pair)), (name, *pair)


@pytest.mark.parametrize("row", [row for row in ROWS if row.ends], ids=lambda row: row.name)
def test_those_that_do_not_stay_are_begun_natively_too(row: Row) -> None:
    """svstat says nothing of those."""
    literal = nativerun.understood(row.text.replace("{log}", "/log").encode())
    chain = None if literal is None else nativerun.chain(literal.words)
    how = "executed" if chain is None else "shared" if chain.is_shared else "alone"
    assert how == row.how


def test_all_that_may_differ_does(ways: Ways) -> None:
    """So no row of DIFFERENCES outlives its reason."""
    hows = {row.name: row.how for row in ROWS}
    differ = {
        (hows[name], what)
        for name, (native, executed) in ways.items()
        if isinstance(native, Shown) and isinstance(executed, Shown)
        for what, value in native.process.items()
        if value != executed.process.get(what)
    }
    assert {what for _, what in differ} == {what for each in DIFFERENCES.values() for what in each}
