"""What `ready` in a folder asks for, and what is noted of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core import readiness
from svpy.core.readiness import MOST_NOTE_BYTES, Asked, Nonsense, decode_note, encode_note, is_ready, parse
from svpy.core.status import DOWN, STARTED, STARTING, STOPPING, UP, Status, encode
from svpy.core.tai import label, pack

AT = pack(1_700_000_000_123_456_789)
RUNS = encode(Status(AT, 300, False, UP))
DOWN_STATUS = encode(Status(AT, 0, False, UP))


def said(asked: Asked) -> dict[str, object]:
    return {slot: value for slot in Asked.__slots__ if (value := getattr(asked, slot))}


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"listen 25", {"kind": b"listen", "protocol": b"tcp", "port": 25}),
        (b"listen tcp 25\n", {"kind": b"listen", "protocol": b"tcp", "port": 25}),
        (b"listen udp ::1 53", {"kind": b"listen", "protocol": b"udp", "address": b"::1", "port": 53}),
        (b"listen ::1 25", {"kind": b"listen", "protocol": b"tcp", "address": b"::1", "port": 25}),
        (b"listen unix:/run/a b", {"kind": b"listen", "protocol": b"unix", "path": b"/run/a b"}),
        (b"listen unix:@abstract", {"kind": b"listen", "protocol": b"unix", "path": b"@abstract"}),
        (b"\n# why\n  file  the pid file \n\n", {"kind": b"file", "path": b"the pid file"}),
        (b"exec ./check -v\tx", {"kind": b"exec", "words": (b"./check", b"-v", b"x")}),
        (b"fd 3\r\n", {"kind": b"fd", "number": 3}),
        (b"notify", {"kind": b"notify"}),
    ],
)
def test_what_a_file_asks_for(text: bytes, expected: dict[str, object]) -> None:
    assert said(parse(text)) == expected


@pytest.mark.parametrize(
    "text, why",
    [
        (b"", b"it is empty"),
        (b"# notify\n\n", b"it is empty"),
        (b"fd 3\nnotify\n", b"it has more than one line"),
        (b"listens 25", b"it begins with neither listen, file, exec, fd nor notify"),
        (b"listen", b"listen takes [tcp|udp] [ADDRESS] PORT, or unix:PATH"),
        (b"listen tcp", b"listen takes [tcp|udp] [ADDRESS] PORT, or unix:PATH"),
        (b"listen sctp ::1 25", b"listen takes [tcp|udp] [ADDRESS] PORT, or unix:PATH"),
        (b"listen unix:", b"listen unix: without a path"),
        (b"listen localhost 25", b"listen takes an address in digits"),
        (b"listen 25 25", b"listen takes an address in digits"),
        (b"listen smtp", b"smtp is not a port: 1 to 65535"),
        (b"listen 0", b"0 is not a port: 1 to 65535"),
        (b"listen 65536", b"65536 is not a port: 1 to 65535"),
        (b"listen -1", b"-1 is not a port: 1 to 65535"),
        (b"listen \x1b[31m", b"?[31m is not a port: 1 to 65535"),
        (b"file", b"file takes a path"),
        (b"exec", b"exec takes a program"),
        (b"fd", b"fd takes one number"),
        (b"fd 3 4", b"fd takes one number"),
        (b"fd 2", b"2 is not a descriptor: 3 to 255"),
        (b"fd " + b"9" * 4000, b"9" * 4000 + b" is not a descriptor: 3 to 255"),
        (b"notify me", b"notify stands alone"),
        (b"fd 3\0", b"it is not text"),
        (b"#" * 5000 + b"\nfd 3", b"it is too long"),
    ],
)
def test_nonsense(text: bytes, why: bytes) -> None:
    with pytest.raises(Nonsense) as raised:
        parse(text)
    assert raised.value.why == why


@given(st.binary(max_size=200) | st.text("listenfdxcoy 0123:.\n#", max_size=30).map(str.encode))
def test_whatever_a_file_says_is_understood_or_nonsense(text: bytes) -> None:
    try:
        assert parse(text).kind in (b"listen", b"file", b"exec", b"fd", b"notify")
    except Nonsense as nonsense:
        assert nonsense.why and b"\n" not in nonsense.why


@given(st.binary(min_size=16, max_size=16), st.sampled_from([b"ready", b"waits", b"not"]), st.binary())
def test_a_note_is_read_as_written_for_its_status_alone(owner: bytes, word: bytes, text: bytes) -> None:
    note = encode_note(owner + b"\0u", word, text)
    assert len(note) <= MOST_NOTE_BYTES and note.endswith(b"\n")
    clean = text.replace(b"\n", b"?")[: MOST_NOTE_BYTES - 16 - len(word) - 2]
    # What is wanted, and whether it is paused, changes while it runs.
    assert decode_note(owner + b"\1d", note) == (word, clean)
    assert decode_note(bytes([owner[0] ^ 1]) + owner[1:] + b"\0u", note) == (b"", b"")
    assert decode_note(owner + b"\0u", note[:-1]) == (b"", b"")


@given(st.binary(max_size=60))
def test_rubbish_is_no_note(rubbish: bytes) -> None:
    assert decode_note(RUNS, rubbish) == (b"", b"")
    assert decode_note(RUNS, RUNS[:16] + b"#" + rubbish) == (b"", b"")
    assert decode_note(rubbish[:17], rubbish[:16] + b"ready\n") == (b"", b"")


READY_NOTE = encode_note(RUNS, readiness.READY, label(0))


@pytest.mark.parametrize(
    "status, word, note, asks, expected",
    [
        (RUNS, b"", b"", False, True),
        (RUNS, STARTING, b"", False, False),
        (RUNS, STOPPING, b"", False, False),
        (DOWN_STATUS, b"", b"", False, False),
        (DOWN_STATUS, STARTED, b"", False, True),
        (DOWN_STATUS, STARTED, b"", True, True),
        (encode(Status(AT, 300, True, DOWN)), b"", b"", False, True),
        (RUNS, b"", b"", True, False),
        (RUNS, b"", READY_NOTE, True, True),
        (encode(Status(AT, 300, True, DOWN)), b"", READY_NOTE, True, True),
        (encode(Status(AT, 301, False, UP)), b"", READY_NOTE, True, False),
        (DOWN_STATUS, b"", READY_NOTE, True, False),
        (RUNS, b"", encode_note(RUNS, readiness.NOT, b"exit 1 of ./check"), True, False),
        (RUNS[:17], b"", b"", False, False),
        (b"", b"", b"", False, False),
        (b"", b"", b"", True, False),
    ],
)
def test_when_it_is_ready(status: bytes, word: bytes, note: bytes, asks: bool, expected: bool) -> None:
    assert is_ready(status, word, note, asks) is expected
