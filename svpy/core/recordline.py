"""What may be read of a record (core/record.py) by who only wants to know how a process was started: svstat,
which imports nothing that takes long."""

MAGIC = b"svpy "
SIZE_BYTES = 160
VERSION = b"1"
VERSION_OF_NATIVES = b"2"
_PID_FIELD = 3


_HELD_FIELDS = slice(8, 10)
_ALONE = [b"0", b"0"]


def runs_natively(line: bytes, pid: int) -> bool | None:
    """Whether the process `pid` runs natively; None if the record is none, or of another process."""
    fields = line.split()
    if not line.startswith(MAGIC) or len(fields) <= _PID_FIELD or fields[_PID_FIELD] != b"%d" % pid:
        return None
    return {VERSION: False, VERSION_OF_NATIVES: True}.get(fields[1])


def shares_its_process(line: bytes, pid: int) -> bool:
    """Whether it runs natively in a process that hosts other loggers as well."""
    return bool(runs_natively(line, pid)) and line.split()[_HELD_FIELDS] != _ALONE
