"""tai64nlocal beside C's, in zones of all sorts; and where C crashes."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from support.oracle import Scenario, Shows, each, judge
from support.peers import PEERS, beside_c
from support.processes import BIN, environment, run

FULL = b"@400000005f5e10001dcd6500"
SECOND_0 = 2**62
"""The label of Unix time -10."""

TEXTS = {
    "nothing": b"",
    "plain": b"plain\n",
    "no-newline": b"no newline",
    "a-line": FULL + b" line\n",
    "label-alone": FULL + b"\n",
    "label-and-end": b"x\n" + FULL,
    "label-and-empty-lines": FULL + b"\n\n\n" + FULL + b" \n",
    "indented": b" " + FULL + b" not at the beginning\n\t" + FULL + b"\n",
    "in-the-middle": b"x " + FULL + b" y\n" + FULL + b" " + FULL + b" z\n",
    "twice": FULL + FULL + b" twice\n",
    "beyond-a-nanosecond": b"@4000000000000000ffffffff x\n@3fffffffffffffff00000000 y\n",
    "short-second": b"@40000000ffffffffffffffff\n",
    "long": b"@" + b"0" * 40 + FULL[1:] + b" more digits than a label has\n",
    "long-and-rolled-over": b"@ffffffff" + FULL[1:] + b" digits that are shifted out\n",
    "upper-case-behind-the-label": FULL + b"A x\n" + FULL + b"F\n",
    "nul": b"\0\n\xff\n" + FULL + b"\0\xff\n\0",
    "carriage-return": FULL + b" x\r\n" + FULL + b"\r\n\r" + FULL + b"\n",
    "long-line": b"x" * (1 << 20) + b"\n" + FULL + b" after it\n",
    "long-line-labelled": FULL + b" " + b"x" * (1 << 20),
    "many": (FULL + b" many\n") * 5000,
    "many-seconds": b"".join(b"@%016x00000000 x\n" % (SECOND_0 + second * 86399) for second in range(3000)),
    "nanoseconds": b"".join(
        b"@400000005f5e1000%08x x\n" % nanoseconds for nanoseconds in (0, 9, 10**8, 10**9, 2**32 - 1)
    ),
    "around-the-epoch": b"".join(
        b"@%016x00000000 x\n" % (SECOND_0 + second) for second in (-70000, -1, 0, 9, 10, 11, 70000)
    ),
    "far": b"".join(
        b"@%016x00000000 x\n" % (SECOND_0 + sign * 2**power) for power in range(30, 56) for sign in (-1, 1)
    ),
    "ends-in-a-label": FULL + b" x\n" + FULL[:-3],
    "at-alone-at-the-end": FULL + b" x\n@",
}

YEAR = b"".join(
    b"@%016x%08x %d\n" % (SECOND_0 + 10 + hour * 3600, hour, hour)
    for hour in range(446_900, 446_900 + 24 * 366, 7)
)
"""Every seventh hour of a year, from 2020-12-24 on."""
WEEKS = b"".join(
    b"@%016x%08x %d\n" % (SECOND_0 + 10 + week * 604_800, abs(week), week) for week in range(-2000, 5000)
)

ZONES = {
    "utc": "UTC",
    "empty": "",
    "northern": "Europe/Berlin",
    "half-hour": "America/St_Johns",
    "quarter": "Asia/Kathmandu",
    "southern": "Australia/Sydney",
    "southern-half-hour-of-summer": "Australia/Lord_Howe",
    "southern-quarter": "Pacific/Chatham",
    "across-the-date-line": "Pacific/Apia",
    "no-summer": "Asia/Tokyo",
    "winter-time-that-is-less": "Europe/Dublin",
    "ramadan": "Africa/Casablanca",
    "leap-seconds": "right/UTC",
    "leap-seconds-northern": "right/Europe/Berlin",
    "posix": "EST5EDT,M3.2.0,M11.1.0",
    "posix-southern": "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "posix-odd": "<+0545>-5:45:30",
    "posix-julian": "XXX-1YYY,J60/2,J300/26",
    "colon": ":Europe/Berlin",
    "nonsense": "nonsense",
    "a-folder": "Europe",
    "outside": "../../etc/passwd",
    "not-utf-8": "\udcff\udcfe",
}


def local(name: str, text: bytes, zone: str | None = "Europe/Berlin", **more: object) -> Scenario:
    return Scenario(name, argv=("tai64nlocal",), stdin=text, env={"TZ": zone}, **more)  # type: ignore[arg-type]


def crash(name: str, text: bytes) -> Scenario:
    """What C's localtime cannot show ends C; svpy passes it on."""
    return local(name, text, "UTC").but(
        differs="C crashes on a second that is beyond the calendar",
        theirs=Shows(code=-11),
        ours=Shows(code=0, stdout=text),
    )


