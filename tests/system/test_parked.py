"""Files that are only to be open: in a socket, and back."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from svpy.core.handover import decode, descriptors, encode
from svpy.system.parked import SIZE, Parked

MANY = 3 * SIZE + 2


def has_reader(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def open_now() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def fifos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / str(number) for number in range(MANY)]
    for path in paths:
        os.mkfifo(path)
    return paths


@pytest.fixture
def before() -> Iterator[int]:
    count = open_now()
    yield count
    assert open_now() == count, "nothing is left"


def park(parked: Parked, paths: list[Path]) -> list[int]:
    return [parked.keep(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)) for path in paths]


def test_many_take_few_descriptors_and_all_are_open(before: int, fifos: list[Path]) -> None:
    parked = Parked()
    names = park(parked, fifos)
    assert open_now() == before + MANY // SIZE * 2 + MANY % SIZE
    assert all(map(has_reader, fifos))
    for name in names:
        parked.let_go(name)


@pytest.mark.parametrize("step", [1, -1, 7])
def test_each_is_closed_alone(before: int, fifos: list[Path], step: int) -> None:
    parked = Parked()
    left = dict(zip(park(parked, fifos), fifos, strict=True))
    for place in range(MANY):
        name = sorted(left)[place * step % len(left)]
        parked.let_go(name)
        assert not has_reader(left.pop(name))
        assert all(map(has_reader, left.values()))
    parked.let_go(1)
    parked.let_go(0)


def test_what_cannot_be_sent_is_held_as_it_is(
    before: int, fifos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError(24, "process cannot open more files")

    parked = Parked()
    with monkeypatch.context() as patched:
        patched.setattr("svpy.system.parked.channels", refused)
        names = park(parked, fifos)
        assert open_now() == before + MANY
    for name in names:
        parked.let_go(name)


def test_who_follows_has_them_and_who_only_looks_does_not(before: int, fifos: list[Path]) -> None:
    parked = Parked()
    names = park(parked, fifos)
    state = decode(encode({"parked": parked.state()}))
    assert len(descriptors(state)) == MANY // SIZE * 2 + MANY % SIZE
    follower = Parked()
    follower.recall(state["parked"])
    more = follower.keep(os.open("/", os.O_PATH | os.O_CLOEXEC))
    assert more not in names
    for name in (*names, more):
        follower.let_go(name)
    assert not any(map(has_reader, fifos))
