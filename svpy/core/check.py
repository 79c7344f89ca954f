"""What will go wrong with a service folder, and what to do about it: svcheck's rules.

Rules of this module:

- a rule has an id that stays, a severity, and a function that yields line (0: none in particular), reason and
  mend; `RULES` has them all, and svcheck(8) a paragraph for each;
- an error: it will not run, or not do its work. A warning: it will hurt. A note: true, and nothing to do for
  svpy;
- a rule speaks only of what is certain. What is not known (core/checkfacts.py) or not understood
  (core/shscript.py, core/checkscript.py) gives no finding.
"""

from svpy.core import needs, readiness
from svpy.core.checkfacts import FOLDER, NOTHING, PORTS, REGULAR, SHELLS, STRANGE_LINK, Half, Service
from svpy.core.checkscript import BUILTINS, LOADERS
from svpy.core.logscript import KEEP_LEAST, SIZE_LEAST_BYTES, SIZE_MOST_BYTES
from svpy.core.numbers import scan_ulong, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from svpy.core.checkscript import Program, Reading
    from svpy.core.shscript import Command

    Said = Iterator[tuple[int, bytes, bytes]]

ERROR = b"error"
WARNING = b"warning"
NOTE = b"note"
SEVERITIES = (NOTE, WARNING, ERROR)
"""The lightest first."""


class Finding:
    """`file` is a path below the folder, empty for the folder itself; `line` 0 for no line."""

    __slots__ = ("file", "folder", "line", "mend", "reason", "rule")

    def __init__(
        self, folder: bytes, file: bytes, line: int, rule: "Rule", reason: bytes, mend: bytes
    ) -> None:
        self.folder = folder
        self.file = file
        self.line = line
        self.rule = rule
        self.reason = reason
        self.mend = mend


class Rule:
    """`of_half` is asked for the service and for its logger, `of_service` once, which speaks of `file`."""

    __slots__ = ("file", "name", "of_half", "of_service", "severity")

    def __init__(
        self,
        name: bytes,
        severity: bytes,
        of_half: "Callable[[Service, Half], Said] | None" = None,
        of_service: "Callable[[Service], Said] | None" = None,
        file: bytes = b"",
    ) -> None:
        self.name = name
        self.severity = severity
        self.of_half = of_half
        self.of_service = of_service
        self.file = file


def findings(service: Service) -> list[Finding]:
    """All that is to be said of a service, the service's own script first, by line."""
    found = []
    for rule in RULES:
        for half in service.halves if rule.of_half else ():
            assert rule.of_half is not None
            for line, reason, mend in rule.of_half(service, half):
                found.append(Finding(service.name, half.name, line, rule, reason, mend))
        if rule.of_service:
            for line, reason, mend in rule.of_service(service):
                found.append(Finding(service.name, rule.file, line, rule, reason, mend))
    return sorted(found, key=lambda each: (each.file, each.line))


# The files.


def _no_run(service: Service) -> "Said":
    halves = [half for half in service.halves if not half.is_logger]
    if halves[0].file.kind == NOTHING and not halves[0].file.error and b"start" not in service.present:
        yield 0, b"there is no run: nothing is started", b"write one, or move the folder away"


def _no_log_run(service: Service, half: Half) -> "Said":
    if half.is_logger and half.file.kind == NOTHING and not half.file.error:
        yield 0, b"log is a folder without a run: there is no logger", b"write log/run, or remove log"


def _no_file(service: Service, half: Half) -> "Said":
    if half.file.kind not in (REGULAR, NOTHING, STRANGE_LINK):
        kind = b"a " + half.file.kind
        yield 0, b"it is " + kind + b" and cannot be executed", b"put a script in its place"


def _strange_link(service: Service, half: Half) -> "Said":
    if half.file.kind == STRANGE_LINK:
        yield (
            0,
            b"it is a link that uid %d has made to somebody else's file; it was not followed" % half.file.uid,
            b"make it root's, or copy the file",
        )


def _strange_log(service: Service) -> "Said":
    if service.log.kind == STRANGE_LINK:
        yield (
            0,
            b"it is a link that uid %d has made to somebody else's folder; it was not followed"
            % service.log.uid,
            b"make it root's",
        )


