"""One scenario, run once with C daemontools' commands first on PATH and once with svpy's, and compared.

How a side is run:

- in a scene: a fresh empty folder, at the same place for both sides, reachable by every user; so what
  is said of it need not be made equal afterwards;
- `PATH` is `tools` (a link beside the scene to the side's commands), the folder of `see`, and the
  system's; nothing else but `HOME=/` is in the environment, unless the scenario says so;
- as the leader of a session, with umask 022, default signals and no core dumps (support/session), stdin
  from /dev/null or a pipe.

What is compared: exit code, both outputs, and everything that lies in the scene afterwards. `see`,
a program on the scene's PATH, prints all that an executed program finds; `see FILE` appends it there.

A table of rows is turned into one test by `each`; the name of a row with `differs` begins with
`differs-` there, so that they can be counted."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from support.peers import PEERS, beside_c
from support.processes import BIN

DEADLINE_S = 180.0
"""For a side of a scenario: some take ten seconds alone, and up to twelve run beside each other."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SEE = rb"""#!/bin/sh
# What a program executed in this place finds. Everything is told of this shell by children, so it
# does nothing itself that would show: /proc/$$ is as the exec left it, but for this script's own
# descriptor (the only one whose target is this file) and SIGCHLD's handler.
tell() {
	cd /
	printf 'argument: %s\n' "$@"
	printf 'environment: '
	/bin/cat /proc/$$/environ
	echo
	/usr/bin/find /proc/$$/cwd /proc/$$/fd -type l -printf '%f %l\n' | /usr/bin/awk -v proc=/proc/$$ '
		# A shell that vforks (dash of Debian 13) has every signal blocked until it waits for its child.
		function rests(line) {
			getline line <(proc "/stat")
			close(proc "/stat")
			return line ~ /\) S /
		}
		BEGIN {
			while (!rests()) continue
			while ((getline line <(proc "/status")) > 0)
				if (line ~ /^(Umask|[UG]id|Groups|Sig(Blk|Ign)|Cap...|NoNewPrivs|Seccomp):/) print line
			getline line <(proc "/stat")
			split(line, stat, " ")
			if (stat[1] == stat[6]) print "leads a session"
			if (stat[1] == stat[5]) print "leads a group"
			if (stat[4] == stat[5]) print "in the group of its parent"
			getline line <(proc "/oom_score_adj")
			print "oom_score_adj:", line
		}
		$1 == "cwd" { print; next }
		/ \/.*\/bin\/see$/ { next }
		{
			flags = ""
			while ((getline line <(proc "/fdinfo/" $1)) > 0)
				if (line ~ /^(pos|flags):/) flags = flags " " line
			print "descriptor", $0, flags
		}
		END { while ((getline line <(proc "/limits")) > 0) print line }
	'
}
if [ $# -gt 0 ]; then (tell "$@") >>"$1"; else (tell); fi
exit 0
"""

NORMAL: tuple[tuple[bytes, bytes], ...] = (
    (rb"@[0-9a-f]{24}", b"@LABEL"),
    (rb"\(pid \d+\)", b"(pid N)"),
    (rb"\b\d+ seconds", b"N seconds"),
    # What a killed supervise leaves in its lock for the next one, empty with C: core/record.py.
    (rb"svpy 1 [0-9a-f-]{36}/\d+( \d+){2} [a-z-]+( \d+){3} *\n", b""),
)
"""What is replaced in outputs and contents before they are compared, unless a scenario is `exact`.
Pipes and sockets get the ranks in which a text names them, so that equal ones stay equal."""

_LABEL = re.compile(rb"@[0-9a-f]{24}")
_ENDPOINT = re.compile(rb"\b(pipe|socket):\[(\d+)\]")


@dataclass(frozen=True)
class Entry:
    """What lies in a scene under a name. `content`: of a file, or a link's target."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: bytes = b""

    def __str__(self) -> str:
        return f"{self.kind} {self.mode:04o} {self.uid}:{self.gid} {len(self.content)} {self.content!r}"


@dataclass(frozen=True)
class Outcome:
    """What a side gave, normalised. `code` is negative for a signal. `tree`: by relative name."""

    code: int
    stdout: bytes
    stderr: bytes
    tree: dict[bytes, Entry]

    def content(self, name: bytes) -> bytes:
        """Of a file that must be there."""
        assert name in self.tree, (name, sorted(self.tree))
        return self.tree[name].content


@dataclass(frozen=True)
class Shows:
    """What is to be seen of a side, part by part: a value, a compiled pattern for all of it, or a
    function that asserts. `tree` names single entries (an Entry, bytes for the content alone, None: it
    must not be there) or is a function on the whole tree. A part or an entry left out is to be the
    same on both sides."""

    code: Any = None
    stdout: Any = None
    stderr: Any = None
    tree: Any = None

    def parts(self) -> set[str]:
        return {part for part in PARTS if getattr(self, part) is not None}

    def check(self, side: str, outcome: Outcome) -> None:
        for part in self.parts():
            wanted, found = getattr(self, part), getattr(outcome, part)
            if callable(wanted):
                wanted(found)
            elif isinstance(wanted, re.Pattern):
                assert wanted.fullmatch(found), f"{side}'s {part}: {found!r}, not {wanted.pattern!r}"
            elif part == "tree":
                for name, entry in wanted.items():
                    got = found.get(name)
                    if isinstance(entry, bytes) and got is not None:
                        got = got.content
                    assert got == entry, f"{side}'s {name!r}: {got!r}, not {entry!r}"
            else:
                assert found == wanted, f"{side}'s {part}: {found!r}, not {wanted!r}"


PARTS = ("code", "stdout", "stderr", "tree")


@dataclass(frozen=True)
class Scenario:
    """`script` is run by /bin/sh, or `argv` itself, in the scene.

    `prepare` fills the scene first, as root; `meanwhile` is called with scene and process while it
    runs. `env` is added to the environment, None removes; `only_env` replaces all of it.
    `normal` adds replacements (pattern, by what). `user`: a uid to run as, with its gid and no groups.
    `differs`: why svpy differs on purpose. Then `ours` says what svpy shows and `theirs` what C does:
    either Shows, where the parts that `ours` leaves out still have to be equal, or a function on the
    Outcome that asserts. The sides must then differ, so that the row cannot outlive its reason."""

    name: str
    script: str = ""
    argv: tuple[str | bytes, ...] = ()
    prepare: Callable[[Path], None] | None = None
    meanwhile: Callable[[Path, subprocess.Popen[bytes]], None] | None = None
    stdin: bytes | None = None
    env: Mapping[str | bytes, str | bytes | None] = field(default_factory=dict)
    only_env: Mapping[str | bytes, str | bytes] | None = None
    normal: tuple[tuple[bytes, bytes], ...] = ()
    exact: bool = False
    user: int | None = None
    needs_root: bool = False
    differs: str = ""
    ours: Shows | Callable[[Outcome], None] | None = None
    theirs: Shows | Callable[[Outcome], None] | None = None

    @property
    def id(self) -> str:
        return f"differs-{self.name}" if self.differs else self.name

    def but(self, **changes: Any) -> Scenario:
        """The same with changes."""
        return replace(self, **changes)


def each(scenarios: Iterable[Scenario]) -> Callable[[Any], Any]:
    """Marks a test `def test_…(scenario)` to be run with each, where C daemontools is there."""
    rows = list(scenarios)
    names = [scenario.id for scenario in rows]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)

    def mark(test: Any) -> Any:
        return beside_c(pytest.mark.parametrize("scenario", rows, ids=names)(test))

    return mark


