"""What svstat -l and --json make of what is known."""

from __future__ import annotations

import json

import pytest

from svpy.core.details import Details, LogFolder, Socket, reason, table
from svpy.core.detailsjson import document
from svpy.core.exits import Exits
from svpy.core.seen import NOT_RUNNING, Seen
from svpy.core.states import STATES, state_of
from svpy.core.status import DOWN, FAILED, ONCE, STARTED, STARTING, STOPPING, UP, Status
from svpy.core.tai import pack

NOW_S = 1_000_000_000
NAMES = {11: "SEGV", 15: "TERM"}


def details(name: bytes = b"a", want: bytes = UP, pid: int = 0, word: bytes = b"", **more: object) -> Details:
    seen = Seen(name, is_logger=name.endswith(b"/log"))
    seen.is_supervised = True
    seen.status = Status(pack((NOW_S - 7) * 10**9), pid, False, want)
    seen.word = word
    one = Details(seen)
    for key, value in more.items():
        setattr(one if hasattr(one, key) else seen, key, value)
    return one


def lines(*shown: Details, width: int | None = None, in_colour: bool = False) -> list[str]:
    return table(list(shown), NOW_S, NAMES, width, in_colour).decode().splitlines()


def left_alone() -> Seen:
    seen = Seen(b"a")
    seen.trouble = NOT_RUNNING
    return seen


PAUSED = Status(pack(0), 1, True, UP)
ROWS = {
    "no svscan": left_alone(),
    "unknown": Seen(b"a"),
    "failed": details(word=FAILED).seen,
    "starting": details(pid=1, word=STARTING).seen,
    "stopping": details(pid=1, word=STOPPING).seen,
    "paused": details(status=PAUSED).seen,
    "not ready": details(pid=1, asks_ready=True).seen,
    "started": details(word=STARTED).seen,
    "up": details(pid=1).seen,
    "waits": details(note=b"dns: down").seen,
    "restarts": details().seen,
    "down": details(want=DOWN).seen,
}


@pytest.mark.parametrize("word", ROWS)
def test_a_state_for_each(word: str) -> None:
    assert state_of(ROWS[word]).word == word


def test_all_states_are_there() -> None:
    assert {state.word for state, _ in STATES} == set(ROWS)
    assert state_of(details(want=DOWN, pid=1).seen).word == "stopping"
    assert state_of(details(want=ONCE, normally_up=False).seen).matters == "quiet"
    assert state_of(details(want=DOWN).seen).matters == "bad", "somebody may have forgotten it"


def test_reasons() -> None:
    assert [reason(code, NAMES) for code in (0, 111, -11, -64, None)] == [
        b"exit 0", b"exit 111", b"killed by SEGV", b"killed by signal 64", b"unknown",
    ]  # fmt: skip


def test_what_stands_beneath() -> None:
    """Only what there is; nothing is noise."""
    at = pack((NOW_S - 180) * 10**9)
    shown = details(pid=12, exits=Exits(3, -11, 9, at), memory_bytes=4096, cpu_s=61.5, native=False)
    assert lines(shown)[1:] == [
        "a            up             12     7s        3   4.0K     1m executed",
        "    last exit: killed by SEGV, 3m ago",
    ]
    assert lines(details(pid=12, normally_up=False))[2] == "    normally down"
    assert lines(details(want=DOWN))[2] == "    normally up"
    assert lines(details(want=DOWN, normally_up=False))[2:] == []
    assert lines(details())[2:] == []
    assert lines(details(note=b"dns: down; \x1b[2J"))[2] == "    waits for dns: down; ?[2J"
    assert lines(details(pid=1, asks_ready=True, note=b"exit 1 of ./check"))[2] == (
        "    not ready: exit 1 of ./check"
    )
    gone = Details(left_alone())
    assert lines(gone)[1:] == [
        "a            no svscan       ?      ?        ?      ?      ? ?",
        "    supervise not running",
    ]


def test_lines_are_broken_on_a_terminal_only() -> None:
    sockets = [Socket(b"tcp", b"10.0.0.%d" % n, 8000, b"tcp 10.0.0.%d:8000" % n) for n in range(9)]
    shown = details(b"x" * 40, pid=1, sockets=[*sockets, sockets[0]])
    (_, row, line) = lines(shown)
    assert row.startswith("x" * 40 + " up ") and line.count("tcp") == 9
    for width in (80, 100):
        broken = lines(shown, width=width)
        assert broken[1].startswith("x" * 40), "a name is never cut"
        assert len(broken) > 3 and all(len(line) < width for line in broken[2:])
        assert " ".join(line.strip() for line in broken[2:]) == line.strip()


def test_columns_stand_below_each_other() -> None:
    """Wide characters or not: by their number; a terminal that is spoken to by a name shows `?`."""
    shown = lines(details("größe".encode(), pid=4194304), details(b"\xff\n", pid=1), width=80)
    assert [line.index(" up ") for line in shown[1:3]] == [12, 12]
    assert shown[2].startswith("?? ")
    coloured = lines(details(pid=1), width=80, in_colour=True)[1]
    assert coloured.replace("\033[32m", "").replace("\033[m", "") == lines(details(pid=1), width=80)[1]


def test_what_loggers_share_is_told_once() -> None:
    shared = {"shared": True, "native": True, "memory_bytes": 2**20, "cpu_s": 1.0}
    shown = lines(details(pid=1), details(b"a/log", pid=2, **shared), details(b"b/log", pid=2, **shared))
    assert shown[2].split()[-3:] == ["shared", "shared", "native"]
    assert shown[-1] == "1 service, 2 loggers: all as wanted; shared processes of loggers: 1, 1.0M"
    half = document([details(b"b/log", pid=2, **shared)], NOW_S, NAMES)["services"][0]
    assert (half["shared"], half["memory_bytes"], half["cpu_s"]) == (True, None, None)


def test_json_is_utf_8_whatever_names_are() -> None:
    logs = [LogFolder(b"/\xff", 5, 1.23456), LogFolder(b"/a", None, None)]
    told = document([details(b"\xe9", pid=1), details(b"\xe9/log", logs=logs)], NOW_S, NAMES)
    (one,) = json.loads(json.dumps(told).encode().decode("utf-8"))["services"]
    assert (one["name"], one["name_hex"]) == ("\N{REPLACEMENT CHARACTER}", "e9")
    assert one["logger"]["logs"] == [
        {
            "path": "/\N{REPLACEMENT CHARACTER}",
            "path_hex": "2fff",
            "current_bytes": 5,
            "current_age_s": 1.235,
            "trouble": None,
        },
        {"path": "/a", "current_bytes": None, "current_age_s": None, "trouble": None},
    ]
