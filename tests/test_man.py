"""The manual: every command has its page, and what a page says that the code knows too is the same.

`mandoc -T lint` is bootstrap's."""

from __future__ import annotations

import functools
import re
import shutil
import sys
from pathlib import Path

import pytest
from support.processes import environment, run

from svpy.core.catalogue import COMMANDS, SYNOPSES
from svpy.core.chain import LIMITS
from svpy.core.check import RULES
from svpy.core.control import LETTERS
from svpy.core.logscript import Script

MAN = Path(__file__).parent.parent / "man"
NAMES = sorted(name.decode() for name in (*COMMANDS, b"svpy"))
PAGES = sorted(path.name for path in MAN.glob("*.[78]"))
ELSEWHERE = {
    "environ(7)", "execve(2)", "flock(2)", "getrlimit(2)", "initgroups(3)", "link(2)", "open(2)", "ps(1)",
    "rename(2)", "setgroups(2)", "setsid(2)", "sync(2)", "reboot(2)", "sh(1)", "signal(7)", "unlink(2)",
}  # fmt: skip
"""What we refer to of Linux's own manual."""

rendering = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")


@functools.cache
def rendered(page: str) -> str:
    """A page as `man` shows it at 80 columns, without overstriking."""
    done = run("mandoc", "-T", "ascii", "-O", "width=80", MAN / page)
    return re.sub(r".\x08", "", done.stdout.decode("ascii"))


def section(page: str, title: str) -> str:
    """The lines of one section, each a line; empty if there is none."""
    found = re.search(rf"(?m)^{title}\n((?:[ \t].*\n|\n)*)", rendered(page))
    return found[1] if found else ""


def words(text: str) -> str:
    """One blank between words, none inside brackets."""
    return re.sub(r"(?<=\[) | (?=\])", "", " ".join(text.split()))


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert sorted([*(f"{name}.8" for name in NAMES), "svpy-service.7"]) == PAGES


@rendering
@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_its_command_says(name: str) -> None:
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert words(section(f"{name}.8", "SYNOPSIS")) == words(done.stdout.decode())
    if name != "svpy":
        assert words(section(f"{name}.8", "NAME")) == f"{name} - {COMMANDS[name.encode()].decode()}"


