"""The oracle itself: it must see every kind of difference, and a reason that no longer holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.oracle import Scenario, Shows, judge

OUTCOME = pytest.fail.Exception
SAME = "echo out; echo err >&2; echo content >file; exit 3"
DIFFERENT: dict[str, str] = {
    "code": "echo out; echo err >&2; echo content >file; exit 4",
    "signal": "echo out; echo err >&2; echo content >file; kill -9 $$",
    "stdout": "echo ou; echo err >&2; echo content >file; exit 3",
    "stderr": "echo out; echo er >&2; echo content >file; exit 3",
    "content": "echo out; echo err >&2; echo contents >file; exit 3",
    "name": "echo out; echo err >&2; echo content >fill; exit 3",
    "mode": "echo out; echo err >&2; umask 077; echo content >file; exit 3",
    "kind": "echo out; echo err >&2; mkdir file; exit 3",
    "link": "echo out; echo err >&2; ln -s content file; exit 3",
    "one-more": "echo out; echo err >&2; echo content >file; mkdir more; exit 3",
    "owner": "echo out; echo err >&2; echo content >file; chown 1 file; exit 3",
    "folder's-mode": "echo out; echo err >&2; echo content >file; chmod 711 .; exit 3",
}
SEEN_DIFFERENT: dict[str, str] = {
    "environment": "A=1 exec see",
    "environment-order": "env -i HOME=/ PATH=$PATH PWD=$PWD A=2 see",
    "argument": "exec see /dev/fd/1 b",
    "SigIgn": "trap '' USR1; exec see",
    "SigBlk": "exec env --block-signal=USR1 see",
    "descriptor": "exec see 7</dev/null",
    "descriptor-closed": "exec see <&-",
    "descriptor-flags": "exec see <>/dev/null",
    "same-pipe": "exec see 2>&1",
    "position": "read x; exec see",
    "cwd": "cd /; exec see",
    "umask": "umask 077; exec see",
    "uid": "exec setpriv --reuid 1 see",
    "gid": "exec setpriv --regid 1 --clear-groups see",
    "groups": "exec setpriv --groups 1,2 see",
    "capabilities": "exec setpriv --bounding-set -sys_time see",
    "no-new-privileges": "exec setpriv --no-new-privs see",
    "soft-limit": "ulimit -S -n 40; exec see",
    "hard-limit": "ulimit -n 41; exec see",
    "session": "exec setsid see",
    "oom-score": "echo 400 >/proc/self/oom_score_adj; exec see",
}


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Give each side a `tool` of its own."""

    def make(theirs: str, ours: str) -> None:
        for name, text in (("PEERS", theirs), ("BIN", ours)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "tool").write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name / "tool").chmod(0o755)
            monkeypatch.setattr(oracle, name, tmp_path / name)

    return make


PLAIN = Scenario("plain", "echo data >in; tool <in; exit $?")


def test_what_is_the_same_passes(sides: Callable[[str, str], None]) -> None:
    sides(SAME, SAME)
    judge(PLAIN)


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_sees_a_difference(other: str, sides: Callable[[str, str], None]) -> None:
    sides(SAME, other)
    with pytest.raises(OUTCOME):
        judge(PLAIN)


@pytest.mark.parametrize("other", SEEN_DIFFERENT.values(), ids=SEEN_DIFFERENT)
def test_see_sees_a_difference(other: str, sides: Callable[[str, str], None]) -> None:
    sides("exec see", other)
    with pytest.raises(OUTCOME):
        judge(PLAIN)


def test_pids_labels_and_seconds_are_no_difference(sides: Callable[[str, str], None]) -> None:
    sides(
        "echo 'x: up (pid 17) 4 seconds'; echo @400000005f5e10001dcd6500 a >@400000005f5e10001dcd6500.s",
        "echo 'x: up (pid 9999) 12 seconds'; echo @400000005f5e1fff00000000 a >@400000005f5e1fff00000000.s",
    )
    judge(PLAIN)
    with pytest.raises(OUTCOME):
        judge(PLAIN.but(exact=True))


def test_labels_in_names_keep_their_order(sides: Callable[[str, str], None]) -> None:
    old, new = "@400000005f5e100000000000", "@400000005f5e100000000001"
    sides(f"echo first >{old}.s; echo second >{new}.s", f"echo second >{old}.s; echo first >{new}.s")
    with pytest.raises(OUTCOME):
        judge(PLAIN)


def test_a_deliberate_difference(sides: Callable[[str, str], None]) -> None:
    sides(SAME, DIFFERENT["code"])
    differs = PLAIN.but(differs="so", ours=Shows(code=4), theirs=Shows(code=3))
    assert differs.id == "differs-plain"
    judge(differs)
    judge(PLAIN.but(differs="so", ours=Shows(code=4)))
    for wrong in (
        differs.but(ours=Shows(code=5)),
        differs.but(theirs=Shows(code=5)),
        differs.but(ours=Shows(stdout=b"out\n")),
        PLAIN.but(differs="so"),
        PLAIN.but(ours=Shows(code=4)),
    ):
        with pytest.raises((AssertionError, OUTCOME)):
            judge(wrong)


def test_a_deliberate_difference_hides_no_other(sides: Callable[[str, str], None]) -> None:
    sides(SAME, "echo out; echo er >&2; echo content >fill; exit 4")
    with pytest.raises(OUTCOME):
        judge(PLAIN.but(differs="so", ours=Shows(code=4)))
    with pytest.raises(OUTCOME):
        judge(PLAIN.but(differs="so", ours=Shows(code=4, stderr=b"er\n", tree={b"file": None})))
    judge(
        PLAIN.but(
            differs="so", ours=Shows(code=4, stderr=b"er\n", tree={b"file": None, b"fill": b"content\n"})
        )
    )


def test_a_difference_that_is_gone(sides: Callable[[str, str], None]) -> None:
    sides(SAME, SAME)
    with pytest.raises(AssertionError, match="no difference any more"):
        judge(PLAIN.but(differs="so", ours=Shows(code=3)))
