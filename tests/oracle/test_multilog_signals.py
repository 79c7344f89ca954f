"""multilog beside C's: TERM and ALRM with and without data, KILL, and pauses that end."""

from __future__ import annotations

import pytest
from support.logscenes import NUMBERED, WAITING
from support.namespaces import missing
from support.oracle import Scenario, Shows, each, judge


def steered(name: str, script: str, **more: object) -> Scenario:
    return Scenario(name, WAITING + script, **more)  # type: ignore[arg-type]


TERM = [
    steered("term-without-data", "begin ./d; kill -TERM $pid; ends"),
    steered("term-between-lines", r"begin ./d; say 'one\n'; reads d/current one; kill -TERM $pid; ends"),
    steered(
        "term-in-a-line-leaves-what-follows-it",
        r"""begin ./d; say 'one\nha'; reads d/current one; kill -TERM $pid; wait_for at_rest $pid
say 'lf\ntwo\nthree\n'; ends""",
    ),
    steered(
        "term-in-a-labelled-line",
        r"""begin t ./d =s; say 'one\nha'; wait_for test -s d/current; wait_for at_rest $pid; kill -TERM $pid
wait_for at_rest $pid; say 'lf\ntwo\n'; ends""",
    ),
    steered(
        "term-in-a-line-that-ends-with-the-input",
        r"""begin ./d; say 'one\nha'; reads d/current one; kill -TERM $pid; wait_for at_rest $pid
say lf; exec 3>&-; wait $pid; echo $?""",
    ),
    steered(
        "term-in-a-long-line",
        r"""begin ./d =s; say '%2000d' 7; wait_for test -s s; wait_for at_rest $pid; kill -TERM $pid
wait_for at_rest $pid; say '%3000d\nnext\n' 8; ends""",
    ),
    steered(
        "term-twice-in-a-line",
        r"""begin ./d; say 'one\nha'; reads d/current one; kill -TERM $pid; wait_for at_rest $pid
kill -TERM $pid
wait_for at_rest $pid; say 'lf\ntwo\n'; ends""",
    ),
    steered(
        "term-in-a-line-that-nothing-selects",
        r"""begin '-*' ./d '+one' =s; say 'one\nha'; wait_for test -s s; wait_for at_rest $pid
kill -TERM $pid
wait_for at_rest $pid; say 'lf\ntwo\n'; ends""",
    ),
    steered(
        "term-in-a-line-then-alrm",
        r"""begin ./d; say 'one\nha'; reads d/current one; kill -TERM $pid; wait_for at_rest $pid
kill -ALRM $pid
rotates d 1; say 'lf\ntwo\n'; ends""",
    ),
    steered(
        "term-was-ignored",
        r"""trap '' TERM ALRM; begin ./d; say 'one\n'; reads d/current one; kill -ALRM $pid; rotates d 1
kill -TERM $pid; ends""",
    ),
    steered(
        "term-without-a-folder",
        r"begin =s; say 'one\n'; wait_for test -s s; wait_for at_rest $pid; kill -TERM $pid; ends",
    ),
    steered(
        "term-and-two-folders",
        r"begin ./a '-*' ./b; say 'one\n'; reads a/current one; kill -TERM $pid; ends",
    ),
]

ALRM = [
    steered("alrm-without-data", "begin ./d; kill -ALRM $pid; wait_for at_rest $pid; kill -TERM $pid; ends"),
    steered(
        "alrm-with-data",
        r"""begin ./d; say 'one\n'; reads d/current one; kill -ALRM $pid; rotates d 1; say 'two\n'
reads d/current two; kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-twice",
        r"""begin ./d; say 'one\n'; reads d/current one; kill -ALRM $pid; rotates d 1; kill -ALRM $pid
wait_for at_rest $pid
say 'two\n'; reads d/current two; kill -ALRM $pid; rotates d 2; kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-with-a-processor",
        r"""begin '!tr a-z A-Z; cat <&4 >&5; echo more >&5' ./d; say 'one\n'; reads d/current one
kill -ALRM $pid; rotates d 1
say 'two\n'; reads d/current two; kill -ALRM $pid; rotates d 2; kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-and-one-of-two-folders-empty",
        r"""begin ./a '-*' ./b; say 'one\n'; reads a/current one; kill -ALRM $pid; rotates a 1
kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-and-two-folders",
        r"""begin ./a '!tac' ./b; say 'one\n'; reads b/current one; kill -ALRM $pid; rotates b 1
kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-keeps-as-many-as-are-asked-for",
        r"""begin n3 ./d; for n in 1 2 3 4 5; do
	say "$n\n"; reads d/current $n; kill -ALRM $pid; wait_for test ! -s d/current; wait_for at_rest $pid
done; kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-in-a-line",
        r"""begin ./d; say 'one\nha'; reads d/current one; kill -ALRM $pid; rotates d 1; say 'lf\n'
reads d/current half
kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-in-the-first-line",
        r"""begin ./d; say 'ha'; wait_for at_rest $pid; kill -ALRM $pid; wait_for at_rest $pid
say 'lf\n'; reads d/current half
kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-splits-a-long-line",
        r"""begin ./d =s; say '%1500d' 7; wait_for test -s d/current; wait_for at_rest $pid
kill -ALRM $pid; rotates d 1
say '%10d\n' 8; reads d/current '         8'; kill -TERM $pid; ends""",
    ),
    steered(
        "alrm-without-a-folder",
        r"""begin =s; kill -ALRM $pid; say 'one\n'; wait_for test -s s; wait_for at_rest $pid
kill -TERM $pid; ends""",
    ),
    steered(
        "hup-and-others-end-it",
        r"for name in HUP USR1; do begin ./$name; kill -$name $pid; ends 2>/dev/null; done",
    ),
]

