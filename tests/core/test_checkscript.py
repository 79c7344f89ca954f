"""What scripts ask for: those of qmail's and djbdns' documents, and what nobody can know of others."""

from __future__ import annotations

import pytest

from svpy.core import shscript
from svpy.core.checkscript import Reading, read

PATH = b"/usr/local/bin:/usr/bin:/bin"

LIFE_WITH_QMAIL = rb"""#!/bin/sh
QMAILDUID=`id -u qmaild`
NOFILESGID=`id -g qmaild`
MAXSMTPD=`cat /var/qmail/control/concurrencyincoming`
LOCAL=`head -1 /var/qmail/control/me`

if [ -z "$QMAILDUID" -o -z "$NOFILESGID" -o -z "$MAXSMTPD" -o -z "$LOCAL" ]; then
    echo QMAILDUID, NOFILESGID, MAXSMTPD, or LOCAL is unset in
    echo /var/qmail/supervise/qmail-smtpd/run
    exit 1
fi

if [ ! -f /var/qmail/control/rcpthosts ]; then
    echo "No /var/qmail/control/rcpthosts!"
    echo "Refusing to start SMTP listener because it'll create an open relay"
    exit 1
fi

exec /usr/local/bin/softlimit -m 2000000 \
    /usr/local/bin/tcpserver -v -R -l "$LOCAL" -x /etc/tcp.smtp.cdb -c "$MAXSMTPD" \
        -u "$QMAILDUID" -g "$NOFILESGID" 0 smtp /var/qmail/bin/qmail-smtpd 2>&1
"""
DNSCACHE = rb"""#!/bin/sh
exec 2>&1
exec <seed
exec envdir ./env sh -c '
  exec envuidgid Gdnscache softlimit -o250 -d "$DATALIMIT" /usr/local/bin/dnscache
'
"""
AXFRDNS = rb"""#!/bin/sh
exec 2>&1
exec envdir ./env sh -c '
  exec envuidgid axfrdns softlimit -d300000 tcpserver -vDRHl0 -x tcp.cdb -- "$IP" 53 /usr/local/bin/axfrdns
'
"""
RUNIT = rb"""#!/bin/sh -e
exec 2>&1
exec chpst -v -u gitlog:adm -m 4000000 -e ./env -/ /srv/root tcpserver -c 10 -- 0 9418 git daemon
"""


def of(text: bytes) -> Reading:
    return read(shscript.read(text), PATH)


def names(reading: Reading) -> list[bytes]:
    return [program.name for program in reading.programs]


def test_life_with_qmail() -> None:
    reading = of(LIFE_WITH_QMAIL)
    assert names(reading) == [b"softlimit", b"tcpserver", b"qmail-smtpd"]
    softlimit, tcpserver, smtpd = reading.programs
    assert (tcpserver.address_bytes, smtpd.data_bytes, smtpd.limited_at) == (2000000, 2000000, 19)
    assert softlimit.address_bytes is None
    assert (tcpserver.is_main, smtpd.is_main) == (True, False)
    (listen,) = reading.listens
    assert (listen.host, listen.port, listen.line, listen.account) == (b"0", b"smtp", 21, b"")
    assert [named.name for named in reading.rules] == [b"/etc/tcp.smtp.cdb"]
    assert (reading.is_exec, reading.may_redirect, reading.mistakes) == (True, True, [])


def test_djbdns() -> None:
    reading = of(DNSCACHE)
    assert names(reading) == [b"envdir", b"sh"]
    assert [named.name for named in reading.envdirs] == [b"./env"]
    assert reading.programs[-1].key is None  # env may have a PATH
    assert names(of(AXFRDNS)) == [b"envdir", b"sh"]


