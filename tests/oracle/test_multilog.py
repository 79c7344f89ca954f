"""multilog beside C's: its script, what it does with lines, its folders, processors and signals."""

from __future__ import annotations

import re

from support.logscenes import NUMBERED, WAITING, files
from support.oracle import Entry, Outcome, Scenario, Shows, each, judge

WORDS = (
    b"\n\na\nb\nab\naab\nabc\na*b\n*\n**\nstatus: x\nnow status: y\n[a](.)$^|\\?+{}\n a\n"
    b"\xff\xfe a\n@4000\nlast"
)
"""No newline at the end."""


def log(name: str, *words: str | bytes, data: bytes = WORDS, **more: object) -> Scenario:
    """multilog with these words and that input."""
    return Scenario(name, argv=("multilog", *words), stdin=data, **more)  # type: ignore[arg-type]


def told(name: str, script: str, **more: object) -> Scenario:
    return Scenario(name, WAITING + script, **more)  # type: ignore[arg-type]


def line(size_bytes: int) -> bytes:
    """A line's bytes; no two places in it look the same."""
    return b"".join(b"%04d " % place for place in range(0, size_bytes, 5))[:size_bytes]


# What is in a script.

ARGUMENTS = [
    log("no-action"),
    log("only-t", "t"),
    log("unknown-letters", "nonsense", "", "?", "E", "%", "-a", "\xe9", "./d"),
    log("t-is-the-first-action-or-none", "./d", "t", "=s"),
    log("t-after-an-empty-word", "", "t", "./d"),
    log("t-is-known-by-its-first-byte", "tomorrow", "./d"),
    log("t-after-minus", "-nothing", "t", "./d"),
    log("t-and-nothing-else-selected", "t", "-*"),
    log("only-selection", "-*", "+*a*"),
    log("nothing-to-do-reads-on", "x", data=b"x" * 200_000),
    *(
        log(f"size-{name}", f"s{text}", "n100", "./d", data=NUMBERED)
        for name, text in {
            "bare": "",
            "0": "0",
            "4095": "4095",
            "4096": "4096",
            "4097": "4097",
            "5k": "5k",
            "0x2000": "0x2000",
            "negative": "-9000",
            "blank": " 9000",
            "zeros": "0009000",
            "30000": "30000",
            "30720": "30720",
            "wraps-to-0": "18446744073709551616",
            "wraps-to-8192": "18446744073709559808",
        }.items()
    ),
    *(
        log(f"size-at-most-16777215-of-{text}", f"s{text}", "n100", "./d", data=b"%0500d\n" % 5 * 33600)
        for text in ("16777214", "16777216", "99999999")
    ),
    log("size-standard", "./d", data=NUMBERED * 4),
    *(
        log(f"keep-{name}", "s4096", f"n{text}", "./d", data=NUMBERED)
        for name, text in {
            "bare": "",
            "0": "0",
            "1": "1",
            "2": "2",
            "3": "3",
            "4x": "4x",
            "negative": "-5",
            "wraps-to-3": "18446744073709551619",
        }.items()
    ),
    log("keep-standard", "s4096", "./d", data=NUMBERED * 4),
    log(
        "size-and-keep-hold-for-what-follows",
        "./a",
        "s4096",
        "./b",
        "n2",
        "./c",
        "s8192",
        "n4",
        "./d",
        data=NUMBERED,
    ),
    log("the-last-size-counts", "s4096", "s8192", "n50", "n3", "./d", data=NUMBERED),
    log("processor-holds-for-what-follows", "s4096", "./a", "!sed s/0/x/g", "./b", "!", "./c", data=NUMBERED),
]

# What is a line.

