"""What two answers of a shell say, and when they say nothing. Real shells: tests/system/test_shellenv.py."""

from __future__ import annotations

import pytest

from svpy.core.shellenv import Shell, learned, questions

PATH = b"PATH=/bin"
HERE = b"PWD=/proc/self/cwd"


def printed(*entries: bytes) -> bytes:
    return b"".join(entry + b"\0" for entry in entries)


def asked(environ: list[bytes], first: list[bytes], second: list[bytes]) -> Shell | None:
    return learned(environ, [printed(*first), printed(*second)])


def test_the_questions_differ_in_all_that_differs_between_services() -> None:
    one, other = questions([b"OLDPWD=/old", PATH, b"PWD=/x", b"_=/bin/sh"])
    assert one.environ == [b"OLDPWD=/old", PATH, b"PWD=/x", b"_=/bin/sh"]
    assert other.environ == [b"OLDPWD=/proc/0", PATH, HERE, b"_=/proc/0"]
    assert one.folder != other.folder
    assert one.words != other.words


@pytest.mark.parametrize(
    ("environ", "first", "second", "expected"),
    [
        ([PATH], [PATH], [PATH], [PATH]),
        ([], [b"PWD=/proc"], [b"PWD=/"], [b"PWD=/a/b"]),
        ([PATH], [PATH, b"PWD=/proc"], [PATH, b"PWD=/"], [PATH, b"PWD=/a/b"]),
        ([PATH], [b"PWD=/proc", PATH], [b"PWD=/", PATH], [b"PWD=/a/b", PATH]),
        ([b"PWD=/x", PATH], [b"PWD=/proc", PATH], [HERE, PATH], [b"PWD=/a/b", PATH]),
        ([PATH, b"a-b=1"], [PATH], [PATH], [PATH]),
        ([PATH, PATH], [PATH], [PATH], [PATH]),
        ([PATH], [b"SHLVL=0", PATH], [b"SHLVL=0", PATH], [b"SHLVL=0", PATH]),
        ([b"SHLVL=1"], [b"SHLVL=2"], [b"SHLVL=2"], [b"SHLVL=2"]),
        ([b"OLDPWD=/x"], [b"OLDPWD=/x"], [b"OLDPWD=/proc/0"], [b"OLDPWD=/x"]),
        ([b"_=/bin/sh"], [b"_=/bin/sh"], [b"_=/proc/0"], [b"_=/bin/sh"]),
        ([b"A=\n\xff"], [b"A=\n\xff"], [b"A=\n\xff"], [b"A=\n\xff"]),
    ],
)
def test_learned(
    environ: list[bytes], first: list[bytes], second: list[bytes], expected: list[bytes]
) -> None:
    shell = asked(environ, first, second)
    assert shell is not None
    assert shell.environment(b"/a/b", pwd_is_folder=False) == expected


@pytest.mark.parametrize(
    ("environ", "first", "second"),
    [
        ([], [], []),
        ([PATH], [PATH], []),
        ([], [PATH], [PATH]),
        ([PATH], [b"complaint\n" + PATH], [b"complaint\n" + PATH]),
        ([PATH], [PATH], [b"+ exec cat\n" + PATH]),
        ([PATH, b"A=1"], [PATH, b"A=1"], [b"A=1", PATH]),
        ([b"LINENO=7"], [b"LINENO=1"], [b"LINENO=2"]),
        ([b"LINENO=1"], [b"LINENO=1"], [b"LINENO=2"]),
        ([b"PPID=7"], [b"PPID=8"], [b"PPID=8"]),
        ([b"SHLVL=1"], [b"SHLVL=2"], [b"SHLVL=3"]),
        # PWD not kept where it is right, not set where it is wrong, or lost
        ([b"PWD=/x"], [b"PWD=/proc"], [b"PWD=/"]),
        ([b"PWD=/x"], [b"PWD=/x"], [HERE]),
        ([b"PWD=/x"], [b"PWD=/x"], [b"PWD=/x"]),
        ([b"PWD=/x"], [], []),
        ([], [b"PWD=/"], [b"PWD=/"]),
        ([b"PWD=/x", b"PWD=/y"], [b"PWD=/proc"], [HERE]),
        # what was executed
        ([b"_=/bin/cat"], [b"_=/bin/cat"], [b"_=/bin/cat"]),
        # looked for
        ([b"OLDPWD=/x"], [b"OLDPWD=/x"], []),
        ([b"OLDPWD=/x"], [], []),
    ],
)
def test_not_learned(environ: list[bytes], first: list[bytes], second: list[bytes]) -> None:
    assert asked(environ, first, second) is None


@pytest.mark.parametrize(
    ("pwd", "kept"),
    [
        (b"/", True), (b"/a/b", True), (b"/a/b c/...", True), (b"/a/b/", False), (b"//a", False),
        (b"/a/./b", False), (b"/a/../b", False), (b"", False), (b"a/b", False), (b".", False),
    ],
)  # fmt: skip
def test_a_pwd_that_leads_to_the_folder_is_kept_where_that_is_certain(pwd: bytes, kept: bool) -> None:
    shell = asked([b"PWD=" + pwd], [b"PWD=/proc"], [HERE])
    assert shell is not None
    assert shell.environment(b"/c", pwd_is_folder=True) == ([b"PWD=" + pwd] if kept else None)
    assert shell.environment(b"/c", pwd_is_folder=False) == [b"PWD=/c"]


def test_what_is_given_away_is_a_copy() -> None:
    shell = asked([PATH], [PATH], [PATH])
    assert shell is not None
    entries = shell.environment(b"/", pwd_is_folder=False)
    assert entries is not None
    entries.append(b"A=1")
    assert shell.environment(b"/", pwd_is_folder=False) == [PATH]


def test_an_answer_that_is_not_whole() -> None:
    whole = printed(PATH, b"PWD=/proc"), printed(PATH, b"PWD=/")
    assert learned([PATH], whole) is not None
    for cut in ([whole[0][:-1], whole[1]], [whole[0], whole[1] + b"\n"], [b"\n", b"\n"]):
        assert learned([PATH], cut) is None
