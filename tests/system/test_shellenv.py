"""What is known of a shell after two questions is what it does in any folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import shells
from support.processes import DEADLINE_S, eventually, run

from svpy.system import shellenv
from svpy.system.environment import mapping

PATH = b"PATH=/usr/bin:/bin"
SCRIPTS = (b"#!/bin/sh\nexec cat /proc/self/environ\n", b"exec 2>&1\n# so\nexec cat /proc/self/environ")
AWKWARD: list[list[bytes]] = [
    [],
    [PATH],
    [PATH, b"a-b=1", b"1A=2", b"A.B=3", b"=4", b"B=", b"C==", b"%=5", b"a b=6"],
    [b"A=1", PATH, b"A=2", b"PATH=/bin", b"A=1"],
    [PATH, b"SHLVL=3", b"_=/x/y", b"OLDPWD=/nonexistent", b"HOME=/root"],
    [PATH, b"SHLVL=x"],
    [PATH, b"OLDPWD=/tmp"],
    [PATH, b"A=\xff\xfe\x81\x88", b"\xc3\xb6=1", b"B=a\nb\tc ", b"C='\"$x`"],
    [PATH, b"LINENO=7", b"A=1"],
    [PATH, b"PPID=7"],
    [PATH, b"OPTIND=7"],
    [PATH, b"IFS=x"],
    [PATH, b"RANDOM=7", b"PS1=x", b"PS4=+"],
    [PATH, b"SHELLOPTS=xtrace"],
    [PATH, b"SHELLOPTS=noexec"],
    [PATH, b"LC_ALL=xx_YY"],
    [PATH, b"BASH_FUNC_x%%=() {  :\n}", b"BASH_ENV=/nonexistent", b"ENV=/nonexistent"],
    [PATH, *[b"N%d=%d" % (number, number) for number in range(200)]],
]
CERTAIN = [[PATH], AWKWARD[2], AWKWARD[3]]
"""Of which every shell can be understood: native runs depend on it."""
OWN_COMMAND = "PATH=/nowhere; exec echo"


@pytest.fixture(params=["dash", "bash", "busybox"])
def sh(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A shell under the name that /bin/sh has."""
    path = shells.shell(request.param)
    if path is None:
        pytest.skip(f"there is no {request.param}")
    if run(path, *(["sh"] if request.param == "busybox" else []), "-c", OWN_COMMAND).returncode != 127:
        pytest.skip(f"{path} has commands of its own: it is not Debian's busybox")
    link = tmp_path / "sh"
    link.symlink_to(path)
    monkeypatch.setattr(shellenv, "SH", bytes(link))
    return bytes(link)


def really(sh: bytes, environ: list[bytes], folder: Path, script: bytes) -> list[bytes]:
    """What a program gets that a script in that folder executes."""
    (folder / "run").write_bytes(script)
    output = folder / "output"
    fd = os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    pid = os.fork()
    if not pid:
        try:
            os.chdir(folder)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.execve(sh, [sh, b"./run"], mapping(environ))
        finally:
            os._exit(111)
    os.waitpid(pid, 0)
    os.close(fd)
    return output.read_bytes().split(b"\0")[:-1]


def known(shell: shellenv.Shell, folder: Path) -> list[bytes] | None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return shell.environment(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("pwd", ["", "wrong", "right", "link", "round", "relative"])
def test_an_answer_is_what_the_shell_does(sh: bytes, tmp_path: Path, pwd: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    pwds = {
        "wrong": tmp_path, "right": folder, "link": tmp_path / "link", "relative": Path("."),
        "round": f"{tmp_path}/./a folder",
    }  # fmt: skip
    more = [b"PWD=" + os.fsencode(pwds[pwd])] if pwd else []
    certain = 0
    for environ in AWKWARD:
        shell = shellenv.learn(environ + more, DEADLINE_S)
        entries = None if shell is None else known(shell, folder)
        if entries is not None:
            certain += 1
            for script in SCRIPTS:
                assert really(sh, environ + more, folder, script) == entries, environ
    assert certain >= len(CERTAIN) or pwd == "round"


def test_an_ordinary_environment_is_known(sh: bytes, tmp_path: Path) -> None:
    for environ in CERTAIN:
        shell = shellenv.learn(environ, DEADLINE_S)
        assert shell is not None
        assert known(shell, tmp_path) is not None


@pytest.mark.parametrize("own", ["echo", "dog"])
def test_a_shell_with_commands_of_its_own_is_not_understood(
    sh: bytes, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As busybox-static, which executes itself for them: this one finds one wherever PATH leads."""
    has_own = tmp_path / "has-own"
    has_own.write_text(f"""#!{sh.decode()}
for word; do
    shift
    set -- "$@" "$(printf %s "$word" | sed 's,exec {own},exec /bin/{own},')"
done
exec {sh.decode()} "$@"
""")
    has_own.chmod(0o755)
    assert run(has_own, "-c", OWN_COMMAND).returncode == (0 if own == "echo" else 127)
    monkeypatch.setattr(shellenv, "SH", bytes(has_own))
    shell = shellenv.learn([PATH], DEADLINE_S)
    assert (shell is None) == (own == "echo")


def test_this_machine_s_own() -> None:
    assert shellenv.learn([PATH, b"HOME=/"], DEADLINE_S) is not None


@pytest.mark.parametrize("program", ["exit 0", "exec sleep 1000", "echo; exit 3", "yes"])
def test_a_shell_that_does_not_answer(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither believed nor waited for, and leaves nothing behind."""
    sh = tmp_path / "sh"
    sh.write_text(f"#!/bin/sh\n{program}\n")
    sh.chmod(0o755)
    monkeypatch.setattr(shellenv, "SH", bytes(sh))
    before = os.listdir("/proc/self/fd")
    cwd = Path.cwd()
    assert shellenv.learn([PATH], 0.3) is None
    assert (os.listdir("/proc/self/fd"), Path.cwd()) == (before, cwd)
    eventually(no_children, "it is gone")


def no_children() -> bool:
    """Reaps one that was left to whoever reaps."""
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0) and False
    except ChildProcessError:
        return True


def test_without_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shellenv, "SH", bytes(tmp_path / "none"))
    assert shellenv.learn([PATH]) is None


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    shell = shellenv.learn([PATH], DEADLINE_S)
    assert shell is not None
    folder = tmp_path / "gone"
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    folder.rmdir()
    assert shell.environment(fd) is None
    os.close(fd)
