"""What ps, pgrep and pidof show of those that stay: the command lines that people's scripts look for.

The machine's own processes are not to be seen there: each test has a pid namespace with its own /proc, and
in it /usr/local/bin holds nothing but links to the commands, as after an installation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import namespaces
from support.apart import Apart
from support.peers import PEERS, beside_c
from support.processes import BIN, eventually
from support.services import script

SCANNED, ALONE = "/srv/service", "/srv/alone"
LINKS = "/usr/local/bin"
SYSTEM = {"PATH": f"{LINKS}:/usr/bin:/bin"}

RUNS = {
    "service/hosted/run": "exec sleep 1000",
    "service/hosted/log/run": "exec setuidgid nobody multilog t ./main",
    "service/kept/run": "exec setuidgid nobody fghack sleep 1000",
    "service/kept/log/run": "exec fghack setuidgid nobody multilog n20 './main'",
    "service/alone/run": f"exec supervise {ALONE}",
    "service/first/run": "exec setlock /srv/locked sleep 1000",
    "service/second/run": "exec setuidgid nobody setlock /srv/locked sleep 1000",
    "service/piped/run": "sleep 1000 | tai64n | tai64nlocal",
    "alone/run": "exec sleep 1000",
}
"""By path below /srv. One of `first` and `second` waits for the other's lock."""

STAYING = {
    "svscan": [f"svscan {SCANNED}"],
    "supervise": [f"supervise {ALONE}"],
    "multilog": ["multilog n20 ./main", "multilog t ./main"],
    "fghack": [
        "fghack setuidgid nobody multilog n20 ./main",
        "fghack sleep 1000",
    ],
    "setlock": ["setlock /srv/locked sleep 1000"],
    "tai64n": ["tai64n"],
    "tai64nlocal": ["tai64nlocal"],
}
"""By name: the command lines of all that are called so."""

LOOKS = ("pgrep -x {}", "ps -C {} -o pid=", "pidof {}")
"""Each tells the pids of a name."""


@dataclass(frozen=True)
class Way:
    """How svscan is started there."""

    argv: tuple[str, ...]
    env: dict[str, str]
    tools: Path = BIN


WAYS = {
    "by-name": Way(("svscan", SCANNED), SYSTEM),
    "without-environment": Way((f"{LINKS}/svscan", SCANNED), {}),
    "without-a-link": Way((str(BIN / "svscan"), SCANNED), SYSTEM),
    "svscanboot": Way((f"{LINKS}/svscanboot", SCANNED), SYSTEM),
    "c": Way(("svscan", SCANNED), SYSTEM, PEERS),
}


@pytest.fixture(scope="module", autouse=True)
def _needs_namespaces() -> None:
    if reason := namespaces.missing("ps", "pgrep", "pidof"):
        pytest.skip(reason)


@pytest.fixture
def srv() -> Iterator[Path]:
    # Not pytest's tmp_path: that is for root alone.
    folder = Path(tempfile.mkdtemp(prefix="svpy-lines-"))
    try:
        folder.chmod(0o755)
        for path, text in RUNS.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            # Without an environment, a shell keeps the PATH that it makes up to itself.
            script(folder / path, f"export PATH={SYSTEM['PATH']}\n{text}")
        for log in folder.rglob("log"):
            shutil.chown(log, "nobody")
        (folder / "locked").touch()
        shutil.chown(folder / "locked", "nobody")
        yield folder
    finally:
        shutil.rmtree(folder)


def apart(srv: Path, way: Way) -> Apart:
    links = srv / "links"
    links.mkdir()
    for command in way.tools.iterdir():
        (links / command.name).symlink_to(command)
    return Apart(*way.argv, env=way.env, binds={Path("/srv"): srv, Path(LINKS): links}, into=srv / "said")


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=[beside_c] * (name == "c")) for name, way in WAYS.items()]
)
def test_command_lines(srv: Path, way: Way) -> None:
    with apart(srv, way) as host:

        def shown(name: str) -> list[str]:
            return sorted(b" ".join(host.argv(pid)).decode() for pid in host.pids(name))

        def expected(name: str) -> list[str]:
            if way.tools != BIN and name == "supervise":
                # Each folder has one there.
                names = [path.split("/")[-2] for path in RUNS if path.startswith("service/")]
                return sorted([f"supervise {ALONE}", *(f"supervise {name}" for name in names)])
            return STAYING[name]

        def finds(look: str, name: str) -> bool:
            found = host.command(*look.format(name).split(), env=SYSTEM).stdout
            return sorted(map(int, found.split())) == host.pids(name)

        for name in STAYING:
            eventually(lambda name=name: shown(name) == expected(name), f"{name} seen: {shown(name)}")  # type: ignore[misc]
        for name in STAYING:
            seen = host.command("ps", "-C", name, "-o", "args=", env={**SYSTEM, "LC_ALL": "C"})
            assert sorted(seen.stdout.decode().splitlines()) == expected(name)
            for look in LOOKS:
                # What one of them has just forked bears its name for a moment.
                eventually(lambda look=look, name=name: finds(look, name), look.format(name))  # type: ignore[misc]
        (svscan,) = host.pids("svscan")
        for words, answer in (
            ("readlink /proc/$(pidof svscan)/cwd", SCANNED),
            (f"pgrep -fx 'svscan {SCANNED}'", str(svscan)),
            ("pgrep -fx 'multilog t ./main' | wc -l", "1"),
            (f"ps axww | grep -c '[0-9] svscan {SCANNED}$'", "1"),
            ("cat /proc/$(pgrep -o -x multilog)/comm", "multilog"),
        ):
            done = host.command("sh", "-c", words, env=SYSTEM)
            assert (done.stdout.decode().strip(), done.stderr) == (answer, b""), words


def test_the_ring_of_readproctitle_in_ps(srv: Path) -> None:
    """After svscanboot: what svscan and services without a log said last stands in ps."""
    words = [f"word-{number:02}" for number in range(100)]
    for folder in (srv / "service").iterdir():
        shutil.rmtree(folder)
    (srv / "service/talker").mkdir()
    script(srv / "service/talker/run", f"echo {' '.join(words)} >&2\necho the end >&2\nexec sleep 1000")
    with apart(srv, WAYS["svscanboot"]) as host:

        def ring() -> str:
            found = host.command("ps", "axww", "-o", "args=", env={**SYSTEM, "LC_ALL": "C"})
            lines = found.stdout.decode().splitlines()
            return next((line for line in lines if line.startswith("readproctitle service")), "")

        eventually(lambda: "the end" in ring(), "the last message in ps")
        # ps shows a newline as a blank or a question mark, as its version has it.
        shown = ring().replace("?", " ").rstrip()
        assert shown.startswith("readproctitle service errors: ...")
        assert shown.removeprefix("readproctitle service errors: ...").split()[-3:] == [
            "word-99",
            "the",
            "end",
        ]
        assert "word-10 " not in shown
        assert len(shown) == len("readproctitle service errors: ") + 400 - 1
        (readproctitle,) = host.pids("readproctitle")
        for tool in ("pgrep -x readproctitle", "pidof readproctitle"):
            assert host.command("sh", "-c", tool, env=SYSTEM).stdout.split() == [b"%d" % readproctitle]
