"""Accounts: looking one up, and becoming it."""

import os
import pwd

from svpy.core.chain import numeric_ids

_UNSIGNED = 0xFFFFFFFF


class Account:
    """What the account database says of an account."""

    __slots__ = ("gid", "home", "name", "shell", "uid")

    def __init__(self, found: pwd.struct_passwd) -> None:
        self.name = os.fsencode(found.pw_name)
        self.uid = found.pw_uid & _UNSIGNED
        self.gid = found.pw_gid & _UNSIGNED
        self.home = os.fsencode(found.pw_dir)
        self.shell = os.fsencode(found.pw_shell)


def find_account(name: bytes) -> Account | None:
    """None if there is none of that name, or, as in C, if nobody can tell."""
    try:
        return Account(pwd.getpwnam(os.fsdecode(name)))
    except KeyError:
        return None


def account_of(uid: int) -> Account | None:
    """The first account that has this uid; None as above."""
    try:
        return Account(pwd.getpwuid(uid))
    except KeyError:
        return None


def find_ids(word: bytes) -> tuple[int, ...] | None:
    """uid, gid and further gids of an account or of numbers (core/chain.py). A name that is all digits wins,
    as in C. None if there is no such account: of a bare uid that none has, no gid is known, and none is
    invented."""
    account = find_account(word)
    if account is None:
        uid, gids = numeric_ids(word) or (None, [])
        if uid is not None and gids:
            return (uid, *gids)
        account = None if uid is None else account_of(uid)
    return None if account is None else (account.uid, account.gid)


def may_write(ids: tuple[int, ...], folder: bytes) -> bool:
    """Whether who has these ids, and no more rights, may make files in a folder. Asked by a child that has
    them: what modes and lists of rights on all the way there come to, only the kernel knows."""
    pid = os.fork()
    if pid == 0:
        try:
            take_groups(ids[1], ids[2:])
            take_user(ids[0])
            os._exit(0 if os.access(folder, os.W_OK | os.X_OK) else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def stands_in(path: str, name: bytes) -> bool:
    """Whether that file of accounts (passwd(5)) has one of that name; not if it can't be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is slow to import
            return b"\n" + name + b":" in b"\n" + file.read()
    except OSError:
        return False


def take_groups(gid: int, others: "tuple[int, ...] | list[int]" = ()) -> None:
    """Have the group `gid`, these others, and no more. Raises OSError."""
    os.setgroups([gid, *others])
    os.setgid(gid)


def take_all_groups(account: Account) -> None:
    """Have the supplementary groups that the group database gives an account. Raises OSError."""
    os.initgroups(os.fsdecode(account.name), account.gid)


def take_user(uid: int) -> None:
    """Be `uid` for good, if it is root who does it. Raises OSError."""
    os.setuid(uid)
