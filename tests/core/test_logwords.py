"""Which words of a logger's script are log folders."""

from __future__ import annotations

import pytest

from svpy.core.logwords import MOST_BYTES, folders

CERTAIN = [
    (b"#!/bin/sh\nexec setuidgid log multilog t ./main\n", [b"./main"]),
    (b"#!/bin/sh\nexec softlimit -m 3000000 setuidgid log multilog t n20 ./main /var/log/a\n",
     [b"./main", b"/var/log/a"]),
    (b"#!/bin/sh\nexec multilog t '-*' '+/no/folder' e '!./gzip' ./main ./main\n", [b"./main"]),
    (b"exec multilog t e\n", []),
]  # fmt: skip
READ = [
    (b"#!/bin/bash\nexec multilog t ./main\n", [b"./main"]),
    (b"#!/bin/sh\nLOGDIR=/var/log/x\nexec setuidgid log multilog t $LOGDIR \"${LOGDIR}/more\"\n",
     [b"/var/log/x", b"/var/log/x/more"]),
    (b"#!/bin/sh\nexport A='/a b' B=\"/b\"\nexec multilog \"$A$B\" '$A' \"\\$A\" /x\\ y\n",
     [b"/a b/b", b"/x y"]),
    (b"#!/bin/sh\nA=`date`\nexec multilog t ./$A ./a* ./b$(x) $B/c ~/d ./main\n", [b"./main"]),
    (b"#!/bin/sh\ntest -d /x && exec multilog t ./main >/dev/null 2>&1 <./in > ./out\n", [b"./main"]),
    (b"#!/bin/sh\ntai64n | multilog ./a & multilog ./b; # multilog ./c\n", [b"./a", b"./b"]),
    (b"#!/bin/sh\ncd /elsewhere\nexec multilog t ./main /a\n", [b"/a"]),
    (b"#!/bin/sh\nmkdir -p /x\nexec \\\n  /command/multilog t \\\n ./ma#in \\\n", [b"./ma#in"]),
    (b"#!/bin/sh\nexec svlogd -tt ./main\n", [b"./main"]),
    (b"#!/command/execlineb -P\ns6-setuidgid log\ns6-log n20 t /var/log/x\n", [b"/var/log/x"]),
    (b"#!/bin/sh\nif [ -x /y ]; then exec multilog ./a; else exec multilog ./b; fi\n", [b"./a", b"./b"]),
    (b"#!/bin/sh\nexec multilog ./a './b\n", [b"./a"]),
    (b"#!/bin/sh\nexec multilog ./a \"./b\n", [b"./a"]),
    (b"#!/bin/sh\necho multilogs ./x\nexec cat\n", []),
    (b"\177ELF\0multilog ./x\n", []),
    (b"", []),
    (b"#!/bin/sh\n#" + MOST_BYTES * b"-" + b"\nexec multilog ./a $X\n", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "named"), CERTAIN)
def test_what_is_certain(text: bytes, named: list[bytes]) -> None:
    assert folders(text) == (named, True)


@pytest.mark.parametrize(("text", "named"), READ)
def test_what_is_read_with_care(text: bytes, named: list[bytes]) -> None:
    assert folders(text) == (named, False)


@pytest.mark.parametrize("sign", [b"'", b'"', b"\\", b"#", b"$", b"`", b"${", b"(", b"<", b"2>&", b"*"])
def test_any_rubbish_is_read_to_its_end(sign: bytes) -> None:
    for times in (1, 2, 4000):
        folders(sign * times)
        folders(b"multilog ./a" + sign * times + b"x ./b")
