"""svpy new: write a service folder with its log/, whole or not at all."""

import errno
import os

from svpy.commands.own import PROGRAM
from svpy.core import newservice
from svpy.core.catalogue import usage
from svpy.core.environment import search_path
from svpy.core.errors import FAILED, Die, one_line
from svpy.core.newservice import LOG_PARENT, LOG_USER, PARENT, Asked
from svpy.system import environment, identity, newfolders, shipped
from svpy.system.dispositions import restore_defaults
from svpy.system.execplan import program
from svpy.system.folders import identity_of
from svpy.system.seeing import SERVICES
from svpy.system.tell import because, say, write_all

_IN_LOG = b"./main"
"""Where one writes who has no folder of logs: in log/ itself."""


def run(words: list[bytes]) -> int:
    asked = newservice.asked(words, usage(PROGRAM))
    parent = asked.parent or PARENT
    path = parent.rstrip(b"/") + b"/" + asked.name
    making = PROGRAM + b": fatal: unable to make " + one_line(path)
    is_root = os.geteuid() == 0
    log_user = asked.log_user or (LOG_USER if is_root else None)
    _find_accounts(asked, log_user, making)
    classic = newservice.CLASSICS[asked.name] if asked.command is None else None
    _find_tcpserver(asked.tcp is not None if classic is None else classic.needs_tcpserver, making)
    shared = _shipped(asked.name, making) if classic is not None else b""
    log_folder = _log_folder(asked, is_root, making)
    texts = _texts(asked, shared, log_user, log_folder, making)
    _make(asked, log_user, log_folder, texts, making)
    if classic is not None and classic.rules and not os.path.exists(classic.rules):
        say(
            PROGRAM + b": warning: without " + classic.rules + b" it lets nobody in: see "
            b"tcprules(1) and " + shared + b"/smtp.rules"
        )
    step = newservice.next_step(path, identity_of(parent) == identity_of(SERVICES) is not None)
    # From here on it may end when nobody reads what it says.
    restore_defaults()
    try:
        write_all(1, b"made " + one_line(path) + b", next: " + one_line(step) + b"\n")
    except OSError as error:
        raise Die(FAILED, because(PROGRAM + b": fatal: unable to write", error)) from None
    return 0


def _find_accounts(asked: Asked, log_user: bytes | None, making: bytes) -> None:
    """Raises Die if one is unknown: nothing is written yet."""
    needed = [(asked.user, b""), (log_user, b" (--log-user names another)")]
    if asked.command is None:
        needed += [(account, b"") for account in newservice.CLASSICS[asked.name].accounts]
    for account, hint in needed:
        if account is not None and identity.find_ids(account) is None:
            raise Die(FAILED, making + b": unknown account " + one_line(account) + hint)


def _find_tcpserver(is_needed: bool, making: bytes) -> None:
    path = search_path(environment.inherited())
    if is_needed and program(b"tcpserver", path) is None:
        raise Die(FAILED, making + b": there is no tcpserver: apt-get install ucspi-tcp")


def _shipped(name: bytes, making: bytes) -> bytes:
    folder = shipped.service_folder()
    if folder is None:
        raise Die(FAILED, making + b": the services that come with svpy are not installed")
    return folder


def _log_folder(asked: Asked, is_root: bool, making: bytes) -> bytes:
    """What multilog is told: an absolute path, or one in log/ itself."""
    parent = asked.log_parent or (LOG_PARENT if is_root else None)
    if parent is None:
        return _IN_LOG
    try:
        absolute = parent if parent.startswith(b"/") else os.path.join(os.getcwdb(), parent)
    except OSError as error:
        raise Die(FAILED, because(making + b": unable to open current directory", error)) from None
    return absolute.rstrip(b"/") + b"/" + asked.name


def _texts(
    asked: Asked, shared: bytes, log_user: bytes | None, log_folder: bytes, making: bytes
) -> tuple[bytes, bytes]:
    """The scripts run and log/run."""
    if asked.command is not None:
        return newservice.run_script(asked), newservice.log_script(log_user, log_folder)
    base = shared + b"/" + asked.name
    try:
        log = shipped.read(base + b"/log/run")
        return shipped.read(base + b"/run"), newservice.classic_log_script(log, log_user, log_folder)
    except OSError as error:
        raise Die(FAILED, because(making + b": unable to read " + base, error)) from None


class _Making:
    """What is being made; what was made is taken back where something can't be."""

    def __init__(self, making: bytes) -> None:
        self._making = making
        self._what = b""
        self._made: list[bytes] = []

    def parents(self, *folders: bytes) -> None:
        """Those where all instructions have them: folders that somebody names are expected to be there."""
        for folder in folders:
            self._what = b": unable to make " + folder
            self._made += [folder] if newfolders.make_parent(folder) else []

    def expect_nothing(self, path: bytes) -> None:
        self._what = b""
        if newfolders.is_there(path):
            raise FileExistsError(errno.EEXIST, path)

    def log_folder(self, folder: bytes, log_user: bytes | None) -> None:
        self._what = b": unable to make " + one_line(folder)
        ids = identity.find_ids(log_user) if log_user is not None else None
        ids = ids or (os.geteuid(), os.getegid())
        self._made += [folder] if newfolders.make_log_folder(folder, ids) else []
        if log_user is not None and not identity.may_write(ids, folder):
            refused = b": " + one_line(log_user) + b" may not write to " + one_line(folder)
            raise Die(FAILED, self._making + refused)

    def service(self, parent: bytes, name: bytes, run_text: bytes, log_text: bytes) -> None:
        self._what = b""
        entries = [(b"run", run_text), (b"log", None), (b"log/run", log_text)]
        newfolders.make_whole(parent, name, entries)

    def __enter__(self) -> "_Making":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        for folder in reversed(self._made):
            newfolders.remove_folder(folder)
        if isinstance(error, OSError):
            raise Die(FAILED, because(self._making + self._what, error)) from None


def _make(
    asked: Asked, log_user: bytes | None, log_folder: bytes, texts: tuple[bytes, bytes], making: bytes
) -> None:
    parent = asked.parent or PARENT
    with newfolders.Uninterrupted(), _Making(making) as made:
        if asked.parent is None:
            made.parents(PARENT)
        made.expect_nothing(parent + b"/" + asked.name)
        if log_folder != _IN_LOG:
            if asked.log_parent is None:
                made.parents(LOG_PARENT)
            made.log_folder(log_folder, log_user)
        made.service(parent, asked.name, *texts)
