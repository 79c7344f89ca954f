"""setlock beside C's: which files it can lock, when it waits, and how long it holds."""

from __future__ import annotations

import sys

from support.chaintools import JOB_MESSAGES, NOBODY
from support.oracle import Scenario, each, judge

# Somebody holds `lock` from before until it reads a line from `go`. Who locked it stays alive: of a lock
# that a dead process took, /proc/locks says nothing in a pid namespace.
HELD = "mkfifo held go; flock lock sh -c 'echo >held; read x <go; echo holder' & read x <held; "
FREE = "echo >go; wait; "
# A process that waits for a lock has a line of its own, with an arrow.
BLOCKED = 'blocked() { until grep -q -e "-> FLOCK .* $1 " /proc/locks; do sleep .01; done; }; '

OPTIONS: dict[str, str] = {
    "nothing": "",
    "no-program": "lock",
    "option-only": "-n",
    "option-and-file-only": "-n lock",
    "unknown": "-q lock true",
    "unknown-joined": "-nq lock true",
    "unknown-before-known": "-qn lock true",
    "unknown-colon": "-: lock true",
    "argument-to-an-option": "-n=1 lock true",
    "dash-is-a-file": "- true",
    "option-then-dash": "-n - true",
    "dashes": "-- lock true",
    "dashes-then-option": "-- -n true",
    "dashes-alone": "--",
    "option-dashes": "-nx -- lock true",
    "option-behind-the-file": "lock -n true",
    "empty-file": "'' true",
    "empty-program": "lock ''",
    "missing-program": "lock nonexistent",
    "folder": ". true",
    "folder-with-slash": "./ true",
    "missing-folder": "missing/lock true",
    "below-a-file": "file/lock true",
    "loop": "loop true",
    "fifo": "fifo true",
    "null": "/dev/null see",
    "long-name": "x" * 300 + " true",
}
OUTCOMES = {"free": "lock", "held": "held", "not-to-be-opened": "missing/lock", "folder": "adir"}
FLAGS = ("", "-n", "-N", "-x", "-X", "-nx", "-nX", "-nN", "-Nn", "-nxX", "-nXx", "-n -x", "-x -n", "-N -X")
SCENE = ": >file; ln -s loop loop; mkfifo fifo; mkdir adir; exec 7>held; flock 7; "
FILES: dict[str, str] = {
    "made": "umask 0; setlock new see; setlock -n new2 true",
    "made-with-umask": "umask 077; setlock new true; umask 777; setlock new2 true",
    "kept": "echo content >lock; chmod 644 lock; setlock lock cat lock",
    "appended-to-through-its-descriptor": "echo content >lock; setlock lock sh -c 'echo more >&3'",
    "read-only": ": >lock; chmod 444 lock; setlock lock see",
    "link": "echo x >real; ln -s real lock; setlock lock sh -c 'flock -n real true || echo held'",
    "link-to-nothing": "ln -s real lock; setlock lock true",
    "hard-link": ": >real; ln real lock; setlock real setlock -n lock true",
    "not-utf8": "setlock \"$(printf 'caf\\351')\" true; setlock \"$(printf 'no\\351/x')\" true",
    "removed-meanwhile": "setlock lock sh -c 'rm lock; setlock -n lock echo another'",
    "the-program-itself": "cp /bin/true p; setlock p ./p",
    "busy-program": (
        "cp /bin/sleep p; ./p 99 & until [ /proc/$!/exe -ef p ]; do :; done; setlock p true; echo $?; kill $!"
    ),
    "full-device": "setlock /dev/full sh -c 'echo x >&3; echo $?'",
    "in-a-removed-folder": "mkdir d; cd d; rmdir ../d; setlock lock true",
    "descriptor": "setlock lock see; exec 3</dev/null; setlock lock see",
    "descriptor-when-0-is-closed": "setlock lock see out <&-; cat out",
    "two": "setlock a setlock b see",
    "same-twice": "setlock a setlock -n a true",
    "same-twice-silent": "setlock a setlock -nx a true; echo $?",
    "same-twice-by-another-name": "ln -s a b; setlock a setlock -n b true",
}
HOLDS: dict[str, str] = {
    "as-long-as-the-program": "setlock lock sh -c 'flock -n lock true || echo held'; flock -n lock echo free",
    "as-long-as-a-child-has-it": (
        "mkfifo go; setlock lock sh -c '(read x <go) & :'; flock -n lock echo no || echo held; echo >go; "
        "flock lock echo free"
    ),
    "not-when-the-descriptor-is-closed": "setlock lock sh -c 'exec 3>&-; flock -n lock echo free'",
    "not-after-a-crash": "setlock lock sh -c 'kill -9 $$'; echo $?; flock -n lock echo free",
    "not-when-it-did-not-find-the-program": "setlock lock nonexistent; flock -n lock echo free",
    "against-our-own-lock": "setlock lock sh -c 'setlock -n lock true; setlock -nx lock echo no; echo $?'",
    "not-against-fcntl": (
        f'setlock lock {sys.executable} -c \'import fcntl; f = open("lock", "a"); '
        "fcntl.lockf(f, 6); print(1)'"
    ),
    "shared-lock-in-the-way": (
        "exec 8>lock; flock -s 8; setlock -n lock true; echo $?; setlock -nx lock true; echo $?"
    ),
}
WAITS: dict[str, str] = {
    "waits": HELD + BLOCKED + "setlock lock echo got & waiter=$!; blocked $waiter; " + FREE,
    "waits-N": HELD + BLOCKED + "setlock -nN lock echo got & waiter=$!; blocked $waiter; " + FREE,
    "waits-x": HELD + BLOCKED + "setlock -x lock echo got & waiter=$!; blocked $waiter; " + FREE,
    "waits-and-sees": HELD + BLOCKED + "setlock lock see & waiter=$!; blocked $waiter; " + FREE,
    "waits-for-two": (
        HELD + BLOCKED + "setlock a setlock lock echo got & waiter=$!; blocked $waiter; "
        "flock -n a echo no || echo first held; " + FREE
    ),
    "n-does-not-wait": HELD + "setlock -n lock echo no; echo $?; " + FREE,
    "nx-does-not-wait": HELD + "setlock -nx lock echo no; echo $?; " + FREE,
    "ended-while-it-waits": (
        HELD + BLOCKED + "setlock lock echo no & waiter=$!; blocked $waiter; kill $waiter; wait $waiter; "
        "echo $?; " + FREE
    ),
    "interrupted-while-it-waits": (
        HELD + BLOCKED + "(trap - INT; exec env --default-signal=INT setlock -x lock echo no) & waiter=$!; "
        "blocked $waiter; kill -INT $waiter; wait $waiter; echo $?; " + FREE
    ),
    "stopped-and-continued": (
        HELD + BLOCKED + "setlock lock echo got & waiter=$!; blocked $waiter; kill -STOP $waiter; "
        "kill -CONT $waiter; blocked $waiter; " + FREE
    ),
    "holder-crashes": (
        "mkfifo held; flock -F lock sh -c 'echo >held; exec sleep 99' & holder=$!; read x <held; " + BLOCKED
        + "setlock lock echo got & waiter=$!; blocked $waiter; kill -9 $holder; wait $waiter; echo $?"
    ),
    "holder-is-setlock": (
        "mkfifo held go; setlock lock sh -c 'echo >held; read x <go; echo holder' & read x <held; " + BLOCKED
        + "setlock lock echo got & waiter=$!; blocked $waiter; " + FREE
    ),
    "three-in-turn": (
        HELD + BLOCKED + "for n in 1 2 3; do setlock lock sh -c 'echo got >>log' & blocked $!; done; "
        + FREE + "cat log"
    ),
    "file-removed-while-it-waits": (
        HELD + BLOCKED + "setlock lock echo got & waiter=$!; blocked $waiter; rm lock; " + FREE
    ),
}  # fmt: skip
AS_NOBODY: dict[str, str] = {
    "making": "setlock new true",
    "making-silent": "setlock -x new true; echo $?",
    "folder-of-mine": "cd mine; umask 027; setlock new see",
    "read-only": "setlock readonly true",
    "read-only-silent": "setlock -x readonly true; echo $?",
    "may-write": "setlock writable see",
    "secret-folder": "setlock secret/lock true",
}


