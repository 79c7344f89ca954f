"""setuidgid and envuidgid beside C's."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import namespaces
from support.chaintools import NOBODY
from support.oracle import Scenario, each, judge

# Words that are no numbers and hold no `:`: those mean something to svpy that they do not to C.
ACCOUNTS: dict[str, tuple[str, ...]] = {
    "no-account": (),
    "no-program": ("nobody",),
    "no-program-unknown": ("nonexistent",),
    "empty-account": ("", "true"),
    "unknown": ("no such account", "true"),
    "not-utf8": ("\udce9", "true"),
    "upper-case": ("NOBODY", "true"),
    "blank-at-the-end": ("nobody ", "true"),
    "newline": ("nobody\nroot", "true"),
    "long-account": ("x" * 5000, "true"),
    "dash": ("-", "true"),
    "dashes": ("--", "nobody", "true"),
    "option-like": ("-n", "true"),
    "empty-program": ("nobody", ""),
    "missing-program": ("nobody", "nonexistent"),
    "account-before-program": ("nonexistent", "nonexistent"),
    "root": ("root", "see"),
    "nobody": ("nobody", "see"),
    "daemon": ("daemon", "see"),
    "man": ("man", "see"),
    "program-like-an-option": ("nobody", "-c"),
}
SETUIDGID: dict[str, str] = {
    "groups-go": "setpriv --groups 1,2,3,4 setuidgid nobody see",
    "and-back": "setuidgid nobody setuidgid root see",
    "same-again": "setuidgid nobody setuidgid nobody see",
    "root-to-root": "setpriv --groups 1,2 setuidgid root see",
    "secret-program": "mkdir secret; cp /bin/true secret; chmod 700 secret; setuidgid nobody secret/true",
    "program-for-the-group": "cp /bin/true p; chgrp nogroup p; chmod 750 p; setuidgid nobody ./p",
    "program-for-root": "cp /bin/true p; chmod 700 p; setuidgid nobody ./p; setuidgid root ./p; echo $?",
    "cwd-left-behind": "mkdir s; chmod 700 s; cd s; setuidgid nobody sh -c 'ls . || pwd; echo *'",
    "relative-program-in-a-secret-cwd": "mkdir secret; cp /bin/echo secret; cd secret; chmod 711 .; "
    "setuidgid nobody ./echo it ran",
    "relative-program-below-a-sticky-folder": "mkdir s s/f; cp /bin/echo s/f; chmod 3700 s; cd s/f; "
    "chmod 755 .; setuidgid nobody ./echo it ran",
    "secret-folder-on-PATH": "mkdir secret; cp /bin/true secret/p; chmod 700 secret; PATH=$PWD/secret:$PATH; "
    "setuidgid nobody p",
    "files-belong-to-it": "mkdir d; chmod 777 d; setuidgid daemon sh -c 'umask 026; echo >d/f; mkdir d/d'",
    "open-descriptors-stay": "echo secret >f; chmod 600 f; setuidgid nobody cat <f; setuidgid nobody see 3<f",
    "set-user-id-program": "cp /usr/bin/id p; chmod 4755 p; setuidgid nobody ./p; setuidgid nobody ./p -G",
    "ambient-capabilities": "setpriv --inh-caps +sys_nice --ambient-caps +sys_nice setuidgid nobody see",
    "keeps-no-capability": "setuidgid nobody sh -c 'chown root . || echo refused'",
    "without-setuid": "setpriv --bounding-set -setuid --inh-caps -setuid setuidgid nobody see",
    "without-setgid": "setpriv --bounding-set -setgid --inh-caps -setgid setuidgid nobody see",
    "no-new-privileges": "setpriv --no-new-privs setuidgid nobody see",
    "another-user": "setpriv --reuid 54321 --regid 54321 --clear-groups setuidgid root true",
    "another-user-to-itself": "setpriv --reuid nobody --regid nogroup --clear-groups setuidgid nobody true",
    "another-user-unknown": "setpriv --reuid 54321 --regid 54321 --clear-groups setuidgid nonexistent true",
    "another-user-usage": "setpriv --reuid 54321 --regid 54321 --clear-groups setuidgid nobody",
    "process-limit": "softlimit -p 1 setuidgid man sh -c 'exit 3'; echo $?",
    "environment-as-it-is": "HOME=/root USER=root LOGNAME=root setuidgid nobody see",
    "supplementary-groups-of-the-account": "setuidgid games see",
}
ENVUIDGID: dict[str, str] = {
    "new": "envuidgid daemon env",
    "replaced": "GID=old UID=old envuidgid daemon see",
    "replaced-and-last": "env -i UID=0 A=1 B=2 GID=0 C=3 PATH=$PATH envuidgid man cat /proc/self/environ",
    "twice": "envuidgid root envuidgid daemon see",
    "empty-environment": "p=$(command -v envuidgid); env -i $p man /bin/cat /proc/self/environ",
    "similar-names": "UIDS=1 UI=2 XUID=3 envuidgid man see",
    "then-setuidgid": "chmod 777 .; envuidgid root setuidgid nobody see",
    "ids-for-a-server": "envuidgid nobody sh -c 'echo $UID:$GID'",
    "nothing-else-changes": "setpriv --groups 1,2,3 envuidgid nobody see",
}
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
large:x:2147483648:2147483649::/:/bin/sh
largest:x:4294967294:4294967294::/:/bin/sh
minus:x:4294967295:4294967295::/:/bin/sh
minusgroup:x:1000:4294967295::/:/bin/sh
toolarge:x:4294967296:1::/:/bin/sh
negative:x:-1:-2::/:/bin/sh
short:x:5:6
noids:x:::::/bin/sh
letters:x:five:six::/:/bin/sh
twice:x:11:12::/:/bin/sh
twice:x:13:14::/:/bin/sh
caf\udce9:x:15:16::/:/bin/sh
with space:x:17:18::/:/bin/sh
noend:x:19:20::/:/bin/sh"""
ODD_ACCOUNTS = (
    "large", "largest", "minus", "minusgroup", "toolarge", "negative", "short", "noids", "letters", "twice",
    "caf\udce9", "with space", "noend",
)  # fmt: skip
FILES: dict[str, str] = {
    "no-passwd": ": >empty; mount --bind empty /etc/passwd; {tool} root true",
    "removed-passwd": "mount -t tmpfs -o mode=755 tmpfs /etc; {tool} root true",
    "unreadable-passwd": "cp /etc/passwd p; chmod 600 p; mount --bind p /etc/passwd; "
    "setpriv --reuid 54321 --regid 54321 --clear-groups {tool} root true",
    "passwd-is-a-folder": "mount -t tmpfs -o mode=755 tmpfs /etc; mkdir /etc/passwd; {tool} root true",
    "no-nsswitch": ": >empty; mount --bind empty /etc/nsswitch.conf; "
    "{tool} daemon grep -E ^[UG]id: /proc/self/status",
}