@rendering
@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_what_one_looks_for_and_fits_a_terminal(page: str) -> None:
    wanted = {"NAME", "DESCRIPTION", "SEE ALSO"}
    if page.endswith(".8"):
        wanted |= {"SYNOPSIS", "EXIT STATUS"}
    assert wanted <= set(re.findall(r"(?m)^[A-Z][A-Z ]+$", rendered(page)))
    assert [line for line in rendered(page).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_refers_to_pages_that_exist(page: str) -> None:
    found = {f"{name}({number})" for name, number in re.findall(r"\bXr (\S+) (\d)", (MAN / page).read_text())}
    ours = {f"{path[:-2]}({path[-1]})" for path in PAGES}
    assert found
    assert found <= ours | ELSEWHERE


def explained(page: str, tag: str) -> bool:
    """Whether there is a paragraph of its own for `tag`, such as an option."""
    return re.search(rf"(?m)^ {{5,}}{re.escape(tag)}(?=\s|$)", section(page, "DESCRIPTION")) is not None


@rendering
def test_every_control_letter_is_explained() -> None:
    assert [row.letter for row in LETTERS if not explained("svc.8", f"-{row.letter.decode()}")] == []
    assert not explained("svc.8", "-Z")


@rendering
def test_every_limit_is_explained() -> None:
    assert [letter for letter in LIMITS if not explained("softlimit.8", f"-{letter.decode()}")] == []


@rendering
@pytest.mark.parametrize("name", [name for name, form in sorted(SYNOPSES.items()) if b"-" in form])
def test_every_option_of_a_synopsis_is_explained(name: bytes) -> None:
    options = {
        option
        for word in re.findall(r"(?<!\S)\[? ?-(\S+?)(?=[\s\]]|$)", SYNOPSES[name].decode())
        for option in ([f"-{word}"] if word.startswith("-") else [f"-{letter}" for letter in word])
    }
    assert options
    assert [option for option in sorted(options) if not explained(f"{name.decode()}.8", option)] == []


@rendering
def test_every_rule_of_svcheck_is_explained_where_its_severity_is() -> None:
    text = section("svcheck.8", "DESCRIPTION")
    places = [text.index(title) for title in ("   Errors\n", "   Warnings\n", "   Notes\n")]
    ends = [*places[1:], len(text)]
    parts = {word: text[a:b] for word, a, b in zip(("error", "warning", "note"), places, ends, strict=True)}
    for severity, part in parts.items():
        ids = re.findall(r"(?m)^ {5}([a-z]+(?:-[a-z]+)*)$|^ {5}(down|crlf|finish|no-run|unseen) ", part)
        named = {name or short for name, short in ids}
        assert named == {rule.name.decode() for rule in RULES if rule.severity.decode() == severity}


def outcome(word: bytes) -> object:
    """All that a script makes of a word at its beginning."""
    script = Script([word, b"+x", b"e", b"=status", b"./folder"])
    folders = [(f.path, f.size_bytes, f.keep, f.processor, f.selection) for f in script.folders]
    rules = [vars(selection)["_rules"] for selection in script.selections]
    return script.stamped, script.alerts, script.statuses, folders, rules


ACTIONS = [chr(byte) for byte in range(33, 127) if outcome(b"%c5000" % byte) != outcome(b"\x015000")]
"""The first bytes that mean something to multilog, found by what they do."""
SHOWN = {".": "dir", "/": "dir", "s": "ssize", "n": "nnum", "=": "=file", "!": "!processor"}


@rendering
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_multilog_is_explained(action: str) -> None:
    shown = SHOWN.get(action, action + "pattern" if action in "+-" else action)
    assert explained("multilog.8", shown)


def test_actions_are_found_by_what_they_do() -> None:
    assert {"t", "+", "-", "e", "=", "s", "n", "!", ".", "/"} <= set(ACTIONS)
    assert "#" not in ACTIONS


def test_the_code_still_says_what_was_written_into_the_pages(tmp_path: Path) -> None:
    """Otherwise: man/tables."""
    copy = Path(shutil.copytree(MAN, tmp_path / "man"))
    page = (copy / "svc.8").read_text()
    assert page.count("hup: send HUP\n") == 1
    (copy / "svc.8").write_text(page.replace("hup: send HUP\n", "hup: send nothing\n"))
    done = run(copy / "tables", env=environment(PYTHONPATH=str(MAN.parent)))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for name in PAGES:
        assert (copy / name).read_text() == (MAN / name).read_text(), name


@pytest.mark.parametrize(
    "name",
    ["supervise", "svok", "svup", "setuidgid", "setuser", "envuidgid", "envdir", "softlimit", "setlock",
     "pgrphack", "fghack"],
)  # fmt: skip
def test_a_usage_error_shows_the_synopsis(name: str) -> None:
    first_form = run(name, "--help").stdout.splitlines()[0]
    done = run(name)
    assert done.returncode == (111 if name == "envdir" else 100)
    assert (done.stdout, done.stderr) == (b"", name.encode() + b": usage: " + first_form + b"\n")


def test_help_is_a_word_like_any_other_beside_another_word(tmp_path: Path) -> None:
    program = tmp_path / "--help"
    program.write_text('#!/bin/sh\necho "ran: $*"\n')
    program.chmod(0o755)
    env = environment()
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    for argv, said in (
        (["pgrphack", "pgrphack", "--help"], b"ran: \n"),
        (["pgrphack", "--help", "--help"], b"ran: --help\n"),
        (["setlock", "lock", "--help", "x"], b"ran: x\n"),
        (["svstat", "--help", "x"], b"--help: unable to chdir: not a directory\nx: unable to chdir: "
         b"file does not exist\n"),
    ):  # fmt: skip
        done = run(*argv, env=env, cwd=tmp_path)
        assert (done.stdout, done.stderr) == (said, b""), argv
    done = run("multilog", "--help", "e", env=env, cwd=tmp_path, input=b"-help\nshown\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"shown\n")


def test_help_that_cannot_be_written_costs_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("svc", "--help", stdout=full, capture_output=False, stderr=-1)
    assert (done.returncode, done.stderr) == (111, b"svc: fatal: unable to write: out of disk space\n")


@pytest.mark.parametrize("name", sorted({*NAMES} - {"svpy"}))
def test_the_words_of_help_cost_nothing_at_work(name: str) -> None:
    """They are imported when they are asked for."""
    module = name.replace("-", "_")
    program = f"import sys, svpy.commands.{module}; print('svpy.core.catalogue' in sys.modules)"
    done = run(sys.executable, "-I", "-c", program)
    assert (done.returncode, done.stdout) == (0, b"False\n"), done.stderr