def each_flag() -> list[Scenario]:
    """What n N x X do where the lock is free, held, or cannot be opened. Where all would wait for the
    held one, WAITS tells."""
    return [
        Scenario(
            f"flags-{flags.replace(' ', '') or 'none'}-{name}",
            f"{SCENE}setlock {flags} {file} echo ran; echo $?",
        )
        for flags in FLAGS
        for name, file in OUTCOMES.items()
        if name != "held" or (flags.rfind("n") > flags.rfind("N"))
    ]


SCENARIOS = [
    *(Scenario(f"option-{name}", f"{SCENE}exec setlock {words}") for name, words in OPTIONS.items()),
    *each_flag(),
    *(Scenario(f"file-{name}", script, normal=JOB_MESSAGES) for name, script in FILES.items()),
    *(Scenario(f"holds-{name}", script) for name, script in HOLDS.items()),
    *(Scenario(name, script, normal=JOB_MESSAGES) for name, script in WAITS.items()),
    *(
        Scenario(
            f"as-nobody-{name}",
            "mkdir mine secret; chown nobody mine; chmod 700 secret; : >readonly; : >writable; "
            f"chmod 644 readonly; chmod 666 writable; exec setpriv --reuid {NOBODY} --regid {NOBODY} "
            f"--clear-groups sh -c '{script}'",
            needs_root=True,
        )
        for name, script in AS_NOBODY.items()
    ),
]


@each(SCENARIOS)
def test_setlock(scenario: Scenario) -> None:
    judge(scenario)
