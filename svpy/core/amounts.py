"""Durations, sizes and shares as a person reads them in a column.

Rules of this module:

- a column stays narrow whatever stands in it: a duration has at most 6 characters, a size 4, a percentage 4
  (below 100 days, 1000 TiB, 100 processors);
- what changes seldom is shown so that it changes seldom: a service that is up for days is not drawn anew
  every second. Rounded down, as svstat's seconds are; only sizes and percentages are rounded to the nearest;
- K M G T are powers of 1024.
"""

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400
_DAYS_WITH_HOURS = 100
_SIZES = b"BKMGTP"


def duration(seconds: float) -> bytes:
    """`7s`, `12m`, `3h05m`, `12d04h`, `365d`. What is below 0 counts as 0."""
    s = max(0, int(seconds))
    if s < _MINUTE_S:
        return b"%ds" % s
    if s < _HOUR_S:
        return b"%dm" % (s // _MINUTE_S)
    if s < _DAY_S:
        return b"%dh%02dm" % (s // _HOUR_S, s % _HOUR_S // _MINUTE_S)
    days, rest = divmod(s, _DAY_S)
    return b"%dd%02dh" % (days, rest // _HOUR_S) if days < _DAYS_WITH_HOURS else b"%dd" % days


def size(size_bytes: int) -> bytes:
    """`0`, `512`, `3.4M`, `27M`, `1.0G`: bytes without a letter."""
    if size_bytes < 1000:
        return b"%d" % size_bytes
    amount = float(size_bytes)
    letter = 0
    # 999.6 would become a fourth digit.
    while amount >= 999.5 and letter < len(_SIZES) - 1:
        amount /= 1024
        letter += 1
    return (b"%.1f" if amount < 9.95 else b"%.0f") % amount + _SIZES[letter : letter + 1]


def percent(share: float) -> bytes:
    """A share of one processor: 0.004 is `0.4`, 3.5 are `350`; less than a twentieth of a percent is `0`."""
    amount = share * 100
    if amount < 0.05:
        return b"0"
    return (b"%.1f" if amount < 9.95 else b"%.0f") % amount
