"""svlog's words, the moments among them, what is looked for, and how lines are shown."""

from __future__ import annotations

import calendar as days
import random
import re
import time
from collections.abc import Sequence

import pytest

from svpy.core import loggrep
from svpy.core.errors import Die
from svpy.core.loggrep import BadPattern
from svpy.core.logshown import Shown, distinct, safe
from svpy.core.logtimes import Calendar, NotUnderstood, moment
from svpy.core.svlogwords import LINES, Words
from svpy.core.tai import label
from svpy.system.calendar import local_time, unix_s, utc

NOW_S = days.timegm((2026, 11, 23, 1, 1, 1))
NS = 10**9


def at(text: str) -> bytes:
    return label(days.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) * NS)


def understood(word: bytes) -> bytes:
    return moment(word, Calendar(NOW_S * NS + 5, utc, lambda fields: unix_s(fields, is_utc=True)))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        (b"2026-11-23 10:00", at("2026-11-23 10:00:00")),
        (b" 2026-11-23   10:00:07 ", at("2026-11-23 10:00:07")),
        (b"2026-11-23T10:00:07", at("2026-11-23 10:00:07")),
        (b"2026-11-23 10:00:07.25", label(days.timegm((2026, 11, 23, 10, 0, 7)) * NS + NS // 4)),
        (b"2024-02-29", at("2024-02-29 00:00:00")),
        (b"1969-12-31 23:59:59", label(-NS)),
        (b"10:00", at("2026-11-23 10:00:00")),
        (b"9:05:01", at("2026-11-23 09:05:01")),
        (b"today", at("2026-11-23 00:00:00")),
        (b"Yesterday", at("2026-11-22 00:00:00")),
        (b"yesterday 23:59", at("2026-11-22 23:59:00")),
        (b"now", label(NOW_S * NS + 5)),
        (b"2h", label((NOW_S - 7200) * NS + 5)),
        (b"30m ago", label((NOW_S - 1800) * NS + 5)),
        (b"-90s", label((NOW_S - 90) * NS + 5)),
        (b"1h30m", label((NOW_S - 5400) * NS + 5)),
        (b"2 days 1 Hour ago", label((NOW_S - 49 * 3600) * NS + 5)),
        (b"1w", label((NOW_S - 604800) * NS + 5)),
        (b"0.5s", label(NOW_S * NS + 5 - NS // 2)),
        (label(7), label(7)),
        (label(7).upper(), label(7)),
        (b"@1000000000", label(10**18)),
    ],
)
def test_moments(word: bytes, meant: bytes) -> None:
    assert understood(word) == meant


@pytest.mark.parametrize(
    "word",
    [b"", b"soon", b"@", b"@x", b"@1234567890123", label(7)[:-1], label(7) + b"0", b"24:00", b"10:60",
     b"10", b"10:",
     b":10", b"10:00:61", b"10:00.5", b"10:00:00.", b"10:00:00.x", b"2026-11-31", b"2026-02-29",
     b"2026-13-01",
     b"2026-1-1", b"26-11-23", b"0000-01-01", b"2026-11-23 ten", b"2h ago ago", b"h", b"2x", b"2h30",
     b"9" * 10 + b"h",
     b"--2h", b"today 10:00 pm", b"1.2.3h", b"10:00 today", b"\xff", b"\xd9\xa3h", "\u0663h".encode()],
)  # fmt: skip
def test_what_is_no_moment(word: bytes) -> None:
    with pytest.raises(NotUnderstood):
        understood(word)


def test_the_day_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, before in [
        ("2026-03-01", "2026-02-28"),
        ("2024-03-01", "2024-02-29"),
        ("2026-01-01", "2025-12-31"),
    ]:
        now_s = days.timegm(time.strptime(now, "%Y-%m-%d"))
        found = moment(b"yesterday", Calendar(now_s * NS, utc, lambda fields: unix_s(fields, is_utc=True)))
        assert found == at(f"{before} 00:00:00")


def test_local_time_and_utc_are_those_of_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    rng = random.Random(1)
    for _ in range(2000):
        second = rng.randrange(-(10**10), 10**11)
        fields = time.gmtime(second)
        assert unix_s((*fields[:6], 0, 0, -1), is_utc=True) == second
        assert utc(second) == fields
    local: Sequence[int] | None = local_time(NOW_S)
    assert local is not None
    assert unix_s((*local[:6], 0, 0, -1), is_utc=False) == NOW_S
    assert local[3] == 2
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([b"a", b"b"], {"folders": [b"a", b"b"], "follow": False, "lines": None}),
        ([b"-f", b"a"], {"follow": True, "lines": LINES}),
        ([b"-fn20", b"a"], {"follow": True, "lines": 20}),
        ([b"-n", b"0", b"a", b"-f"], {"follow": True, "lines": 0}),
        ([b"-nall", b"-f", b"a"], {"lines": None}),
        ([b"--lines=7", b"--", b"-a"], {"lines": 7, "folders": [b"-a"]}),
        ([b"--since", b"-2h", b"a"], {"since": b"-2h"}),
        ([b"--grep", b"-fn", b"-F", b"a"], {"grep": b"-fn", "fixed": True, "follow": False}),
        ([b"-f", b"--since=1h", b"a"], {"lines": None, "since": b"1h"}),
    ],
)
def test_words(words: list[bytes], wanted: dict[str, object]) -> None:
    parsed = Words(words, b"usage", is_terminal=False)
    assert {name: getattr(parsed, name) for name in wanted} == wanted