LINES = [
    *(
        log(f"{name}-{size_bytes}", *words, data=line(size_bytes) + b"\n" + line(size_bytes) + end)
        for name, words, end in (
            ("line", ("./d", "=s", "e"), b"\n"),
            ("labelled-line", ("t", "./d", "=s", "e"), b"\n"),
            ("cut-line", ("./d", "=s", "e"), b""),
        )
        for size_bytes in (1, 199, 200, 201, 973, 974, 975, 999, 1000, 1001, 5000)
    ),
    *(
        # The first line leaves room for 2096, 1001 ... 1 bytes before the window in which a file ends.
        log(
            f"line-{size_bytes}-over-a-rotation-after-{first}",
            "s4096",
            "n50",
            "./d",
            "=s",
            data=b"\n".join([line(first - 1), line(size_bytes), line(600), line(size_bytes), line(600), b""]),
        )
        for size_bytes in (999, 1000, 1001, 5000)
        for first in (1096, 2095, 2096, 4096)
    ),
    log(
        "labelled-line-5000-over-a-rotation",
        "t",
        "s4096",
        "n50",
        "./d",
        "=s",
        data=line(2000) + b"\n" + line(5000) + b"\n",
    ),
    log("a-line-longer-than-many-files", "s4096", "n50", "./d", "=s", data=line(50_000)),
    log(
        "a-line-that-ends-with-its-file", "s4096", "n50", "./d", data=line(4095) + b"\n" + line(3000) + b"\n"
    ),
    log(
        "a-line-one-longer-than-its-file", "s4096", "n50", "./d", data=line(4096) + b"\n" + line(3000) + b"\n"
    ),
    log("no-input", "t", "./d", "=s", "e", data=b""),
    log("a-newline", "t", "./d", "=s", "e", data=b"\n"),
    log("newlines", "./d", "=s", "e", data=b"\n\n\n"),
    log("a-nul", "t", "./d", "=s", "e", data=b"\0"),
    log("nuls", "./d", "=s", "e", data=b"a\0b\n\0\0\n\0"),
    log("every-byte", "./d", "=s", "e", data=bytes(range(256)) * 5),
    log("not-utf-8", "t", "-*", "+*\udcff*", "./d", "=s", "e", data=b"\xff\xfe\n\xc3\n\xe2\x82\nx\xffx\n"),
    log("carriage-returns", "./d", "=s", "-a", "./e", data=b"a\r\nb\r\na\n\ra\n"),
    log("nul-is-a-byte-to-match", "-a*c", "./d", "=s", data=b"a\0c\na\0d\nac\n"),
    log("nul-ends-no-line", "-a", "./d", "=s", data=b"a\0\na\n"),
]

SHORT = b"".join(b"%06d\n" % number for number in range(500))


def labels_of(outcome: Outcome) -> set[bytes]:
    found = re.findall(rb"(?m)^(@[0-9a-f]{24}) ", outcome.content(b"d/current"))
    assert len(found) == 500
    return set(found)


def many_labels(outcome: Outcome) -> None:
    assert len(labels_of(outcome)) > 1


def one_label(outcome: Outcome) -> None:
    assert len(labels_of(outcome)) == 1


def ends_later(outcome: Outcome) -> None:
    assert len(outcome.content(b"d/@LABEL1.s")) > 2100


OURS_ALONE = [
    Scenario(
        "one-label-a-read",
        "cat >f; multilog t ./d <f",
        stdin=SHORT,
        exact=True,
        differs="C's lines have a label each, those that svpy reads at once have the same",
        theirs=many_labels,
        ours=one_label,
    ),
    log(
        "where-a-file-ends",
        "s4096",
        "./d",
        data=SHORT,
        differs="C ends a file with its 512-byte buffer, svpy at the first line end of the last 2000 bytes",
        theirs=ends_later,
        ours=Shows(tree={b"d/@LABEL1.s": Entry("-", 0o744, 0, 0, SHORT[:2100]), b"d/current": SHORT[2100:]}),
    ),
]

# Which lines are selected.

