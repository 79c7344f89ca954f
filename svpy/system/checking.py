"""Finding out what svcheck judges: a service folder, and of the machine what its scripts ask for.

Rules of this module:

- nothing of a folder is executed; what is opened is a regular file, and no more of it is read than a script
  is long. What else lies there, a fifo or a device, is not opened at all;
- a link is followed if root, who looks, or the owner of what it leads to has made it: otherwise it could
  make root read and show what its maker may not;
- what cannot be found out is not known; what only root could have found out is said.
"""

import os
import stat

from svpy.core import checkfacts, checkscript, needs, readiness
from svpy.core.checkfacts import Executable, File, Half, Holder, Service
from svpy.core.environment import candidates
from svpy.core.errors import error_text
from svpy.core.seen import NOT_RUNNING, Seen
from svpy.core.shscript import MOST_BYTES
from svpy.system import identity
from svpy.system.logsites import absolute, open_file
from svpy.system.proc import PARENT, name_of, pids, read, stat_fields
from svpy.system.seeing import SERVICES, see

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.checkscript import Named, Program

_USUAL_PATH = b"/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin"
_MOST_SMALL_BYTES = 4096
_MOST_NEEDS = 1000
_FIRST_LINE_BYTES = 512
_PORT_START = b"/proc/sys/net/ipv4/ip_unprivileged_port_start"
_ANY = b"0.0.0.0"
_RULES_SOURCES = (b"", b".rules", b".txt")
"""What stands behind the name of compiled rules, without their `.cdb`, in the name of their source."""

_KINDS = (
    (stat.S_ISREG, checkfacts.REGULAR),
    (stat.S_ISDIR, checkfacts.FOLDER),
    (stat.S_ISFIFO, b"fifo"),
    (stat.S_ISSOCK, b"socket"),
)


