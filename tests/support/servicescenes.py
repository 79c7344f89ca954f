"""Scenes with services in them, and the sh in which a scenario waits for one and speaks to it."""

from __future__ import annotations

from pathlib import Path

from support.oracle import Scenario
from support.services import script

STATUS = (
    (rb"(?s)\A@\0\0\0.{8}\0{4}(.)(.)\Z", rb"since, down, \1\2"),
    (rb"(?s)\A@\0\0\0.{12}(.)(.)\Z", rb"since, pid, \1\2"),
)
"""A status file as it must be the same on both sides."""

GLIBCS_OWN = (rb"(SigIgn:\s)0000000180000000", rb"\g<1>0000000000000000")
"""posix_spawn leaves glibc's two internal signals ignored, which nothing can send; C's fork does not."""

PRELUDE = r"""
# Wait until a command succeeds.
until_true() {
	left=2400
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "never: $*"; exit 99; }
		sleep 0.05
	done
}
# The pid in a status file: far cheaper than svstat, which starts an interpreter.
pid() { od -An -tu4 -j12 -N4 "$1/supervise/status" 2>/dev/null | tr -d ' '; }
# What is wanted, and whether it is paused: `\001 u`.
want() { od -An -c -j16 -N2 "$1/supervise/status" 2>/dev/null | tr -s ' '; }
is_up() { case $(pid "$1") in ''|0) return 1 ;; esac; }
is_down() { case $(pid "$1") in 0) ;; *) return 1 ;; esac; }
is_new() { case $(pid "$1") in ''|0|"$2") return 1 ;; esac; }
wants() { [ "$(want "$1")" = "$2" ]; }
up() { until_true is_up "$1"; }
down() { until_true is_down "$1"; }
# Wait until it runs under another pid.
again() { until_true is_new "$1" "$2"; }
until_wants() { until_true wants "$@"; }
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
# Wait until a file has so many lines.
until_lines() { until_true lines "$@"; }
stopped() { case $(cut -d' ' -f3 /proc/"$1"/stat) in T) ;; *) return 1 ;; esac; }
# The pid of this shell's child of that name.
child() {
	for one in $(cat /proc/$$/task/$$/children); do
		[ "$(cat /proc/"$one"/comm)" != "$1" ] || echo "$one"
	done
}
has_child() { [ -n "$(child "$1")" ]; }
tenths() { read -r now rest </proc/uptime; now=${now%?}; echo "${now%.*}${now#*.}"; }
# Of a file of such numbers: whether each is behind the one before as starts a second apart are. They are
# written by the run itself, which a busy machine may hold up; without the second they would be at once.
apart() {
	before=0
	while read -r now; do
		if [ $((now - before)) -ge 2 ]; then echo apart; else echo "together: $before $now"; fi
		before=$now
	done <"$1"
	rm "$1"
}
"""

GONE = "mkdir x; cd x; rmdir ../x"
CLOSED = "chmod 0711 .; mkdir -m 0700 closed; cd closed"
"""Current folders that are there no more, or only for root."""

STAYS = "exec sleep 1000"


def service(folder: Path, run: str | None = STAYS, down: bool = False, log: str | None = None) -> Path:
    """A folder with these scripts; no `run` if it is None."""
    folder.mkdir(parents=True)
    if run is not None:
        script(folder / "run", run)
    if down:
        (folder / "down").touch()
    if log is not None:
        service(folder / "log", log)
    return folder


def under(daemon: str, name: str, drive: str, behind: str = "", **more: object) -> Scenario:
    """A scenario in which `daemon` runs in the foreground until it ends, `drive` beside it.
    `behind` comes last.

    The daemon is no background job, which sh would start with INT and QUIT ignored."""
    text = f'{PRELUDE}drive() {{\n{drive}\n}}\ndrive &\n{daemon}\necho "left $?"\nwait\n{behind}'
    normal = (*STATUS, *more.pop("normal", ()))  # type: ignore[misc]
    return Scenario(name, text, normal=normal, **more)  # type: ignore[arg-type]
