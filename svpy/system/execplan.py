"""Exec plans: the run of our own chain loaders at the start of a command line, in one process.

Rules of this module:

- each tool does its work in the order written, with the privileges, environment and limits of that
  moment, and only then are the words of the next looked at, as with one process for each;
- the next word is taken into the plan if an exec of it would run our own script of that name: the
  same file as the one beside the script we were started as. Another setuidgid that comes first on
  PATH is executed;
- a tool looks its program up in the PATH it was itself started with, as C's pathexec does: what
  envdir changes holds from the next tool on;
- only limits on memory wait until the execve at the end: an interpreter does not fit below most;
- if the last word is our multilog, it runs here. All that it and the tools import is imported
  before the first step, since after setuidgid the package may be out of reach.

A new chain loader is a parser in core/chain.py and a row of `_STEPS`.
"""

import os
import stat

from svpy.core import chain
from svpy.core.environment import account_changes, candidates, changed, login_changes, search_path
from svpy.core.errors import FAILED, Die
from svpy.system import environment, foreground, identity, installed, locks, title
from svpy.system.envfolder import read_changes, read_file
from svpy.system.execute import PASSED_OVER, executor, search_and_execute
from svpy.system.tell import because

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MULTILOG = b"multilog"
_SOFTLIMIT = b"softlimit"
_STAYING = {_MULTILOG, b"fghack", b"setlock"}
"""Those that may be seen for longer, by ps."""
_RESERVE_BYTES = 1 << 20
_ENDING_HEADROOM_BYTES = 32 << 20


class Plan:
    """What the steps so far have changed and what waits for the end.

    `environ`: the entries the program is to get. `memory`: soft limits by resource. `words`: what
    follows the name of the tool at work, all of it."""

    __slots__ = ("environ", "memory", "words")

    def __init__(self, environ: list[bytes]) -> None:
        self.environ = environ
        self.memory: dict[str, int] = {}
        self.words: list[bytes] = []


def _setuidgid(plan: Plan, account: bytes) -> None:
    uid, gid, *others = _ids(b"setuidgid", account)
    verb = b"setgid"
    try:
        identity.take_groups(gid, others)
        verb = b"setuid"
        identity.take_user(uid)
    except OSError as error:
        raise Die(FAILED, because(b"setuidgid: fatal: unable to " + verb, error)) from None


def _setuser(plan: Plan, name: bytes) -> None:
    """In daemontools-encore's order: it is root who enters the home, so that may lie below a folder
    which is closed to the account."""
    account = identity.find_account(name)
    if account is None:
        raise _unknown(b"setuser", name)
    login = login_changes(account.home, account.shell, account.name, account.uid, account.gid)
    plan.environ = changed(plan.environ, login)
    verb = b"chdir to " + account.home
    try:
        os.chdir(account.home)
        verb = b"setgid"
        identity.take_groups(account.gid)
        verb = b"initgroups"
        identity.take_all_groups(account)
        verb = b"setuid"
        identity.take_user(account.uid)
    except OSError as error:
        raise Die(FAILED, because(b"setuser: fatal: unable to " + verb, error)) from None


def _envuidgid(plan: Plan, account: bytes) -> None:
    """Of several gids the first: there is one variable for them, as with chpst -U."""
    uid, gid, *_ = _ids(b"envuidgid", account)
    plan.environ = changed(plan.environ, account_changes(uid, gid))


def _envdir(plan: Plan, path: bytes, is_file: bool) -> None:
    plan.environ = changed(plan.environ, read_file(path) if is_file else read_changes(path))


def _softlimit(plan: Plan, wanted: list[tuple[str, int | None]]) -> None:
    from svpy.system import limits

    for name, value in wanted:
        try:
            soft = chain.clamped(value, limits.hard_limit(name))
        except OSError as error:
            raise Die(FAILED, because(b"softlimit: fatal: getrlimit failed", error)) from None
        if name in chain.MEMORY:
            plan.memory[name] = soft
            continue
        try:
            limits.set_soft_limit(name, soft)
        except OSError as error:
            raise Die(FAILED, because(b"softlimit: fatal: setrlimit failed", error)) from None


def _setlock(plan: Plan, path: bytes, wait: bool, silent: bool) -> None:
    if wait:
        title.become(b"setlock", plan.words)
    verb = b"open "
    try:
        fd = locks.open_lock(path)
        verb = b"lock "
        locks.lock(fd, wait)
    except OSError as error:
        if silent:
            raise Die(0) from None
        raise Die(FAILED, because(b"setlock: fatal: unable to " + verb + path, error)) from None


def _pgrphack(plan: Plan) -> None:
    try:
        os.setsid()
    except OSError:
        pass  # A leader of a process group cannot; C does not care either.


def _fghack(plan: Plan) -> None:
    foreground.split(plan.words)


_STEPS: "dict[bytes, tuple[Callable[..., tuple[tuple[object, ...], list[bytes]]], Callable[..., None]]]" = {
    b"setuidgid": (chain.setuidgid, _setuidgid),
    b"setuser": (chain.setuser, _setuser),
    b"envuidgid": (chain.envuidgid, _envuidgid),
    b"envdir": (chain.envdir, _envdir),
    b"softlimit": (chain.softlimit, _softlimit),
    b"setlock": (chain.setlock, _setlock),
    b"pgrphack": (chain.pgrphack, _pgrphack),
    b"fghack": (chain.fghack, _fghack),
}


