"""A file of variables: what each line means, what is refused and where, and that quoting loses nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.envfile import BadFile, file_changes
from svpy.core.environment import changed

TAKEN = [
    (b"", []),
    (b"\n \n\t\r\n", []),
    (b"# A=1\n  #\n\t# A=2", []),
    (b"A=1", [b"A=1"]),
    (b"A=1\n\nB=2\n", [b"A=1", b"B=2"]),
    (b"A=1\r\nB=2\r\n", [b"A=1", b"B=2"]),
    (b"A=1\rB=2\n", [b"A=1\rB=2"]),
    (b"\xef\xbb\xbfA=1\n", [b"A=1"]),
    (b"\t A \t= 1 \t\n", [b"A=1"]),
    (b"export A=1\n  export\t B=2\nexport=3\nexport =4", [b"A=1", b"B=2", b"export=4"]),
    (b"_a.b-C9=x", [b"_a.b-C9=x"]),
    (b"A=", [b"A="]),
    (b"A= \t", [b"A="]),
    (b"A=''\nB=\"\"", [b"A=", b"B="]),
    (b"A=one  two\\n 'three' \"four\"", [b"A=one  two\\n 'three' \"four\""]),
    (b"A=it's", [b"A=it's"]),
    (b"A==b=c", [b"A==b=c"]),
    (b"A=x # y # z", [b"A=x"]),
    (b"A=x\t#y", [b"A=x"]),
    (b"A=x#y", [b"A=x#y"]),
    (b"A=#y", [b"A=#y"]),
    (b"A= #y", [b"A="]),
    (b"A=$HOME `id` $(id) ${A:-b} %i", [b"A=$HOME `id` $(id) ${A:-b} %i"]),
    (b"A='$HOME \\n \\' # c\nB=1", [b"A=$HOME \\n \\", b"B=1"]),
    (b"A=' x ' \t# it's\n", [b"A= x "]),
    (b'A="a\\nb\\rc\\td\\"e\\\\f\\$g\\`h"', [b'A=a\nb\rc\td"e\\f$g`h']),
    (b'A="\\x\\\'\\0\\a"', [b"A=\\x\\'\\0\\a"]),
    (b'A="one\\\ntwo"', [b"A=onetwo"]),
    (b'A="one\\\r\ntwo\r\nthree"\r\nB=1\r\n', [b"A=onetwo\nthree", b"B=1"]),
    (b"A='one\r\n# two\n'\nB=1", [b"A=one\n# two\n", b"B=1"]),
    (b'A="\\\\"\nB="\\""', [b"A=\\", b'B="']),
    (b"A=1\nB=2\nA=3", [b"B=2", b"A=3"]),
    (b"A=\xff\xfe\x01", [b"A=\xff\xfe\x01"]),
    (b"# a NUL \0 is nobody's business here\nA=1", [b"A=1"]),
]

REFUSED = [
    (b"A", 1, b"not NAME=value"),
    (b"\n#\nexport A\n", 3, b"not NAME=value"),
    (b"=x", 1, b"not NAME=value"),
    (b"export =x\n =x", 2, b"not NAME=value"),
    (b"9A=x", 1, b"not NAME=value"),
    (b"-A=x", 1, b"not NAME=value"),
    (b".A=x", 1, b"not NAME=value"),
    (b"A B=x", 1, b"not NAME=value"),
    (b"exportA B=x", 1, b"not NAME=value"),
    (b"A\0=x", 1, b"not NAME=value"),
    (b"\xc3\xa4=x", 1, b"not NAME=value"),
    (b"BASH_FUNC_x%%=() { :; }", 1, b"not NAME=value"),
    (b"A[0]=x", 1, b"not NAME=value"),
    (b"; A=x", 1, b"not NAME=value"),
    (b"A=1\r\nA=b\0c", 2, b"a NUL in a value"),
    (b"A='\0'", 1, b"a NUL in a value"),
    (b"A='one\ntwo'\nB=\"\n\n", 3, b"a quote that is not closed"),
    (b"A=' \nB=1\n", 1, b"a quote that is not closed"),
    (b'A="\\"', 1, b"a quote that is not closed"),
    (b'A="\\', 1, b"a quote that is not closed"),
    (b"A='one'two", 1, b"something behind the closing quote"),
    (b"A='one' 'two'", 1, b"something behind the closing quote"),
    (b'A="one"#two', 1, b"something behind the closing quote"),
    (b"A='\n'\nB='\n' x\n", 3, b"something behind the closing quote"),
]

NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*=[^\0]*", re.S)
names = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,5}\Z").map(str.encode)
values = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b""))
tricky = st.lists(st.sampled_from(list("\\\"'$`# \tnrA=\n")), max_size=12).map("".join).map(str.encode)


@pytest.mark.parametrize(("content", "changes"), TAKEN)
def test_taken(content: bytes, changes: list[bytes]) -> None:
    assert file_changes(content) == changes


@pytest.mark.parametrize(("content", "line", "reason"), REFUSED)
def test_refused(content: bytes, line: int, reason: bytes) -> None:
    with pytest.raises(BadFile) as refusal:
        file_changes(content)
    assert (refusal.value.line, refusal.value.reason) == (line, reason)


def in_double_quotes(value: bytes) -> bytes:
    for byte, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\r", b"\\r")):
        value = value.replace(byte, escaped)
    return b'"' + value + b'"'


def in_single_quotes(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"").replace(b"\r", b"") + b"'"


@given(st.dictionaries(names, values | tricky, max_size=6), st.sampled_from([b"", b"export ", b" "]))
def test_what_is_in_double_quotes_comes_back(settings: dict[bytes, bytes], before: bytes) -> None:
    lines = [before + name + b"=" + in_double_quotes(value) + b"\n" for name, value in settings.items()]
    assert file_changes(b"".join(lines)) == [name + b"=" + value for name, value in settings.items()]


@given(st.dictionaries(names, values | tricky, max_size=6), st.sampled_from([b"", b" ", b" # 'x\""]))
def test_what_is_in_single_quotes_is_itself(settings: dict[bytes, bytes], behind: bytes) -> None:
    settings = {name: in_single_quotes(value) for name, value in settings.items()}
    text = b"".join(name + b" = " + value + behind + b"\n" for name, value in settings.items())
    assert file_changes(text) == [name + b"=" + value[1:-1] for name, value in settings.items()]


pieces = st.sampled_from(
    [b"A", b"B=", b"=", b'"', b"'", b"\\", b"\n", b"\r\n", b" ", b"#", b"export ", b"$x", b"\0", b"\xff"]
)


@given(st.lists(pieces, max_size=20).map(b"".join) | st.binary(max_size=30))
def test_a_hostile_file_sets_variables_or_is_refused(content: bytes) -> None:
    try:
        changes = file_changes(content)
    except BadFile as bad:
        assert 1 <= bad.line <= content.count(b"\n") + 1
        return
    assert all(NAME.fullmatch(change) for change in changes)
    found = [change.partition(b"=")[0] for change in changes]
    assert len(found) == len(set(found))


@given(st.lists(st.binary(max_size=8).filter(lambda data: not set(data) & set(b"\r\n\0'\"")), max_size=5))
def test_lines_without_quotes_end_where_they_end(lines: list[bytes]) -> None:
    """Each line says the same alone as among others, whatever ends it."""

    def said(content: bytes) -> list[bytes] | int:
        try:
            return file_changes(content)
        except BadFile as bad:
            return bad.line

    alone = [said(line) for line in lines]
    wrong = [number for number, what in enumerate(alone, 1) if isinstance(what, int)]
    together: dict[bytes, bytes] = {}
    for what in alone:
        for change in what if isinstance(what, list) else ():
            name = change.partition(b"=")[0]
            together.pop(name, None)
            together[name] = change
    for end in (b"\n", b"\r\n"):
        assert said(end.join(lines)) == (wrong[0] if wrong else list(together.values()))


def test_the_worst_of_a_megabyte_is_read_at_once() -> None:
    """One pass whatever is in it, and no search through all names for each: what would be quadratic
    makes this test a matter of minutes."""
    assert file_changes(b'A="' + b"\\\\" * 500_000 + b'"') == [b"A=" + b"\\" * 500_000]
    with pytest.raises(BadFile):
        file_changes(b'A="' + b'\\"' * 500_000)
    many = file_changes(b"".join(b"A%d=\n" % number for number in range(100_000)))
    assert len(changed([b"A1=x", b"B=y"], many)) == 100_001
