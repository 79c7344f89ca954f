"""multilog's script: every action, its limits, and what it holds for."""

from __future__ import annotations

import sys

import pytest
from support.processes import run

import svpy
from svpy.core.logscript import Script


@pytest.mark.parametrize(
    ("word", "size_bytes"),
    [
        (b"s", 4096), (b"s0", 4096), (b"s4095", 4096), (b"s4096", 4096), (b"s5000x", 5000),
        (b"sx", 4096), (b"s16777215", 16777215), (b"s16777216", 16777215),
        (b"s18446744073709551616", 4096), (b"s" + b"9" * 5000, 16777215), (b"s-5", 4096),
    ],
)  # fmt: skip
def test_size(word: bytes, size_bytes: int) -> None:
    assert Script([word, b"./d"]).folders[0].size_bytes == size_bytes


@pytest.mark.parametrize(
    ("word", "keep"), [(b"n", 2), (b"n1", 2), (b"n2", 2), (b"n3", 3), (b"nx", 2), (b"n1000000", 1000000)]
)
def test_keep(word: bytes, keep: int) -> None:
    assert Script([word, b"/d"]).folders[0].keep == keep


def test_settings_hold_for_the_folders_after_them() -> None:
    script = Script([b"./a", b"s5000", b"n3", b"./b", b"!x y", b"/c", b"!", b"./d", b"s99999"])
    assert [(f.path, f.size_bytes, f.keep, f.processor) for f in script.folders] == [
        (b"./a", 99999, 10, None),
        (b"./b", 5000, 3, None),
        (b"/c", 5000, 3, b"x y"),
        (b"./d", 5000, 3, b""),
    ]


@pytest.mark.parametrize(
    ("words", "stamped"),
    [
        ([], False), ([b""], False), ([b"t"], True), ([b"tx"], True), ([b"./d", b"t"], False),
        ([b"T"], True), ([b"Tx", b"t"], True), ([b"-*", b"T"], False), ([b"", b"t"], False),
    ],
)  # fmt: skip
def test_t_or_T_is_only_the_first(words: list[bytes], stamped: bool) -> None:
    assert Script(words).stamped == stamped


def test_selections_are_shared() -> None:
    script = Script([b"./a", b"-x*", b"e", b"=status", b"./b", b"+y*", b"./c", b"/d", b"?unknown", b""])
    assert [folder.selection for folder in script.folders] == [0, 1, 2, 2]
    assert script.alerts == [1]
    assert script.statuses == [(b"status", 1)]
    assert [s.takes(b"x", b"") for s in script.selections] == [True, False, False]
    assert [s.takes(b"y", b"") for s in script.selections] == [True, True, True]


def test_whether_lines_matter() -> None:
    assert not Script([b"t", b"./d"]).looks_at_lines
    assert not Script([b"t", b"./d", b"-x"]).looks_at_lines
    for word in (b"e", b"=x"):
        assert Script([word, b"./d"]).looks_at_lines
    assert Script([b"-x", b"./d"]).looks_at_lines


@pytest.mark.parametrize(
    ("word", "imported"),
    [("+x", True), ("-*", True), ("e", True), ("=st", False), ("./x-", False), ("n5", False)],
)
def test_what_a_script_needs_is_imported_before_its_lines_come(word: str, imported: bool) -> None:
    """multilog's privileges, descriptors and memory may be gone when the first line is there."""
    program = f"""
import sys
sys.path.append({svpy.__path__[0] + "/.."!r})
from svpy.core.logscript import import_for
import_for([b"t", sys.argv[1].encode(), b"./log"])
print("re" in sys.modules)
"""
    done = run(sys.executable, "-IS", "-c", program, word)
    assert (done.stdout, done.stderr) == (b"%r\n" % imported, b"")
