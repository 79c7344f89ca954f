"""readproctitle beside C's: what /proc and ps show of it."""

from __future__ import annotations

import re

from support.oracle import Scenario, Shows, each, judge

SHOWN = r"""
shown() { tr '\0' '|' </proc/$pid/cmdline | sed 's/||*$/|/'; }
until_shown() { until shown | tail -c 4000 | grep -qaF -- "$1"; do sleep 0.003; done; }
begin() {
	mkfifo in
	readproctitle "$@" <in & pid=$!
	exec 3>in
	for place; do :; done
	until_shown "$(echo "$place" | cut -c -2000 | sed 's/./\./g')"
}
gets() { printf "$@" >&3; printf '%s' "$end" >&3; until_shown "$end|"; shown; echo; }
ends() { exec 3>&-; wait $pid; echo "code $?"; rm in; }
end=END
"""
"""`shown` is the command line without the NULs at its end, which ps does not show either; it has been brought
up to date when the dots are there, or `end`, which is written behind every text."""

PLACE = "x" * 30


def shows(name: str, script: str, **more: object) -> Scenario:
    return Scenario(name, SHOWN + script, **more)  # type: ignore[arg-type]


def place(size_bytes: int) -> str:
    return f"$(head -c {size_bytes} /dev/zero | tr '\\0' x)"


SCENARIOS = [
    *(
        Scenario(f"usage-{name}", argv=("readproctitle", *words), stdin=b"x")
        for name, words in {
            "nothing": (),
            "empty": ("",),
            "four": ("....",),
            "four-last": ("service", "errors:", "abcd"),
            "empty-last": ("service", "....................", ""),
            "four-bytes-of-two-letters": ("\xe9\xe9",),
        }.items()
    ),
    *(
        Scenario(f"enough-{name}", argv=("readproctitle", *words), stdin=b"text")
        for name, words in {
            "five": (".....",),
            "five-last": ("service", "errors:", "abcde"),
            "not-utf-8": (b"\xff" * 5,),
            "after-empty": ("", "", "....."),
            "looks-like-an-option": ("--help-me",),
        }.items()
    ),
    shows("nothing-yet", f"begin service errors: {PLACE}; shown; ends"),
    shows("a-text", f"begin service errors: {PLACE}; gets 'first\\n'; ends"),
    shows("texts", f"begin service errors: {PLACE}; gets 'first\\n'; gets second; gets ''; ends"),
    shows(
        "rolling",
        f'begin service errors: {PLACE}; for n in 1 2 3 4 5; do gets "line $n of some length\\n"; done; ends',
    ),
    shows("exactly-full", f"begin {PLACE}; gets '123456789 123456789 1234'; ends"),
    shows("one-more-than-full", f"begin {PLACE}; gets '123456789 123456789 12345'; ends"),
    shows("much-at-once", f"begin {PLACE}; gets '%100000d' 7; ends"),
    shows("very-much-at-once", f"begin {PLACE}; gets '%300000d' 7; gets x; ends"),
    shows("nul", f"begin {PLACE}; gets 'a\\0b\\0\\0c'; ends"),
    shows("nuls-alone", f"begin {PLACE}; gets '\\0\\0\\0'; ends"),
    shows("non-printables", f"begin {PLACE}; gets 'a\\001\\033[31m\\t\\r\\n\\177b'; ends"),
    shows("not-utf-8", f"begin {PLACE}; gets '\\377\\376\\303 \\200'; ends"),
    shows("utf-8", f"begin {PLACE}; gets '\\303\\251 \\342\\202\\254'; ends"),
    shows("percent", f"begin {PLACE}; gets '%s' '%s %d %n \\'; ends"),
    shows("blanks", f"begin {PLACE}; gets '   a   b   '; ends"),
    *(
        shows(
            f"place-of-{size_bytes}",
            f"end={end}; begin service \"{place(size_bytes)}\"; gets 'some text'; gets 'more\\n'; ends",
        )
        for size_bytes, end in (
            (5, "EN"),
            (6, "END"),
            (7, "END"),
            (10, "END"),
            (400, "END"),
            (4000, "END"),
            (100_000, "END"),
        )
    ),
    *(
        shows(f"words-{name}", f"begin {words} {PLACE}; gets text; ends")
        for name, words in {
            "none": "",
            "one": "service",
            "many": "a b c d e f g h i j k l m n o p",
            "with-blanks": "'service errors:' ' '",
            "empty": "'' service ''",
            "like-options": "-a --b -- -",
            "not-utf-8": "\"$(printf '\\377\\376')\"",
            "long": f'"{place(3000)}"',
        }.items()
    ),
    shows(
        "ps",
        f"begin service errors: {PLACE}; gets 'text\\n'; ps -ww -o args= -p $pid | sed 's/ *$//'\n"
        "ps -o comm= -p $pid; ends",
    ),
    shows("name", f"begin service errors: {PLACE}; cat /proc/$pid/comm; ends"),
    shows(
        "called-by-its-path-without-environment",
        'M=$(command -v readproctitle); readproctitle() { exec env -i "$M" "$@"; }\n'
        f"begin service errors: {PLACE}; gets text; ends",
        differs="a script does not learn argv[0], and svpy always shows its name alone",
        theirs=Shows(
            stdout=b"BOX/tools/readproctitle|service|errors:|.......................textEND|\ncode 0\n"
        ),
        ours=Shows(stdout=b"readproctitle|service|errors:|.......................textEND|\ncode 0\n"),
    ),
    shows(
        "environment-that-is-long",
        f"begin service errors: {PLACE}; gets text; ends",
        env={"LONG": "x" * 50_000, "A": "\xe9"},
    ),
    shows("closed-1-2", f"begin service errors: {PLACE} >&- 2>&-; gets text; ends"),
    shows(
        "user",
        f"begin service errors: {PLACE}; gets text; ends",
        user=65534,
        prepare=lambda scene: scene.chmod(0o777),
    ),
    shows(
        "signals", f"for name in TERM HUP USR1; do begin {PLACE}; kill -$name $pid; ends 2>/dev/null; done"
    ),
    shows(
        "stays-when-others-are-gone",
        f"begin {PLACE}; (printf one >&3); until_shown one; shown; gets two; ends",
    ),
    Scenario("no-input", argv=("readproctitle", "....."), stdin=b""),
    Scenario("null", argv=("readproctitle", ".....")),
    Scenario("closed-stdin", "readproctitle ..... <&-; echo $?"),
    Scenario("stdin-written-only", "readproctitle ..... 0>x; echo $?"),
    Scenario("a-file", "cat >f; readproctitle ..... <f; echo $?", stdin=b"text"),
    Scenario(
        "a-folder",
        "readproctitle ..... <.; echo $?",
        differs="CPython does not start with a folder as its stdin",
        theirs=Shows(stdout=b"111\n", stderr=b""),
        ours=Shows(
            stdout=b"1\n",
            stderr=re.compile(rb"(?s)Fatal Python error: .* is a directory, cannot continue\n.*"),
        ),
    ),
]


@each(SCENARIOS)
def test_readproctitle(scenario: Scenario) -> None:
    judge(scenario)
