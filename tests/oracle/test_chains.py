"""Several tools in a row, as the run scripts of the last twenty years have them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.chaintools import NOBODY
from support.oracle import Scenario, Shows, each, judge
from support.peers import beside_c


def service(scene: Path) -> None:
    """A service folder in the manner of djb's own programs: env, root, a log folder, a lock."""
    scene.chmod(0o777)
    for name, entries in {
        "env": {"IP": "127.0.0.1\n", "ROOT": "/var/root\n", "DATALIMIT": "50000000\n", "REMOVED": ""},
        "root": {"CONTROL": "1\n", "IP": "127.0.0.2"},
        "sub": {"PATH": "/nonexistent"},
    }.items():
        (scene / name).mkdir()
        for variable, content in entries.items():
            (scene / name / variable).write_text(content)
    (scene / "main").mkdir()
    (scene / "main").chmod(0o777)
    (scene / "plain").write_text("no program\n")


CLASSIC: dict[str, str] = {
    "tinydns": "exec 2>&1; exec envuidgid nobody envdir ./env softlimit -d300000000 see",
    "dnscache": (
        "exec 2>&1; exec envuidgid nobody envdir ./env sh -c 'exec envdir ./root softlimit -o250"
        ' -d "$DATALIMIT" see\''
    ),
    "axfrdns": (
        "exec 2>&1; exec envdir ./env sh -c 'exec envuidgid nobody softlimit -d300000000 see -- \"$IP\" 53'"
    ),
    "walldns": "exec envuidgid nobody envdir ./env softlimit -d 250000000 see 2>&1",
    "publicfile": (
        "exec 2>&1; exec envuidgid nobody envdir ./env softlimit -o20 -d50000000 see -vDRHl0 -b50 -c100 0 80"
    ),
    "qmail-send": 'exec env - PATH="$PWD/../bin:$PATH" setuidgid nobody see ./Mailbox splogger qmail',
    "qmail-smtpd": (
        "QMAILDUID=`id -u nobody`; NOFILESGID=`id -g nobody`; exec softlimit -m 30000000 see -v -R"
        ' -l localhost -x /etc/tcp.smtp.cdb -c 20 -u "$QMAILDUID" -g "$NOFILESGID" 0 smtp 2>&1'
    ),
    "qmail-smtpd-small": "exec softlimit -m 3000000 sh -c 'ulimit -a' 2>&1",
    "qmail-pop3d": "exec softlimit -m 9000000 setlock lock sh -c 'ulimit -a; ls -l /proc/$$/fd >/dev/null'",
    "clockspeed": "exec setuidgid nobody softlimit -a 90000000 -c 0 see",
    "log-run": "printf 'one\\ntwo\\n' | setuidgid nobody multilog t ./main",
    "log-run-limited": "printf 'one\\ntwo\\n' | exec softlimit -m 9000000 setuidgid nobody multilog t ./main",
    "log-run-selecting": (
        "printf 'one\\ntwo\\nstatus: x\\n' | setuidgid nobody"
        " multilog t '-*two*' ./main '-*' '+*status*' =state"
    ),
    "log-run-by-path": "printf 'one\\n' | ../tools/setuidgid nobody ../tools/multilog ./main",
    "log-run-by-envuidgid": "printf 'one\\n' | envuidgid nobody setuidgid nobody multilog ./main",
    "log-run-of-another": "mkdir p; chmod 700 p; printf 'one\\n' | setuidgid nobody multilog ./p",
    "log-run-with-a-processor": "printf 'one\\n' | setuidgid nobody multilog '!tr a-z A-Z' ./main",
    "cron": "exec setlock -nx ./lock softlimit -t 60 -o 50 nice true",
    "cron-again": "exec 9>lock; flock 9; setlock -nx ./lock touch ran; echo $?",
    "daemon-that-forks": "exec setlock lock pgrphack fghack sh -c 'sleep .05 & exit 3'",
    "apache": "exec 2>&1; exec envdir ./env pgrphack fghack sh -c '(sleep .05; echo $IP) &'",
    "sshd": "exec softlimit -c 0 -o 100 envdir ./env setlock -n lock see -D",
    "everything": (
        "exec 2>&1 5</dev/null; umask 027; exec envdir env envuidgid nobody softlimit -o 60 -c 0"
        " setlock lock pgrphack fghack see a b"
    ),
    "everything-backwards": (
        "exec 2>&1; exec fghack pgrphack setlock lock softlimit -o 60 -c 0 envuidgid nobody envdir env see"
    ),
    "everything-as-nobody": (
        "exec 2>&1; exec envdir env envuidgid daemon softlimit -o 60 setuidgid nobody setlock lock pgrphack"
        " fghack see"
    ),
    "chpst-like": "exec setuidgid nobody envdir ./env softlimit -m 90000000 setlock -n ./main/lock see",
    "twice-the-folder": "exec envdir env envdir root see",
    "in-a-shell-each": "exec envdir env sh -c 'exec softlimit -o 60 sh -c \"exec setlock lock see\"'",
}
MISTAKES: dict[str, str] = {
    "usage-of-the-second": "setlock made envdir",
    "usage-of-the-second-folder": "setlock made envdir env",
    "usage-of-the-third": "setlock made softlimit -o 50 setuidgid nobody",
    "option-of-the-second": "setlock made softlimit -z true",
    "number-of-the-second": "setlock made softlimit -o x true",
    "account-of-the-second": "setlock made setuidgid nonexistent true",
    "folder-of-the-second": "setlock made envdir missing true",
    "file-of-the-second": "setlock made setlock missing/lock true",
    "silent-second": "setlock made setlock -x missing/lock true; echo $?",
    "program-of-the-second": "setlock made softlimit nonexistent",
    "program-of-the-third": "setlock made softlimit pgrphack ./plain",
    "empty-word-for-the-second": "setlock made '' true",
    "folder-for-the-second": "setlock made ./env true",
    "after-a-user": "setuidgid nobody setuidgid daemon true",
    "after-a-user-lock": "chmod 755 .; setuidgid nobody setlock made true",
    "after-a-user-lock-silent": "chmod 755 .; setuidgid nobody setlock -x made true; echo $?",
    "after-a-user-folder": "chmod 700 env; setuidgid nobody envdir env true",
    "after-a-user-file": "chmod 600 env/IP; setuidgid nobody envdir env true",
    "after-a-user-program": "cp /bin/true p; chmod 700 p; setuidgid nobody softlimit ./p",
    "after-a-user-log": "chmod 755 main; printf 'x\\n' | setuidgid nobody multilog ./main",
    "after-fghack": "fghack envdir missing true; echo $?",
    "after-pgrphack": "pgrphack setlock missing/lock true; echo $?",
    "path-that-leads-nowhere": "envdir sub softlimit -o 50 true",
    "path-that-leads-nowhere-by-path": "envdir sub ../tools/softlimit -o 50 true",
}
SCENARIOS = [
    *(
        Scenario(f"classic-{name}", script, prepare=service, env={"REMOVED": "no", "LAST": "1"})
        for name, script in CLASSIC.items()
    ),
    *(Scenario(f"mistake-{name}", script, prepare=service) for name, script in MISTAKES.items()),
    *(
        Scenario(f"as-nobody-{name}", CLASSIC[name], prepare=service, user=NOBODY)
        for name in ("tinydns", "dnscache", "publicfile", "cron", "daemon-that-forks", "sshd", "log-run")
    ),
    Scenario(
        "descriptors-for-one-tool",
        "softlimit -o 3 pgrphack ./plain",
        prepare=service,
        differs="a chain of our tools is one process and one exec: the second needs no descriptor to start",
        ours=Shows(code=111, stderr=b"pgrphack: fatal: unable to run ./plain: access denied\n"),
        theirs=Shows(code=127),
    ),
]  # fmt: skip