PATTERNS = {
    "literal": ["-a"],
    "literal-is-the-whole-line": ["-*", "+ab"],
    "final-star": ["-a*"],
    "first-star": ["-*b"],
    "both": ["-*", "+*a*"],
    "star-never-goes-back": ["-*ab"],
    "star-before-star-is-a-star": ["-**"],
    "three-stars": ["-***"],
    "star-star-a": ["-**a"],
    "a-star-star-b": ["-a**b"],
    "empty-matches-empty": ["-"],
    "plus-empty": ["-*", "+"],
    "two-in-a-row": ["-a", "-b"],
    "later-wins": ["-*", "+*a*", "-ab*"],
    "later-wins-again": ["-*", "+*a*", "-ab*", "+abc"],
    "plus-first": ["+a", "-a*"],
    "minus-all-last": ["+a", "-*"],
    "special-in-expressions": ["-[a](.)$^|\\?+{}"],
    "special-and-stars": ["-*", "+*(.)*|*{}"],
    "dot-is-a-dot": ["-*", "+.", "+..", "+a.*"],
    "blank": ["-* *"],
    "newline-never-matches": ["-a\n", "-*\n*"],
    "two-literals": ["-*", "+*status: *"],
    "not-utf-8": ["-*", b"+\xff*"],
    "label-unlabelled": ["-*", "+@4000"],
}
LABELLED = {
    "the-whole-line": ["-@*"],
    "is-part-of-the-line": ["-a", "-*", "+a"],
    "skipped": ["-*", "+* a"],
    "skipped-twice": ["-*", "+* * a"],
    "its-beginning": ["-@4000000*"],
    "its-beginning-and-more": ["-@4* *b"],
    "upper-case": ["-*", "+@4*A*"],
    "and-empty": ["-*", "+* "],
    "never-empty": ["-"],
    "one-by-one": ["-*", "+@* status: x", "+@* b"],
}
PATTERN_SIZES = (1, 999, 1000, 1001, 1300)

SELECTION = [
    *(log(f"pattern-{name}", *words, "./d", "=s", "e") for name, words in PATTERNS.items()),
    *(log(f"label-{name}", "t", *words, "./d", "=s", "e") for name, words in LABELLED.items()),
    *(
        log(
            f"pattern-of-{size_bytes}",
            "-" + "b" * size_bytes,
            "./d",
            data=b"b" * 1300 + b"\nb\n" + b"b" * 1000 + b"\n",
        )
        for size_bytes in PATTERN_SIZES
    ),
    *(
        log(
            f"labelled-pattern-of-{size_bytes}",
            "t",
            "-* " + "b" * size_bytes,
            "./d",
            data=b"b" * 1300 + b"\nb\n",
        )
        for size_bytes in (1, 973, 974, 975, 1300)
    ),
    log(
        "long-lines-by-their-first-1000",
        "-*",
        "+*x",
        "./d",
        "=s",
        data=b"a" * 999 + b"x" + b"b" * 99 + b"\n" + b"a" * 1000 + b"x\n",
    ),
    log(
        "long-lines-between-short",
        "-a*",
        "./d",
        "=s",
        "e",
        data=(b"a" * 3000 + b"\nb\n" + b"b" * 3000 + b"\na\n") * 3,
    ),
    log("hundred-rules", *(f"{'+-'[n % 2]}*{n}*" for n in range(100)), "./d", data=NUMBERED),
    log(
        "sixty-rules-and-carriage-returns",
        *(f"{'+-'[n % 2]}*{n}*" for n in range(60)),
        "./d",
        "=s",
        data=b"1\r2\n1\r\n\r1\n\r\n59\r58\n58\r59\n",
    ),
    log(
        "each-place-has-its-own",
        "-*a",
        "./a",
        "=sa",
        "-*b",
        "./b",
        "=sb",
        "+*",
        "./c",
        "=sc",
        "e",
        "-*",
        "./none",
        "=none",
        "e",
    ),
    log("all-and-none", "./all", "-*", "./none", "=s", "e"),
]

# `e` and `=`.