def _no_exec_bit(service: Service, half: Half) -> "Said":
    if half.file.kind == REGULAR and not half.file.mode & 0o111:
        yield 0, b"it may not be executed: nothing is started", b"chmod 755 " + half.name


def _crlf(service: Service, half: Half) -> "Said":
    text = half.file.text or b""
    lines = text.split(b"\n")[: None if half.reading else 1]
    for number, line in enumerate(lines, 1):
        is_comment = line.startswith(b"#") and not line.startswith(b"#!")
        if line.endswith(b"\r") and not is_comment and (half.reading or line.startswith(b"#!")):
            yield (
                number,
                b"the line ends in a carriage return, which belongs to its last word",
                b"sed -i 's/\\r$//' " + half.name,
            )
            return


def _bom(service: Service, half: Half) -> "Said":
    if half.has_text and (half.file.text or b"").startswith(b"\xef\xbb\xbf"):
        yield (
            1,
            b"it begins with a byte order mark, which is part of its first word",
            b"sed -i '1s/^\\xef\\xbb\\xbf//' " + half.name,
        )


def _no_shebang(service: Service, half: Half) -> "Said":
    if half.file.text and not half.file.text.startswith((b"#!", b"\x7fELF", b"\xef\xbb\xbf")):
        reason = b"there is no #! line: svpy runs it with /bin/sh, daemontools refuses it"
        yield 1, reason, b"begin it with #!/bin/sh"


def _no_interpreter(service: Service, half: Half) -> "Said":
    if half.has_interpreter is False and not (half.file.text or b"").partition(b"\n")[0].endswith(b"\r"):
        yield 1, b"there is no " + half.interpreter + b" to run it", b"install it, or change the #! line"


def _empty(service: Service, half: Half) -> "Said":
    reading = half.reading
    if half.has_text and reading and reading.script.is_whole and not reading.script.commands:
        yield 0, b"there is no command in it: it ends at once and is started every second", b"write one"


def _unread(service: Service, half: Half) -> "Said":
    if half.file.is_too_long:
        yield 0, b"it is too long to be read here", b"nothing, if it works"


def _down(service: Service) -> "Said":
    if b"down" in service.present:
        yield 0, b"it is not started before svc -u or svc -o", b"rm down, if it is to be started with svscan"


def _log_is_nothing(service: Service) -> "Said":
    if service.log.kind not in (NOTHING, FOLDER, STRANGE_LINK) and not service.has_logger:
        yield (
            0,
            b"it is neither a folder nor an executable file: there is no logger",
            b"mkdir log and write log/run, or chmod 755 log",
        )


def _finish(service: Service) -> "Said":
    if b"finish" in service.present and b"stop" not in service.present:
        yield (
            0,
            b"runit's and s6's finish is never run here",
            b"call it stop, if it is to be run when run has ended for the last time",
        )


def _stop_timeout(service: Service) -> "Said":
    file = service.stop_timeout
    if file is None:
        return
    mend = b"write a number of seconds, such as 30"
    if file.kind != REGULAR:
        yield 0, b"it is no regular file: nothing is ever killed", mend
    elif file.text is not None and seconds(file.text.strip()) is None:
        yield 1, b"it is no number of seconds: nothing is ever killed", mend


# Whose they are.


def _others(service: Service, half: Half) -> "Iterator[tuple[bytes, int, int, int]]":
    for name, file in ((half.name, half.file), (half.name.rpartition(b"/")[0] or b".", half.folder)):
        if file.kind in (REGULAR, FOLDER):
            yield name, file.mode, file.uid, file.gid


def _world(service: Service, half: Half) -> "Said":
    for name, mode, _, _ in _others(service, half):
        if mode & 0o002:
            yield (
                0,
                _shown(name) + b" may be written by everybody: whoever does runs programs as svscan's user",
                b"chmod o-w " + name,
            )


def _stranger(service: Service, half: Half) -> "Said":
    if service.supervise_uid is None:
        return
    for name, mode, uid, gid in _untrusted(service, half):
        if name == half.name:
            yield 0, *_whose(name, mode, uid, gid)


def _stranger_note(service: Service, half: Half) -> "Said":
    for name, mode, uid, gid in _untrusted(service, half):
        if service.supervise_uid is None or name != half.name:
            yield 0, *_whose(name, mode, uid, gid)


