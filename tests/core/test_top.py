"""svtop without a terminal and without services: rows, questions, keys, lines."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svpy.core.exits import Exits
from svpy.core.history import ASCII, BLOCKS, History, growth, load
from svpy.core.seen import NOT_RUNNING, Seen
from svpy.core.states import STATES
from svpy.core.status import DOWN, FAILED, ONCE, STARTED, STARTING, STOPPING, UP, Status
from svpy.core.tai import pack
from svpy.core.topactions import ACTIONS, question, target
from svpy.core.toplines import LEAST_HEIGHT, LEAST_WIDTH, Facts, Glyphs, screen, wrapped
from svpy.core.toprows import ORDERS, Group, Listing, Row, printable
from svpy.core.topview import HELP, KEYS, LIST, QUESTION, Quit, Send, View

NOW = 1_700_000_000
UNICODE = Glyphs(BLOCKS, "└", "─")
LETTERS = {row.letter.decode(): row for row in ACTIONS}


@dataclasses.dataclass
class A:
    """What is worth saying of a service; the rest is as of one that runs and is to."""

    name: bytes = b"/service/a"
    pid: int = 4711
    want: bytes = UP
    paused: bool = False
    word: bytes = b""
    down_file: bool = False
    trouble: bytes = b""
    note: bytes = b""
    asks: bool = False
    ready: bool = True
    since: int = NOW - 100
    exits: Exits | None = dataclasses.field(default_factory=lambda: Exits(0, None, 0, bytes(12)))
    logger: bool = False
    file: bool = False

    def seen(self) -> Seen:
        seen = Seen(self.name, is_logger=self.logger, is_file=self.file)
        seen.trouble = self.trouble
        seen.normally_up = not self.down_file
        seen.note, seen.asks_ready, seen.ready = self.note, self.asks, self.ready
        seen.exits = self.exits
        if not self.trouble:
            seen.is_supervised = True
            seen.status = Status(pack(self.since * 10**9), self.pid, self.paused, self.want)
            seen.word = self.word
        return seen

    def row(self) -> Row:
        return Row(self.seen())


@pytest.mark.parametrize(
    ("a", "letter", "matters"),
    [
        (A(), "U", "good"),
        (A(want=ONCE), "U", "good"),
        (A(down_file=True), "U", "good"),
        (A(trouble=NOT_RUNNING), "-", "bad"),
        (A(trouble=b"unable to open supervise/ok: file does not exist"), "-", "bad"),
        (A(trouble=b"unable to chdir: access denied"), "?", "bad"),
        (A(word=FAILED, pid=0), "F", "bad"),
        (A(word=STARTING), "S", "passing"),
        (A(word=STOPPING), "E", "passing"),
        (A(want=DOWN), "E", "passing"),
        (A(paused=True), "P", "passing"),
        (A(asks=True, ready=False), "N", "passing"),
        (A(asks=True), "U", "good"),
        (A(word=STARTED, pid=0), "O", "good"),
        (A(pid=0, note=b"db: not ready"), "W", "passing"),
        (A(pid=0), "R", "bad"),
        (A(pid=0, want=DOWN), "D", "bad"),
        (A(pid=0, want=ONCE), "D", "bad"),
        (A(pid=0, want=DOWN, down_file=True), "d", "quiet"),
    ],
)
def test_a_state(a: A, letter: str, matters: str) -> None:
    state = a.row().state
    assert (state.letter, state.matters) == (letter, matters)


def test_states_can_be_told_apart_without_colour() -> None:
    assert len({state.letter for state, _ in STATES}) == len(STATES)


@given(st.binary(max_size=300))
def test_no_name_speaks_to_the_terminal(name: bytes) -> None:
    assert printable(name).isprintable()


def test_a_history() -> None:
    history = History(3)
    for sample in (1.0, 2.0, 3.0, 4.0):
        history.add(sample)
    assert history.samples == [2.0, 3.0, 4.0]
    assert load([], 4, BLOCKS) == "    "
    assert load([0.0, 0.05, 0.1], 4, BLOCKS) == " ▁▅█"
    assert load([0.0, 2.0, 1.0], 3, ASCII) == "_#="
    assert growth([5e6, 5e6], 3, BLOCKS) == " ▁▁"
    assert growth([5e6, 6e6, 10e6], 3, BLOCKS) == "▁▂█"


def listing(*rows: A, loggers: bool = False) -> Listing:
    found = Listing()
    for a in rows:
        logger = A(name=a.name + b"/log", logger=True).row() if loggers else None
        found.groups.append(Group(a.row(), logger))
    found.arrange(NOW)
    return found


def names(found: Listing) -> list[str]:
    return [row.name for row in found.shown]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("name", "abc"), ("state", "cab"), ("uptime", "bca"), ("restarts", "bac"), ("cpu", "cab"),
        ("memory", "bca"),
    ],
)  # fmt: skip
def test_an_order(by: str, order: str) -> None:
    found = listing(
        A(b"/s/b", since=NOW - 1, exits=Exits(3, 1, 5, bytes(12))),
        A(b"/s/a", since=NOW - 9, exits=Exits(1, 1, 5, bytes(12))),
        A(b"/s/c", since=NOW - 5, pid=0),
        loggers=True,
    )
    usage = {"a": (0.1, 1), "b": (None, 99), "c": (0.5, 50)}
    for group in found.groups:
        group.service.share, group.service.rss_bytes = usage[group.service.name]
    found.by = by
    found.arrange(NOW)
    assert "".join(names(found)) == "".join(f"{name}log" for name in order)
    found.is_reversed = True
    found.arrange(NOW)
    # Those that are alike stay in the order of their names.
    assert "".join(names(found)[::2]) == {"state": "abc"}.get(by, order[::-1])


def test_what_is_selected_stays_so() -> None:
    found = listing(A(b"/s/a"), A(b"/s/b"), A(b"/s/c"), A(b"/s/d"))
    assert found.selected == b"/s/a"
    found.move(2)
    assert found.selected == b"/s/c"
    found.is_reversed = True
    found.arrange(NOW)
    assert (found.selected, found.at) == (b"/s/c", 1)
    # It goes away: the one in its place is it.
    del found.groups[2]
    found.arrange(NOW)
    assert (names(found), found.selected) == (["d", "b", "a"], b"/s/b")
    found.filter("nothing")
    found.arrange(NOW)
    assert (found.row, found.selected) == (None, b"")
    found.move(5)
    found.filter("")
    found.arrange(NOW)
    assert found.selected == b"/s/d"
    found.filter("b")
    found.arrange(NOW)
    assert found.selected == b"/s/b"
    found.filter("")
    found.arrange(NOW)
    assert (found.selected, found.at) == (b"/s/b", 1)
    found.move(99)
    assert found.selected == b"/s/a"


def test_a_filter() -> None:
    found = listing(A(b"/s/qmail-send"), A(b"/s/Qmail-smtpd", pid=0, want=DOWN), A(b"/s/x"), loggers=True)
    for text, shown in (
        ("qmail", ["Qmail-smtpd", "log", "qmail-send", "log"]),
        ("MAIL send", ["qmail-send", "log"]),
        (":down", ["Qmail-smtpd", "log"]),
        ("qm :up", ["Qmail-smtpd", "log", "qmail-send", "log"][2:]),
        ("[", []),
        ("  ", ["Qmail-smtpd", "log", "qmail-send", "log", "x", "log"]),
    ):
        found.filter(text)
        found.arrange(NOW)
        assert names(found) == shown, text
    found.is_folded = True
    found.arrange(NOW)
    assert names(found) == ["Qmail-smtpd", "qmail-send", "x"]


QUESTIONS = {
    "u": "", "o": "", "c": "", "w": "",
    "d": "down a (pid 4711): it stops and stays down?",
    "x": "exit a (pid 4711): once it is down nobody starts it again?",
    "p": "pause a (pid 4711): it stands still until c, continue?",
    "h": "hup a (pid 4711): it does not handle HUP, so it ends and is started again?",
    "a": "alarm a (pid 4711): it does not handle ALRM, so it ends and is started again?",
    "i": "interrupt a (pid 4711): it ends and is started again?",
    "t": "term a (pid 4711): it ends and is started again?",
    "k": "kill a (pid 4711): it ends and is started again?",
    "q": "quit a (pid 4711): it ends and is started again?",
    "1": "usr1 a (pid 4711): it does not handle USR1, so it ends and is started again?",
    "2": "usr2 a (pid 4711): it does not handle USR2, so it ends and is started again?",
}  # fmt: skip


def test_every_letter_has_its_row_here() -> None:
    assert QUESTIONS.keys() == LETTERS.keys()


@pytest.mark.parametrize("letter", QUESTIONS)
def test_a_question(letter: str) -> None:
    def asked(a: A, handles: bool = False) -> str:
        return question(a.row(), "a", LETTERS[letter], lambda pid, name: handles)

    assert asked(A()) == QUESTIONS[letter]
    unless_handled = letter in "ha12"
    assert asked(A(), handles=True) == ("" if unless_handled else QUESTIONS[letter])
    assert asked(A(want=ONCE)) == QUESTIONS[letter].replace("is started again", "stays down")
    # Where there is nothing to stop.
    down = asked(A(pid=0, want=DOWN))
    assert down == ("exit a: once it is down nobody starts it again?" if letter == "x" else "")
    if letter == "d":
        assert asked(A(pid=0)) == "down a: it stops and stays down?"


def test_who_is_told() -> None:
    assert target(A().row(), LETTERS["t"]) == (b"/service/a", b"t\n")
    assert target(A(b"/service/a/log", logger=True).row(), LETTERS["t"]) == (b"/service/a/log", b"t\n")
    assert target(A(b"/service/a/log", logger=True, file=True).row(), LETTERS["t"]) == (
        b"/service/a",
        b"Lt\n",
    )


def view(*rows: A, loggers: bool = False) -> View:
    found = View(lambda pid, name: False)
    found.listing.groups = listing(*rows, loggers=loggers).groups
    found.listing.arrange(NOW)
    return found


def press(at: View, *keys: str) -> Send | Quit | None:
    """Keys by name, or characters. What the last one led to."""
    wanted = None
    for key in keys:
        wanted = at.press(key, key if len(key) == 1 else "", NOW)
    return wanted


def test_a_yes_and_every_no() -> None:
    at = view(A(), loggers=True)
    for key in ("n", "enter", "escape", "d", " ", "up"):
        assert press(at, "d") is None
        assert at.mode == QUESTION
        assert press(at, key) is None
        assert (at.mode, at.message) == (LIST, "nothing was sent")
    wanted = press(at, "d", "y")
    assert isinstance(wanted, Send)
    assert (wanted.folder, wanted.message, wanted.what) == (b"/service/a", b"d\n", "down a")
    wanted = press(at, "down", "t", "Y")
    assert isinstance(wanted, Send)
    assert (wanted.folder, wanted.what) == (b"/service/a/log", "term a/log")
    wanted = press(at, "u")
    assert isinstance(wanted, Send)


def test_an_answer_is_for_the_process_that_was_asked_about() -> None:
    at = view(A(), A(b"/service/b"))
    press(at, "t")
    at.listing.groups[0].service.see(A(pid=4712).seen())
    assert press(at, "y") is None
    assert at.message == "nothing was sent: it is not what it was when you were asked"
    press(at, "t")
    del at.listing.groups[0]
    at.listing.arrange(NOW)
    assert press(at, "y") is None
    assert at.listing.selected == b"/service/b"


def test_keys() -> None:
    at = view(A(), A(b"/service/b"))
    assert isinstance(press(at, "q"), Quit)
    assert isinstance(press(at, "d", "ctrl+c"), Quit)
    press(at, "n")
    assert press(at, ".", "q") is None
    assert at.question.startswith("quit a ")
    press(at, "n", "?")
    assert at.mode == HELP
    assert press(at, "q") is None
    assert at.mode == LIST
    press(at, "/", "B", "x", "backspace", "d", "q")
    assert (at.text, names(at.listing)) == ("Bdq", [])
    press(at, "ctrl+u", "b", "enter")
    assert names(at.listing) == ["b"]
    assert isinstance(press(at, "u"), Send)
    press(at, "escape")
    assert names(at.listing) == ["a", "b"]
    for name in [*list(ORDERS)[1:], "name"]:
        press(at, "s")
        assert at.listing.by == name
    assert press(at, "Z", "@", "f12", "+", "=", "L", "l") is None
    at.paste("d\ny\n", NOW)
    assert (at.mode, at.text) == (LIST, "")
    press(at, "/")
    at.paste("pa\x1b[ste\nd", NOW)
    assert at.text == "pa[ste"
    assert at.mode == "filter"


def test_keys_of_its_own_are_no_letters() -> None:
    own = {key for keys, _ in KEYS for key in keys.split() if len(key) == 1}
    assert own & LETTERS.keys() == {"q"}


def facts() -> Facts:
    found = Facts("/service", UNICODE, lambda unix_s: "2026-11-23 12:00:00", {9: "KILL"})
    found.log_title = "/service/a/log/main/current"
    found.log = [("11-23 12:00:00", f"line {number} [red]x[/red]") for number in range(60)]
    return found


@given(
    st.integers(1, 150), st.integers(1, 40), st.lists(st.binary(min_size=1, max_size=300), max_size=30),
    st.sampled_from(["", "?", "/", "d", ".", "\t"]), st.booleans(), st.integers(0, 80),
)  # fmt: skip
def test_a_screen_is_as_large_as_the_terminal(
    width: int, height: int, folders: list[bytes], key: str, loggers: bool, down: int
) -> None:
    at = view(*(A(b"/s/" + name.replace(b"/", b"_")) for name in dict.fromkeys(folders)), loggers=loggers)
    at.listing.move(down)
    press(at, "tab" if key == "\t" else key) if key else None
    lines = screen(at, facts(), width, height, NOW)
    if width >= LEAST_WIDTH and height >= LEAST_HEIGHT:
        assert len(lines) == height
    for line in lines:
        assert all(cell.text.isprintable() for cell in line)
    shown = ["".join(cell.text for cell in line) for line in lines]
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        assert "terminal" in "".join(shown) or width < 8
    elif folders and key not in ("?", "\t"):
        assert sum(text.startswith(">") for text in shown) == 1


def test_lines_are_wrapped_at_blanks() -> None:
    assert wrapped("", 10) == [""]
    assert wrapped("a bc def ghij", 8) == ["a bc def", "  ghij"]
    assert wrapped("abcdefghijkl", 5) == ["abcde", "  fgh", "  ijk", "  l"]
    assert "".join(piece.removeprefix("  ") for piece in wrapped("x" * 100, 3)) == "x" * 100


def test_help_names_every_letter() -> None:
    at = view(A())
    press(at, "?")
    text = ["".join(cell.text for cell in line) for line in screen(at, facts(), 80, 24, NOW)]
    for row in ACTIONS:
        assert any(row.help in line for line in text), row.help
    assert all(any(does in line for line in text) for _, does in KEYS)
    small = [screen(at, facts(), 40, 8, NOW)]
    press(at, "down")
    small.append(screen(at, facts(), 40, 8, NOW))
    assert [len(lines) for lines in small] == [8, 8]
    assert small[0][2][0].text == small[1][1][0].text
