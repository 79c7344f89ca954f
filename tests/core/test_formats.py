"""Byte formats: TAI64N, the status file, svstat's words, options, messages."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core import control, errors, options, status, tai

EPOCH = bytes.fromhex("400000000000000a")


@pytest.mark.parametrize(
    ("unix_ns", "label"),
    [
        (0, b"@400000000000000a00000000"),
        (1, b"@400000000000000a00000001"),
        (999_999_999, b"@400000000000000a3b9ac9ff"),
        (1_000_000_000 * 10**9 + 5, b"@400000003b9aca0a00000005"),
        (-1, b"@40000000000000093b9ac9ff"),
    ],
)
def test_labels(unix_ns: int, label: bytes) -> None:
    assert tai.label(unix_ns) == label
    assert tai.pack(unix_ns).hex().encode() == label[1:]
    assert tai.unix_s(tai.pack(unix_ns)) == unix_ns // 10**9


@given(
    since=st.binary(min_size=12, max_size=12),
    pid=st.integers(0, 2**32 - 1),
    paused=st.booleans(),
    want=st.sampled_from([b"u", b"d", b"\0"]),
)
def test_status_there_and_back(since: bytes, pid: int, paused: bool, want: bytes) -> None:
    data = status.encode(status.Status(since, pid, paused, want))
    assert len(data) == 18
    back = status.decode(data)
    assert (back.since, back.pid, back.paused, back.want) == (since, pid, paused and pid != 0, want)


def test_status_byte_by_byte() -> None:
    data = status.encode(status.Status(tai.pack(7), 0x01020304, True, b"u"))
    assert data == EPOCH + bytes([0, 0, 0, 7]) + bytes([4, 3, 2, 1]) + b"\1u"


@pytest.mark.parametrize("length", range(18))
def test_a_short_status_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="bad format"):
        status.decode(bytes(length))


@pytest.mark.parametrize(
    ("pid", "paused", "want", "normally_up", "words"),
    [
        (5, False, b"u", True, b"up (pid 5) 3 seconds"),
        (5, False, b"u", False, b"up (pid 5) 3 seconds, normally down"),
        (5, True, b"d", False, b"up (pid 5) 3 seconds, normally down, paused, want down"),
        (5, True, b"\0", True, b"up (pid 5) 3 seconds, paused"),
        (0, True, b"d", False, b"down 3 seconds"),
        (0, False, b"u", True, b"down 3 seconds, normally up, want up"),
        (0, False, b"\0", True, b"down 3 seconds, normally up"),
    ],
)
def test_svstat_words(pid: int, paused: bool, want: bytes, normally_up: bool, words: bytes) -> None:
    state = status.Status(tai.pack(100 * 10**9), pid, paused, want)
    assert status.describe(state, normally_up, 103) == words


def test_a_word_belongs_to_one_status() -> None:
    data = status.encode(status.Status(tai.pack(7), 0, False, b"d"))
    for word in status.WORDS:
        state = status.encode_state(data, word)
        assert len(state) <= status.STATE_BYTES
        assert status.state_word(data, state) == word
        for place in range(len(data)):
            other = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            assert status.state_word(other, state) == b"", "a status that was replaced since"
    for rubbish in (b"", data, data + b"failed\nforged", data + b"\x1b[2J", data + b"running\n"):
        assert status.state_word(data, rubbish) == b""


@pytest.mark.parametrize(
    ("pid", "word", "up"), [(0, b"", False), (5, b"", True), (0, b"started", True), (0, b"failed", False)]
)
def test_what_is_up(pid: int, word: bytes, up: bool) -> None:
    assert status.is_up(status.encode(status.Status(bytes(12), pid, False, b"u")), word) is up


def test_the_word_comes_last() -> None:
    state = status.Status(tai.pack(100 * 10**9), 0, False, b"d")
    assert status.describe(state, True, 103, b"failed") == b"down 3 seconds, normally up, failed"


def test_the_future_is_now() -> None:
    assert status.describe(status.Status(b"\xff" * 12, 0, False, b"d"), False, 5) == b"down 0 seconds"


USAGE = b"tool: usage"


@pytest.mark.parametrize(
    ("words", "found", "rest"),
    [
        ([], [], []),
        ([b"a"], [], [b"a"]),
        ([b"-nx", b"f"], [(b"n", b""), (b"x", b"")], [b"f"]),
        ([b"-o", b"5", b"f"], [(b"o", b"5")], [b"f"]),
        ([b"-no5", b"f"], [(b"n", b""), (b"o", b"5")], [b"f"]),
        ([b"-n", b"--", b"-x"], [(b"n", b"")], [b"-x"]),
        ([b"-n", b"--o5", b"-x"], [(b"n", b"")], [b"-x"]),
        ([b"-", b"-n"], [], [b"-", b"-n"]),
        ([b"f", b"-n"], [], [b"f", b"-n"]),
        ([b"-o", b"--", b"f"], [(b"o", b"--")], [b"f"]),
        ([b"-o-5"], [(b"o", b"-5")], []),
    ],
)
def test_options(words: list[bytes], found: list[tuple[bytes, bytes]], rest: list[bytes]) -> None:
    assert options.parse(b"tool", b"nxo:", words, USAGE) == (found, rest)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([b"-z"], b"tool: illegal option -- z"),
        ([b"-n:"], b"tool: illegal option -- :"),
        ([b"-no"], b"tool: option requires an argument -- o"),
        ([b"-\xff"], b"tool: illegal option -- \xff"),
    ],
)
def test_bad_options(words: list[bytes], complaint: bytes) -> None:
    with pytest.raises(errors.Die) as death:
        options.parse(b"tool", b"nxo:", words, USAGE)
    assert (death.value.code, death.value.message) == (100, complaint + b"\n" + USAGE)


def test_the_letters_of_c_come_first_and_in_its_words() -> None:
    c_words = (
        b"u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, k kill"
    )
    assert control.summary().startswith(c_words)


def test_error_texts() -> None:
    assert errors.error_text(errno.ENOENT) == b"file does not exist"
    assert errors.error_text(errno.EAGAIN) == b"temporary failure"
    assert errors.error_text(None) == b"unknown error"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"qmail-send", b"qmail-send"),
        (b"a\nb\x1b[2J\x7f", b"a?b?[2J?"),
        (b"\xc3\xa4", b"\xc3\xa4"),
        (b"", b""),
    ],
)
def test_a_name_stays_on_its_line(name: bytes, shown: bytes) -> None:
    assert errors.one_line(name) == shown