def carry_out(
    tool: bytes,
    words: list[bytes],
    load_multilog: "Callable[[list[bytes]], Callable[[list[bytes]], int]]",
    is_elsewhere: "Callable[[], None] | None" = None,
) -> int:
    """Do what `tool` and the chain loaders after it ask for, then become the program at the end.

    Returns only an exit code of multilog's. `load_multilog` imports what it may need for these words
    (the plan's own are among them) and returns its `run`. `is_elsewhere` is called before the process becomes
    another program, for who has not meant it to. Raises Die."""
    own = own_commands(words)
    multilog = None
    if _MULTILOG in own:
        multilog = load_multilog(words)
    if _SOFTLIMIT in (tool, *own):
        from svpy.system import limits  # noqa: F401  the others start without it
    if not _STAYING.isdisjoint(own):
        title.hold()  # The first tool takes its title before anything has changed.
    plan = Plan(environment.inherited())
    while True:
        parse, act = _STEPS[tool]
        plan.words = words
        arguments, words = parse(words)
        path = search_path(plan.environ)
        act(plan, *arguments)
        name = _basename(words[0])
        if not (name in own and leads_to(own[name], words[0], path)):
            if is_elsewhere is not None:
                is_elsewhere()
            _become(tool, words, path, plan)
        if name == _MULTILOG and multilog is not None:
            environment.adopt(plan.environ)
            _bound_multilog(plan)
            return multilog(words[1:])
        tool, words = name, words[1:]


def _ids(tool: bytes, word: bytes) -> tuple[int, ...]:
    ids = identity.find_ids(word)
    if ids is None:
        raise _unknown(tool, word)
    return ids


def _unknown(tool: bytes, word: bytes) -> Die:
    return Die(FAILED, tool + b": fatal: unknown account " + word)


def _basename(word: bytes) -> bytes:
    return word[word.rfind(b"/") + 1 :]


def own_commands(words: "Iterable[bytes]", folder: bytes | None = None) -> dict[bytes, tuple[int, int]]:
    """Device and inode of each script of ours that `words` may name, by its name. `folder`: where ours are,
    if that is known."""
    names = {_basename(word) for word in words} & {*_STEPS, _MULTILOG}
    if not names:
        return {}
    if folder is None:
        folder = installed.folder()
    own = {}
    for name in names:
        try:
            found = os.stat(folder + b"/" + name)
        except OSError:
            continue
        own[name] = (found.st_dev, found.st_ino)
    return own


def leads_to(script: tuple[int, int], word: bytes, path: bytes) -> bool:
    """Whether an exec of `word` along `path` would run the file `script` (device, inode)."""
    found = program(word, path)
    return found is not None and found[1] == script


def program(word: bytes, path: bytes, follow_symlinks: bool = True) -> tuple[bytes, tuple[int, int]] | None:
    """The file that an exec of `word` along `path` would run, with its device and inode; None if there is
    none for certain, or not without following a link."""
    for candidate in candidates(word, path):
        try:
            found = os.stat(candidate, follow_symlinks=follow_symlinks)
        except OSError as error:
            if error.errno in PASSED_OVER:
                continue
            return None
        if stat.S_ISLNK(found.st_mode):
            return None
        if stat.S_ISREG(found.st_mode) and os.access(candidate, os.X_OK, effective_ids=True):
            return candidate, (found.st_dev, found.st_ino)
    return None


def _become(tool: bytes, argv: list[bytes], path: bytes, plan: Plan) -> None:
    """Execute the program. Raises Die in the words of the last tool."""
    run = executor(plan.environ)
    # AS and DATA last: under them the other calls would have to live on the reserve already.
    memory = sorted(plan.memory.items(), reverse=True)
    try:
        if memory:
            from svpy.system import limits

            sizes = sum(len(text) + 64 for text in (*argv, *plan.environ, path))
            limits.reserve(_RESERVE_BYTES + 2 * sizes)
            limits.limited(memory, lambda: search_and_execute(argv, path, run))
        else:
            search_and_execute(argv, path, run)
    except OSError as error:
        raise Die(FAILED, because(tool + b": fatal: unable to run " + argv[0], error)) from None


def _bound_multilog(plan: Plan) -> None:
    """Set the limits on memory for a multilog in this process.

    A limit on memory was chosen for a multilog of a few hundred kilobytes. Set as it is, the first
    allocation would fail and the logger die; left out, nothing would bound it. So each is raised,
    where it is lower, to what this process uses now and a fixed headroom on top: multilog cannot
    grow without end, nor can its processors, which inherit it. The stack is left at a mebibyte at
    least, and MEMLOCK is set as asked for."""
    if not plan.memory:
        return
    from svpy.system import limits

    try:
        address_bytes, data_bytes = limits.used_bytes()
        least = {
            "AS": address_bytes + _ENDING_HEADROOM_BYTES,
            "DATA": data_bytes + _ENDING_HEADROOM_BYTES,
            "STACK": 1 << 20,
        }
        for name, soft in plan.memory.items():
            raised = max(soft, least.get(name, 0))
            limits.set_soft_limit(name, chain.clamped(raised, limits.hard_limit(name)))
    except OSError:
        pass  # Without /proc the size is unknown: no limit is better than no log.