def judge(scenario: Scenario) -> None:
    """Run both sides; fail, readably, if they are not as the scenario says."""
    if (scenario.needs_root or scenario.user is not None) and os.geteuid() != 0:
        pytest.skip("only root can change users")
    # Not pytest's tmp_path: that is for root alone.
    base = Path(tempfile.mkdtemp(prefix="svpy-oracle-"))
    try:
        base.chmod(0o755)
        theirs, ours = (outcome(scenario, tools, base / "box") for tools in (PEERS, BIN))
    finally:
        shutil.rmtree(base)
    if not scenario.differs:
        assert scenario.ours is None and scenario.theirs is None, "what differs needs a reason"
        same(scenario, theirs, ours, PARTS)
        return
    assert scenario.ours is not None, "say what svpy shows instead"
    assert theirs != ours, f"no difference any more: {scenario.differs}"
    for side, shown, expected in (("C", theirs, scenario.theirs), ("svpy", ours, scenario.ours)):
        if isinstance(expected, Shows):
            expected.check(side, shown)
        elif expected is not None:
            expected(shown)
    if isinstance(scenario.ours, Shows):
        named = scenario.ours.tree
        if isinstance(named, dict):
            theirs, ours = (replace(side, tree=_without(side.tree, named)) for side in (theirs, ours))
        parts = scenario.ours.parts() - ({"tree"} if isinstance(named, dict) else set())
        same(scenario, theirs, ours, [part for part in PARTS if part not in parts])


def _without(tree: dict[bytes, Entry], names: Iterable[bytes]) -> dict[bytes, Entry]:
    return {name: entry for name, entry in tree.items() if name not in names}


def same(scenario: Scenario, theirs: Outcome, ours: Outcome, parts: Iterable[str]) -> None:
    """Fail with a diff, part by part, if two outcomes are not the same in `parts`."""
    report: list[str] = []
    for part in parts:
        if getattr(theirs, part) != getattr(ours, part):
            pair = (_lines(getattr(theirs, part)), _lines(getattr(ours, part)))
            report += [f"{part}:", *difflib.unified_diff(*pair, "C", "svpy", n=1, lineterm="")]
    if report:
        others = [part for part in ("code", "stderr") if getattr(theirs, part) == getattr(ours, part)]
        report.insert(0, scenario.script or repr(scenario.argv))
        report += [f"{part} of both: {getattr(ours, part)!r}" for part in others]
        pytest.fail("\n".join(report), pytrace=False)


