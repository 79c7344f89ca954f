"""Reading log folders: which files, where in them, and in both directions.

Rules of this module:

- files are read by big blocks, at their places: nothing is kept but the block in hand. Where to begin and to
  end is searched for by labels; only -n's lines are counted, from the end on;
- what has no label yet is opened at once, and then the folder is listed again: if anything was rotated
  meanwhile all that is done anew. Of what was listed the oldest may be gone when its turn comes: it is over;
- the folder's user may have put anything there. Nothing is followed through a link, only regular files are
  read, and no memory is taken by the length of a line: one of more than 16 MB is parted there;
- what a processor has packed is unpacked into a file without a name: gzip, bzip2 and xz, and zstd where the
  standard library has it, known by their first bytes.
"""

import errno
import os
import stat

from svpy.core.errors import error_text
from svpy.core.logfolder import CURRENT, PREVIOUS, PROCESSED
from svpy.core.logorder import (
    EARLIEST,
    LATEST,
    MOST_LINE_BYTES,
    Joint,
    Stretch,
    end_of,
    goes_on,
    label_at,
    last_label,
    next_label,
    ordered,
    search,
)
from svpy.core.tai import LABEL_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BYTES = 1 << 18
_PROBE_BYTES = 1 << 13
_MOST_TRIES = 1000
_SAFE_BIT = 0o100
_HELD = (PREVIOUS, PROCESSED, CURRENT)
_OWN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class File:
    """A file of a log folder; `fd` is -1 as long as it is not open, `size` is how much of it is read."""

    __slots__ = ("fd", "identity", "name", "size")

    def __init__(self, name: bytes, fd: int = -1) -> None:
        self.name = name
        self.fd = fd
        self.size = 0
        self.identity = (0, 0)
        """Device and inode, of what is packed if it is."""

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Log:
    """An open log folder. `warn` is told, in one line, of what cannot be read."""

    __slots__ = ("_warn", "fd", "is_followed", "joint", "path")

    def __init__(self, path: bytes, warn: "Callable[[bytes], None]") -> None:
        """Raises OSError."""
        self.path = path
        self._warn = warn
        self.is_followed = False
        """Then half a line at the end stays in `joint`."""
        self.joint = Joint()
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def files(self) -> list[File]:
        """Those that hold log, the earliest first, those without a label open. Raises OSError."""
        for _ in range(_MOST_TRIES):
            names = self._names()
            held = {name: self._held(name) for name in _HELD if name in names}
            if self._names() == names:
                break
            for file in held.values():
                file.close()
        else:
            held = {}
        is_processed = PROCESSED in held and held[PROCESSED].fd >= 0
        found = []
        for name in ordered(names, is_processed):
            file = held.pop(name, File(name))
            if name not in _HELD:
                found.append(file)
            elif self.open_listed(file):
                if self._has_label(file, names):
                    file.close()
                else:
                    found.append(file)
        for file in held.values():
            file.close()
        return found

    def _names(self) -> set[bytes]:
        return {os.fsencode(name) for name in os.listdir(self.fd)}

    def _held(self, name: bytes) -> File:
        """One that is open if it may be, `processed` only if it is complete."""
        file = File(name)
        try:
            if name != PROCESSED or os.stat(name, dir_fd=self.fd).st_mode & _SAFE_BIT:
                self.open(file)
        except OSError:
            pass
        return file

    def _has_label(self, file: File, names: set[bytes]) -> bool:
        """Whether it is about to lose its name to one with a label, which it has already."""
        found = os.fstat(file.fd)
        if found.st_nlink == 1:
            return False
        for name in names:
            if label_at(name, 0):
                try:
                    other = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
                except OSError:
                    continue
                if os.path.samestat(found, other):
                    return True
        return False

    def open(self, file: File) -> None:
        """Open it, unpacked if it is packed. Raises OSError (EINVAL: it is no file)."""
        fd = os.open(file.name, _OWN, dir_fd=self.fd)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "not a file")
            file.size, file.identity = found.st_size, (found.st_dev, found.st_ino)
            if file.name not in (CURRENT, PREVIOUS) and file.size:
                fd, file.size = self._unpacked(file.name, fd, file.size)
        except OSError:
            os.close(fd)
            raise
        file.fd = fd

    def _unpacked(self, name: bytes, fd: int, size: int) -> tuple[int, int]:
        beginning = os.pread(fd, 16, 0)
        if beginning[:1] in (b"@", b""):
            return fd, size
        from svpy.system.unpacking import unpacked

        plain_fd, trouble = unpacked(fd, beginning)
        if trouble:
            self._warn(b"unable to unpack all of " + self.path + b"/" + name + b": " + trouble)
        if plain_fd == fd:
            return fd, size
        os.close(fd)
        return plain_fd, os.fstat(plain_fd).st_size

    def open_listed(self, file: File) -> bool:
        """Open one that was listed. Not if it has gone since, or cannot be read, which is said."""
        if file.fd >= 0:
            return True
        try:
            self.open(file)
        except OSError as error:
            if error.errno != errno.ENOENT:
                self.warn_of(file.name, error)
            return False
        return True

    def warn_of(self, name: bytes, error: OSError) -> None:
        no_file = error.errno in (errno.EINVAL, errno.ELOOP, errno.ENXIO)
        why = b"not a regular file" if no_file else error_text(error.errno)
        self._warn(b"unable to read " + self.path + b"/" + name + b": " + why)

    def forward(
        self, files: list[File], source: int, since: bytes = EARLIEST, until: bytes = LATEST
    ) -> "Iterator[Stretch]":
        """Whole lines of these files from `since` to `until`, the earliest first. Closes the files."""
        first, begin = self._first(files, since)
        last, last_end = self._last(files, first, begin, until)
        floor = end_of(files[first - 1].name) if first else EARLIEST
        joint = self.joint
        for number, file in enumerate(files[first : last + 1], first):
            if not self.open_listed(file):
                continue
            end = last_end if number == last else file.size
            while begin < end:
                block, taken = block_at(file.fd, begin, end)
                if not taken:
                    break
                begin += taken
                yield Stretch(source, floor, joint.lines(block))
                floor = last_label(block) or floor
            if whole := joint.end(file.name, rest_of(file.fd, begin, end)):
                yield Stretch(source, floor, whole)
            file.close()
            begin, floor = 0, max(floor, label_at(file.name, 0))
        for file in files:
            file.close()
        if not self.is_followed and (whole := joint.leave()):
            yield Stretch(source, floor, whole)

    def _first(self, files: list[File], since: bytes) -> tuple[int, int]:
        """With which of these files, and where in it, it begins to be `since` or later."""
        if since == EARLIEST:
            return 0, 0
        for number, file in enumerate(files):
            if end_of(file.name) >= since and self.open_listed(file):
                begin = _begin(file, since)
                if begin < file.size:
                    return number, begin
            file.close()
        return len(files), 0

    def _last(self, files: list[File], first: int, begin: int, until: bytes) -> tuple[int, int]:
        """With which of these files, and where in it, it begins to be later than `until`."""
        number, end = len(files) - 1, 0
        for number in range(first, len(files)):
            file = files[number]
            is_whole = end_of(file.name) <= until
            if (is_whole and number < len(files) - 1) or not self.open_listed(file):
                continue
            floor = label_at(files[number - 1].name, 0) if number else EARLIEST
            end = file.size if is_whole else _end(file, begin if number == first else 0, floor, until)
            if end < file.size:
                break
        return number, end

    def backward(
        self, files: list[File], since: bytes = EARLIEST, until: bytes = LATEST
    ) -> "Iterator[bytes]":
        """Blocks of whole lines of these files from `until` back to `since`, the last first. Closes the
        files."""
        carry, is_last = b"", True
        first, place = self._first(files, since)
        last, end = self._last(files, first, place, until)
        for number in range(last, first - 1, -1):
            file = files[number]
            if not self.open_listed(file):
                continue
            begin = place if number == first else 0
            at = end if number == last else file.size
            is_end = True
            while at > begin:
                size = min(BLOCK_BYTES, at - begin)
                at -= size
                chunk = os.pread(file.fd, size, at)
                if is_last:
                    chunk = self._ended(chunk)
                    is_last = not chunk
                elif is_end and chunk[-1:] != b"\n" and not (carry and goes_on(file.name, carry)):
                    chunk += b"\n"
                data = chunk + carry
                # At `begin` begins a line. Where else one does, a newline says.
                cut = 0 if at == begin > 0 else data.find(b"\n") + 1 or len(data)
                is_end = cut == len(data) > MOST_LINE_BYTES
                if is_end:
                    cut, data = 0, data if data.endswith(b"\n") else data + b"\n"
                carry = data[:cut]
                if cut < len(data):
                    yield data[cut:]
            file.close()
        for file in files:
            file.close()
        if carry:
            yield carry

    def _ended(self, chunk: bytes) -> bytes:
        """The last chunk: half a line at its end is completed, or kept for who follows."""
        if not self.is_followed:
            return chunk if chunk.endswith(b"\n") else chunk + b"\n"
        cut = chunk.rfind(b"\n") + 1
        if not cut and len(self.joint.half) + len(chunk) > MOST_LINE_BYTES:
            return chunk + b"\n"
        self.joint.half = chunk[cut:] + self.joint.half
        return chunk[:cut]

    def last(
        self,
        files: list[File],
        lines: int,
        since: bytes = EARLIEST,
        until: bytes = LATEST,
        select: "Callable[[bytes], bytes]" = bytes,
    ) -> list[bytes]:
        """Blocks with the last lines, of those that `select` leaves. Closes the files."""
        found: list[bytes] = []
        count = 0
        reading = self.backward(files, since, until)
        while count < lines and (block := next(reading, None)) is not None:
            if block := select(block):
                found.append(block)
                count += block.count(b"\n")
        for file in files:
            file.close()
        found.reverse()
        return trimmed(found, lines)


