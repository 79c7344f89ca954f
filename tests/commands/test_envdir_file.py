"""`envdir -f FILE`: a real file to a real program, and what a hostile one cannot do."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from support.peers import PEERS, as_root, beside_c
from support.processes import environment, run

ENV = "/usr/bin/env"


def seen(*words: str | Path, cwd: Path, **more: str) -> list[bytes]:
    """The entries that `env` is given at the end of a chain."""
    done = run(*words, ENV, "-0", cwd=cwd, env={"PATH": environment()["PATH"], **more})
    assert (done.returncode, done.stderr) == (0, b"")
    found = done.stdout.removesuffix(b"\0").split(b"\0")
    return [entry for entry in found if not entry.startswith(b"PATH=")]


def refused(*words: str | Path, cwd: Path, **options: object) -> bytes:
    done = run(*words, "true", cwd=cwd, **options)
    assert (done.returncode, done.stdout) == (111, b"")
    return done.stderr


def test_its_variables_are_added_and_replace_others(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"# settings\nexport A=1\r\nB='x y'\nC=\nD=\"\\n\xff\"\n")
    found = seen("envdir", "-f", ".env", cwd=tmp_path, B="old", C="old", E="kept")
    assert sorted(found) == [b"A=1", b"B=x y", b"C=", b"D=\n\xff", b"E=kept"]


def test_sh_reads_it_the_same(tmp_path: Path) -> None:
    """What is quoted in the ways sh knows means what it means there."""
    chance = random.Random(3)
    letters = [
        b"a",
        b" ",
        b"#",
        b"$x",
        b"`",
        b"\\",
        b'"',
        b"'",
        b"\n",
        b"\t",
        b"=",
        b"\xe4",
        b"*",
        b"|",
        b";",
    ]
    lines = []
    for number in range(400):
        value = b"".join(chance.choices(letters, k=chance.randrange(12)))
        if number % 2:
            quoted = b"'" + value.replace(b"'", b"") + b"'"
        else:
            for special in (b"\\", b'"', b"$", b"`"):
                value = value.replace(special, b"\\" + special)
            # A backslash before the end of a line is nothing to both.
            quoted = b'"' + value.replace(b" ", b" \\\n") + b'"'
        before, behind = b"export " * (number % 3 == 0), b" # '" * (number % 5 == 0)
        lines.append(before + b"N%d=" % number + quoted + behind + b"\n")
    (tmp_path / "settings").write_bytes(b"".join(lines))
    ours = seen("envdir", "-f", "settings", cwd=tmp_path)
    theirs = (
        run("/bin/sh", "-c", "set -a; . ./settings; exec /usr/bin/env -0", cwd=tmp_path, env={"LC_ALL": "C"})
        .stdout.removesuffix(b"\0")
        .split(b"\0")
    )
    named = sorted(entry for entry in theirs if entry.startswith(b"N"))
    assert len(named) == 400
    assert sorted(ours) == named


def test_nothing_in_it_is_executed_or_expanded(tmp_path: Path) -> None:
    words = b"$(touch made) `touch made` $HOME ~ *; touch made | touch made & ${x:=y}"
    (tmp_path / "f").write_bytes(b'A=%s\nB="%s"\n' % (words, words))
    assert seen("envdir", "-f", "f", cwd=tmp_path) == [b"A=" + words, b"B=" + words]
    assert not (tmp_path / "made").exists()


def test_a_mistake_is_told_by_file_and_line_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"A=1\n\nthe secret of line three\n")
    done = run("envdir", "-f", "./f", "sh", "-c", "echo started", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (111, b"")
    assert done.stderr == b"envdir: fatal: unable to read ./f: line 3: not NAME=value\n"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name, text in (
        ("none", b"file does not exist"),
        (".", b"is a directory"),
        ("loop", b"symbolic link loop"),
        ("/dev/zero", b"file too big"),
    ):
        told = refused("envdir", "-f", name, cwd=tmp_path)
        assert told == b"envdir: fatal: unable to read %s: %s\n" % (name.encode(), text)


def test_a_megabyte_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"A=1 #".ljust(1 << 20, b"x"))
    assert seen("envdir", "-f", "f", cwd=tmp_path) == [b"A=1"]
    with (tmp_path / "f").open("ab") as file:
        file.write(b"x")
    assert refused("envdir", "-f", "f", cwd=tmp_path).endswith(b"f: file too big\n")


def test_it_may_come_through_a_pipe_slowly(tmp_path: Path) -> None:
    """Made on the way by another program, as a shell's <(...) has it."""
    script = "{ echo A=1; sleep 0.2; echo B=2; } | envdir -f /dev/stdin /usr/bin/env -0"
    done = run("/bin/sh", "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {b"A=1", b"B=2"} < set(done.stdout.split(b"\0"))


def test_a_terminal_does_not_become_the_services(tmp_path: Path) -> None:
    """A leader of a session without one would get it by opening it; its hangup would then end the service."""
    master, slave = os.openpty()
    os.write(master, b"A=1\n\x04")
    script = 'echo "$A"; cut -d " " -f 7 /proc/$$/stat'  # the controlling terminal, 0 for none
    done = run("setsid", "-w", "envdir", "-f", os.ttyname(slave), "sh", "-c", script, cwd=tmp_path)
    os.close(slave)
    os.close(master)
    assert (done.stdout, done.stderr) == (b"1\n0\n", b"")


def test_links_lead_to_it(tmp_path: Path) -> None:
    """Deployments link it: shared/.env."""
    (tmp_path / "f").write_bytes(b"A=1\n")
    (tmp_path / "link").symlink_to("f")
    assert seen("envdir", "-f", "link", cwd=tmp_path) == [b"A=1"]


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"A=1\n")
    words = ("sh", "-c", "cd /proc/$$/fd && echo *")
    plain = run("envdir", tmp_path, *words, cwd=tmp_path).stdout
    assert run("envdir", "-f", "f", *words, cwd=tmp_path).stdout == plain