def gather(folder: bytes) -> Service:
    """All that is to be known of a service. Raises OSError: the folder itself cannot be read."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    log_fd = -1
    try:
        service = Service(folder)
        service.my_uid = os.geteuid()
        names = os.listdir(fd)
        service.present = frozenset(os.fsencode(name) for name in names)
        service.folder = _described(os.fstat(fd))
        service.own_name = os.path.basename(absolute(folder))
        service.supervise_uid = _owner(b"supervise", fd)
        service.lowest_port = _lowest_port()
        seen = see(folder)
        service.is_up = seen[0].is_up
        fds = [fd]
        service.halves.append(Half(b"run", False, _file(b"run", fd, service), service.folder))
        service.log, log_fd = _log(fd)
        if service.log.error:
            _unseen(service, b"log")
        if log_fd >= 0:
            file = _file(b"run", log_fd, service)
            service.halves.append(Half(b"log/run", True, file, _described(os.fstat(log_fd))))
            fds.append(log_fd)
        elif service.log.kind == checkfacts.REGULAR and service.log.mode & 0o100:
            file = _file(b"log", fd, service)
            service.halves.append(Half(b"log", True, file, service.folder))
            fds.append(fd)
        for half, half_fd in zip(service.halves, fds, strict=True):
            _look_around(service, half, half_fd, seen[0].pid)
        _extras(service, fd)
        _needs(service, fd)
        return service
    finally:
        os.close(fd)
        if log_fd >= 0:
            os.close(log_fd)


def _described(found: os.stat_result) -> File:
    kind = next((kind for is_so, kind in _KINDS if is_so(found.st_mode)), b"device")
    return File(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _owner(name: bytes, dir_fd: int) -> int | None:
    try:
        return os.stat(name, dir_fd=dir_fd).st_uid
    except OSError:
        return None


def _lowest_port() -> int:
    try:
        fd = os.open(_PORT_START, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 1024
    try:
        return int(os.read(fd, 16))
    except (OSError, ValueError):
        return 1024
    finally:
        os.close(fd)


def _opened(name: bytes, dir_fd: int) -> tuple[File, int]:
    """What is at a name, and a descriptor that stands for it, -1 without one."""
    how = os.O_PATH | os.O_CLOEXEC
    try:
        fd = os.open(name, how | os.O_NOFOLLOW, dir_fd=dir_fd)
        found = os.fstat(fd)
        if stat.S_ISLNK(found.st_mode):
            os.close(fd)
            by = found.st_uid
            fd = os.open(name, how, dir_fd=dir_fd)
            found = os.fstat(fd)
            if by not in (0, os.geteuid(), found.st_uid):
                os.close(fd)
                return File(checkfacts.STRANGE_LINK, uid=by), -1
    except FileNotFoundError:
        return File(), -1
    except OSError as error:
        file = File()
        file.error = error_text(error.errno)
        return file, -1
    return _described(found), fd


def _log(dir_fd: int) -> tuple[File, int]:
    """What `log` is, and its folder open, -1 if it is none."""
    file, fd = _opened(b"log", dir_fd)
    if fd < 0:
        return file, -1
    try:
        if file.kind == checkfacts.FOLDER:
            return file, os.open(b"/proc/self/fd/%d" % fd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        file.error = error_text(error.errno)
    finally:
        os.close(fd)
    return file, -1


def _file(name: bytes, dir_fd: int, service: Service, most_bytes: int = MOST_BYTES) -> File:
    """What is at a name and in it."""
    file, fd = _opened(name, dir_fd)
    if fd < 0:
        if file.error:
            _unseen(service, name)
        return file
    try:
        if file.kind == checkfacts.REGULAR:
            _read(file, fd, most_bytes)
    except OSError as error:
        file.error = error_text(error.errno)
        _unseen(service, name)
    finally:
        os.close(fd)
    return file


def _read(file: File, path_fd: int, most_bytes: int) -> None:
    fd = os.open(b"/proc/self/fd/%d" % path_fd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        text = b""
        while len(text) <= most_bytes and (data := os.read(fd, most_bytes + 1 - len(text))):
            text += data
    finally:
        os.close(fd)
    if text.startswith(b"\x7fELF"):
        return
    file.is_too_long = len(text) > most_bytes
    file.text = None if file.is_too_long else text


def _unseen(service: Service, what: bytes) -> None:
    if what not in service.unseen:
        service.unseen.append(what)


def _inherited_path(pid: int) -> bytes:
    """Where a script that says nothing of PATH may look for its programs: as svscan would that has started
    the process `pid`, as we would, or as svscan's unit and svscanboot have it."""
    ours = os.environb.get(b"PATH", b"/bin:/usr/bin")
    return b":".join(part for part in (_path_of_svscan(pid), ours, _USUAL_PATH) if part)


def _path_of_svscan(pid: int) -> bytes:
    if not pid:
        return b""
    try:
        parent = stat_fields(b"%d" % pid)[PARENT]
        entries = read(b"/proc/" + parent + b"/environ").split(b"\0")
    except (OSError, IndexError):
        return b""
    return next((entry[5:] for entry in entries if entry.startswith(b"PATH=")), b"")


def _look_around(service: Service, half: Half, fd: int, pid: int) -> None:
    text = half.file.text
    if text is None:
        return
    half.interpreter = checkfacts.interpreter_of(text)
    if half.interpreter.startswith(b"/"):
        half.has_interpreter = _is_program(half.interpreter, fd)
    reading = half.reading = checkfacts.reading_of(text, _inherited_path(pid))
    if reading is None:
        return
    for named in reading.accounts:
        found = identity.find_ids(named.name)
        half.accounts[named.name] = None if found is None else found[0]
    for program in reading.programs:
        _find(half, program, fd)
    for listen in reading.listens:
        port = _port(listen.port)
        if port:
            half.ports[listen.port] = port
    for named in reading.envdirs:
        if _is_missing(named, fd):
            half.missing_envdirs.append(named)
    for named in reading.rules:
        _look_at_rules(half, named, fd)
    _look_at_log(service, half, fd)
    if half.ports:
        _look_at_ports(service, half)
    if not half.is_logger and not service.queues:
        from svpy.core.check import carries_mail

        if carries_mail(half):
            from svpy.system.queues import left

            service.queues = left()