SHOWN = [
    log("e", "e"),
    log(
        "e-labelled",
        "t",
        "e",
        data=line(199) + b"\n" + line(174) + b"\n" + line(175) + b"\n" + line(176) + b"\n",
    ),
    log("e-is-known-by-its-first-byte", "everything"),
    log("e-twice", "e", "e"),
    log("e-in-two-places", "-*", "+*a*", "e", "-*b*", "e"),
    log("e-to-a-full-disk", "e", "./d", data=b"x\n").but(argv=(), script="multilog e ./d 2>/dev/full"),
    log("e-to-nothing", "e").but(argv=(), script="multilog e ./d 2>&-; echo $?"),
    log("status", "=s"),
    log("status-not-touched", "-*", "=s", "./d"),
    log("status-several", "=a", "-*a*", "=b", "-*", "+*status*", "=c", "./d"),
    log("status-twice-the-same", "=s", "-*b*", "=s"),
    log("status-bare", "="),
    log("status-in-a-missing-folder", "=no/s", "./d"),
    log("status-in-a-folder", "=f/s", prepare=files({"f": 0o700})),
    log("status-in-the-log-folder", "=d/s", "./d", prepare=files({"d": 0o700})),
    log("status-is-a-folder", "=f", "./d", prepare=files({"f": 0o755})),
    log("status-is-a-link", "=s", prepare=files({"s": "t", "t": (0o640, b"old")})),
    log("status-is-a-dangling-link", "=s", prepare=files({"s": "t"})),
    log("status-was-longer", "=s", prepare=files({"s": (0o666, line(2000))})),
    log("status-was-shorter-and-stays", "-*", "=s", prepare=files({"s": (0o444, b"old\n")})),
    log("status-of-somebody-else", "=s", prepare=files({"s": (0o644, b"old\n")}), user=65534),
    log("status-not-to-be-made", "=s", user=65534),
    log(
        "status-to-be-written-by-me",
        "=f/s",
        prepare=files({"f": 0o777, "f/s": (0o666, b"old\n")}),
        user=65534,
    ),
    log("status-null", "=/dev/null", "./d"),
    log("status-fifo-unread", "=f").but(argv=(), script="mkfifo f; multilog =f ./d"),
    log("status-name-not-utf-8", b"=s\xff"),
    log("status-with-rotation", "s4096", "n3", "=s", "./d", data=NUMBERED),
    log("status-and-umask").but(argv=(), script="umask 077; multilog =s ./d; umask 0; multilog =s2 ./d2"),
    told("status-on-a-full-disk", "cat >in; paused =/dev/full ./d", stdin=WORDS),
    told("status-that-cannot-be-sought", "cat >in; mkfifo f; exec 3<>f; paused =f ./d", stdin=WORDS),
]

# Folders.

