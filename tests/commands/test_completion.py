"""Completion in bash, zsh and fish: what Tab makes of a line, and that nothing is missing.

A shell runs on a terminal of its own, is typed at, and says what words it then has."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.package import TREE
from support.processes import DEADLINE_S, TooLate, environment, run

from svpy.core.catalogue import COMMANDS, OWN, SYNOPSES

COMPLETIONS = TREE / "completions"
NAMES = sorted(name.decode() for name in (*COMMANDS, b"svpy"))
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {COMPLETIONS}/svpy.bash"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"fpath=({COMPLETIONS} $fpath); autoload -U compinit; compinit -D -u; bindkey -e",
    ),
    "fish": (["fish", "--no-config", "-i"], f"source {COMPLETIONS}/svpy.fish"),
}
HOSTILE = {
    1: " two words",
    2: "$(touch OWNED)",
    3: "`touch OWNED`",
    4: ";touch OWNED;#",
    5: "it's",
    6: '"double',
    7: "*?[a]{b,c}",
    8: "n:o@p=q",
    9: "\\back$HOME",
}
"""What names go on with behind `zq-N`: a name is data, whatever it may mean to a shell."""
LINE = "zq-nl\ntouch OWNED\n"
SPEAKS = "zq-esc\x1b[31mred"


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}, which is not installed")


class Shell:
    """An interactive shell. `typed(text)` types that, Tab, and returns the words the line has then."""

    def __init__(self, name: str, home: Path) -> None:
        argv, setup = SHELLS[name]
        self.name = name
        self.said = b""
        self._asked = 0
        env = environment(HOME=str(home), TERM="dumb", PS1="$ ", LC_ALL="C.UTF-8")
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(home)
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(111)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 1000, 0, 0))
        self._send(f"{setup}\r")
        self.after("")

    def _send(self, text: str) -> None:
        os.write(self._fd, os.fsencode(text))

    def after(self, keys: str) -> bytes:
        """All that is said until these keys, and a line behind them, have been obeyed."""
        self._asked += 1
        # The shell's echo of it is not the same.
        self._send(f"{keys}\recho do''ne-{self._asked}-\r")
        return self._until(b"done-%d-" % self._asked)

    def _until(self, mark: bytes) -> bytes:
        until, said = time.monotonic() + DEADLINE_S, b""
        while mark not in said:
            if not select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TooLate(f"waiting for {mark!r}, it said {said!r}")
            said += os.read(self._fd, 65536)
        return said

    def listed(self, text: str, mark: bytes) -> bytes:
        """What is shown of all that a word may become, up to what is asked again then."""
        # The first Tab puts in what all have in common, the last lists them.
        self._send(f"{text}\t\t\t")
        return self._until(mark) + self.after("\x01printf '<%s>\\n' \x05")

    def typed(self, text: str) -> list[str]:
        said = self.after(f"{text}\t\x01printf '<%s>\\n' \x05")
        # A newer fish says to the terminal where a command's output begins.
        found = re.findall(rb"<([^<>]*)>\r\n", said)
        return [os.fsdecode(word.replace(b"\r\n", b"\n")) for word in found]

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One with a `service`, which is looked into beside /service, of links as everywhere."""
    service = tmp_path / "service"
    service.mkdir()
    for name in (
        "zq-mail",
        "zq-mail-in",
        "zq-solo",
        LINE,
        SPEAKS,
        *(f"zq-{n}{text}" for n, text in HOSTILE.items()),
    ):
        folder = tmp_path / "svc.d" / name
        folder.mkdir(parents=True)
        (service / name).symlink_to(folder)
    (tmp_path / "svc.d/zq-mail-in/log").mkdir()
    (tmp_path / "folders").mkdir()
    return tmp_path


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[Shell]:
    needs(request.param)
    shell = Shell(request.param, home)
    try:
        yield shell
    finally:
        shell.close()