def _is_program(path: bytes, dir_fd: int) -> bool | None:
    """Whether there is an executable file; None if we cannot know."""
    try:
        mode = os.stat(path, dir_fd=dir_fd).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return None
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _from(cwd: bytes | None, path: bytes) -> bytes | None:
    """A path as it is from the half's folder; None if we do not know where that script is."""
    if path.startswith(b"/"):
        return path
    if cwd is None:
        return None
    return path if cwd == checkscript.HERE else cwd + b"/" + path


def _find(half: Half, program: "Program", fd: int) -> None:
    key = program.key
    if key is None or key in half.executables:
        return
    for candidate in candidates(program.word, program.path or b""):
        path = _from(program.cwd, candidate)
        is_there = None if path is None else _is_program(path, fd)
        if path is None or is_there is None:
            return
        if is_there:
            half.executables[key] = _measured(path, program, fd)
            return
    half.executables[key] = None


def _measured(path: bytes, program: "Program", fd: int) -> Executable:
    whole = path if path.startswith(b"/") else b"/proc/self/fd/%d/%s" % (fd, path)
    found = Executable(path)
    try:
        found.has_capabilities = bool(os.getxattr(whole, "security.capability"))
    except OSError:
        pass
    try:
        text = _beginning(whole)
    except OSError:
        return found
    found.is_script = not text.startswith(b"\x7fELF")
    if program.address_bytes is None and program.data_bytes is None:
        return found
    from svpy.system import elf

    try:
        needed = elf.needs(checkfacts.interpreter_of(text) or whole)
    except elf.Unclear:
        return found
    found.address_bytes, found.data_bytes = needed.address_bytes, needed.data_bytes
    return found


def _beginning(path: bytes) -> bytes:
    """Of a file. Raises OSError."""
    fd = open_file(path)
    try:
        return os.read(fd, _FIRST_LINE_BYTES)
    finally:
        os.close(fd)


def _port(word: bytes) -> int:
    """0 if it is none that anybody knows."""
    if word.isdigit():
        return int(word) if len(word) < 6 and int(word) < 65536 else 0
    from _socket import getservbyname

    try:
        return getservbyname(os.fsdecode(word), "tcp")
    except (OSError, ValueError):
        return 0


def _is_missing(named: "Named", fd: int) -> bool:
    path = _from(named.cwd, named.name)
    try:
        return path is not None and not stat.S_ISDIR(os.stat(path, dir_fd=fd).st_mode)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


def _look_at_rules(half: Half, named: "Named", fd: int) -> None:
    path = _from(named.cwd, named.name)
    if path is None:
        return
    try:
        compiled = os.stat(path, dir_fd=fd)
    except FileNotFoundError:
        if named.must_exist:
            half.rules_missing.append(named)
        return
    except (OSError, ValueError):
        return
    base = path.removesuffix(b".cdb")
    for end in _RULES_SOURCES:
        source = base + end
        try:
            found = os.stat(source, dir_fd=fd)
        except OSError:
            continue
        if source != path and stat.S_ISREG(found.st_mode) and found.st_mtime_ns > compiled.st_mtime_ns:
            half.rules_behind.append((named, source))
            return


def _look_at_log(service: Service, half: Half, fd: int) -> None:
    program = half.multilog
    if program is None or program.cwd is None or program.account is None:
        return
    words = [word.literal for word in program.rest]
    paths = [_from(program.cwd, word) for word in words if word and word[:1] in (b".", b"/")]
    known = [path for path in paths if path is not None]
    if not known:
        return
    if program.account:
        found = identity.find_ids(program.account)
        if found is None:
            return
        uid, *gids = found
    elif service.my_uid == 0:
        uid, gids = 0, [0]
    else:
        return
    from svpy.system.asuser import log_troubles

    try:
        troubles = log_troubles(fd, uid, tuple(gids), known)
    except OSError:
        _unseen(service, b"whether " + program.account + b" can write its log")
        return
    for path, why in zip(known, troubles, strict=True):
        if why:
            half.log_troubles.append((program.line, path, program.account, why))


