"""What svcheck has found of a service folder, in plain values: what core/check.py judges.

None stands for what is not known or may not be seen: no rule draws anything from it."""

from svpy.core import checkscript, shscript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from svpy.core.checkscript import Listen, Named, Program, Reading

REGULAR = b"file"
FOLDER = b"folder"
PORTS = b"which ports are held"
"""What is not seen without pyroute2."""

NOTHING = b"nothing"
STRANGE_LINK = b"link"
"""It was not followed: whoever made it is not to decide what we read."""

SHELLS = (b"sh", b"bash", b"dash", b"ash")


class File:
    """What is at a name. `kind`: one of the above, `fifo`, `socket` or `device`. `text`: what is in it, None
    if it was not read; `error` says why it is not known."""

    __slots__ = ("error", "gid", "is_too_long", "kind", "mode", "text", "uid")

    def __init__(self, kind: bytes = NOTHING, mode: int = 0, uid: int = 0, gid: int = 0) -> None:
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.text: bytes | None = None
        self.is_too_long = False
        self.error = b""


class Executable:
    """The program that a word leads to. `is_script`: it is a text for another one. The least bytes it needs,
    None if that cannot be read."""

    __slots__ = ("address_bytes", "data_bytes", "has_capabilities", "is_script", "path")

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.is_script = False
        self.has_capabilities = False
        self.address_bytes: int | None = None
        self.data_bytes: int | None = None


class Holder:
    """A process that holds a port."""

    __slots__ = ("name", "pid")

    def __init__(self, pid: int, name: bytes) -> None:
        self.pid = pid
        self.name = name


class Half:
    """A service, or its logger: its script. `name`: `run`, `log/run`, or `log` where that is a file.

    What its reading asks for: `accounts`: uid of each that there is, None of one there is not; `executables`,
    by Program.key, None for what is nowhere; `ports` of services' names; `taken`: by whom (none of this
    service); `log_troubles`: of each of multilog's folders that cannot be written, why; `rules_behind` and
    `rules_missing`: compiled rules, with the source that is newer."""

    __slots__ = (
        "accounts",
        "executables",
        "file",
        "folder",
        "has_interpreter",
        "interpreter",
        "is_logger",
        "log_troubles",
        "missing_envdirs",
        "name",
        "ports",
        "reading",
        "rules_behind",
        "rules_missing",
        "taken",
    )

    def __init__(self, name: bytes, is_logger: bool, file: File, folder: File) -> None:
        self.name = name
        self.is_logger = is_logger
        self.file = file
        self.folder = folder
        self.interpreter = b""
        self.has_interpreter: bool | None = None
        self.reading: Reading | None = None
        self.accounts: dict[bytes, int | None] = {}
        self.executables: dict[tuple[bytes, bytes, bytes], Executable | None] = {}
        self.ports: dict[bytes, int] = {}
        self.taken: list[tuple[Listen, int, Holder | None]] = []
        self.log_troubles: list[tuple[int, bytes, bytes, bytes]] = []
        self.missing_envdirs: list[Named] = []
        self.rules_behind: list[tuple[Named, bytes]] = []
        self.rules_missing: list[Named] = []

    @property
    def has_text(self) -> bool:
        return self.file.text is not None

    @property
    def multilog(self) -> "Program | None":
        """The multilog that it becomes."""
        programs = self.reading.programs if self.reading else []
        return programs[-1] if programs and programs[-1].name == b"multilog" else None


class Service:
    """A service's folder. `present`: names in it. `supervise_uid`: whose `supervise` is, None without one.
    `my_uid`: who looks. `lowest_port`: from there on nobody needs privileges. `queues`: mail that waits for
    another MTA that does not run, by its name. `unseen`: what only root could have seen. `needed`: who asks
    for whom, by names, this service first; `missing_needs`: what is no service beside it."""

    __slots__ = (
        "folder",
        "halves",
        "is_up",
        "log",
        "lowest_port",
        "missing_needs",
        "missing_ready_program",
        "my_uid",
        "name",
        "needed",
        "own_name",
        "present",
        "queues",
        "ready",
        "stop_timeout",
        "supervise_uid",
        "unseen",
    )

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.own_name = b""
        self.folder = File(FOLDER)
        self.log = File()
        self.halves: list[Half] = []
        self.present: frozenset[bytes] = frozenset()
        self.supervise_uid: int | None = None
        self.my_uid = 0
        self.is_up = False
        self.lowest_port = 1024
        self.stop_timeout: File | None = None
        self.ready: bytes | None = None
        self.missing_ready_program = b""
        self.missing_needs: list[tuple[int, bytes]] = []
        self.needed: dict[bytes, list[bytes]] = {}
        self.queues: list[tuple[bytes, int]] = []
        self.unseen: list[bytes] = []

    @property
    def has_logger(self) -> bool:
        """Whether something reads what it says."""
        return any(half.is_logger and half.file.kind != NOTHING for half in self.halves)


def interpreter_of(text: bytes) -> bytes:
    """What a `#!` line names, empty without one."""
    if not text.startswith(b"#!"):
        return b""
    words = text[2:].partition(b"\n")[0].rstrip(b"\r").split()
    return words[0] if words else b""


def is_for_sh(text: bytes) -> bool:
    """Whether a shell reads that script."""
    if not text.startswith(b"#!"):
        return True
    words = text[2:].partition(b"\n")[0].split()
    if len(words) == 2 and words[0] == b"/usr/bin/env":
        del words[0]
    return bool(words) and words[0].rpartition(b"/")[2] in SHELLS


def reading_of(text: bytes, inherited_path: bytes) -> "Reading | None":
    """What a script asks for, None if no shell reads it."""
    return checkscript.read(shscript.read(text), inherited_path) if is_for_sh(text) else None