@each(SCENARIOS)
def test_chains(scenario: Scenario) -> None:
    judge(scenario)


# Words that may stand in any order: none waits for a lock that the same chain holds, and none leaves too
# little for C's next tool to start.
STEPS = (
    "envdir env", "envdir root", "envdir sub", "envdir missing", "envdir", "envuidgid nobody",
    "envuidgid root", "envuidgid nonexistent", "setuidgid nobody", "setuidgid root", "softlimit -o 200",
    "softlimit -o =", "softlimit -m 90000000 -c 0", "softlimit -d 80000000", "softlimit -f x",
    "softlimit -z", "softlimit -- ", "setlock -n lock", "setlock -n main/lock", "setlock -nx lock",
    "setlock -nx missing/lock", "pgrphack", "fghack", "../tools/softlimit", "../tools/pgrphack", "env",
    "env -u HOME A=1", "nice -n 0", "./plain", "setsid -w", "sh -c 'exec \"$@\"' sh",
)  # fmt: skip


@beside_c
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6), st.booleans())
def test_any_chain(steps: list[str], as_nobody: bool) -> None:
    judge(
        Scenario(
            "any", f"exec {' '.join(steps)} see", prepare=service, env={"REMOVED": "no"},
            user=NOBODY if as_nobody else None,
        )
    )  # fmt: skip
