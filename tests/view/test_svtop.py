"""svtop as a command: what it refuses, and one for real, in a terminal."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from support.processes import BIN, environment, eventually, run
from support.services import Services, svscan
from support.terminals import Terminal

SHOWN = b"NAME"
BEGIN, END = b"\x1b[?1049h", b"\x1b[?1049l"
"""The terminal's other screen, there and back."""
HOW = "install svpy[top]: ./bootstrap install top, or Debian 13's package python3-textual"


def test_wrong_words() -> None:
    for words in (["-x"], ["a", "b"]):
        done = run("svtop", *words)
        assert (done.returncode, done.stdout, done.stderr) == (100, b"", b"svtop: usage: svtop [dir]\n")


def said(terminal: Terminal) -> tuple[int, list[str]]:
    text = terminal.rest().decode()
    return terminal.wait(), text.splitlines()


def test_no_terminal(tmp_path: Path) -> None:
    with Terminal("svtop", tmp_path, stdout=-1) as terminal:
        assert said(terminal) == (111, ["svtop: fatal: standard output is not a terminal"])
    with Terminal("svtop", tmp_path, stdin=-3) as terminal:
        assert said(terminal) == (111, ["svtop: fatal: standard input is not a terminal"])


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_be_drawn_on(tmp_path: Path, kind: str) -> None:
    with Terminal("svtop", tmp_path, term=kind) as terminal:
        sentence = f"svtop: fatal: unable to draw on a terminal of type {kind or 'nothing'}: see TERM"
        assert said(terminal) == (111, [sentence])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with Terminal("svtop", tmp_path / "no\x1b[31m") as terminal:
        sentence = f"svtop: fatal: unable to read {tmp_path}/no?[31m: file does not exist"
        assert said(terminal) == (111, [sentence])


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("sys.modules['textual'] = None", "unable to import textual"),
        ("sys.modules['textual'] = type(sys)('textual'); sys.modules['textual'].__version__ = '0.1.13'",
         "unable to use textual 0.1.13, 2.1 is needed"),
    ],
)  # fmt: skip
def test_without_textual(tmp_path: Path, before: str, why: str) -> None:
    program = f"import sys; {before}; from svpy.commands.svtop import main; main()"
    with Terminal(sys.executable, "-I", "-c", program, tmp_path) as terminal:
        assert said(terminal) == (111, [f"svtop: fatal: {why}: {HOW}"])


def test_a_bug_costs_a_sentence(tmp_path: Path) -> None:
    """Whenever it comes, the terminal is given back first."""
    for name in ("on_mount", "_press"):
        program = (
            "import svpy.view.top as top\ndef fail(*words): raise KeyError('bug')\n"
            f"top.Top.{name} = fail\nfrom svpy.commands.svtop import main; main()"
        )
        with Terminal(sys.executable, "-I", "-c", program, tmp_path) as terminal:
            if name == "_press":
                terminal.shows(SHOWN)
                terminal.type(b"x")
            code, lines = said(terminal)
            assert code == 111
            assert "Traceback" not in "".join(lines)
            sentence = lines[-1].rpartition("\x1b")[2]
            assert "svtop: fatal: unexpected KeyError: 'bug' in " in sentence
            assert END in terminal.said.partition(b"svtop: fatal")[0]


@pytest.mark.parametrize(
    ("variables", "colours", "unicode"),
    [
        ({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"NO_COLOR": ""}, True, True),
        ({"LANG": "C"}, True, False), ({"LANG": "de_DE.ISO-8859-1"}, True, False),
        ({"LC_ALL": "en_US.utf8", "LANG": "C"}, True, True), ({"TERM": "linux"}, True, False),
    ],
)  # fmt: skip
def test_colours_and_characters(
    services: Services, variables: dict[str, str], colours: bool, unicode: bool
) -> None:
    for name in ("\N{LATIN SMALL LETTER U WITH DIAERESIS}", "z"):
        (services.folder / name).mkdir()
    with Terminal("svtop", services.folder, env=variables) as terminal:
        terminal.shows(SHOWN)
        terminal.shows(b" z ")
        terminal.type(b"q")
        assert said(terminal)[0] == 0
        drawn = terminal.said.partition(BEGIN)[2]
        assert bool(re.search(rb"\x1b\[(\d+;)*31[;m]", drawn)) == colours
        assert drawn.isascii() != unicode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_the_terminal_is_given_back(tmp_path: Path, number: signal.Signals) -> None:
    with Terminal("svtop", tmp_path) as terminal:
        terminal.shows(SHOWN)
        terminal.signal(number)
        terminal.shows(END)
        terminal.rest()
        assert terminal.wait() == -number