def trimmed(blocks: list[bytes], lines: int) -> list[bytes]:
    """The last lines of blocks of whole lines."""
    spare = sum(block.count(b"\n") for block in blocks) - lines
    kept = list(blocks)
    while spare > 0 and kept:
        count = kept[0].count(b"\n")
        if count <= spare:
            del kept[0]
        else:
            at = 0
            for _ in range(spare):
                at = kept[0].index(b"\n", at) + 1
            kept[0] = kept[0][at:]
        spare -= count
    return kept


def block_at(fd: int, at: int, end: int) -> tuple[bytes, int]:
    """A block of whole lines from `at` on, where one begins, and how much of the file that is: nothing if no
    line ends before `end`. Raises OSError."""
    most_bytes = BLOCK_BYTES
    while True:
        data = os.pread(fd, min(most_bytes, end - at), at)
        cut = data.rfind(b"\n") + 1
        if cut:
            return (data if cut == len(data) else data[:cut]), cut
        if len(data) >= MOST_LINE_BYTES:
            return data + b"\n", len(data)
        if len(data) < most_bytes:
            return b"", 0
        most_bytes = min(most_bytes * 4, MOST_LINE_BYTES)


def rest_of(fd: int, at: int, end: int) -> bytes:
    """What is there behind the last newline, where that is at `at`. Raises OSError."""
    return os.pread(fd, end - at, at) if at < end else b""


