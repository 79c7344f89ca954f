"""Going into folders one after the other, and back."""

import os

from svpy.core.errors import FAILED, Die
from svpy.system.tell import because


class Origin:
    """The folder a command was started in. `program` stands before what goes wrong with it."""

    def __init__(self, program: bytes) -> None:
        """Raises Die."""
        self._program = program
        try:
            self._fd = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._die(b"unable to open current directory", error) from error

    def back(self) -> None:
        """Raises Die."""
        try:
            os.fchdir(self._fd)
        except OSError as error:
            raise self._die(b"unable to set directory", error) from error

    def _die(self, what: bytes, error: OSError) -> Die:
        return Die(FAILED, because(self._program + b": fatal: " + what, error))
