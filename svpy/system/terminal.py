"""What a command may know of the terminal it writes to."""

import os


def has_colours(fd: int) -> bool:
    """Whether to write colours: on a terminal that is not dumb, for who does not refuse them
    (no-color.org)."""
    return not os.environb.get(b"NO_COLOR") and is_live(fd)


def is_live(fd: int) -> bool:
    """Whether it is a terminal on which a line can be written anew."""
    return os.environb.get(b"TERM", b"dumb") != b"dumb" and os.isatty(fd)


def columns(fd: int) -> "int | None":
    """How wide it is, None if it is no terminal. One that does not say has 80."""
    if not os.isatty(fd):
        return None
    try:
        return os.get_terminal_size(fd).columns or 80
    except OSError:
        return 80
