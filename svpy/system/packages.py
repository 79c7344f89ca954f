"""The packages of the system, or of the virtual environment, in reach of a command that starts without them.

Most commands are started without the module site (packaging/launchers), which costs a third of an
interpreter's start. What needs a library only sometimes asks for it then.
"""

import sys

_are_in_reach = False


def let_in() -> None:
    """From now on what is installed can be imported, found as an interpreter that does not leave site out
    (-S) would find it; what could be imported before goes on coming first."""
    global _are_in_reach
    if _are_in_reach or not sys.flags.no_site:
        return
    import site

    site.main()
    _are_in_reach = True