def _untrusted(service: Service, half: Half) -> "Iterator[tuple[bytes, int, int, int]]":
    trusted = {0, service.my_uid if service.supervise_uid is None else service.supervise_uid}
    for name, mode, uid, gid in _others(service, half):
        if not mode & 0o002 and (uid not in trusted or (mode & 0o020 and gid != 0 and uid == 0)):
            yield name, mode, uid, gid


def _whose(name: bytes, mode: int, uid: int, gid: int) -> tuple[bytes, bytes]:
    who, mend = (b"uid %d" % uid, b"chown root ") if uid else (b"the group %d" % gid, b"chmod g-w ")
    return (
        who + b" may change " + _shown(name) + b", and so run programs as svscan's user",
        mend + name + b", or leave it if that is meant",
    )


def _shown(name: bytes) -> bytes:
    return {b".": b"the folder", b"log": b"the folder log"}.get(name, name)


# The script.


def _bad_usage(service: Service, half: Half) -> "Said":
    for line, message in half.reading.mistakes if half.reading else ():
        yield line, b"its words are not what it takes: " + message, b"write the words that it takes"


def _unknown_user(service: Service, half: Half) -> "Said":
    said = set()
    for named in half.reading.accounts if half.reading else ():
        if half.accounts.get(named.name, 0) is None and named.name not in said:
            said.add(named.name)
            yield (
                named.line,
                named.by + b": there is no account " + named.name,
                b"useradd --system " + named.name + b", or name another",
            )


def _second_drop(service: Service, half: Half) -> "Said":
    drops = half.reading.drops if half.reading else []
    for at, second in enumerate(drops[1:]):
        first = drops[at]
        uid = half.accounts.get(first.name)
        if uid and half.accounts.get(second.name) is not None:
            yield (
                second.line,
                second.by + b" " + second.name + b" stands behind " + first.by + b" " + first.name
                + b", who may not become another",
                b"leave one of the two out",
            )  # fmt: skip


def _no_program(service: Service, half: Half) -> "Said":
    for program in half.reading.programs if half.reading else ():
        if program.key is None or half.executables.get(program.key, program) is not None:
            continue
        where = b" is not there, or may not be executed" if b"/" in program.word else b" is not on its PATH"
        yield program.line, program.word + where, b"install it, or write where it is"


def _softlimit(service: Service, half: Half) -> "Said":
    for program in half.reading.programs if half.reading else ():
        found = half.executables.get(program.key) if program.key else None
        if found is None or program.name in LOADERS or program.name == b"multilog":
            continue
        for limit, need, what in (
            (program.address_bytes, found.address_bytes, b"memory"),
            (program.data_bytes, found.data_bytes, b"data"),
        ):
            if limit is not None and need is not None and limit < need:
                yield (
                    program.limited_at,
                    b"%d bytes of %s are too few for %s: it needs %d with its libraries before it begins"
                    % (limit, what, found.path, need),
                    b"allow it %d or more" % _rounded(need),
                )
                break


