"""svscanboot beside C's, in namespaces of its own: pids, and an /etc/service where the machine has none."""

from __future__ import annotations

from pathlib import Path

from support.oracle import Scenario, Shows, each
from support.overlapped import Judged, overlapped
from support.servicescenes import GLIBCS_OWN, PRELUDE, STATUS, service

judged = overlapped()

INSIDE = """
cp -a /etc ../etc
mkdir -p ../etc/service
mount --bind ../etc /etc
tools=$(cd ../tools && pwd -P)
mount -t tmpfs none /usr/local/bin
for one in svc svok svscan supervise readproctitle; do ln -s "$tools/$one" /usr/local/bin/; done
for one in services/*; do ln -s "$PWD/$one" /etc/service/; done
"""
"""What both look for in fixed places: services in /etc/service (Debian's), commands on a PATH of its own."""


def apart(name: str, script: str, **more: object) -> Scenario:
    """`script` is run as PID 1 of a namespace, whose end ends all that it has started."""

    def prepare(scene: Path) -> None:
        (scene / "inside").write_text(PRELUDE + INSIDE + script)
        service(scene / "services/a", f"exec {scene.parent}/bin/see seen")
        service(scene / "services/b", "echo $$ >>pids; exec sleep 1000")

    unshare = "exec unshare --pid --fork --kill-child --mount-proc --mount --propagation private sh inside"
    return Scenario(name, unshare, prepare=prepare, needs_root=True, **more)  # type: ignore[arg-type]


BOOTED = (
    "env --default-signal=INT,QUIT svscanboot /etc/service &\nuntil_true svok services/b\nup services/b\n"
)

SCENARIOS = [
    apart(
        "a-service-sees",
        BOOTED + "until_true grep 'realtime timeout' services/a/seen\nsvc -d services/a\n"
        "rm -r services/*/supervise services/b/pids\n"
        "awk '/argument:/ && n++ { exit } { print }' services/a/seen; rm services/a/seen",
        normal=(GLIBCS_OWN,),
    ),
    apart(
        "what-is-left-from-before-is-told-to-leave",
        "supervise services/b &\nup services/b\nfirst=$(pid services/b)\n"
        "svscanboot /etc/service >out 2>&1 &\nagain services/b $first\nwait %1\necho left $?\nls -s out\n"
        "rm -r services/*",
        normal=STATUS,
    ),
    apart(
        "a-missing-folder",
        "rm -r /etc/service services\nsvscanboot /etc/service\necho $?",
        differs="svscanboot becomes svscan, so its exit code is svscan's; C's is readproctitle's",
        theirs=Shows(stdout=b"0\n"),
        ours=Shows(stdout=b"111\n"),
    ),
    apart(
        "two-folders",
        "rm -r services /etc/service/*\n"
        "{ svscanboot a b; echo $? >code; } &\nuntil_true sh -c 'test -s code || pgrep -x readproctitle'\n"
        "cat code 2>/dev/null || echo stays\nrm -f code",
        differs="svscanboot takes a folder; C's always has its own",
        theirs=Shows(stdout=b"stays\n"),
        ours=Shows(stdout=b"100\n", stderr=b"svscanboot: usage: svscanboot [dir]\n"),
    ),
]


@each(SCENARIOS)
def test_svscanboot(judged: Judged, scenario: Scenario) -> None:
    judged(scenario)
