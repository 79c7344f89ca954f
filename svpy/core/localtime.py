"""tai64nlocal's work: labels at the beginning of a line become local time.

Rules of this module:

- a label is `@` at the beginning of a line and the lower-case hex digits after it, up to the first
  other byte; as in C their number is free: the last eight are nanoseconds, the sixteen before them
  TAI seconds, what is missing is 0;
- it is shown as `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`, the rest of the line as it is;
- a second that the calendar cannot show is passed on as it came, where C crashes; so are more than
  4096 digits, which would otherwise have to be kept in mind without end;
- digits that end the input without another byte after them are not shown, as in C.
"""

from svpy.core.tai import UNIX_EPOCH_TAI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEX = b"0123456789abcdef"
_SECOND_DIGITS = 16
_LABEL_DIGITS = 24
_LABEL_END = 25
_MOST_DIGITS = 4096
_MODULUS = 2**64

_LINE_START, _IN_LABEL, _IN_LINE = range(3)


class Localizer:
    """Rewrites a stream, chunk by chunk; how the stream is cut into chunks makes no difference.

    `calendar` takes a Unix second and returns local year, month, day, hour, minute, second (and
    more, which is ignored), or None if there is no such date."""

    __slots__ = ("_cached_seconds", "_cached_text", "_calendar", "_digits", "_where")

    def __init__(self, calendar: "Callable[[int], Sequence[int] | None]") -> None:
        self._calendar = calendar
        self._cached_seconds = b""
        self._cached_text: bytes | None = None
        self._digits = b""
        self._where = _LINE_START

    def rewrite(self, chunk: bytes) -> bytes:
        """What is to be written for `chunk`, which is not empty."""
        if self._where == _IN_LABEL:
            digits, self._digits = self._digits, b""
            return self._labels(digits + chunk)
        if self._where == _LINE_START and chunk.startswith(b"@"):
            return self._labels(chunk[1:])
        # From here on every label follows a newline.
        head, found, tail = chunk.partition(b"\n@")
        if found:
            return head + b"\n" + self._labels(tail)
        self._where = _LINE_START if chunk.endswith(b"\n") else _IN_LINE
        return chunk

    def _labels(self, text: bytes) -> bytes:
        """`text` begins with the digits of a label; sets where its end leaves us."""
        *lines, last = text.split(b"\n@")
        shown = []
        second, date = self._cached_seconds, self._cached_text
        for line in lines:
            # Most labels are those of multilog, and of the same second as the one before.
            if date is not None and line[:_SECOND_DIGITS] == second:
                ns = line[_SECOND_DIGITS:_LABEL_DIGITS]
                if line[_LABEL_DIGITS:_LABEL_END] == b" " and not ns.strip(_HEX):
                    shown.append(b"%b.%09d%b\n" % (date, int(ns, 16), line[_LABEL_DIGITS:]))
                    continue
            shown.append(self._line(line + b"\n"))
            second, date = self._cached_seconds, self._cached_text
        rest = last.lstrip(_HEX)
        if not rest and len(last) <= _MOST_DIGITS:
            self._digits = last
            self._where = _IN_LABEL
        else:
            shown.append(self._line(last))
            self._where = _LINE_START if last.endswith(b"\n") else _IN_LINE
        return b"".join(shown)

    def _line(self, text: bytes) -> bytes:
        """A line, or several, of which the first begins with the digits of a label."""
        digits, rest = text[:_LABEL_DIGITS], text[_LABEL_DIGITS:]
        if len(digits) < _LABEL_DIGITS or digits.lstrip(_HEX) or rest[:1] in _HEX_DIGITS:
            rest = text.lstrip(_HEX)
            digits = text[: len(text) - len(rest)]
            if len(digits) > _MOST_DIGITS:
                return b"@" + text
            return self._shown(digits[-_LABEL_DIGITS:].rjust(_LABEL_DIGITS, b"0"), b"@" + digits) + rest
        return self._shown(digits, b"@" + digits) + rest

    def _shown(self, digits: bytes, original: bytes) -> bytes:
        seconds = digits[:_SECOND_DIGITS]
        if seconds != self._cached_seconds:
            self._cached_seconds = seconds
            self._cached_text = self._date(int(seconds, 16))
        if self._cached_text is None:
            return original
        return b"%b.%09d" % (self._cached_text, int(digits[_SECOND_DIGITS:], 16))

    def _date(self, tai_s: int) -> bytes | None:
        unix_s = (tai_s - UNIX_EPOCH_TAI) % _MODULUS
        if unix_s >= _MODULUS // 2:
            unix_s -= _MODULUS
        fields = self._calendar(unix_s)
        if fields is None:
            return None
        year, *others = fields[:6]
        # C prints the year as an unsigned number.
        return b"%d-%02d-%02d %02d:%02d:%02d" % (year % _MODULUS, *others)


_HEX_DIGITS = frozenset(bytes((digit,)) for digit in _HEX)
