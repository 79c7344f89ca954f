"""`svpy new`: what its words ask for, and the scripts that come of them.

Rules of this module:

- a run says `exec 2>&1`, then one `exec` of a chain: whatever is given up or limited stands in the order in
  which it must happen, and a signal to the service is one to its program;
- a service of its own port is tcpserver's: root binds it, so tcpserver gives up root itself (envuidgid, -U),
  after binding; -R, -H and `-l 0`, because asking others about a caller keeps the caller waiting;
- limits come after setuidgid: what root may lower, its user may, and processes are counted by user;
- a log/run has no more to say than what multilog is told; it is one of those that core/nativerun.py
  understands;
- a name that svscan passes over, and a program's name that is none, are refused.
"""

from svpy.core.chain import LIMITS
from svpy.core.errors import USAGE, Die
from svpy.core.longoptions import parse as parse_options
from svpy.core.numbers import MOST_PORT, within
from svpy.core.shellwords import line, quoted

FIRST_LINE = b"#!/bin/sh\n"
PARENT = b"/var/svc.d"
LOG_PARENT = b"/var/multilog"
LOG_USER = b"multilog"

LIMIT_LETTERS = {b"memory": b"m", b"files": b"o", b"processes": b"p"}
"""What `--limit NAME=NUMBER` is of softlimit's."""
assert set(LIMIT_LETTERS.values()) <= set(LIMITS)

_ALL_ADDRESSES = b"0"
_OPTIONS = {
    b"--user": True,
    b"--log-user": True,
    b"--limit": True,
    b"--tcp": True,
    b"--dir": True,
    b"--log-dir": True,
}
_OF_A_COMMAND = {b"--user", b"--limit", b"--tcp"}


class Classic:
    """A service that comes with svpy: the accounts it needs beside its logger's, whether tcpserver, and the
    rules without which it lets nobody in."""

    __slots__ = ("accounts", "needs_tcpserver", "rules")

    def __init__(self, accounts: tuple[bytes, ...] = (), tcpserver: bool = False, rules: bytes = b"") -> None:
        self.accounts = accounts
        self.needs_tcpserver = tcpserver
        self.rules = rules


CLASSICS = {
    b"qmail-send": Classic(),
    b"qmail-smtpd": Classic((b"qmaild",), tcpserver=True, rules=b"/etc/tcprules/smtp.cdb"),
}


class Asked:
    """`parent` and `log_parent` are None where nothing was said; `command` is None for one of CLASSICS;
    `limits`: (softlimit's letter, number); `tcp`: (address, port)."""

    __slots__ = ("command", "limits", "log_parent", "log_user", "name", "parent", "tcp", "user")

    def __init__(self) -> None:
        self.name = b""
        self.parent: bytes | None = None
        self.log_parent: bytes | None = None
        self.user: bytes | None = None
        self.log_user: bytes | None = None
        self.limits: list[tuple[bytes, bytes]] = []
        self.tcp: tuple[bytes, bytes] | None = None
        self.command: list[bytes] | None = None


def asked(words: list[bytes], usage: bytes) -> Asked:
    """Raises Die, with `usage` or with what is wrong about a word."""
    found = parse_options(words, _OPTIONS, usage)
    if len(found.words) != 1:
        raise Die(USAGE, usage)
    new = Asked()
    _name(new, found.words[0])
    new.command = found.behind
    if new.command is None and (new.name not in CLASSICS or _OF_A_COMMAND & dict(found.options).keys()):
        raise Die(USAGE, usage)
    if new.command is not None and (not new.command or new.command[0][:1] in (b"", b"-")):
        raise Die(USAGE, usage)
    for option, value in found.options:
        _OPTION_READERS[option](new, value)
    return new


def _name(new: Asked, word: bytes) -> None:
    path = word.rstrip(b"/")
    parent, slash, name = path.rpartition(b"/")
    if not name or name.startswith(b"."):
        raise _wrong(word, b"svscan passes over such a name")
    new.name = name
    new.parent = (parent or b"/") if slash else None


def _set_parent(new: Asked, value: bytes) -> None:
    if new.parent is not None or not value:
        raise _wrong(b"--dir " + value, b"it is known where the service is to be")
    new.parent = value


def _set_limit(new: Asked, value: bytes) -> None:
    name, _, number = value.partition(b"=")
    if name not in LIMIT_LETTERS or not number.isdigit():
        raise _wrong(b"--limit " + value, b"limits are " + b"=N, ".join(LIMIT_LETTERS) + b"=N")
    new.limits.append((LIMIT_LETTERS[name], number))


def _set_tcp(new: Asked, value: bytes) -> None:
    address, _, port = value.rpartition(b":")
    if within(port, 1, MOST_PORT) is None:
        raise _wrong(b"--tcp " + value, b"that is no port")
    if address and not _is_address(address):
        raise _wrong(b"--tcp " + value, b"tcpserver binds IPv4 addresses")
    new.tcp = (address or _ALL_ADDRESSES, port)


def _set_user(new: Asked, value: bytes) -> None:
    new.user = value


def _set_log_user(new: Asked, value: bytes) -> None:
    new.log_user = value


def _set_log_parent(new: Asked, value: bytes) -> None:
    if not value:
        raise _wrong(b"--log-dir", b"that is no folder")
    new.log_parent = value


_OPTION_READERS = {
    b"--user": _set_user,
    b"--log-user": _set_log_user,
    b"--limit": _set_limit,
    b"--tcp": _set_tcp,
    b"--dir": _set_parent,
    b"--log-dir": _set_log_parent,
}


def _is_address(text: bytes) -> bool:
    parts = text.split(b".")
    numbers = all(within(part, 0, 255) is not None for part in parts)
    return text == _ALL_ADDRESSES or (len(parts) == 4 and numbers)


def _wrong(word: bytes, why: bytes) -> Die:
    return Die(USAGE, b"svpy: fatal: unable to make a service of " + word + b": " + why)


def run_script(new: Asked) -> bytes:
    """The text of run, for a command."""
    assert new.command is not None
    drop = b"setuidgid" if new.tcp is None else b"envuidgid"
    words = [drop, new.user] if new.user is not None else []
    if new.limits:
        words.append(b"softlimit")
        words += [word for letter, number in new.limits for word in (b"-" + letter, number)]
    if new.tcp is None:
        said = line([*words, *new.command])
    else:
        server = [b"tcpserver", b"-v", b"-R", b"-H", b"-l", b"0"]
        server += [b"-U"] if new.user is not None else []
        server = [line([*server, *new.tcp, *new.command])]
        said = b" \\\n\t".join([line(words), *server] if words else server)
    return FIRST_LINE + b"exec 2>&1\nexec " + said + b"\n"


def log_line(log_user: bytes | None, folder: bytes) -> bytes:
    """What a log/run says, without its first line."""
    drop = [b"setuidgid", log_user] if log_user is not None else []
    return b"exec " + line([*drop, b"multilog", b"t", folder]) + b"\n"


def log_script(log_user: bytes | None, folder: bytes) -> bytes:
    return FIRST_LINE + log_line(log_user, folder)


def classic_log_script(text: bytes, log_user: bytes | None, folder: bytes) -> bytes:
    """A published log/run with its logger told as this one is: its comments stay."""
    comments = [said + b"\n" for said in text.split(b"\n") if said.startswith(b"#")]
    return b"".join(comments) + log_line(log_user, folder)


def next_step(path: bytes, is_scanned: bool) -> bytes:
    """What a person does now."""
    return (b"svstat " if is_scanned else b"svpy link ") + quoted(path)
