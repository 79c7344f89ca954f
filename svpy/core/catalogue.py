"""The commands svpy has, one row each: name and what it does.

`svpy` prints it; an exec plan takes a chain loader into itself only if it stands here."""

COMMANDS: dict[bytes, bytes] = {
    b"svscan": b"start and supervise every service in a folder",
    b"supervise": b"supervise one service",
    b"svc": b"control services",
    b"svok": b"check whether a service is supervised",
    b"svstat": b"print the state of services",
    b"multilog": b"select, stamp and rotate log lines",
    b"setuidgid": b"run a program under an account's uid and gid",
    b"envuidgid": b"run a program with an account's uid and gid in UID and GID",
    b"envdir": b"run a program with an environment read from a folder",
    b"softlimit": b"run a program with soft resource limits",
    b"setlock": b"run a program with a file locked",
    b"pgrphack": b"run a program in a process group of its own",
    b"fghack": b"keep a program that puts itself into the background in the foreground",
    b"tai64n": b"put a TAI64N label before each line",
    b"tai64nlocal": b"turn TAI64N labels into local time",
    b"readproctitle": b"keep the last log messages readable in ps",
    b"svscanboot": b"start svscan on /service with its messages in readproctitle",
}

CHAIN_LOADERS = frozenset(
    (b"setuidgid", b"envuidgid", b"envdir", b"softlimit", b"setlock", b"pgrphack", b"fghack")
)