def test_runit() -> None:
    """chpst -/ leads into another root: of what is there nothing is known."""
    reading = of(RUNIT)
    assert names(reading) == [b"chpst"]
    assert [(named.name, named.by) for named in reading.accounts] == [(b"gitlog", b"chpst")]
    reading = of(RUNIT.replace(b"-/ /srv/root ", b""))
    assert names(reading) == [b"chpst", b"tcpserver", b"git"]
    assert [(each.host, each.port, each.account) for each in reading.listens] == [(b"0", b"9418", b"gitlog")]
    assert reading.programs[1].address_bytes == 4000000


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"exec a", PATH),
        (b"PATH=/x\nexec a", b"/x"),
        (b"PATH=/x:$PATH\nexport PATH\nexec a", b"/x:" + PATH),
        (b'export PATH="/x:${PATH}"\nexec a', b"/x:" + PATH),
        (b"X=/x; PATH=$X:/y\nexec a", b"/x:/y"),
        (b"PATH=/x exec a", b"/x"),
        (b"exec env PATH=/x a", b"/x"),
        (b'exec env - PATH="/x:$PATH" a', b"/x:" + PATH),
        (b"exec env -i a", b"/bin:/usr/bin"),
        (b"PATH=`x`\nexec a", None),
        (b"PATH=$Y\nexec a", None),
        (b"if x; then PATH=/y; fi\nexec a", None),
        (b"x && PATH=/y\nexec a", None),
        (b". ./settings\nexec a", None),
        (b"eval x\nexec a", None),
        (b"$SETUP\nexec a", None),
        (b"read PATH\nexec a", None),
        (b"unset PATH\nexec a", None),
        (b"for PATH in /x /y; do :; done\nexec a", None),
        (b"exec envdir ./env a", None),
    ],
)
def test_where_a_program_is_looked_for(text: bytes, path: bytes | None) -> None:
    program = of(text).programs[-1]
    assert (program.word, program.path) == (b"a", path)


@pytest.mark.parametrize(
    ("text", "cwd"),
    [
        (b"exec ./a", b"."),
        (b"cd /x\nexec ./a", b"/x"),
        (b"cd x\nexec ./a", None),
        (b"cd /x || exit 1\nexec ./a", None),
        (b"cd $X\nexec ./a", None),
        (b"exec setuser b ./a", None),
        (b"exec chpst -C /x ./a", None),
    ],
)
def test_where_a_program_is(text: bytes, cwd: bytes | None) -> None:
    program = of(text).programs[-1]
    assert (program.word, program.cwd) == (b"./a", cwd)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"exec $TOOL a", []),
        (b"exec setuidgid $X a", [b"setuidgid", b"a"]),
        (b"exec setuidgid $X$Y a", [b"setuidgid"]),
        (b'exec setuidgid "$X" a', [b"setuidgid", b"a"]),
        (b"exec setuidgid * a", [b"setuidgid"]),
        (b"exec softlimit $LIMITS a", [b"softlimit"]),
        (b"exec nice -n 5 a", [b"nice", b"a"]),
        (b"exec nice -5 a", [b"nice", b"a"]),
        (b"exec nice --what a", [b"nice"]),
        (b"exec env -u X a", [b"env"]),
        (b"exec tcpserver $OPTIONS 0 25 a", [b"tcpserver"]),
        (b"exec tcpserver -Z 0 25 a", [b"tcpserver"]),
        (b'exec tcpserver -c "$C" 0 25 rblsmtpd -r x a', [b"tcpserver", b"rblsmtpd", b"a"]),
        (b"a && exec b", []),
        (b"if a; then exec b; else exec c; fi", []),
        (b"a | b", []),
        (b"a\nb", [b"b"]),
        (b"a\nb &", []),
        (b"a\nwait", []),
        (b"a() { b; }\na", []),
        (b"exec a\nnot ( sh", [b"a"]),
    ],
)
def test_how_far_a_chain_is_known(text: bytes, expected: list[bytes]) -> None:
    assert names(of(text)) == expected


def test_what_grows_without_end_is_not_followed() -> None:
    doubled = b"A=x\n" + b"A=$A$A\n" * 5000 + b"exec $A"
    assert names(of(doubled)) == []
    assert len(of(b"exec " + b"nice " * 10000 + b"a").programs) == 100


@pytest.mark.parametrize(
    ("text", "may"),
    [(b"exec a", False), (b"exec 2>&1\nexec a", True), (b"exec a 2>&1", True), (b"exec a 2>/dev/null", True),
     (b"exec >&log\nexec a", True), (b"b 2>&1\nexec a", False), (b"if b; then exec 2>&1; fi\nexec a", True),
     (b". ./b\nexec a", True), (b"exec a >log", False)],
)  # fmt: skip
def test_whether_stderr_goes_somewhere(text: bytes, may: bool) -> None:
    assert of(text).may_redirect == may
