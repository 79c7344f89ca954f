"""trio: wait for something, ask core, let system do it.

trio 0.23 and newer look for libpthread while they are imported, to give threads names, of which we have none:
through ldconfig, a process more at every start, and where that does not find it through a compiler and a
temporary file, without which they cannot be imported. A container may have none of these.
"""

import ctypes.util


def _nowhere(name: str) -> str | None:
    return None


_find_library = ctypes.util.find_library
ctypes.util.find_library = _nowhere
try:
    import trio  # noqa: F401  this is where it looks; everyone else finds it imported
except Exception:
    pass  # Whoever needs it imports it and says so; PID 1 of a machine can end it without.
finally:
    ctypes.util.find_library = _find_library