def test_tab(shell: Shell, home: Path) -> None:
    service = f"{home}/service"
    for text, words in (
        ("svc -dx zq-so", ["svc", "-dx", f"{service}/zq-solo"]),
        (f"svstat {service}/zq-mail-in/", ["svstat", f"{service}/zq-mail-in/log"]),
        ("svok fold", ["svok", "folders"]),
        ("svpy unli", ["svpy", "unlink"]),
        ("svpy unlink zq-mail-i", ["svpy", "unlink", "zq-mail-in"]),
        ("svpy unlink --tim", ["svpy", "unlink", "--timeout"]),
        ("svpy new x --user nobod", ["svpy", "new", "x", "--user", "nobody"]),
        ("svpy new x --user=nobod", ["svpy", "new", "x", "--user=nobody"]),
        ("svpy new x --limit mem", ["svpy", "new", "x", "--limit", "memory="]),
        ("svpy new x -- svc -u zq-so", ["svpy", "new", "x", "--", "svc", "-u", f"{service}/zq-solo"]),
        ("setuidgid nobod", ["setuidgid", "nobody"]),
        ("setuidgid nobody svpy-ini", ["setuidgid", "nobody", "svpy-init"]),
        ("softlimit -m 3 svc -u zq-so", ["softlimit", "-m", "3", "svc", "-u", f"{service}/zq-solo"]),
        ("svscan --log-s", ["svscan", "--log-stdout"]),
        ("svc --he", ["svc", "--help"]),
        *((f"svc -u zq-{n}", ["svc", "-u", f"{service}/zq-{n}{rest}"]) for n, rest in HOSTILE.items()),
        ("svc -u zq-1\\ t", ["svc", "-u", f"{service}/zq-1 two words"]),
        ("svc -u 'zq-1 t", ["svc", "-u", f"{service}/zq-1 two words"]),
    ):
        # An ending that Tab adds to a folder goes without saying.
        assert [word.rstrip("/") for word in shell.typed(text)] == [word.rstrip("/") for word in words], text
    # Names that are no line are not offered, or are one word.
    assert shell.typed("svc -u zq-n")[2:] in ([f"{service}/{LINE}"], ["zq-n"])
    # On a terminal that can do nothing fish shows no list.
    assert shell.name == "fish" or b"\x1b[31mred" not in shell.listed("svc -u zq-", b"zq-mail")
    shell.after("cd service")
    assert shell.typed("svc -u zq-so") == ["svc", "-u", "zq-solo"]
    assert not list(home.rglob("OWNED"))


def options(form: str) -> set[str]:
    found = re.findall(r"(?<!\S)\[? ?-(\S+?)(?=[\s\]]|$)", form)
    return {
        f"-{option}"
        for word in found
        for option in ([word] if word.startswith("-") else list(word))
        if option != "-"
    }


LINES = {
    **{name: SYNOPSES[name.encode()].decode() for name in NAMES if name != "svpy"},
    **{f"svpy {line.partition(' ')[0]}": line for line in SYNOPSES[b"svpy"].decode().split("\n") if line},
}
"""What one types before an option, and the synopsis of that."""


def test_no_option_is_missing_in_bash() -> None:
    needs("bash")
    script = f"source {COMPLETIONS}/svpy.bash\n"
    for line in LINES:
        words = [*line.split(), "-"]
        script += (
            f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{' '.join(words)}'\n"
        )
        script += "_svpy; printf '%s ' \"${COMPREPLY[@]}\"; echo\n"
    done = run("bash", "--norc", "-c", script)
    assert done.stderr == b""
    for line, said in zip(LINES.items(), done.stdout.decode().splitlines(), strict=True):
        assert {*said.split()} - {"--help"} == options(line[1]), line


def test_no_option_is_missing_in_fish() -> None:
    needs("fish")
    script = f"source {COMPLETIONS}/svpy.fish\n"
    for line in LINES:
        script += f"complete -C '{line} -'; complete -C '{line} --'; echo end\n"
    done = run("fish", "--no-config", "-c", script)
    assert done.stderr == b""
    for line, said in zip(LINES.items(), done.stdout.decode().split("end\n"), strict=False):
        offered = {answer.split("\t")[0] for answer in said.splitlines()}
        assert {option for option in offered if option.startswith("-")} - {"--help"} == options(line[1]), line


@pytest.mark.parametrize("name", NAMES)
def test_no_command_is_missing(name: str) -> None:
    bash, zsh, fish = ((COMPLETIONS / file).read_text() for file in ("svpy.bash", "_svpy", "svpy.fish"))
    assert name in re.findall(r"(?m)^complete -F _svpy (.*)$", bash)[0].split()
    assert name in zsh.splitlines()[0].removeprefix("#compdef ").split()
    assert re.search(rf"(?m)^ *complete -c {re.escape(name)} ", fish)
    assert name == "svpy" or f"\n    '{name}')\n" in bash
    assert all(f"'svpy {word.decode()}'" in bash for word in OWN)


def test_what_stands_in_them_is_what_the_synopses_say(tmp_path: Path) -> None:
    """Otherwise: completions/tables."""
    copy = Path(shutil.copytree(COMPLETIONS, tmp_path / "completions"))
    for name in ("svpy.bash", "_svpy", "svpy.fish"):
        text = (copy / name).read_text()
        assert text.count("--stop-timeout")
        (copy / name).write_text(text.replace("--stop-timeout", "--gone"))
    done = run(copy / "tables", env=environment(PYTHONPATH=str(TREE)))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for name in ("svpy.bash", "_svpy", "svpy.fish"):
        assert (copy / name).read_text() == (COMPLETIONS / name).read_text(), f"completions/tables: {name}"


def test_bash_finds_no_fault() -> None:
    needs("shellcheck")
    assert run("shellcheck", "-s", "bash", COMPLETIONS / "svpy.bash").stdout == b""