def test_files_and_folders_in_one_chain(tmp_path: Path) -> None:
    """The last says what counts; an envdir in the chain is taken into the plan with its -f."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/A").write_bytes(b"folder\n")
    (tmp_path / "d/B").write_bytes(b"folder\n")
    (tmp_path / "f").write_bytes(b"B=file\nC=file\n")
    (tmp_path / "g").write_bytes(b"C=second\n")
    words = ("envdir", "d", "envdir", "-f", "f", "softlimit", "-o", "50", "envdir", "-f", "g")
    assert sorted(seen(*words, cwd=tmp_path)) == [b"A=folder", b"B=file", b"C=second"]


def test_its_path_is_that_of_the_next_tool(tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "hello").chmod(0o755)
    (tmp_path / "f").write_bytes(b"PATH=%s\n" % os.fsencode(tmp_path))
    told = run("envdir", "-f", "f", "hello", cwd=tmp_path).stderr
    assert told == b"envdir: fatal: unable to run hello: file does not exist\n"
    assert run("envdir", "-f", "f", "pgrphack", f"{tmp_path}/hello", cwd=tmp_path).stdout == b"hello\n"
    chained = run("envdir", "-f", "f", "/bin/sh", "-c", "hello", cwd=tmp_path)
    assert chained.stdout == b"hello\n"


@as_root
def test_it_is_read_with_the_rights_of_the_place_it_stands_at(reachable: Path) -> None:
    """Behind setuidgid a link to what only root can read leads nowhere."""
    (reachable / "secret").write_bytes(b"PASSWORD=x\n")
    (reachable / "secret").chmod(0o600)
    (reachable / "f").symlink_to("secret")
    assert seen("envdir", "-f", "f", "setuidgid", "nobody", cwd=reachable) == [b"PASSWORD=x"]
    told = refused("setuidgid", "nobody", "envdir", "-f", "f", cwd=reachable)
    assert told == b"envdir: fatal: unable to read f: access denied\n"


@beside_c
@pytest.mark.parametrize("folder", ["-f", "-x", "--", "-fx", "./-f"])
def test_only_the_word_f_itself_is_no_folder_any_more(folder: str, tmp_path: Path) -> None:
    """C's envdir has no options: whatever stands first is a folder."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "A").write_bytes(b"1\n")
    words = (folder, "/bin/sh", "-c", 'echo "$A"')
    theirs = run(PEERS / "envdir", *words, cwd=tmp_path)
    ours = run("envdir", *words, cwd=tmp_path)
    assert (theirs.returncode, theirs.stdout) == (0, b"1\n")
    if folder == "-f":
        assert ours.stderr.startswith(b"envdir: fatal: unable to read /bin/sh: line ")
    else:
        assert (ours.returncode, ours.stdout, ours.stderr) == (0, b"1\n", b"")
