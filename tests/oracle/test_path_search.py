"""Which file a word leads to, and which error is told when it leads to none."""

from __future__ import annotations

import sys

from support.chaintools import NOBODY, TOOLS, programs
from support.oracle import Scenario, each, judge

PROGRAMS: dict[str, tuple[str, ...]] = {
    "missing": ("nonexistent",),
    "empty-word": ("",),
    "root-folder": ("/",),
    "dot": (".",),
    "dot-slash": ("./",),
    "folder": ("adir",),
    "folder-by-path": ("./adir",),
    "not-executable": ("plain",),
    "not-executable-by-path": ("./plain",),
    "no-shebang": ("noshebang",),
    "no-shebang-by-path": ("./noshebang",),
    "bad-shebang": ("badshebang",),
    "bad-shebang-by-path": ("./badshebang",),
    "below-a-file": ("plain/x",),
    "link-loop": ("loop",),
    "link-loop-by-path": ("./loop",),
    "long-name": ("x" * 300,),
    "long-path": ("x/" * 2500,),
    "not-utf8": ("\udce9",),
    "slash-at-the-end": ("found/marker/",),
    "in-a-folder": ("found/marker",),
    "several-slashes": (".//found///marker",),
    "cat-environment": ("cat", "/proc/self/environ"),
    "name-and-arguments": ("sh", "-c", 'tr "\\0" "|" </proc/$$/cmdline', "", "a\n", "\udce9"),
    "argv0": ("grep", "-az", "", "/proc/self/cmdline"),
}
PATHS: dict[str, tuple[str | None, str]] = {
    "unset": (None, "sh -c 'echo $0'"),
    "unset-elsewhere": (None, "marker"),
    # A script that says under which path it was found.
    "unset-order": (None, "gunzip --help"),
    "empty": ("", "marker"),
    "empty-in-cwd": ("", "noshebang"),
    "only-colon": (":", "plain"),
    "leading-colon": (":/usr/bin", "noshebang"),
    "trailing-colon": ("/usr/bin:", "noshebang"),
    "double-colon": ("/nonexistent::/usr/bin", "noshebang"),
    "relative": ("found", "marker"),
    "relative-dots": ("../scene/found/.", "marker"),
    "slash-at-the-end": ("found//", "marker"),
    "denied-then-missing": ("BOX/scene:/nonexistent", "plain"),
    "missing-then-denied": ("/nonexistent:BOX/scene", "plain"),
    "denied-then-found": ("BOX/scene:BOX/scene/found", "plain"),
    "folder-then-missing": ("BOX/scene:/nonexistent", "adir"),
    "loop-ends-it": ("BOX/scene:BOX/scene/found:/usr/bin", "loop"),
    "format-error-ends-it": ("BOX/scene:BOX/scene/found", "noshebang"),
    "bad-shebang-goes-on": ("BOX/scene:BOX/scene/found", "badshebang"),
    "bad-shebang-then-missing": ("BOX/scene:/nonexistent", "badshebang"),
    "part-is-a-file": ("BOX/scene/plain:BOX/scene/found", "marker"),
    "part-is-a-loop": ("BOX/scene/loop:BOX/scene/found", "marker"),
    "part-too-long": ("/" + "y" * 300 + ":BOX/scene/found", "marker"),
    "part-is-far-too-long": ("/y" * 3000 + ":BOX/scene/found", "marker"),
    "many-parts": (":".join(["/nonexistent"] * 2000) + ":BOX/scene/found", "marker"),
    "denied-part-as-root": ("BOX/scene/hidden:BOX/scene/found", "marker"),
    "not-utf8": ("/\udce9:BOX/scene/caf\udce9:BOX/scene/found", "marker"),
    "newline": ("/\n:BOX/scene/found", "marker"),
}
DENIED = {
    "part-then-found": ("BOX/scene/hidden:BOX/scene/found", "marker"),
    "part-then-missing": ("BOX/scene/hidden:/nonexistent", "marker"),
    "missing-then-part": ("/nonexistent:BOX/scene/hidden:/nonexistent/other", "marker"),
    "by-path": ("/usr/bin", "hidden/marker"),
    "part-then-loop": ("BOX/scene/hidden:BOX/scene", "loop"),
}
# Only in a search through one tool: what matters is the search, and who is found by it.
SINGLE: list[Scenario] = [
    Scenario("busy", "cp /bin/true busy; chmod 755 busy; exec 9<>busy; PATH=$PWD:$PATH softlimit busy"),
    Scenario("busy-by-path", "cp /bin/true busy; exec 9<>busy; softlimit ./busy"),
    Scenario(
        "too-many-arguments",
        "x=$(printf %0100000d 0); pgrphack sh -c 'echo no' "
        + "$x " * 10
        + "; softlimit -s 400000 true "
        + "$x " * 10,
    ),
    Scenario(
        "argument-too-long", 'printf %0131071d 0 >f; softlimit true "$(cat f)"; setlock l true "$(cat f)1"'
    ),
    Scenario(
        "own-name-without-permission",
        "mkdir d; echo >d/softlimit; PATH=$PWD/d:$PATH; pgrphack softlimit -o 60 sh -c 'ulimit -n'",
    ),
    Scenario(
        "another-of-our-names",
        "mkdir d; printf '#!/bin/sh\\necho other \"$@\"' >d/softlimit; "
        "chmod 755 d/softlimit; PATH=$PWD/d:$PATH; pgrphack softlimit -o 60 true",
    ),
    Scenario(
        "another-by-path",
        "printf '#!/bin/sh\\necho other \"$@\"' >softlimit; chmod 755 softlimit; "
        "setlock l ./softlimit -o 60 true; setlock l ../tools/softlimit -o 60 sh -c 'ulimit -n'",
    ),
    Scenario(
        "a-folder-of-our-name",
        "mkdir -p d/softlimit; PATH=$PWD/d:$PATH; pgrphack softlimit -o 60 sh -c 'ulimit -n'",
    ),
    Scenario(
        "a-loop-of-our-name",
        "mkdir d; ln -s softlimit d/softlimit; PATH=$PWD/d:$PATH; pgrphack softlimit -o 60 true",
    ),
    Scenario(
        "a-link-to-ours", "ln -s ../tools/softlimit limit; pgrphack ./limit -o 60 setlock l see; ./limit x"
    ),
    Scenario(
        "our-name-in-cwd",
        "printf '#!/bin/sh\\necho cwd' >pgrphack; chmod 755 pgrphack; "
        "PATH=:$PATH; ../tools/setlock l pgrphack echo no",
    ),
    Scenario("missing-of-ours", "PATH=/usr/bin:/bin; ../tools/setlock l softlimit -o 60 true"),
    Scenario(
        "path-of-an-earlier-tool",
        "mkdir e bin; printf %s $PWD/bin >e/PATH; "
        "printf '#!/bin/sh\\necho new' >bin/marker; chmod 755 bin/marker; envdir e marker; "
        "envdir e ../tools/softlimit marker; envdir e softlimit marker; "
        "envdir e env softlimit -o 20 marker",
    ),
    Scenario(
        "path-removed-by-an-earlier-tool",
        "mkdir e; : >e/PATH; envdir e /bin/cat /proc/self/environ; "
        "envdir e softlimit sh -c 'echo $0'; envdir e ../tools/softlimit sh -c 'echo $0'",
    ),
    Scenario(
        "two-paths",
        argv=(
            sys.executable,
            "-c",
            "import ctypes; vector = lambda *words: (ctypes.c_char_p * (len(words) + 1))(*words, None);"
            "ctypes.CDLL(None).execve(b'../tools/pgrphack', vector(b'pgrphack', b'marker'),"
            "vector(b'PATH=found:/bin', b'PATH=/bin', b'A'))",
        ),
        prepare=programs,
    ),
    Scenario(
        "shebang-with-our-tool",
        "printf '#!%s/../tools/pgrphack /bin/cat\\ntext\\n' $PWD >p; chmod 755 p; ./p",
    ),
    Scenario(
        "shebang-of-a-program", "printf '#!/bin/echo an argument\\n' >p; chmod 755 p; setlock l ./p more"
    ),
    Scenario(
        "relative-shebang",
        "printf '#!bin/sh\\necho ran' >p; mkdir bin; ln -s /bin/sh bin; chmod 755 p; "
        "PATH=.:$PATH softlimit p; mkdir sub; cd sub; PATH=..:$PATH softlimit p",
    ),
]


def scenarios() -> list[Scenario]:
    rows = [
        Scenario(
            f"{tool}-{name}",
            argv=(*words.split(), *program),
            prepare=programs,
            env={"PATH": "BOX/tools:BOX/bin:/usr/bin:/bin:", "REMOVED": "no"},
        )
        for tool, words in TOOLS.items()
        for name, program in PROGRAMS.items()
    ]
    rows += [
        Scenario(
            f"PATH-{name}",
            script=f"exec ../tools/pgrphack {program}",
            prepare=programs,
            env={"PATH": path},
        )
        for name, (path, program) in PATHS.items()
    ]
    rows += [
        Scenario(
            f"as-nobody-{name}",
            script=f"exec ../tools/envdir e {program}",
            prepare=programs,
            env={"PATH": path},
            user=NOBODY,
        )
        for name, (path, program) in DENIED.items()
    ]
    return rows + SINGLE


@each(scenarios())
def test_path_search(scenario: Scenario) -> None:
    judge(scenario)