FOLDERS = [
    log("folder", "./d"),
    log("folder-here", "."),
    log("folder-above-is-locked-once", ".", "./.", data=b"x\n"),
    log("folder-with-a-slash", "./d/"),
    log("folder-twice", "./d", "./d"),
    log("folder-in-folder", "./d/e", "./d"),
    log("folder-and-folder-in-it", "./d", "./d/e"),
    log("folder-below-nothing", "./no/d"),
    log("folder-absolute-below-nothing", "/nonexistent/svpy/d"),
    log("folder-absolute-no-folder", "/dev/null"),
    log("folder-absolute").but(argv=(), script='multilog "$(pwd)/d"'),
    log("folder-without-a-dot", "d"),
    log("folder-is-a-file", "./d", prepare=files({"d": (0o644, b"x")})),
    log("folder-is-a-fifo").but(argv=(), script="mkfifo d; multilog ./d"),
    log("folder-is-a-link", "./d", prepare=files({"d": "e", "e": 0o750})),
    log("folder-is-a-dangling-link", "./d", prepare=files({"d": "e"})),
    log("folder-is-a-link-to-itself", "./d", prepare=files({"d": "d"})),
    log("folder-keeps-its-mode", "./d", prepare=files({"d": 0o3775})),
    log("folder-name-not-utf-8", b"./d\xff\xfe"),
    log("folder-name-of-255", "./" + "d" * 255),
    log("folder-name-of-256", "./" + "d" * 256),
    log("folder-umask").but(argv=(), script='umask 077; multilog t s4096 n3 "!cat" ./d', stdin=NUMBERED),
    log("folder-umask-0").but(argv=(), script='umask 0; multilog t s4096 n3 "!cat" ./d', stdin=NUMBERED),
    log("the-second-fails-the-first-is-left", "./d", "./no/e", data=b"x\n"),
    log(
        "several-with-their-own",
        "t",
        "s4096",
        "n2",
        "./a",
        "-* *5*",
        "s8192",
        "n3",
        "!cat",
        "./b",
        "n9",
        "!tac",
        "./c",
        data=NUMBERED,
    ),
    log("user-makes-it", "./f/d", prepare=files({"f": 0o777}), user=65534),
    log("user-may-not-make-it", "./d", user=65534),
    log("user-may-only-pass", "./d", prepare=files({"d": 0o711}), user=65534),
    log("user-may-only-list", "./d", prepare=files({"d": 0o744}), user=65534),
    log("user-may-only-read", "./d", prepare=files({"d": 0o755}), user=65534),
    log("user-may-not-lock", "./d", prepare=files({"d": 0o777, "d/lock": (0o600, b"")}), user=65534),
    log(
        "user-may-not-remove-state",
        "./d",
        prepare=files({"d": 0o755, "d/lock": (0o666, b""), "d/state": (0o644, b"")}),
        user=65534,
    ),
    log(
        "user-may-not-append", "./d", prepare=files({"d": 0o777, "d/current": (0o744, b"old\n")}), user=65534
    ),
    log(
        "user-may-append-but-owns-it-not",
        "./d",
        prepare=files({"d": 0o777, "d/current": (0o766, b"old\n")}),
        user=65534,
    ),
    log("user-in-a-folder-not-to-be-read", user=65534).but(
        argv=(), script="cd f && multilog ./d", prepare=files({"f": 0o711, "f/d": 0o777})
    ),
    log("user-in-a-folder-not-to-be-read-absolute", user=65534).but(
        argv=(), script='cd f && multilog "$PWD/d"', prepare=files({"f": 0o711, "f/d": 0o777})
    ),
    log("setuidgid-before", data=NUMBERED, needs_root=True).but(
        argv=(),
        script='setuidgid nobody multilog t s4096 n3 "!id -u; cat" ./d',
        prepare=lambda scene: scene.chmod(0o777),
    ),
    log("folder-removed-before").but(argv=(), script="mkdir x; cd x; rmdir ../x; multilog e ./d"),
    log("folder-moved-while-it-runs").but(
        argv=(),
        stdin=None,
        script=WAITING
        + r"begin ./d =s; say 'a\n'; reads d/current a; mv d e; say 'b\n'; wait_for grep -q b e/current; "
        + "wait_for at_rest $pid; kill -TERM $pid; ends",
    ),
]

# Processors.

SPLIT = NUMBERED[: 512 * 10]
"""Two files of the least size: a line that ends behind 2096 bytes ends its file."""
ONCE = NUMBERED[: 512 * 5]


def processed(name: str, command: str, *more_words: str, **more: object) -> Scenario:
    return log(
        f"processor-{name}", "s4096", "n9", f"!{command}", "./d", *more_words, **{"data": SPLIT, **more}
    )  # type: ignore[arg-type]


def broken(name: str, command: str, **more: object) -> Scenario:
    """A processor that makes it pause."""
    return told(f"processor-{name}", f"cat >in; paused s4096 '!{command}' ./d", **{"stdin": SPLIT, **more})  # type: ignore[arg-type]


GLIBC_AND_NOFOLLOW = ((rb"(SigIgn:\s0{7})18", rb"\g<1>00"), (rb"\b0504(00[01])\b", rb"0104\1"))
"""What a processor of ours sees otherwise has a scenario of its own: glibc's posix_spawn leaves its two
internal signals ignored, and the files were opened with O_NOFOLLOW."""


def seen(name: str, script: str, **more: object) -> Scenario:
    """A processor that looks round, started by a script where `LOG` stands for the rest of a command."""
    script = script.replace("LOG", "multilog t s4096 '!see ../seen' ./d")
    return Scenario(
        f"processor-sees-{name}", script, **{"stdin": SPLIT, "normal": GLIBC_AND_NOFOLLOW, **more}
    )  # type: ignore[arg-type]


