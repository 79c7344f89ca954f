"""What scenes with multilog share: lines to log, folders as a crash leaves them, and sh to steer it.

C rotates at the last line end of its 512 bytes of buffer, svpy at the first one of the last 2000 bytes
before a file's size. Where lines are 256 bytes and longer the buffer never holds two, and both rotate at
the same places: `NUMBERED` is made of such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

NUMBERED = b"".join(b"%0511d\n" % number for number in range(60))
"""30 kB: with the least size, seven files and more."""

WAITING = r"""
wait_for() { until "$@" 2>/dev/null; do sleep 0.003; done; }
# All its threads sleep, and none has run between two looks.
looked() {
	seen=
	for task in /proc/$1/task/*; do
		read -r _ _ state _ <$task/stat && read -r ran <$task/schedstat && test $state = S || return
		seen="$seen $ran"
	done
}
at_rest() { looked $1 && before=$seen && looked $1 && test "$seen" = "$before"; }
ended() { ! read -r _ _ state _ </proc/$pid/stat || test $state = Z; }
rests_or_ended() { at_rest $pid || ended; }
holds() { test "$(cat "$1")" = "$2"; }

# A multilog whose input is descriptor 3, open at both ends. `reads FILE TEXT`: until TEXT is all there is
# in that file and it waits for more; `ends`: its exit code, what it left of its input, what it said.
begin() {
	mkfifo in
	exec 3<>in
	multilog "$@" <in 2>err 3>&- & pid=$!
	for word; do
		case $word in
		.*) last=$word/current ;;
		=*) last=${word#=} ;;
		esac
	done
	wait_for test -e $last
	wait_for at_rest $pid
}
say() { printf "$@" >&3; }
reads() { wait_for holds "$1" "$2"; wait_for at_rest $pid; }
labelled() { test $(ls "$1" | grep -c ^@) -eq $2; }
rotates() { wait_for labelled "$1" $2; wait_for at_rest $pid; }
ends() {
	wait $pid
	echo "code $?"
	echo END >&3
	sed '/END$/q' <&3
	exec 3>&-
	cat err
	rm in err
}

# What it says when it comes to a pause, in which it is killed (TERM would wait), or ends.
settled() { grep -q pausing $said || ended; }
paused() {
	exec 2>/dev/null
	multilog "$@" <in 2>$said & pid=$!
	wait_for settled
	kill -9 $pid
	wait $pid
	echo "code $?"
	sort -u $said
	rm in $said
}
said=err
"""
"""Functions of sh that wait for evidence: a file's content, and /proc to say that a process sleeps. Where
that is all a process can be waiting for, it sleeps until it can read."""


def files(entries: Mapping[str, tuple[int, bytes] | str | int]) -> Callable[[Path], None]:
    """Prepares a scene with files (mode, content), symlinks (their target) and folders (their mode)."""

    def prepare(scene: Path) -> None:
        for name, entry in entries.items():
            path = scene / name
            path.parent.mkdir(exist_ok=True, parents=True)
            if isinstance(entry, str):
                path.symlink_to(entry)
            elif isinstance(entry, int):
                path.mkdir()
                path.chmod(entry)
            else:
                path.write_bytes(entry[1])
                path.chmod(entry[0])

    return prepare
