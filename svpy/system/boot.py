"""What svscanboot asks of Linux."""

import os

from svpy.system.dispositions import DEFAULTED
from svpy.system.environment import mapping


def silence() -> None:
    """stdin, stdout and stderr on /dev/null, one to read and two to write. Raises OSError."""
    for standard, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        fd = os.open(b"/dev/null", flags | os.O_CLOEXEC)
        if fd == standard:
            os.set_inheritable(fd, True)
        else:
            os.dup2(fd, standard)
            os.close(fd)


def services(folder: bytes) -> list[bytes]:
    """What the shell makes of FOLDER/* and then FOLDER/*/log."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = [folder + b"/" + name for name in names if not name.startswith(b".")]
    return found + [path + b"/log" for path in found if os.path.lexists(path + b"/log")]


def start_reader(path: bytes, argv: list[bytes], environ: list[bytes]) -> int:
    """Start a program that reads a pipe. Returns the pipe's writing end. Raises OSError."""
    read_fd, write_fd = os.pipe()
    moves = [(os.POSIX_SPAWN_DUP2, read_fd, 0)]
    os.posix_spawn(path, argv, mapping(environ), file_actions=moves, setsigdef=DEFAULTED)
    os.close(read_fd)
    return write_fd


def speak_into(fd: int) -> None:
    """stdout and stderr into a pipe."""
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