def sees_signals_of_glibc(outcome: Outcome) -> None:
    text = outcome.content(b"seen")
    # glibc 2.41 (Debian 13) does not show its two any more.
    assert len(re.findall(rb"SigIgn:\s0000000(180000000|000000000)\n", text)) == 2
    assert len(re.findall(rb"descriptor [0145] BOX/scene/d/\w+ .*\b050400[01]\n", text)) == 8


SIGHT = [
    seen("all", "LOG").but(normal=(), differs="posix_spawn and O_NOFOLLOW show", ours=sees_signals_of_glibc),
    seen("what-multilog-saw", "LOG"),
    seen(
        "no-environment",
        'M=$(command -v multilog) S=$(command -v see); exec env -i "$M" s4096 "!$S ../seen" ./d',
    ),
    seen(
        "odd-environment",
        "LOG",
        env={"A B": "\n", "EMPTY": "", "BYTES": b"\xff\xfe", "LANG": "C", "LC_ALL": "C"},
    ),
    seen("ignored-signals", "trap '' HUP INT QUIT USR1 USR2 TERM ALRM CHLD; LOG"),
    seen("umask", "umask 077; LOG"),
    seen("limits", "ulimit -n 50; ulimit -c 0; ulimit -t 77; LOG"),
    seen("descriptors", "exec 3</dev/null 6>/dev/zero 7</; LOG"),
    seen("descriptors-4-and-5", "exec 4</dev/null 5>/dev/zero; LOG"),
    seen(
        "closed-descriptors",
        "LOG <&- >&- 2>&-",
        stdin=None,
        prepare=files(
            {
                "d": 0o700,
                "d/current": (0o744, SPLIT),
                "d/state": (0o600, b"kept\n"),
            }
        ),
    ),
    seen("user", "LOG", user=65534, prepare=lambda scene: scene.chmod(0o777)),
    seen("nothing-of-the-others", "multilog =s =s2 s4096 '!see ../seen-${PWD##*/}' ./e ./d"),
    seen("setuidgid", "chmod 777 .; setuidgid nobody LOG", needs_root=True),
    seen("envdir-and-softlimit", "mkdir e; echo v >e/V; : >e/HOME; envdir e softlimit -o 60 LOG"),
]