SCENARIOS = [
    *(local(f"text-{name}", text) for name, text in TEXTS.items()),
    *(
        local(f"zone-{name}", TEXTS["a-line"] + YEAR + WEEKS + TEXTS["far"], zone)
        for name, zone in ZONES.items()
    ),
    local("zone-not-set", YEAR, None),
    local("zone-localtime", YEAR, None).but(env={"LANG": "C", "LC_ALL": "C"}),
    *(
        crash(f"crash-{name}", text)
        for name, text in {
            "at-alone": b"@\n",
            "at-and-text": b"@home\nx\n",
            "mail-address": b"@example.org: x\n",
            "one-digit": b"@0 x\n",
            "all-f": b"@ffffffffffffffff00000000 far\n",
            "greatest": b"@7fffffffffffffff3b9ac9ff y\n",
            "zeros": b"@000000000000000000000000 y\n",
            "behind-others": b"plain\n@ x\nmore\n",
            "short": b"@400000005f5e10001dcd65 x\n",
            "longer": FULL + b"0 one digit more\n",
            "upper-case": FULL.upper() + b" a lower case digit ends it\n@400000005F5E10001DCD6500 x\n",
            "digits-then-others": FULL[:-1] + b"g x\n" + FULL[:-4] + b"\0\n" + FULL[:-4] + b"\xff\n",
            "spaces-in-digits": b"@40000000 5f5e10001dcd6500 x\n".replace(
                b"@40000000 ", b"@400000005f5e1000 "
            ),
            "first-of-many": b"@ x\n" * 1000,
            "next-year-but-int": b"@%016x00000000 x\n" % (2**62 + 10 + 67768036191676800),
            "year-before-int": b"@%016x00000000 x\n" % (2**62 + 10 - 67768040609740801),
        }.items()
    ),
    local("last-second-of-int", b"@%016x00000000 x\n" % (2**62 + 10 + 67767976233532799), "UTC"),
    local("first-second-of-int", b"@%016x00000000 x\n" % (2**62 + 10 - 67768040609740800), "UTC"),
    Scenario("words-are-ignored", argv=("tai64nlocal", "x", "-y"), stdin=TEXTS["a-line"]),
    Scenario("closed-stdin", "tai64nlocal <&-; echo $?"),
    Scenario("closed-stdout", "tai64nlocal >&-; echo $?", stdin=TEXTS["a-line"]),
    Scenario("closed-stdout-no-input", "tai64nlocal >&-; echo $?", stdin=b""),
    Scenario("closed-stderr", "tai64nlocal 2>&-; echo $?", stdin=TEXTS["a-line"]),
    Scenario("closed-0-1-2", "tai64nlocal <&- >&- 2>&-; echo $?", stdin=TEXTS["a-line"]),
    Scenario("full", "tai64nlocal >/dev/full; echo $?", stdin=TEXTS["a-line"]),
    Scenario("full-much", "tai64nlocal >/dev/full; echo $?", stdin=TEXTS["many"]),
    Scenario("nobody-reads", "{ tai64nlocal; echo $? >&2; } | true", stdin=TEXTS["many"]),
    Scenario("limited-file", "ulimit -f 1; tai64nlocal >out; echo $?", stdin=TEXTS["many"][:20_000]),
    Scenario("no-environment", 'exec env -i "$(command -v tai64nlocal)"', stdin=TEXTS["a-line"]),
    Scenario("user-in-a-removed-folder", "mkdir x; cd x; rmdir ../x; tai64nlocal", stdin=TEXTS["a-line"]),
    Scenario("user", argv=("tai64nlocal",), stdin=TEXTS["a-line"], user=65534),
    Scenario(
        "zone-file-of-our-own", 'cp /usr/share/zoneinfo/Asia/Tokyo z; TZ=":$PWD/z" tai64nlocal', stdin=YEAR
    ),
    Scenario("behind-tai64n", "tai64n | tai64nlocal | sed 's/^[-0-9 :.]* a/TIME a/'", stdin=b"a\nab\n"),
    Scenario(
        "a-folder",
        "tai64nlocal <.; echo $?",
        differs="CPython does not start with a folder as its stdin",
        theirs=Shows(stdout=b"111\n", stderr=b""),
        ours=Shows(
            stdout=b"1\n",
            stderr=re.compile(rb"(?s)Fatal Python error: .* is a directory, cannot continue\n.*"),
        ),
    ),
]

SCENARIOS = [scenario.but(exact=True) for scenario in SCENARIOS]
"""Labels that are left as they are must be the same on both sides."""


@each(SCENARIOS)
def test_tai64nlocal(scenario: Scenario) -> None:
    judge(scenario)


seconds = st.one_of(st.integers(-(2**40), 2**40), st.integers(-(2**31), 2**32), st.integers(-20, 20))
nanoseconds = st.one_of(st.sampled_from([0, 10**9 - 1, 10**9, 2**32 - 1]), st.integers(0, 2**32 - 1))
labels = st.builds(lambda second, nano: b"@%016x%08x" % (SECOND_0 + second, nano), seconds, nanoseconds)
lines = st.one_of(
    st.builds(
        lambda label, rest: label + rest,
        labels,
        st.sampled_from([b"", b" x", b"\0", b"@", b"g", b"\xff", b" " * 3000]),
    ),
    st.builds(
        lambda text, label: text + label,
        st.binary(min_size=1, max_size=5).filter(lambda text: text[:1] != b"@"),
        labels,
    ),
    st.binary(max_size=40).filter(lambda text: b"@" not in text),
)


@beside_c
@settings(max_examples=60, deadline=None)
@given(st.lists(lines, max_size=200).map(b"\n".join), st.sampled_from(list(ZONES.values())))
def test_any_text_in_any_zone(text: bytes, zone: str) -> None:
    ours, theirs = (
        run(tools / "tai64nlocal", input=text, env=environment(TZ=zone)) for tools in (BIN, PEERS)
    )
    assert (
        (ours.returncode, ours.stdout, ours.stderr)
        == (theirs.returncode, theirs.stdout, theirs.stderr)
        == (0, ours.stdout, b"")
    )
