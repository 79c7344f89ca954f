"""Where the files are that came with svpy and are no modules: the services of its folder service/.

With an installation they are in share/svpy/service beside the folder of the commands, wheel or Debian's
package; with a checkout that is run as it is, beside the package svpy itself."""

import os

import svpy
from svpy.system import installed


def service_folder() -> bytes | None:
    """The folder of the services that come with svpy, None if they were not installed."""
    beside_commands = installed.folder() + b"/../share/svpy/service"
    beside_modules = os.path.dirname(os.path.dirname(os.fsencode(svpy.__file__))) + b"/service"
    for folder in (beside_commands, beside_modules):
        if os.path.isdir(folder):
            return os.path.realpath(folder)
    return None


def read(path: bytes) -> bytes:
    """A file of theirs. Raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123  pathlib is slow to import
        return file.read()