@pytest.mark.parametrize("told", [True, False])
def test_a_terminal_that_goes_away(tmp_path: Path, told: bool) -> None:
    """By SIGHUP, and where it is not its own by nothing."""
    options = {} if told else {"preexec_fn": None}
    with Terminal("svtop", tmp_path, **options) as terminal:
        terminal.shows(SHOWN)
        terminal.hang_up()
        assert terminal.wait() == -signal.SIGHUP


def test_what_goes_elsewhere_stays_there(tmp_path: Path) -> None:
    """It is drawn on standard output, wherever standard error leads."""
    with (tmp_path / "errors").open("wb") as errors, Terminal("svtop", tmp_path, stderr=errors) as terminal:
        terminal.shows(SHOWN)
        terminal.type(b"q")
        terminal.rest()
        assert terminal.wait() == 0
    assert (tmp_path / "errors").read_bytes() == b""


class Tmux:
    """A server of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._env = environment(LANG="C.UTF-8", LC_ALL="C.UTF-8", TERM="xterm-256color")

    def __call__(self, *words: str | Path) -> str:
        done = run("tmux", "-u", "-S", self._socket, "-f", "/dev/null", *words, env=self._env)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def shows(self, *texts: str) -> None:
        eventually(
            lambda: all(text in self.screen() for text in texts), f"{texts}; it shows:\n{self.screen()}"
        )

    def screen(self) -> str:
        return self("capture-pane", "-p", "-t", "one")

    def keys(self, *keys: str) -> None:
        self("send-keys", "-t", "one", *keys)

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *raised: object) -> None:
        run("tmux", "-S", self._socket, "kill-server", env=self._env)


def test_for_real_in_tmux(services: Services) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    services.make(
        "qmail-send", "echo status: local 0/10 remote 0/20\nexec sleep 1000", "exec multilog t ./main"
    )
    services.make("tcpserver")
    with svscan(services), Tmux(services.folder.parent) as tmux:
        pid = services.up("qmail-send")
        services.up("tcpserver")
        command = f"{BIN / 'svtop'} {services.folder}; echo code $?; exec cat"
        tmux("new-session", "-d", "-s", "one", "-x", "80", "-y", "24", command)
        tmux.shows(">qmail-send", "└ log", "tcpserver", "status: local 0/10 remote 0/20", "? help")
        assert [line for line in tmux.screen().splitlines() if len(line) > 80] == []
        tmux.keys("t")
        tmux.shows(f"term qmail-send (pid {pid}): it ends and is started again? y/n")
        tmux.keys("n")
        tmux.shows("nothing was sent")
        tmux.keys("t", "y")
        tmux.shows("sent: term qmail-send")
        new = services.up("qmail-send", since=pid)
        tmux.shows(f"(pid {new})")
        tmux.keys("/", "tcp", "Enter", "d", "y")
        tmux.shows("D down", "1 down, 1 up", "tcpserver has no logger")
        assert services.pid("tcpserver") == 0
        tmux("resize-window", "-t", "one", "-x", "30", "-y", "10")
        tmux.shows("terminal is too small")
        tmux("resize-window", "-t", "one", "-x", "120", "-y", "40")
        tmux.shows("WHY")
        tmux.keys("q")
        tmux.shows("code 0")
        assert ">tcpserver" not in tmux.screen()