PROCESSORS = [
    processed("copies", "cat"),
    processed("reads-nothing", "echo x"),
    processed("reads-a-line", "read -r x; echo ${#x}"),
    processed("writes-nothing", ":"),
    processed("bare", ""),
    processed("true-without-a-shell-word", "exec true"),
    processed("state", "cat; wc -l <&4 >&5; cat ../seen <&4 >&5 2>/dev/null; echo more >&5"),
    processed("state-grows", "cat; cat <&4 >&5; wc -c </dev/fd/0 >&5", data=NUMBERED),
    processed("closes-its-state", "cat; exec 4<&- 5>&-"),
    processed("says-something", "cat; echo said >&2"),
    processed("with-arguments-of-sh", 'echo "$0" $# $-; cat'),
    processed("changes-the-folder", "cat; pwd >&5; cd /; pwd >&5"),
    processed("label-and-selection", "grep -c .", "-*3", "./e"),
    processed("removes-processed", "cat; rm processed"),
    processed("removes-newstate", "cat; rm newstate"),
    processed("sets-modes", "cat; chmod 600 processed newstate previous"),
    processed("links-its-output", "cat; ln processed kept", data=ONCE),
    processed(
        "makes-labelled-files", "cat; for n in 0 1 2 3 4 5 6 7 8; do : >@40000000000000000000000$n.s; done"
    ),
    processed("umask", "umask; cat; : >../made", data=SPLIT),
    processed("exit-code-of-a-pipe", "false | cat"),
    processed("gzip", "gzip -9n"),
    processed("leaves-a-child", "cat; sleep 9 <&- >&- 2>&- 4<&- 5>&- &"),
    processed("tai64nlocal", "TZ=UTC tai64nlocal", data=b"@400000005f5e10001dcd6500 " + SPLIT),
    log(
        "processor-of-two-folders", "t", "s4096", "n9", "!wc -l", "./a", "s8192", "!tac", "./b", data=NUMBERED
    ),
    log(
        "processor-when-current-was-full",
        "s4096",
        "!tac",
        "./d",
        data=b"new\n",
        prepare=files(
            {
                "d": 0o700,
                "d/current": (0o744, SPLIT),
                "d/state": (0o600, b"kept\n"),
            }
        ),
    ),
    told(
        "processor-removes-previous",
        "cat >in; paused s4096 '!cat; rm previous' ./d",
        stdin=ONCE,
        differs="what is to be removed and is not there is no trouble: C warns and waits for ever",
        theirs=Shows(
            stdout=b"code 137\n"
            b"multilog: warning: unable to remove ./d/previous, pausing: file does not exist\n"
        ),
        ours=Shows(
            stdout=b"code 0\n",
            tree={
                b"d/@LABEL1.s": Entry("-", 0o744, 0, 0, ONCE),
                b"d/current": Entry("-", 0o744, 0, 0),
                b"d/processed": None,
                b"d/newstate": None,
                b"d/state": b"",
            },
        ),
    ),
    told(
        "processor-crashes",
        "cat >in; paused s4096 '!cat; kill -9 $$' ./d",
        stdin=SPLIT,
        differs="C adds the text of an errno that has nothing to do with it",
        theirs=Shows(
            stdout=re.compile(rb"code 137\nmultilog: warning: processor crashed in ./d, pausing: .+\n")
        ),
        ours=Shows(stdout=b"code 137\nmultilog: warning: processor crashed in ./d, pausing\n"),
    ),
    broken("fails", "cat; exit 3"),
    broken("fails-with-111", "exit 111"),
    broken("does-not-exist", "/nonexistent/processor"),
    broken("is-not-on-path", "nonexistent-processor"),
    broken("is-no-sh", "if"),
    broken("without-state", "cat", prepare=files({"d": 0o700, "d/current": (0o744, SPLIT)})),
    broken(
        "state-is-a-folder",
        "cat",
        prepare=files({"d": 0o700, "d/current": (0o744, SPLIT), "d/state": 0o755, "d/processed": 0o755}),
    ),
    broken(
        "processed-is-a-folder",
        "cat",
        prepare=files(
            {"d": 0o700, "d/current": (0o744, SPLIT), "d/state": (0o644, b""), "d/processed": 0o755}
        ),
    ),
    broken("newstate-is-a-folder", "cat", prepare=files({"d": 0o700, "d/newstate": 0o755})),
    broken("makes-a-folder-of-newstate", "cat; rm newstate; mkdir newstate"),
]

# Closed descriptors, and what is in its way.

SURROUNDINGS = [
    *(
        log(f"closed-{name}").but(argv=(), script=f"multilog t =s e ./d {closed}; echo $?", stdin=b"a\nb\n")
        for name, closed in {
            "0": "<&-",
            "1": ">&-",
            "0-1": "<&- >&-",
            "2": "2>&-",
            "0-2": "<&- 2>&-",
            "0-1-2": "<&- >&- 2>&-",
        }.items()
    ),
    log("input-is-a-file").but(argv=(), script="cat >in; multilog ./d <in"),
    log("input-is-null", "./d").but(stdin=None),
    log("input-is-written-only").but(argv=(), script="multilog ./d 0>out; echo $?"),
    *(
        log(
            f"locale-{name}-{value}",
            "-*",
            b"+\xe9*",
            b"./\xe9",
            "=s",
            data=b"\xe9\n\xc3\xa9\n",
            env={name: value},
        )
        for name, value in (("LANG", "C"), ("LC_ALL", "C"), ("LC_ALL", "xx_XX.no"), ("PYTHONUTF8", "0"))
    ),
]

SCENARIOS = [
    *ARGUMENTS,
    *LINES,
    *OURS_ALONE,
    *SELECTION,
    *SHOWN,
    *FOLDERS,
    *SIGHT,
    *PROCESSORS,
    *SURROUNDINGS,
]


@each(SCENARIOS)
def test_multilog(scenario: Scenario) -> None:
    judge(scenario)
