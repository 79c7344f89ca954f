"""A log folder's steps: the exact order of each way through, and where a file is full."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.logfolder import WRITEBACK_BYTES, LogFolder, oldest_surplus
from svpy.core.logscript import Folder
from svpy.core.tai import label

if TYPE_CHECKING:
    from svpy.core.logfolder import Steps

NOW_NS = 1_700_000_000_123_456_789
NAME = label(NOW_NS)


class File:
    def __init__(self, mode: int = 0o644, size_bytes: int = 0, links: int = 1) -> None:
        self.mode, self.size_bytes, self.links = mode, size_bytes, links


def folder(processor: bytes | None = None, size_bytes: int = 4096, keep: int = 10) -> LogFolder:
    return LogFolder(Folder(b"./d", 0, size_bytes, keep, processor))


def walk(steps: Steps, answers: dict[str, list[Any]] | None = None) -> list[str]:
    """The steps in short, each answered from `answers` (in turn), or as if all went well."""
    standard: dict[str, Any] = {"now_ns": NOW_NS, "link": True, "names": [], "look": File(), "process": 0}
    queues = {what: list(queue) for what, queue in (answers or {}).items()}
    walked = []
    result: Any = None
    while True:
        try:
            what, arguments, _ = steps.send(result)
        except StopIteration:
            return walked
        walked.append(" ".join([what, *(shown(what, argument) for argument in arguments)]))
        if queues.get(what):
            result = queues[what].pop(0)
        else:
            result = len(arguments[0]) if what == "write" else standard.get(what)


def shown(what: str, argument: Any) -> str:
    if isinstance(argument, memoryview):
        return str(argument.nbytes)
    return (
        argument.decode()
        if isinstance(argument, bytes)
        else f"{argument:o}"
        if "mode" in what
        else str(argument)
    )


ROTATED = [
    "sync_current",
    "rename current previous",
    "open_current",
    "set_current_mode 644",
    "set_previous_mode 744",
]


def kept(name: str, suffix: str) -> list[str]:
    return [f"look {name}", "now_ns", f"link {name} {NAME.decode()}.{suffix}", f"remove {name}", "names"]


def test_rotation() -> None:
    assert walk(folder().rotate()) == [*ROTATED, *kept("previous", "s")]


def test_rotation_with_a_processor() -> None:
    crashed, failed, done = 11, 3 << 8, 0
    assert walk(folder(b"cmd").rotate(), {"process": [crashed, failed, done]}) == [
        *ROTATED,
        "enter",
        "process cmd",
        "pause multilog: warning: processor crashed in ./d, pausing",
        "process cmd",
        "pause multilog: warning: processor failed in ./d, pausing",
        "process cmd",
        "open_other processed", "sync_other", "set_other_mode 744", "close_other",
        "open_other newstate", "sync_other", "close_other",
        "remove previous",
        "rename newstate state",
        *kept("processed", "s"),
    ]  # fmt: skip


def test_opening_a_folder_closed_in_order() -> None:
    one = folder()
    assert walk(one.open(), {"look": [File(0o744, 77)]}) == [
        "open ./d", "lock", "look current", "open_current", "set_current_mode 644",
    ]  # fmt: skip
    assert one.filled_bytes == 77


BEGUN = ["make_empty state", "open_current", "set_current_mode 644"]
CLEARED = ["open ./d", "lock", "look current", "discard state", "discard newstate", "look processed"]


@pytest.mark.parametrize(
    ("current", "processed", "previous", "steps"),
    [
        (None, None, None, ["discard processed", "look previous", "look current"]),
        (File(), None, None, ["discard processed", "look previous", *kept("current", "u")]),
        (File(), None, File(), ["discard processed", *kept("previous", "u"), *kept("current", "u")]),
        (None, None, File(0o744), ["discard processed", *kept("previous", "u"), "look current"]),
        (File(), File(0o600), File(), ["discard processed", *kept("previous", "u"), *kept("current", "u")]),
        (File(), File(0o744), File(), ["discard previous", *kept("processed", "s"), *kept("current", "u")]),
        (File(), None, File(0o744, 0, 2), [
            "discard processed", "look previous", "remove previous", "names", *kept("current", "u"),
        ]),
    ],
)  # fmt: skip
def test_recovery(
    current: File | None, processed: File | None, previous: File | None, steps: list[str]
) -> None:
    complete = processed is not None and bool(processed.mode & 0o100)
    looks = [current, processed, processed if complete else previous, current]
    assert walk(folder().open(), {"look": looks}) == [*CLEARED, *steps, *BEGUN]


def test_closing() -> None:
    assert walk(folder().close()) == ["sync_current", "set_current_mode 744"]


def test_a_label_that_is_taken_is_passed_over() -> None:
    names = [label(NOW_NS + more).decode() for more in range(3)]
    walked = walk(folder().rotate(), {"link": [False, False, True]})
    assert [step for step in walked if step.startswith("link")] == [
        f"link previous {name}.s" for name in names
    ]


def test_a_file_that_may_not_grow_is_rotated() -> None:
    one = folder()
    pause = "pause multilog: warning: unable to write to ./d/current, pausing: file too big"
    walked = walk(one.append(b"x" * 100), {"write": [40, None, 60]})
    assert walked == ["write 100", "write 60", pause, *ROTATED, *kept("previous", "s"), "write 60"]
    assert walk(folder().append(b"x"), {"write": [None, 1]}) == ["write 1", pause, "write 1"]


def test_each_megabyte_is_begun_to_be_written() -> None:
    one, third = folder(size_bytes=3_201_000), b"x" * 399_999 + b"\n"
    walked = [walk(one.append(third)) for _ in range(8)]
    begun = [["write 400000", f"write_back {begin} {begin + 1_200_000}"] for begin in (0, 1_200_000)]
    assert walked[2::3] == begun
    assert walked[7][:1] == ["write 400000"] and walked[7][1:6] == ROTATED
    walk(one.append(third), {"write": [400_000]})
    assert (one.filled_bytes, one.steps_from_bytes) == (400_000, WRITEBACK_BYTES)
    assert walk(one.append(third * 2)) == ["write 800000", "write_back 0 1200000"]


def test_what_an_earlier_multilog_wrote_is_not_begun_again() -> None:
    one = folder(size_bytes=16 << 20)
    walk(one.open(), {"look": [File(0o744, 5_000_000)]})
    assert walk(one.append(b"x" * (WRITEBACK_BYTES - 1))) == [f"write {WRITEBACK_BYTES - 1}"]
    assert walk(one.append(b"x")) == ["write 1", f"write_back 5000000 {5_000_000 + WRITEBACK_BYTES}"]


@given(st.integers(4096, 16 << 20), st.integers(0, 16 << 20), st.integers(1, 1 << 20))
def test_what_needs_no_steps_is_but_written(size_bytes: int, filled_bytes: int, length: int) -> None:
    one = folder(size_bytes=size_bytes)
    walk(one.open(), {"look": [File(0o744, filled_bytes)]})
    if filled_bytes + length < one.steps_from_bytes:
        assert walk(one.append(b"\n" * length)) == [f"write {length}"]


def test_what_each_step_says_when_it_fails() -> None:
    said = []
    for steps in (folder(b"cmd").open(), folder(b"cmd").rotate(), folder().close(), folder().append(b"x")):
        result: Any = None
        answers = {"now_ns": NOW_NS, "link": True, "names": [], "look": File(), "process": 0, "write": 1}
        try:
            while True:
                what, _, trouble = steps.send(result)
                result = answers.get(what)
                said.append(trouble.decode().replace(NAME.decode(), "@"))
        except StopIteration:
            pass
    assert list(dict.fromkeys(text for text in said if text)) == [
        "multilog: fatal: unable to open directory ./d",
        "multilog: fatal: unable to lock directory ./d",
        "multilog: fatal: unable to stat ./d/current",
        "multilog: fatal: unable to stat ./d/processed",
        "multilog: warning: unable to stat ./d/previous, pausing",
        "multilog: warning: unable to link to ./d/@.u, pausing",
        "multilog: warning: unable to remove ./d/previous, pausing",
        "multilog: warning: unable to read ./d, pausing",
        "multilog: warning: unable to stat ./d/current, pausing",
        "multilog: warning: unable to remove ./d/current, pausing",
        "multilog: fatal: unable to write to ./d/state",
        "multilog: fatal: unable to write to ./d/current",
        "multilog: fatal: unable to set mode of ./d/current",
        "multilog: warning: unable to write ./d/current to disk, pausing",
        "multilog: warning: unable to rename current to previous in directory ./d, pausing",
        "multilog: warning: unable to create ./d/current, pausing",
        "multilog: warning: unable to set mode of ./d/current, pausing",
        "multilog: warning: unable to set mode of ./d/previous, pausing",
        "multilog: warning: unable to switch to ./d, pausing",
        "multilog: warning: unable to fork for processor in ./d, pausing",
        "multilog: warning: unable to create ./d/processed, pausing",
        "multilog: warning: unable to write ./d/processed to disk, pausing",
        "multilog: warning: unable to set mode of ./d/processed, pausing",
        "multilog: warning: unable to create ./d/newstate, pausing",
        "multilog: warning: unable to write ./d/newstate to disk, pausing",
        "multilog: warning: unable to rename newstate to state in directory ./d, pausing",
        "multilog: warning: unable to stat ./d/processed, pausing",
        "multilog: warning: unable to link to ./d/@.s, pausing",
        "multilog: warning: unable to remove ./d/processed, pausing",
        "multilog: warning: unable to write to ./d/current, pausing",
    ]


def files_of(reads: list[bytes], size_bytes: int, most_written: int = 1 << 20) -> list[bytes]:
    """What ends up in each file, the last one still being `current`."""
    one = folder(size_bytes=size_bytes)
    files = [b""]
    for data in reads:
        steps = one.append(data)
        result: Any = None
        try:
            while True:
                what, arguments, _ = steps.send(result)
                result = {"now_ns": NOW_NS, "link": True, "names": [], "look": File()}.get(what)
                if what == "write":
                    piece = bytes(arguments[0])[:most_written]
                    assert piece
                    files[-1] += piece
                    result = len(piece)
                elif what == "rename":
                    files.append(b"")
        except StopIteration:
            pass
        assert one.filled_bytes == len(files[-1])
    return files


lines = st.lists(st.integers(0, 3000).map(lambda n: b"x" * n + b"\n"), max_size=20)


def full_at(data: bytes, size_bytes: int) -> int:
    """Where a file that begins with `data` ends: at the first end of a line within 2000 bytes of its size,
    otherwise at its size."""
    newline = data.find(b"\n", size_bytes - 2001, size_bytes)
    return newline + 1 if newline >= 0 else size_bytes


@given(
    lines, st.sampled_from([4096, 5000]), st.lists(st.integers(1, 30000), max_size=8), st.integers(1, 6000)
)
def test_where_files_end(lines: list[bytes], size_bytes: int, cuts: list[int], most_written: int) -> None:
    data = b"".join(lines)
    places = [0, *sorted(cuts), len(data)]
    reads = [data[a:b] for a, b in pairwise(places) if data[a:b]]
    files = files_of(reads, size_bytes, most_written)
    assert b"".join(files) == data
    for number, content in enumerate(files[:-1]):
        rest = b"".join(files[number:])
        assert len(content) == full_at(rest, size_bytes)
    assert len(files[-1]) <= size_bytes


@pytest.mark.parametrize(
    ("first", "files"), [(2094, [2094 + 1]), (2095, [2095 + 1]), (2096, [2096, 1]), (2097, [2097, 1])]
)
def test_the_last_2000_bytes_begin_exactly_there(first: int, files: list[int]) -> None:
    """A line that ends at size - 2000 closes the file, one that ends a byte before it does not."""
    line = b"x" * (first - 1) + b"\n"
    for reads in ([line, b"y"], [line + b"y"], [line[:-1], b"\ny"]):
        assert [len(content) for content in files_of(reads, 4096)] == files


@given(st.lists(st.integers(0, 99), unique=True), st.integers(2, 20))
def test_the_oldest_go(numbers: list[int], keep: int) -> None:
    labelled = [label(number * 10**9) + b".s" for number in numbers]
    others = [b"current", b"lock", b"@short", b"state", b"x" * 30]
    surplus = oldest_surplus([*labelled, *others], keep)
    assert surplus == sorted(labelled)[: max(0, len(labelled) - keep + 1)]