def plain() -> list[Scenario]:
    rows = [
        Scenario(f"{tool}-{name}", argv=(tool, *words))
        for tool in ("setuidgid", "envuidgid")
        for name, words in ACCOUNTS.items()
    ]
    for tool in ("setuidgid", "envuidgid"):
        rows += [
            Scenario(f"{tool}-as-nobody-to-{account}", argv=(tool, account, "see"), user=NOBODY)
            for account in ("nobody", "root", "daemon", "nonexistent")
        ]
    rows += [Scenario(f"setuidgid-{name}", script, needs_root=True) for name, script in SETUIDGID.items()]
    return rows + [Scenario(f"envuidgid-{name}", script) for name, script in ENVUIDGID.items()]


def passwd(scene: Path) -> None:
    (scene / "passwd").write_text(PASSWD, errors="surrogateescape")


def in_namespaces() -> list[Scenario]:
    rows = [
        Scenario(
            f"{tool}-account-{account.encode(errors='replace').decode()}",
            argv=("unshare", "--mount", "sh", "-c", script, "sh", tool, account),
            prepare=passwd,
        )
        for script in ('mount --bind passwd /etc/passwd; exec "$@" see',)
        for tool in ("setuidgid", "envuidgid")
        for account in ODD_ACCOUNTS
    ]
    return rows + [
        Scenario(f"{tool}-{name}", f'exec unshare --mount sh -c "{script.format(tool=tool)}"')
        for tool in ("setuidgid", "envuidgid")
        for name, script in FILES.items()
    ]


@each(plain())
def test_accounts(scenario: Scenario) -> None:
    judge(scenario)


@pytest.mark.skipif(bool(namespaces.missing()), reason=namespaces.missing())
@each(in_namespaces())
def test_unusual_accounts(scenario: Scenario) -> None:
    judge(scenario)