def test_a_terminal_gets_the_end() -> None:
    assert Words([b"a"], b"", is_terminal=True).lines == LINES
    assert Words([b"-nall", b"a"], b"", is_terminal=True).lines is None
    assert Words([b"--grep=x", b"a"], b"", is_terminal=True).lines is None


@pytest.mark.parametrize(
    "words",
    [[], [b"-f"], [b"-q", b"a"], [b"-n", b"a"], [b"-n", b"-1", b"a"], [b"a", b"-n"], [b"--since"], [b"-",
     b"a"],
     [b"-n9999999999", b"a"], [b"--utc", b"--raw", b"a"], [b"-f", b"--until", b"now", b"a"], [b"-F", b"a"],
     [b"--raw=1", b"a"], [b"-nx", b"a"]],
)  # fmt: skip
def test_wrong_words(words: list[bytes]) -> None:
    with pytest.raises(Die) as death:
        Words(words, b"usage", is_terminal=False)
    assert (death.value.code, death.value.message) == (100, b"usage")


PATTERNS = [
    b"x", b"4", b"abc", b"^a", b"c$", b"^$", b"", b"a.*c", b"[^a]", b"a[^x]*c", b"\\s", b"\\Aa", b"c\\Z",
    b"(?i)ABC",
    b"(?s)a.c", b"a(?!b)", b"(?<=@)4", b"\\d+", b"[0-9]{3}", b"a|b", b"(a)(b)", b"(?:ab)+", b"\\x0a",
    b"a\nb", b"$",
    b"x*", b"\\bb", b"\\W", b"[\\s]", b"[\t-z]", b"a*+b", b"\xc3\xa9", b"\\.", b"^4", b"@", b" a", b"\\Bb",
]  # fmt: skip


@pytest.mark.parametrize("text", PATTERNS)
def test_a_block_is_searched_as_its_lines_are(text: bytes) -> None:
    rng = random.Random(7)
    words = [
        b"a",
        b"b",
        b"c",
        b"abc",
        b"ABC",
        b" ",
        b"4",
        b"@",
        b"\xc3\xa9",
        b"\t",
        b"a.c",
        b"123",
        b"-",
        b"x",
        b"\r",
    ]
    lines = []
    for number in range(400):
        line = b"".join(rng.choice(words) for _ in range(rng.randrange(6)))
        stamp = rng.choice((b"", label(number) + b" ", label(number)))
        lines.append((stamp, b" " + line if stamp and not stamp.endswith(b" ") else line))
    block = b"".join(stamp + line + b"\n" for stamp, line in lines)
    seen = [(stamp + line + b"\n", line[1:] if len(stamp) == 25 else line) for stamp, line in lines]
    try:
        compiled = re.compile(text, re.MULTILINE)
    except re.error:
        with pytest.raises(BadPattern):  # Possessive repetitions are new in 3.11.
            loggrep.pattern(text)
        return
    wanted = [whole for whole, line in seen if compiled.search(line)]
    assert loggrep.pattern(text)(block) == b"".join(wanted)
    assert loggrep.pattern(text)(b"") == b""
    if b"\n" not in text:
        assert loggrep.fixed(text)(block) == b"".join([whole for whole, line in seen if text in line])


def test_what_is_no_pattern() -> None:
    for text in (b"(", b"[", b"*", b"a{1,99999999999999999999}"):
        with pytest.raises(BadPattern):
            loggrep.pattern(text)
    with pytest.raises(BadPattern):
        loggrep.fixed(b"a\nb")


def test_how_lines_are_shown() -> None:
    plain = Shown(None, [], is_terminal=False)
    assert plain.block(0, b"\033\n") == b"\033\n"
    named = Shown(bytes.upper, [b"a", b"b"], is_terminal=True)
    assert named.block(1, b"x\n\033y\n\n") == b"b: X\nb: ?Y\nb: \n"
    assert safe(bytes(range(32)) + b"\x7f\n") == b"?" * 9 + b"\t\n" + b"?" * 22 + b"\n"
    assert (
        safe("\u202e\x9b\tgr\u00fc\u00df\u2029\n".encode() + b"\xff\xe9\n")
        == "??\tgr\u00fc\u00df?\n??\n".encode()
    )
    assert distinct([b"a", b"b"], [b"/x/a", b"/x/b"]) == [b"a", b"b"]
    assert distinct([b"a", b"a"], [b"/x/a", b"/y/a"]) == [b"/x/a", b"/y/a"]
