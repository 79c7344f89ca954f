"""What reads return against what is written: the same for any split, and as the rules say."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logrules import matches

from svpy.core.loglines import Output, Sorter
from svpy.core.logscript import Script

LABEL = b"@4000000065b0c2f10a0b0c0d"
SCRIPTS = [
    [b"./d"],
    [b"t", b"./d"],
    [b"t", b"-*", b"+*a*", b"./d", b"=s", b"e"],
    [b"-*b", b"e", b"./a", b"+*c*", b"./b", b"=s"],
    [b"t", b"-* a*", b"./a", b"=s", b"-*", b"=none", b"./none"],
    [b"e", b"=s"],
    [],
]
line = st.one_of(
    st.text("abc ", max_size=12).map(str.encode),
    st.builds(lambda letter, n: letter * n, st.sampled_from([b"a", b"b"]), st.integers(190, 210)),
    st.builds(lambda letter, n: letter * n + b"c", st.sampled_from([b"a", b"b"]), st.integers(970, 1003)),
    st.builds(lambda n: b"a" * n, st.integers(1003, 4000)),
)
stream = st.builds(
    lambda lines, whole: b"\n".join(lines) + (b"\n" if whole else b""),
    st.lists(line, max_size=12),
    st.booleans(),
)


class Written:
    """All that a script led to."""

    def __init__(self, script: Script) -> None:
        self.alerts = b""
        self.statuses = [b""] * len(script.statuses)
        self.blocks = [b""] * len(script.folders)

    def add(self, output: Output) -> None:
        self.alerts += output.alerts
        for number, content in output.statuses:
            self.statuses[number] = content
        for number, block in output.blocks:
            assert block
            self.blocks[number] += block

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))


def sorted_by(words: list[bytes], reads: list[bytes], label: bytes = LABEL) -> Written:
    script = Script(words)
    sorter, written = Sorter(script), Written(script)
    for data in reads:
        line = sorter.line(data, label)
        written.add(Output(b"", [], [(0, line)]) if line else sorter.feed(data, label))
    written.add(sorter.end())
    return written


def by_the_rules(words: list[bytes], data: bytes) -> Written:
    """One line after the other, one action after the other."""
    written = Written(Script(words))
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    for line in lines:
        line = LABEL + b" " + line if words[:1] == [b"t"] else line
        head, taken, folder, status = line[:1000], True, 0, 0
        for word in words:
            if word[:1] in b"+-" and matches(word[1:], head):
                taken = word[:1] == b"+"
            elif word[:1] == b"e" and taken:
                written.alerts += head[:200] + (b"..." if len(head) > 200 else b"") + b"\n"
            elif word[:1] == b"=":
                if taken:
                    written.statuses[status] = head.ljust(1001, b"\n")
                status += 1
            elif word[:1] == b".":
                if taken:
                    written.blocks[folder] += line + b"\n"
                folder += 1
    return written


@pytest.mark.parametrize("words", SCRIPTS)
@given(stream)
def test_whole_input_is_treated_as_the_rules_say(words: list[bytes], data: bytes) -> None:
    assert sorted_by(words, [data] if data else []) == by_the_rules(words, data)


@pytest.mark.parametrize("words", SCRIPTS)
@given(stream, st.lists(st.integers(0, 12000), max_size=12))
def test_any_split_into_reads_gives_the_same(words: list[bytes], data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    reads = [data[a:b] for a, b in pairwise(places) if data[a:b]]
    assert sorted_by(words, reads) == by_the_rules(words, data)


@pytest.mark.parametrize("words", SCRIPTS)
def test_byte_by_byte(words: list[bytes]) -> None:
    data = b"a\n\nbb" + b"a" * 1200 + b"\n" + b"b" * 1000 + b"\n" + b"c" * 999 + b"\nend"
    assert sorted_by(words, [data[i : i + 1] for i in range(len(data))]) == by_the_rules(words, data)


def test_a_line_alone_goes_to_an_only_folder_as_it_is() -> None:
    sorter = Sorter(Script([b"t", b"./d"]))
    assert sorter.line(b"a\n", b"@1") == b"@1 a\n"
    assert Sorter(Script([b"./d"])).line(b"\n", b"@1") == b"\n"
    assert not any(sorter.line(data, b"@1") for data in (b"a\nb\n", b"a", b"a\nb"))
    sorter.feed(b"a", b"@1")
    assert not sorter.line(b"b\n", b"@2")
    for words in ([b"./a", b"./b"], [b"-*", b"./d"], [b"./d", b"e"], [b"./d", b"=s"], [b"=s"], []):
        assert not Sorter(Script(words)).line(b"a\n", b"@1")


def test_a_line_has_the_label_of_the_read_that_began_it() -> None:
    sorter = Sorter(Script([b"t", b"./d"]))
    assert sorter.feed(b"a\nb", b"@1").blocks == [(0, b"@1 a\n")]
    assert sorter.feed(b"c\nd\n", b"@2").blocks == [(0, b"@1 bc\n@2 d\n")]
    assert sorter.feed(b"e", b"@3").blocks == []
    assert sorter.end().blocks == [(0, b"@3 e\n")]


def test_a_long_line_follows_as_it_comes() -> None:
    sorter = Sorter(Script([b"-*", b"+a*", b"./d"]))
    assert sorter.feed(b"a" * 999, b"").blocks == []
    assert sorter.feed(b"a", b"").blocks == [(0, b"a" * 1000)]
    assert sorter.feed(b"bb", b"").blocks == [(0, b"bb")]
    assert not sorter.at_line_start
    assert sorter.feed(b"c\nno\n", b"").blocks == [(0, b"c\n")]
    assert sorter.at_line_start


def test_only_what_is_in_the_first_1000_bytes_counts() -> None:
    """The last byte that a pattern can see is the 1000th, the label included."""
    for words, room in (([b"-*", b"+*x*", b"./d"], 1000), ([b"t", b"-*", b"+*x*", b"./d"], 974)):
        assert sorted_by(words, [b"a" * (room - 1) + b"x\n"]).blocks[0]
        assert sorted_by(words, [b"a" * (room - 1) + b"xx\n"]).blocks[0]
        assert not sorted_by(words, [b"a" * room + b"x\n"]).blocks[0]


@pytest.mark.parametrize("words", [[b"t", b"./d"], [b"t", b"-*", b"+*b*", b"./d", b"=s", b"e"]])
@pytest.mark.parametrize(
    "read", [b"\n" * 65536, b"a" * 65536, (b"a" * 1500 + b"\n") * 43], ids=["empty", "endless", "long"]
)
def test_work_per_read_does_not_grow(words: list[bytes], read: bytes) -> None:
    """Sixteen megabytes of the worst there is; what is held stays below a line's 1000 bytes."""
    sorter = Sorter(Script(words))
    took_s = []
    for _ in range(4):
        began = time.process_time()
        for _ in range(64):
            sorter.feed(read, LABEL)
        took_s.append(time.process_time() - began)
    assert len(sorter._lines._held) < 1000
    assert max(took_s[1:]) < 10 * min(took_s) + 0.05
