"""What `svpy` does itself, a module for each first word: `run(words)`, those behind it, to an exit code."""

from svpy.core.errors import FAILED, Die, one_line
from svpy.system import links
from svpy.system.folders import identity_of
from svpy.system.tell import because

PROGRAM = b"svpy"


def folder_of_services(path: bytes) -> bytes:
    """An absolute path of a folder in which services are linked. Raises Die."""
    trouble = PROGRAM + b": fatal: unable to chdir to " + one_line(path)
    try:
        absolute = links.absolute(path)
    except OSError as error:
        raise Die(FAILED, because(trouble, error)) from None
    if identity_of(absolute) is None:
        raise Die(FAILED, trouble + b": it is no folder")
    return absolute
