"""softlimit beside C's: every letter, what it takes for a number, and what the program may then use."""

from __future__ import annotations

from support.chaintools import NOBODY
from support.oracle import Scenario, Shows, each, judge

# What each letter limits, in values under which a shell still works, and as `ulimit` calls it.
LETTERS: dict[str, tuple[str, str, str]] = {
    "a": ("100000000", "200000000", "v"),
    "c": ("4096", "8192", "c"),
    "d": ("50000000", "60000000", "d"),
    "f": ("1024000", "2048000", "f"),
    "l": ("4096", "8192", "l"),
    "m": ("90000000", "95000000", "d"),
    "o": ("50", "60", "n"),
    "p": ("400", "500", "p"),
    "r": ("4096000", "8192000", "m"),
    "s": ("1024000", "2048000", "s"),
    "t": ("60", "70", "t"),
}
NUMBERS: dict[str, str] = {
    "letters": "x",
    "digits-then-letters": "5x",
    "negative": "-5",
    "plus": "+5",
    "blank-first": " 50",
    "blank-last": "50 ",
    "newline-last": "50\n",
    "hexadecimal": "0x50",
    "exponent": "1e2",
    "point": "50.0",
    "equals-twice": "==",
    "equals-and-digits": "=50",
    "digits-and-equals": "50=",
    "empty": "",
    "zeros": "00050",
    "many-zeros": "0" * 5000 + "50",
    "2**31": "2147483648",
    "2**32": "4294967296",
    "2**63-1": "9223372036854775807",
    "2**63": "9223372036854775808",
    "2**64-2": "18446744073709551614",
    "2**64-1": "18446744073709551615",
    "2**64": "18446744073709551616",
    "2**64+50": "18446744073709551666",
    "thousands-of-digits": "9" * 5000,
    "other-digits": "\u0665\u0660",
    "not-utf8": "\udcb2",
    "unlimited": "unlimited",
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "no-program": ("-o", "50"),
    "no-argument": ("-o",),
    "no-argument-last": ("-o", "50", "-c"),
    "unknown": ("-z", "true"),
    "unknown-after-known": ("-o", "50", "-z", "true"),
    "unknown-joined": ("-zo", "50", "true"),
    "upper-case": ("-O", "50", "true"),
    "colon": ("-:", "50", "true"),
    "bad-number-before-unknown": ("-o", "x", "-z", "true"),
    "bad-number-after-unknown": ("-z", "-o", "x", "true"),
    "bad-number-without-program": ("-o", "x"),
    "bad-number-after-the-program": ("true", "-o", "x"),
    "joined": ("-o50", "-c=", "see"),
    "argument-like-an-option": ("-o", "-c", "true"),
    "dash": ("-", "true"),
    "dash-alone": ("-",),
    "dashes": ("--", "see"),
    "dashes-alone": ("--",),
    "dashes-then-option": ("--", "-o", "50", "true"),
    "dashes-then-dashes": ("--", "--", "true"),
    "no-options": ("see",),
    "not-utf8": ("-\udce9", "true"),
    "two-byte-letter": ("-é", "true"),
    "empty-word": ("", "true"),
    "empty-option-argument": ("-o", "", "true"),
    "program-not-found": ("-o", "50", "nonexistent"),
    "program-like-an-option": ("-o", "50", "--", "-x"),
    "the-last-counts": ("-o", "50", "-o", "40", "see"),
    "first-lower-then-higher": ("-o", "40", "-o", "50", "see"),
    "everything": (
        "-a", "90000000", "-c", "1", "-d", "80000000", "-f", "70000000", "-l", "60000", "-o", "50", "-p",
        "400", "-r", "3000000", "-s", "2000000", "-t", "100", "see",
    ),
    "everything-hard": (*(f"-{letter}=" for letter in LETTERS), "see"),
    "all-then-one": ("-m", "90000000", "-d", "80000000", "see"),
    "one-then-all": ("-d", "80000000", "-m", "90000000", "see"),
    "all-but-hard": ("-m", "90000000", "-s", "=", "-a", "=", "see"),
}  # fmt: skip
SMALL: dict[str, str] = {
    "classic-3000000": "softlimit -m 3000000 sh -c 'ulimit -a'",
    "classic-2000000": "softlimit -m 2000000 sh -c 'ulimit -a'; echo $?",
    "a-1": "softlimit -a 1 true; echo $?",
    "a-100000": "softlimit -a 100000 true; echo $?",
    "a-100000-not-found": "softlimit -a 100000 ./plain",
    "a-0": "softlimit -a 0 true; echo $?",
    "d-0": "softlimit -d 0 sh -c 'ulimit -a'; echo $?",
    "d-1": "softlimit -d 1 true; echo $?",
    "s-0": "softlimit -s 0 true; echo $?",
    "s-1": "softlimit -s 1 true; echo $?",
    "s-20000": "softlimit -s 20000 true; echo $?",
    "m-0": "softlimit -m 0 true; echo $?",
    "m-1": "softlimit -m 1 true; echo $?",
    "m-not-found": "softlimit -m 3000000 nonexistent",
    "m-denied": ": >plain; softlimit -m 3000000 ./plain",
    "l-0": "softlimit -l 0 sh -c 'ulimit -a'",
    "o-0": "softlimit -o 0 true; echo $?",
    "o-3": "softlimit -o 3 true; echo $?",
    "o-4": "softlimit -o 4 true; echo $?",
    "o-below-open-ones": "exec 9</dev/null; softlimit -o 5 cat <&9; echo $?",
    "f-0": "softlimit -f 0 sh -c 'echo out; (echo file) >f'; echo $?",
    "f-kills": "softlimit -f 1000 dd if=/dev/zero of=f bs=600 count=3 2>/dev/null; echo $?",
    "t-1-kills": "softlimit -t 1 sh -c 'while :; do :; done'; echo $?",
    "c-0": "softlimit -c 0 sh -c 'kill -ABRT $$'; echo $?; ls",
    "p-0-root": "softlimit -p 0 sh -c 'true; echo forked'",
    "grows-too-large": "softlimit -a 30000000 sh -c 'x=$(yes | head -c 50000000); echo no'",
}
HARD: dict[str, str] = {
    "above": "ulimit -n 100; softlimit -o 200 see",
    "equal": "ulimit -n 100; softlimit -o 100 see",
    "below": "ulimit -n 100; softlimit -o 99 see",
    "raises-soft-to-hard": "ulimit -S -n 20; softlimit -o = see",
    "raises-soft": "ulimit -S -n 20; softlimit -o 30 see",
    "each-above": "ulimit -c 1; ulimit -f 20000; ulimit -l 60; ulimit -n 60; ulimit -p 500; ulimit -t 99; "
    "ulimit -s 4096; ulimit -d 90000; ulimit -v 90000; "
    "softlimit -c 99999999 -f 999999999 -l 99999999 -o 99999 -p 99999 -t 999 -m 999999999999 see",
    "each-to-hard": "ulimit -S -c 0; ulimit -S -f 100; ulimit -S -n 20; softlimit -c = -f = -o = -m = see",
    "largest-above-a-hard-one": "ulimit -n 100; softlimit -o 18446744073709551615 see",
    "hard-memory": "ulimit -v 100000; softlimit -m 200000000 see",
}
CHAINED: dict[str, str] = {
    "again-higher": "softlimit -o 40 softlimit -o 50 see",
    "again-hard": "softlimit -o 40 -c 0 softlimit -o = see",
    "memory-again-higher": "softlimit -m 90000000 softlimit -m 100000000 see",
    "memory-again-hard": "softlimit -m 90000000 softlimit -m = see",
    "memory-partly-again": "softlimit -m 90000000 softlimit -d 80000000 see",
    "memory-then-others": "softlimit -m 90000000 setlock lock pgrphack envuidgid nobody see",
    "small-memory-then-others": "softlimit -m 3000000 setlock a pgrphack setlock b sh -c 'ulimit -a; echo *'",
    "small-memory-again-lower": "softlimit -m 4000000 softlimit -m 3000000 sh -c 'ulimit -a'",
    "small-memory-then-mistake": "softlimit -m 3600000 softlimit -z true",
    "small-memory-then-user": "softlimit -m 9600000 setuidgid nobody sh -c 'id -u; id -G; ulimit -a'",
    "after-a-user": "setuidgid nobody softlimit -o 50 -m 90000000 see",
    "after-a-user-hard": "setuidgid nobody softlimit -o = -m = -c = see",
    "file-size-0-then-a-lock": "softlimit -f 0 setlock lock sh -c 'echo ran'; ls",
    "in-a-shell": "softlimit -o 50 sh -c 'softlimit -o 40 sh -c \"ulimit -n\"; ulimit -n'",
}
AS_NOBODY: dict[str, str] = {
    "usage": "softlimit",
    "bad-number": "softlimit -o x true",
    "all-letters": "softlimit -o 50 -c 0 -f 70000000 -m 90000000 -t 100 see",
    "hard": "softlimit -o = -c = see",
    "above-hard": "ulimit -n 60; softlimit -o 100 see",
}
SCENARIOS = [
    *(Scenario(f"option-{name}", argv=("softlimit", *words)) for name, words in OPTIONS.items()),
    *(
        Scenario(f"letter-{letter}-{name}", script)
        for letter, (low, high, ulimit) in LETTERS.items()
        for name, script in (
            ("number", f"softlimit -{letter} {low} see"),
            ("joined", f"softlimit -{letter}{high} see"),
            ("hard", f"softlimit -{letter} {low} softlimit -{letter}= see"),
            ("again", f"softlimit -{letter} {low} sh -c 'softlimit -{letter} {high} see'"),
            ("largest", f"softlimit -{letter} 18446744073709551615 see"),
            ("shell", f"softlimit -{letter} {low} sh -c 'ulimit -{ulimit}; ulimit -H -{ulimit}'"),
            ("bad", f"softlimit -{letter} {low}k true"),
            ("missing", f"softlimit -{letter}"),
        )
        if (ulimit, name) not in (("m", "shell"), ("p", "shell"))
    ),
    *(
        Scenario(f"number-{letter}-{name}", argv=("softlimit", f"-{letter}", text, "see"))
        for name, text in NUMBERS.items()
        for letter in ("o", "c", "m")
        if (letter, name) not in (("o", "empty"), ("m", "empty"), ("o", "2**64"), ("m", "2**64"))
        and not (letter == "m" and name in ("zeros", "many-zeros", "2**64+50"))
    ),
    *(Scenario(f"small-{name}", script) for name, script in SMALL.items()),
    *(Scenario(f"beside-{name}", script) for name, script in HARD.items()),
    *(Scenario(f"chain-{name}", script) for name, script in CHAINED.items()),
    *(Scenario(f"as-nobody-{name}", script, user=NOBODY) for name, script in AS_NOBODY.items()),
    Scenario("one-process", "exec softlimit -p 1 sh -c 'echo $(echo forked)'", user=54321),
    Scenario(
        "other-name",
        "ln -s ../tools/softlimit limit; ./limit -z",
        differs="messages name the tool, whatever link it is started through",
        ours=Shows(stderr=lambda said: _begins(said, b"softlimit: illegal option -- z\n")),
        theirs=Shows(stderr=lambda said: _begins(said, b"limit: illegal option -- z\n")),
    ),
    Scenario(
        "small-memory-before-a-tool",
        ": >plain; softlimit -a 1000000 setlock lock ./plain; echo $?",
        differs="limits on memory wait until the program at the end of the chain is executed:"
        " an interpreter would not fit below most",
        ours=Shows(
            stdout=b"111\n",
            stderr=b"setlock: fatal: unable to run ./plain: access denied\n",
            tree={b"lock": b""},
        ),
        theirs=Shows(stdout=b"127\n", tree={b"lock": None}),
    ),
]  # fmt: skip


def _begins(said: bytes, expected: bytes) -> None:
    assert said.startswith(expected), said


@each(SCENARIOS)
def test_softlimit(scenario: Scenario) -> None:
    judge(scenario)