def _look_at_ports(service: Service, half: Half) -> None:
    assert half.reading is not None
    from svpy.system.listening import TCP, listening, sockets_of

    try:
        sockets = [each for each in listening() if each.protocol == TCP]
    except OSError:
        # Nobody needs to be root to ask that, but a kernel or an installation may be without it.
        _unseen(service, checkfacts.PORTS)
        return
    for listen in half.reading.listens:
        port = half.ports.get(listen.port, 0)
        inodes = {
            each.inode for each in sockets if each.port == port and _conflict(listen.host, each.address)
        }
        if not inodes:
            continue
        from svpy.system.trees import trees

        holders = [each for each in pids() if inodes & sockets_of((each,))]
        # What it runs is looked at behind that: it may have been started just now.
        now = see(service.name)
        own = {pid for usage in trees([each.pid for each in now]).values() for pid in usage.pids}
        if service.my_uid != 0 and not (holders and _is_known(now[0])):
            _unseen(service, b"who holds port %d" % port)
        elif own.isdisjoint(holders) and (holders or not now[0].is_up):
            holder = Holder(holders[0], name_of(holders[0]) or b"?") if holders else None
            half.taken.append((listen, port, holder))


def _is_known(seen: Seen) -> bool:
    return seen.trouble in (b"", NOT_RUNNING)


def _conflict(host: bytes, address: bytes) -> bool:
    """Whether who listens on one address keeps another from listening on that host. Names are not looked
    up; of an IPv6 socket it is not known whether it takes IPv4, too."""
    wanted = {b"0": _ANY, b"localhost": b"127.0.0.1"}.get(host, host)
    address = address.removeprefix(b"::ffff:")
    if b":" in address or not wanted.replace(b".", b"").isdigit():
        return False
    return wanted == address or _ANY in (wanted, address)


def _extras(service: Service, fd: int) -> None:
    if b"stop-timeout" in service.present:
        found = os.stat(b"stop-timeout", dir_fd=fd, follow_symlinks=False)
        service.stop_timeout = _described(found)
        if service.stop_timeout.kind == checkfacts.REGULAR:
            service.stop_timeout = _file(b"stop-timeout", fd, service, _MOST_SMALL_BYTES)
    if b"ready" not in service.present:
        return
    service.ready = _file(b"ready", fd, service, readiness.MOST_FILE_BYTES).text
    try:
        asked = readiness.parse(service.ready or b"")
    except readiness.Nonsense:
        return
    if asked.kind == readiness.EXEC and b"/" in asked.words[0] and _is_program(asked.words[0], fd) is False:
        service.missing_ready_program = asked.words[0]


def _needs(service: Service, fd: int) -> None:
    """Who needs whom: this service and those that it leads to."""
    if b"needs" not in service.present:
        return
    text = _file(b"needs", fd, service, needs.MOST_BYTES).text or b""
    service.needed[service.own_name] = list(needs.parse(text))
    places = (os.path.dirname(absolute(service.name)), SERVICES)
    for number, line in enumerate(text.split(b"\n"), 1):
        name = line.strip()
        if readiness.meant(name) and _sibling(name, places) is None:
            service.missing_needs.append((number, name))
    waiting = list(service.needed[service.own_name])
    while waiting and len(service.needed) < _MOST_NEEDS:
        name = waiting.pop()
        place = None if name in service.needed else _sibling(name, places)
        if place is None:
            continue
        service.needed[name] = _needs_of(place, service)
        waiting += service.needed[name]


def _sibling(name: bytes, places: tuple[bytes, ...]) -> bytes | None:
    if b"/" in name or b"\0" in name or name in (b"", b".", b".."):
        return None
    return next((place + b"/" + name for place in places if os.path.isdir(place + b"/" + name)), None)


def _needs_of(folder: bytes, service: Service) -> list[bytes]:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return list(needs.parse(_file(b"needs", fd, service, needs.MOST_BYTES).text or b""))
    finally:
        os.close(fd)