def _rounded(need: int) -> int:
    """Half as much again, in whole millions."""
    return (need * 3 // 2 // 1000000 + 1) * 1000000


_SHORT = BUILTINS | frozenset(
    b"sleep rm mkdir rmdir touch ln mv cp chmod chown svc svstat svok svup svwait date cat seq head tail grep"
    b" sed awk find sync".split()
)
"""Commands that end soon or are the shell's own: nobody misses an exec before them."""


def _no_exec(service: Service, half: Half) -> "Said":
    reading = half.reading
    if reading is None or reading.is_exec or reading.main is None or _has(reading, b"trap"):
        return
    name = reading.main.name
    if name is None or name.startswith(b"-") or name.rpartition(b"/")[2] in _SHORT:
        return
    yield (
        reading.main.words[0].line,
        b"without exec a signal of svc's ends the shell, and " + name + b" goes on",
        b"exec " + name + b" ...",
    )


def _no_stderr(service: Service, half: Half) -> "Said":
    reading = half.reading
    if half.is_logger or not service.has_logger or reading is None or reading.main is None:
        return
    if reading.may_redirect or _mentions(half, b"2>", b"&>", b">&", b"fdmove", b"redirfd"):
        return
    # Of a script nobody knows here what it does with its descriptors.
    programs = reading.programs
    found = half.executables.get(programs[-1].key) if programs and programs[-1].key else None
    if found is None or found.is_script or _reads_a_script(programs[-1]):
        return
    yield (
        reading.main.line,
        b"what it says on standard error does not get into its log",
        b"exec 2>&1, in a line before",
    )


def _reads_a_script(program: "Program") -> bool:
    return program.name in SHELLS and not (program.rest and program.rest[0].literal == b"-c")


def _mentions(half: Half, *signs: bytes) -> bool:
    return any(sign in (half.file.text or b"") for sign in signs)


def _has(reading: "Reading", *names: bytes) -> bool:
    return any(command.name in names for command in reading.script.commands)


def _background(reading: "Reading") -> "Iterator[tuple[Command, bool]]":
    """What is put into the background, and whether it is the script's end."""
    if reading.has_fghack or _has(reading, b"wait", b"trap"):
        return
    top = [command for command in reading.script.commands if command.depth == 0]
    for command in top:
        if command.behind == b"&" and not (reading.main is None and not reading.script.is_whole):
            yield command, command is top[-1]


def _ends_at_once(service: Service, half: Half) -> "Said":
    for command, is_last in _background(half.reading) if half.reading else ():
        if is_last:
            yield (
                command.line,
                b"with & it runs in the background: the script ends, and is started again every second",
                b"exec it, without &",
            )


def _left_behind(service: Service, half: Half) -> "Said":
    for command, is_last in _background(half.reading) if half.reading else ():
        # Of a group, or of what ends soon, nobody knows whether it stays.
        name = None if command.is_compound else command.name
        if not is_last and name is not None and name.rpartition(b"/")[2] not in _SHORT:
            yield (
                command.line,
                b"with & it is out of reach of svc, and there is one more of it after each restart",
                b"make it a service of its own",
            )


_BACKGROUND_WITH = {
    b"exim": (b"-bd",),
    b"exim4": (b"-bd",),
    b"sendmail": (b"-bd",),
    b"memcached": (b"-d", b"--daemon"),
    b"haproxy": (b"-D",),
    b"openvpn": (b"--daemon",),
    b"mysqld": (b"--daemonize",),
    b"mosquitto": (b"-d", b"--daemon"),
}
"""Programs that one of these options puts into the background."""
_FOREGROUND_WITH = {
    b"sshd": (b"-D", b"-d", b"-t", b"-T", b"-i", b"-V", b"-G"),
    b"cron": (b"-f",),
    b"rsyslogd": (b"-n", b"-N", b"-v"),
    b"dovecot": (b"-F", b"-n", b"-a", b"--version"),
    b"named": (b"-f", b"-g", b"-v", b"-V"),
}
"""Programs that are in the background without one of these."""


def _puts_itself(service: Service, half: Half) -> "Said":
    reading = half.reading
    if reading is None or reading.has_fghack or not reading.programs:
        return
    program = reading.programs[-1]
    words = [word.literal for word in program.rest]
    if not program.is_main or None in words or not all(word.is_one for word in program.rest):
        return
    said = [word for word in words if word is not None]
    with_one = [word for word in said if word in _BACKGROUND_WITH.get(program.name, ())]
    needed = _FOREGROUND_WITH.get(program.name)
    if with_one and not any(word.startswith(b"-d") for word in said if word not in with_one):
        mend = b"leave " + with_one[0] + b" out, or fghack"
        yield program.line, program.name + b" " + with_one[0] + b" goes into the background", mend
    elif needed and not any(_is_option(word, needed) for word in said):
        mend = program.name + b" " + needed[0]
        yield program.line, program.name + b" goes into the background unless it is told not to", mend


def _is_option(word: bytes, options: tuple[bytes, ...]) -> bool:
    """Whether a word may be one of these: joined letters count."""
    return word in options or (
        word[:1] == b"-" and word[1:2] != b"-" and any(option[1:2] in word[1:] for option in options)
    )


def _no_envdir(service: Service, half: Half) -> "Said":
    for named in half.missing_envdirs:
        yield named.line, b"envdir: there is no folder " + named.name, b"mkdir " + named.name


# Logs.


def _log_writable(service: Service, half: Half) -> "Said":
    for line, path, account, why in half.log_troubles:
        who = account or b"the logger's user"
        yield (
            line,
            b"multilog cannot write its log folder " + path + b": " + why,
            b"mkdir -p " + path + b" && chown -R " + (who if account else b"it") + b" " + path,
        )


def _clamped(service: Service, half: Half) -> "Said":
    for program, word in _script_words(half):
        digits = word[1 : 1 + len(word[1:]) - len(word[1:].lstrip(b"0123456789"))]
        wanted = scan_ulong(digits) or 0
        if word[:1] == b"s" and not SIZE_LEAST_BYTES <= wanted <= SIZE_MOST_BYTES:
            taken = min(max(wanted, SIZE_LEAST_BYTES), SIZE_MOST_BYTES)
            yield program.line, word + b" counts as s%d" % taken, b"s%d" % taken
        elif word[:1] == b"n" and wanted < KEEP_LEAST:
            yield program.line, word + b" counts as n%d" % KEEP_LEAST, b"n%d" % KEEP_LEAST


def _ignored(service: Service, half: Half) -> "Said":
    for at, (program, word) in enumerate(_script_words(half)):
        if word[:1] not in (b"+", b"-", b"e", b"=", b"s", b"n", b"!", b".", b"/", b"t", b"T"):
            yield program.line, b"multilog passes over " + (word or b"an empty word"), b"leave it out"
        elif word[:1] in (b"t", b"T") and at:
            yield program.line, b"multilog passes over a t that is not its first word", b"put it first"


def _nowhere(service: Service, half: Half) -> "Said":
    words = list(_script_words(half))
    if words and not any(word[:1] in (b".", b"/", b"e", b"=", b"-") for _, word in words):
        yield (
            words[0][0].line,
            b"multilog has no log folder, which begins with . or /: every line is lost",
            b"name one, such as ./main",
        )


def _script_words(half: Half) -> "Iterator[tuple[Program, bytes]]":
    program = half.multilog
    if program is None:
        return
    words = [word.literal for word in program.rest]
    if None in words:
        return
    for word in words:
        assert word is not None
        yield program, word


# The network and mail.


def _low_port(service: Service, half: Half) -> "Said":
    for listen in half.reading.listens if half.reading else ():
        port = half.ports.get(listen.port)
        if not port or port >= service.lowest_port or not listen.account:
            continue
        found = half.executables.get(listen.program.key) if listen.program.key else None
        if not half.accounts.get(listen.account) or found is None or found.has_capabilities:
            continue
        yield (
            listen.line,
            b"%s may not listen on port %d, which is below %d" % (listen.account, port, service.lowest_port),
            b"envuidgid %s tcpserver -U instead of setuidgid" % listen.account,
        )


def _port_taken(service: Service, half: Half) -> "Said":
    for listen, port, holder in half.taken:
        by = b"" if holder is None else b" by pid %d (%s)" % (holder.pid, holder.name)
        yield (
            listen.line,
            b"port %d is held%s" % (port, by),
            b"stop it, or listen elsewhere" if holder else b"look who holds it, as root",
        )


def _stale_rules(service: Service, half: Half) -> "Said":
    for named, source in half.rules_behind:
        yield (
            named.line,
            source + b" is newer than " + named.name,
            b"tcprules " + named.name + b" " + named.name + b".tmp < " + source,
        )


def _no_rules(service: Service, half: Half) -> "Said":
    for named in half.rules_missing:
        yield (
            named.line,
            b"there is no " + named.name + b": tcpserver drops every connection",
            b"make it with tcprules, or write -X",
        )


def _queue(service: Service, half: Half) -> "Said":
    if half.is_logger or half.reading is None or not carries_mail(half):
        return
    for name, count in service.queues:
        yield (
            half.reading.main.line if half.reading.main else 0,
            b"mail waits in %s's queue (%d), and nothing of it runs" % (name, count),
            b"start it once more without its port 25 until they are delivered"
            if name != b"qmail"
            else b"start qmail-send",
        )


def carries_mail(half: Half) -> bool:
    """Whether it takes mail in or delivers it."""
    reading = half.reading
    if reading is None:
        return False
    if any(program.name in (b"qmail-start", b"qmail-send") for program in reading.programs):
        return True
    return any(half.ports.get(listen.port) == 25 for listen in reading.listens)


# Readiness.


def _bad_ready(service: Service) -> "Said":
    if service.ready is None:
        return
    try:
        readiness.parse(service.ready)
    except readiness.Nonsense as nonsense:
        yield 1, b"it never becomes ready: " + nonsense.why, b"write what svpy-service(7) says"
    else:
        if service.missing_ready_program:
            missing = service.missing_ready_program
            yield 1, b"it never becomes ready: there is no program " + missing, b"write it, and chmod 755"


def _bad_needs(service: Service) -> "Said":
    for line, name in service.missing_needs:
        reason = b"there is no service " + name + b" beside it: it is never started"
        yield line, reason, b"link it, or leave it out"
    circle = _circle(service.own_name, service.needed)
    if circle:
        yield 0, needs.in_words(circle), b"leave one of them out"


def _circle(name: bytes, needed: dict[bytes, list[bytes]]) -> tuple[bytes, ...]:
    """The shortest way from a service through what it needs back to itself."""
    ways: list[tuple[bytes, ...]] = [(name,)]
    seen = set()
    for way in ways:
        for each in needed.get(way[-1], ()):
            if each == name:
                return (*way, name)
            if each not in seen:
                seen.add(each)
                ways.append((*way, each))
    return ()


def _unseen(service: Service) -> "Said":
    if service.unseen and service.my_uid != 0:
        yield 0, b"not seen without being root: " + b", ".join(service.unseen), b"run svcheck as root"
    elif service.unseen:
        mend = b"look why root may not read it, and whether there is a /proc"
        if service.unseen == [PORTS]:
            mend = b"install python3-pyroute2, which asks the kernel"
        yield 0, b"not seen: " + b", ".join(service.unseen), mend


RULES = (
    Rule(b"no-run", ERROR, of_service=_no_run, file=b"run"),
    Rule(b"no-log-run", WARNING, _no_log_run),
    Rule(b"not-a-file", ERROR, _no_file),
    Rule(b"strange-link", WARNING, _strange_link, _strange_log, b"log"),
    Rule(b"no-exec-bit", ERROR, _no_exec_bit),
    Rule(b"crlf", ERROR, _crlf),
    Rule(b"byte-order-mark", ERROR, _bom),
    Rule(b"no-shebang", NOTE, _no_shebang),
    Rule(b"no-interpreter", ERROR, _no_interpreter),
    Rule(b"no-command", ERROR, _empty),
    Rule(b"not-read", NOTE, _unread),
    Rule(b"down", NOTE, of_service=_down, file=b"down"),
    Rule(b"log-is-nothing", WARNING, of_service=_log_is_nothing, file=b"log"),
    Rule(b"finish", WARNING, of_service=_finish, file=b"finish"),
    Rule(b"bad-stop-timeout", WARNING, of_service=_stop_timeout, file=b"stop-timeout"),
    Rule(b"world-writable", WARNING, _world),
    Rule(b"strange-owner", WARNING, _stranger),
    Rule(b"other-owner", NOTE, _stranger_note),
    Rule(b"bad-usage", ERROR, _bad_usage),
    Rule(b"unknown-user", ERROR, _unknown_user),
    Rule(b"second-user", ERROR, _second_drop),
    Rule(b"no-program", ERROR, _no_program),
    Rule(b"softlimit-too-low", ERROR, _softlimit),
    Rule(b"no-exec", WARNING, _no_exec),
    Rule(b"no-stderr", WARNING, _no_stderr),
    Rule(b"ends-at-once", ERROR, _ends_at_once),
    Rule(b"left-behind", WARNING, _left_behind),
    Rule(b"goes-background", ERROR, _puts_itself),
    Rule(b"no-envdir", ERROR, _no_envdir),
    Rule(b"log-not-writable", ERROR, _log_writable),
    Rule(b"multilog-clamped", NOTE, _clamped),
    Rule(b"multilog-ignored", NOTE, _ignored),
    Rule(b"multilog-nowhere", WARNING, _nowhere),
    Rule(b"low-port", ERROR, _low_port),
    Rule(b"port-taken", ERROR, _port_taken),
    Rule(b"stale-rules", WARNING, _stale_rules),
    Rule(b"no-rules", WARNING, _no_rules),
    Rule(b"queue-left", WARNING, _queue),
    Rule(b"bad-ready", ERROR, of_service=_bad_ready, file=b"ready"),
    Rule(b"bad-needs", ERROR, of_service=_bad_needs, file=b"needs"),
    Rule(b"unseen", NOTE, of_service=_unseen),
)
