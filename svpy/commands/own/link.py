"""svpy link: have services supervised: `ln -s` into the folder that svscan scans, and see that they are.

A link that is there already is as good as one that is made: the command may be given again."""

import os
import time

from svpy.commands.own import PROGRAM, folder_of_services
from svpy.core.catalogue import usage
from svpy.core.errors import FAILED, USAGE, Die, one_line
from svpy.core.longoptions import parse
from svpy.core.scan import may_be_service
from svpy.system import links, newfolders
from svpy.system.folders import folder_or_program, identity_of
from svpy.system.leaving import Halves
from svpy.system.seeing import SERVICES
from svpy.system.tell import because, say

TAKEN_WITHIN_S = 7.0
"""svpy's svscan looks at once, Bernstein's each five seconds."""

BEGINS_WITHIN_S = 0.5
"""A svscan that was started just now is in its folder by then."""

_LOOK_EVERY_S = 0.005


def run(words: list[bytes]) -> int:
    found = parse(words, {b"--service": True}, usage(PROGRAM))
    folders = found.words + (found.behind or [])
    if not folders or not all(folders):
        raise Die(USAGE, usage(PROGRAM))
    parent = folder_of_services(dict(found.options).get(b"--service", SERVICES))
    linked: list[tuple[bytes, Halves]] = []
    failed = False
    # All of them before anything is done: looking goes into folders.
    for folder, target in [(folder, _target(folder)) for folder in folders]:
        try:
            linked.append((folder, _link(folder, target, parent)))
        except Die as refused:
            say(refused.message)
            failed = True
    return FAILED if not _wait(linked, parent) or failed else 0


def _target(folder: bytes) -> bytes:
    try:
        return links.absolute(folder)
    except OSError:
        return folder


def _link(folder: bytes, target: bytes, parent: bytes) -> Halves:
    """Raises Die."""
    trouble = PROGRAM + b": fatal: unable to link " + one_line(folder)
    try:
        name = os.path.basename(target)
        link = parent + b"/" + name
        key = identity_of(target)
        if key is None:
            os.listdir(target)  # Says why it is none.
        _expect_a_service(target, trouble)
        if not may_be_service(name):
            raise Die(FAILED, trouble + b": svscan passes over a name that begins with a dot")
        names = links.names_of(parent, key) if key is not None else []
        if names and name not in names:
            raise Die(FAILED, trouble + b": it is linked as " + one_line(parent + b"/" + names[0]))
        if not names:
            if newfolders.is_there(link):
                raise Die(FAILED, trouble + b": " + one_line(link) + b" is another: " + _what(link))
            os.symlink(target, link)
        return Halves(link)
    except OSError as error:
        raise Die(FAILED, because(trouble, error)) from None


def _expect_a_service(target: bytes, trouble: bytes) -> None:
    """Raises Die, OSError."""
    folder_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        is_there = newfolders.is_there(b"run", folder_fd)
        if not folder_or_program(b"run", folder_fd)[1]:
            why = b"its run is no program: chmod +x" if is_there else b"there is no run in it"
            raise Die(FAILED, trouble + b": " + why)
    finally:
        os.close(folder_fd)


def _what(link: bytes) -> bytes:
    return b"it leads to " + one_line(os.readlink(link)) if links.is_link(link) else b"it is no link"


def _wait(linked: list[tuple[bytes, Halves]], parent: bytes) -> bool:
    """Wait until svscan has taken up all of them. Returns whether it has, or will when one is started."""
    began = time.monotonic()
    late = linked
    while late := [(folder, halves) for folder, halves in late if not _is_taken(halves)]:
        waited_s = time.monotonic() - began
        if waited_s > BEGINS_WITHIN_S and links.is_scanned(parent) is False:
            nobody = b": warning: no svscan runs on " + one_line(parent)
            say(PROGRAM + nobody + b": once one does, they are up")
            return True
        if waited_s > TAKEN_WITHIN_S:
            break
        time.sleep(_LOOK_EVERY_S)
    for folder, _ in late:
        say(PROGRAM + b": fatal: " + one_line(folder) + b" is linked, but svscan has not taken it up")
    return not late


def _is_taken(halves: Halves) -> bool:
    try:
        seen = halves.seen()
    except OSError:
        return False
    return seen.service and (seen.logger or not halves.logger_at)
