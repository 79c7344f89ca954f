"""The commands svpy has: name, what it does, and its words.

`svpy` prints the names; an exec plan takes a chain loader into itself only if it stands here. The
synopses are what `NAME --help` prints and the manual's pages show. No command at its work imports this
module: a table of words here costs nobody's start."""

from svpy.core import chain
from svpy.core.control import LETTERS

COMMANDS: dict[bytes, bytes] = {
    b"svscan": b"start and supervise every service in a folder",
    b"supervise": b"supervise one service",
    b"svc": b"control services",
    b"svok": b"check whether a service is supervised",
    b"svup": b"check whether a service is up",
    b"svstat": b"print the state of services",
    b"svwait": b"wait until services are up, down, ready or gone",
    b"svcheck": b"say what will go wrong with services, and what to do about it",
    b"svlog": b"show and follow the logs of services",
    b"svtop": b"show services and their logs in a terminal, and control them",
    b"multilog": b"select, stamp and rotate log lines",
    b"setuidgid": b"run a program under an account's uid and gid",
    b"setuser": b"run a program with an account's ids, groups, home and variables",
    b"envuidgid": b"run a program with an account's uid and gid in UID and GID",
    b"envdir": b"run a program with an environment read from a folder or a file",
    b"softlimit": b"run a program with soft resource limits",
    b"setlock": b"run a program with a file locked",
    b"pgrphack": b"run a program in a process group of its own",
    b"fghack": b"keep a program that puts itself into the background in the foreground",
    b"tai64n": b"put a TAI64N label before each line",
    b"tai64nlocal": b"turn TAI64N labels into local time",
    b"readproctitle": b"keep the last log messages readable in ps",
    b"svscanboot": b"start svscan on /service with its messages in readproctitle",
    b"svpy-exporter": b"serve metrics of services, for Prometheus",
    b"svpy-init": b"be PID 1 of a machine: set it up, supervise its services, end it",
}

OWN: dict[bytes, bytes] = {
    b"new": b"write the folder of a service, with its log",
    b"link": b"have services supervised: link their folders into /service",
    b"unlink": b"end services and their loggers for good, and remove their links",
    b"upgrade": b"have the installed svpy take the place of the one that runs",
    b"shutdown": b"end the machine whose PID 1 is svpy-init",
}
"""What `svpy` itself does, by its first word."""

DAEMONS = frozenset((b"svscan", b"supervise", b"svpy-init", b"svtop", b"svpy-exporter"))
"""What imports packages of the system's (trio, textual, prometheus_client). The other commands import svpy
and the standard library alone, and are started without the search for packages, a third of a start."""

CHAIN_LOADERS = frozenset(
    (b"setuidgid", b"setuser", b"envuidgid", b"envdir", b"softlimit", b"setlock", b"pgrphack", b"fghack")
)

SYNOPSES: dict[bytes, bytes] = {
    b"svpy": b"\nnew name [--user account] [--log-user account] [--limit memory=bytes] [--limit files=number]"
    b" [--limit processes=number] [--tcp [address:]port] [--dir parent] [--log-dir parent] [-- command ...]"
    b"\nlink [--service folder] dir ..."
    b"\nunlink [--service folder] [--timeout seconds] name ..."
    b"\nupgrade [dir ...]\nshutdown -h | -p | -r",
    b"svscan": b"[--events where] [--log-stdout] [--no-native] [--stop-timeout seconds] [dir]",
    b"supervise": b"dir",
    b"svc": b"[-" + b"".join(row.letter for row in LETTERS) + b"] dir ...",
    b"svok": b"dir",
    b"svup": b"[-L] [-l] dir",
    b"svlog": b"[-f] [-n lines] [--since time] [--until time] [--grep pattern [-F]] [--utc | --raw] dir ...",
    b"svwait": b"-u | -d | -r | -x [-a | -o] [-t seconds] [dir ...]",
    b"svstat": b"[-l] [--json] [--check] [dir ...]",
    b"svcheck": b"[--json] [dir ...]",
    b"svtop": b"[dir]",
    b"multilog": b"action ...",
    **chain.SYNOPSES,
    b"tai64n": b"",
    b"tai64nlocal": b"",
    b"readproctitle": b"[arg ...] dots",
    b"svscanboot": b"[dir]",
    b"svpy-exporter": b"[--listen where] [dir]",
    b"svpy-init": b"[word ...]",
}
"""What may stand behind the name of each command; one that has several forms has one a line."""


def synopsis(name: bytes) -> bytes:
    """The command line, one line for each form."""
    return b"\n".join([(name + b" " + form).rstrip() for form in SYNOPSES[name].split(b"\n")])


def usage(name: bytes) -> bytes:
    """The line of a usage error, of a command whose synopsis is daemontools' own."""
    return name + b": usage: " + synopsis(name)
