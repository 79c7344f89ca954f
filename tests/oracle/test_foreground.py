"""pgrphack and fghack beside C's: groups and sessions, and programs that go into the background."""

from __future__ import annotations

import sys

from support.chaintools import JOB_MESSAGES
from support.oracle import Scenario, each, judge

PGRPHACK: dict[str, str] = {
    "usage": "pgrphack",
    "empty-program": "pgrphack ''",
    "missing-program": "pgrphack nonexistent",
    "option-like": "pgrphack -n true",
    "dashes": "pgrphack -- true",
    "child": "pgrphack see",
    "leader": "exec pgrphack see",
    "twice": "pgrphack pgrphack see",
    "in-the-background": "pgrphack see & wait $!",
    "pipeline": "true | pgrphack see | cat",
    "behind-others": "setlock lock softlimit -o 50 pgrphack see",
    "before-others": "pgrphack setlock lock softlimit -o 50 see",
    "not-reached-by-its-group's-signals": (
        "mkfifo f; exec 9<>f; pgrphack sh -c 'trap \"\" TERM; kill -TERM 0; echo only me' "
        "& trap 'echo reached us' TERM; wait $!; echo $?"
    ),
    "loses-the-terminal": (
        "setsid script -qec 'pgrphack sh -c \"(: </dev/tty) && echo has one\"; tty | tr -d 0-9' /dev/null"
    ),
    "keeps-no-terminal-as-leader": "setsid -w pgrphack see",
    "leader-of-a-group-only": "set -m; pgrphack see & wait $!",
}
# fghack's program holds the writing end of a pipe 31 times: at 3 and from the first free descriptor on.
# A shell cannot close the descriptors above 9.
GOES_ON = """\
import os
if os.fork(): os._exit(0)
os.closerange(3, 256)
open("go").read()
open("done", "w").write("late\\n")
"""
FGHACK: dict[str, str] = {
    "usage": "fghack",
    "empty-program": "fghack ''",
    "missing-program": "fghack nonexistent; echo $?",
    "denied-program": ": >plain; fghack ./plain; echo $?",
    "option-like": "fghack -n true",
    "dashes": "fghack -- true",
    "child": "fghack see",
    "leader": "exec fghack see",
    "exit-0": "fghack true; echo $?",
    "exit-1": "fghack false; echo $?",
    "exit-255": "fghack sh -c 'exit 255'; echo $?",
    "terminated": "fghack sh -c 'kill -TERM $$'; echo $?",
    "killed": "fghack sh -c 'kill -KILL $$'; echo $?",
    "crashed": "fghack sh -c 'kill -SEGV $$'; echo $?",
    "waits-for-the-background": "fghack sh -c '(sleep .1; echo late) & echo soon; exit 5'; echo after $?",
    "waits-for-all-of-them": (
        "fghack sh -c '(sleep .05; echo 1) & (sleep .1; echo 2) & (sleep .15; echo 3) &'; echo after $?"
    ),
    "waits-for-a-daemon": (
        "fghack sh -c 'setsid sh -c \"exec 0<&- 1>&- 2>&-; cd /; sleep .1; echo done >$PWD/done\" & exit 4';"
        " echo after $?; cat done"
    ),
    "waits-for-one-that-closes-a-few": (
        "fghack sh -c '(for fd in 0 3 4 5 6 7 8 9; do eval \"exec $fd<&-\"; done; sleep .1; echo late) &';"
        " echo after $?"
    ),
    "not-for-one-that-closes-all": (
        f"mkfifo go done; fghack {sys.executable} -c '{GOES_ON}'; echo after $?; echo >go; cat done"
    ),
    "background-fails": "fghack sh -c '(sleep .05; exit 9) & exit 3'; echo after $?",
    "what-is-written-to-it-is-swallowed": "fghack sh -c 'echo one >&3; echo more >&9; exit 6'; echo $?",
    "much-is-written-to-it": "fghack sh -c 'head -c 200000 /dev/zero >&3; exit 6'; echo $?",
    "parent-terminated": (
        "mkfifo up; fghack sh -c 'echo $$ >up; exec sleep 98' & read pid <up; kill $!; wait $!; echo $?;"
        " kill -0 $pid && echo the program stays; kill $pid"
    ),
    "exit-in-order": "fghack sh -c 'exit 7' && echo no || echo $?",
    "twice": "fghack fghack see",
    "twice-below-a-limit": "softlimit -o 200 fghack fghack see",
    "thrice": "softlimit -o 200 fghack fghack fghack see",
    "twice-and-the-last-descriptors": "softlimit -o 66 fghack fghack true; echo $?",
    "twice-exit": "fghack fghack sh -c 'exit 9'; echo $?",
    "twice-crash": "fghack fghack sh -c 'kill -9 $$'; echo $?",
    "behind-others": "setlock lock softlimit -o 100 pgrphack fghack see",
    "before-others": "fghack setlock lock softlimit -o 100 pgrphack see",
    "before-a-mistake": "fghack softlimit -o x true; echo $?",
    "before-another-mistake": "fghack setlock missing/lock true; echo $?",
    "before-a-silent-end": "fghack setlock -x missing/lock true; echo $?",
    "holds-the-lock-in-front-of-it": (
        "setlock lock fghack sh -c 'flock -n lock true || echo held'; flock -n lock echo free"
    ),
    "few-descriptors": "softlimit -o 20 fghack see",
    "fewer-descriptors": "softlimit -o 6 fghack sh -c 'echo ran; exit 3'; echo $?",
    "one-descriptor-short": "exec 3</dev/null; softlimit -o 5 fghack true; echo $?",
    "standard-closed": "fghack see out <&-; cat out",
    "high-descriptors-open": "exec 9</dev/null; exec 5<&9; fghack see",
    "inherits-ignored": "trap '' TERM HUP; fghack see",
    "stdin": "printf 'some\\ndata\\n' | fghack cat",
    "stdout-closed-early": "fghack yes | head -n 1",
}  # fmt: skip
NO_PROCESS: dict[str, str] = {
    "fork-fails": "exec softlimit -p 1 fghack true",
    "fork-fails-behind-a-lock": "exec softlimit -p 1 setlock lock fghack true",
}
SCENARIOS = [
    *(Scenario(f"pgrphack-{name}", script) for name, script in PGRPHACK.items()),
    *(Scenario(f"fghack-{name}", script, normal=JOB_MESSAGES) for name, script in FGHACK.items()),
    *(
        # A uid that has no other process.
        Scenario(f"fghack-{name}", script, user=54321, prepare=lambda scene: scene.chmod(0o777))
        for name, script in NO_PROCESS.items()
    ),
    Scenario("fghack-SIGCHLD-ignored", "env --ignore-signal=CHLD fghack sh -c 'exit 3'; echo $?"),
]


@each(SCENARIOS)
def test_foreground(scenario: Scenario) -> None:
    judge(scenario)