# A processor that waits until `go` is there shows what comes while nothing is read.
BUSY = r"""begin '!cat; : >../busy; until test -e ../go; do sleep 0.003; done' ./d
say 'one\n'; reads d/current one; kill -ALRM $pid; wait_for test -e busy
"""

MEANWHILE = [
    steered(
        "term-while-nothing-is-read",
        BUSY
        + r"""kill -TERM $pid; : >go; wait_for labelled d 1; wait_for rests_or_ended; say 'two\n'; ends""",
        differs="C sees a TERM that came while it did not read only when it has read again",
        theirs=Shows(stdout=b"code 0\nEND\n", tree={b"d/current": b"two\n"}),
        ours=Shows(stdout=b"code 0\ntwo\nEND\n", tree={b"d/current": b""}),
    ),
    steered(
        "alrm-while-nothing-is-read",
        BUSY
        + r"""kill -ALRM $pid; : >go; wait_for labelled d 1; wait_for at_rest $pid
say 'two\n'; exec 3>&-; wait $pid; echo $?""",
        differs="C rotates for an ALRM that came while it did not read only when it has read again",
        theirs=Shows(tree={b"d/@LABEL2.s": b"two\n", b"d/current": b""}),
        ours=Shows(tree={b"d/@LABEL2.s": None, b"d/current": b"two\n"}),
    ),
]

# KILL, and the next one.

KILL = [
    steered(
        "kill-then-next",
        r"""begin ./d =s; say 'one\nha'; reads d/current one; kill -KILL $pid; ends 2>/dev/null
multilog ./d </dev/null""",
    ),
    steered(
        "kill-in-a-long-line",
        r"""begin ./d =s; say '%1500d' 7; wait_for test -s d/current; wait_for at_rest $pid
kill -KILL $pid; ends 2>/dev/null
echo next | multilog ./d""",
    ),
    steered(
        "kill-after-a-rotation",
        r"""begin ./d; say 'one\n'; reads d/current one; kill -ALRM $pid; rotates d 1; say 'two\n'
reads d/current two
kill -KILL $pid; ends 2>/dev/null; echo next | multilog ./d""",
    ),
    steered("kill-in-a-processor", BUSY + "kill -KILL $pid; ends 2>/dev/null"),
    steered(
        "kill-in-a-processor-then-next", BUSY + "kill -KILL $pid; ends 2>/dev/null; echo next | multilog ./d"
    ),
    steered(
        "kill-in-a-processor-then-none",
        BUSY + "kill -KILL $pid; ends 2>/dev/null; echo next | multilog '!cat' ./d",
    ),
    steered("locked-by-another", "begin ./d; multilog ./d </dev/null; echo $?; kill -TERM $pid; ends"),
    steered("locked-by-setlock", "mkdir d; setlock d/lock multilog ./d; echo $?"),
    steered(
        "lock-is-left-to-the-next",
        "begin ./d; kill -KILL $pid; ends 2>/dev/null; multilog ./d </dev/null; echo $?",
    ),
]

# Pauses of five seconds, all at the same time: each says what is wrong, `mended` takes it away, all goes on.

PAUSES = r"""
cat >in
start() { name=$1; shift; mkdir $name; (cd $name; mkdir d; eval "$prepare"
exec multilog "$@" ./d <../in 2>err) & }
mended() { wait_for grep -q pausing $1/err; eval "$2"; }
prepare=
start fails s4096 n99 '!test -e ../ok || { : >../ok; exit 3; }; cat'
start fails-with-output s4096 n99 '!cat; test -e ../ok || { : >../ok; exit 1; }; wc -c <&4 >&5'
prepare='echo old >d/current; chmod 744 d/current'
start no-state s4096 n99 '!cat'
prepare='mkdir d/newstate'
start newstate s4096 n99 '!cat'
prepare='mkdir -m 600 d/previous; echo old >d/current'
start previous s4096 n99
prepare='mkdir -m 600 d/current; echo old >d/previous'
start current s4096 n99
mended no-state ': >no-state/d/state'
mended newstate 'rmdir newstate/d/newstate'
mended previous 'rmdir previous/d/previous; : >previous/d/previous'
mended current 'rmdir current/d/current; : >current/d/current'
mkdir full full/disk
(cd full; exec unshare --mount --propagation private sh -c '
mount -t tmpfs -o size=64k none disk; cd disk
head -c 45056 /dev/zero >ballast
multilog s4096 n99 ./d <../../in 2>../err & pid=$!
until grep -q pausing ../err 2>/dev/null; do sleep 0.003; done
rm ballast
wait $pid; echo "code $?" >../code
cat d/@* d/current >../log') &
wait
for err in */err; do echo $err; sort -u $err; done
"""

PAUSED = [steered("pauses-end", PAUSES, stdin=NUMBERED, needs_root=True)]


@each([*TERM, *ALRM, *MEANWHILE, *KILL])
def test_multilog(scenario: Scenario) -> None:
    judge(scenario)


@pytest.mark.skipif(bool(missing()), reason=missing())
@each(PAUSED)
def test_pauses(scenario: Scenario) -> None:
    judge(scenario)
