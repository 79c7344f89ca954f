"""Accounts: looking one up, and becoming it."""

import os
import pwd

_UNSIGNED = 0xFFFFFFFF


def find_account(name: bytes) -> tuple[int, int] | None:
    """(uid, gid) of an account, None if there is none of that name."""
    try:
        found = pwd.getpwnam(os.fsdecode(name))
    except KeyError:
        return None
    return found.pw_uid & _UNSIGNED, found.pw_gid & _UNSIGNED


def take_group(gid: int) -> None:
    """Have `gid` and no other group. Raises OSError."""
    os.setgroups([gid])
    os.setgid(gid)


def take_user(uid: int) -> None:
    """Be `uid` for good, if it is root who does it. Raises OSError."""
    os.setuid(uid)