def _lines(part: object) -> list[str]:
    if isinstance(part, bytes):
        return [repr(line)[1:] for line in part.splitlines(keepends=True)]
    if isinstance(part, dict):
        return [f"{name!r}: {entry}" for name, entry in sorted(part.items())]
    return [str(part)]


def outcome(scenario: Scenario, tools: Path, box: Path) -> Outcome:
    """What one side gives. `box`, a folder that is not there yet, is made and removed again."""
    box.mkdir(mode=0o755)
    try:
        return _normalised(_run(scenario, tools, box), scenario, bytes(box))
    finally:
        shutil.rmtree(box)


def _run(scenario: Scenario, tools: Path, box: Path) -> Outcome:
    scene = box / "scene"
    scene.mkdir()
    (box / "tools").symlink_to(tools)
    (box / "bin").mkdir()
    (box / "bin/see").write_bytes(SEE)
    (box / "bin/see").chmod(0o755)
    if scenario.prepare:
        scenario.prepare(scene)
    account = {"user": scenario.user, "group": scenario.user, "extra_groups": []}
    process = subprocess.Popen(
        scenario.argv or ("/bin/sh", "-c", scenario.script),
        cwd=scene,
        env=_environment(scenario, box),
        stdin=subprocess.DEVNULL if scenario.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        umask=0o022,
        **(account if scenario.user is not None else {}),  # type: ignore[arg-type]
    )
    with process:
        try:
            if scenario.meanwhile:
                scenario.meanwhile(scene, process)
            stdout, stderr = process.communicate(scenario.stdin, timeout=DEADLINE_S)
        except BaseException as error:
            process.kill()
            _end_group(process.pid)
            said = process.communicate()
            error.add_note(f"{tools}: {scenario.name}: it said {said!r}")
            raise
    _end_group(process.pid)
    return Outcome(process.returncode, stdout, stderr, tree_of(scene))


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _environment(scenario: Scenario, box: Path) -> dict[bytes, bytes]:
    environ: dict[Any, Any] = {"PATH": f"{box}/tools:{box}/bin:{SYSTEM_PATH}", "HOME": "/"}
    environ = {**environ, **scenario.env} if scenario.only_env is None else dict(scenario.only_env)
    return {
        os.fsencode(name): os.fsencode(value).replace(b"BOX", bytes(box))
        for name, value in environ.items()
        if value is not None
    }


def tree_of(folder: Path) -> dict[bytes, Entry]:
    """Everything in a folder, by relative name; `.` is itself."""
    root = os.fsencode(folder)
    found = {b".": _entry(root)}
    for path, folders, files in os.walk(root):
        for name in folders + files:
            whole = path + b"/" + name
            try:
                found[os.path.relpath(whole, root)] = _entry(whole)
            except FileNotFoundError:
                continue
    return found


def _entry(path: bytes) -> Entry:
    status = os.lstat(path)
    kind, content = stat.filemode(status.st_mode)[0], b""
    if kind == "-":
        content = Path(os.fsdecode(path)).read_bytes()
    elif kind == "l":
        content = os.readlink(path)
    return Entry(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content)


def _normalised(raw: Outcome, scenario: Scenario, box: bytes) -> Outcome:
    rules = (*scenario.normal, *(() if scenario.exact else NORMAL), (re.escape(box), b"BOX"))

    def normal(text: bytes) -> bytes:
        for pattern, by in rules:
            text = re.sub(pattern, by, text)
        return text if scenario.exact else _ranked(text)

    names = raw.tree if scenario.exact else named(raw.tree)
    tree = {name: replace(entry, content=normal(entry.content)) for name, entry in names.items()}
    return Outcome(raw.code, normal(raw.stdout), normal(raw.stderr), tree)


def _ranked(text: bytes) -> bytes:
    ranks: dict[bytes, int] = {}

    def ranked(found: re.Match[bytes]) -> bytes:
        return b"%b:[%d]" % (found[1], ranks.setdefault(found[2], len(ranks) + 1))

    return _ENDPOINT.sub(ranked, text)


def named(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """Labels in names become their rank: `@LABEL1.s` is the oldest of its folder."""
    renamed: dict[bytes, Entry] = {}
    ranks: dict[bytes, dict[bytes, int]] = {}
    for name in sorted(tree):
        folder, label = os.path.dirname(name), _LABEL.search(os.path.basename(name))
        if label is None:
            renamed[name] = tree[name]
            continue
        known = ranks.setdefault(folder, {})
        rank = known.setdefault(label[0], len(known) + 1)
        renamed[name.replace(label[0], b"@LABEL%d" % rank)] = tree[name]
    return renamed