def whole_lines(fd: int, size: int) -> int:
    """Where the last line ends that is whole, of so many bytes; where so much is none, it is parted there.
    Raises OSError."""
    at, floor = size, max(0, size - MOST_LINE_BYTES)
    while at > floor:
        begin = max(0, at - BLOCK_BYTES)
        newline = os.pread(fd, at - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        at = begin
    return size if floor else 0


def _begin(file: File, since: bytes) -> int:
    """Where it begins to be `since` or later, its size if nowhere. What has no label at all is as late as its
    file's name."""
    found = _searched(file, 0, since, is_past=False)
    return 0 if found == file.size and not _probe(file, 0)[1] else found


def _end(file: File, begin: int, floor: bytes, until: bytes) -> int:
    """Where it begins to be later than `until`, its size if nowhere. What has no label at all begins with
    `floor`."""
    at, first = _probe(file, begin)
    if not first:
        return begin if floor > until else file.size
    return at if first > until else _searched(file, begin, until, is_past=True)


def _searched(file: File, begin: int, label: bytes, is_past: bool) -> int:
    steps = search(begin, file.size, label, is_past)
    try:
        place = next(steps)
        while True:
            place = steps.send(_probe(file, place))
    except StopIteration as done:
        return int(done.value)


def _probe(file: File, at: int) -> tuple[int, bytes]:
    """Where the first line begins that has a label, of those that begin at `at` or later, and the label.
    It is not looked for in more than a line may have: who made the file may have made it endless."""
    if at == 0 and (label := label_at(os.pread(file.fd, LABEL_BYTES, 0), 0)):
        return 0, label
    at = max(0, at - 1)
    most_bytes = _PROBE_BYTES
    end = min(file.size, at + MOST_LINE_BYTES)
    while at < end:
        window = os.pread(file.fd, min(most_bytes, file.size - at), at)
        found, label = next_label(window, 0)
        if label:
            return at + found, label
        if len(window) <= LABEL_BYTES + 1:
            break
        # A label may have begun at its end.
        at += len(window) - LABEL_BYTES - 1
        most_bytes = min(most_bytes * 2, BLOCK_BYTES)
    return -1, b""
