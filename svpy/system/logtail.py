"""The end of a log folder, for whoever shows it."""

from svpy.core.localtime import Localizer
from svpy.system.calendar import local_time
from svpy.system.logreading import Log


def tail(folder: bytes, lines: int) -> list[bytes]:
    """The last lines of a multilog folder, without their newlines, the labels in local time; read from the
    end on, over rotations. Raises OSError if the folder cannot be read; a file in it that cannot is passed
    over."""
    log = Log(folder, lambda trouble: None)
    try:
        blocks = log.last(log.files(), lines)
    finally:
        log.close()
    text = Localizer(local_time).rewrite(b"".join(blocks)) if blocks else b""
    return text.split(b"\n")[:-1]
