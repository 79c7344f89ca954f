"""Exec plans: what is taken into one process, what is not, and what the program at the end sees."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.peers import PEERS, as_root, beside_c
from support.processes import BIN, DEADLINE_S, PATH, Running, environment, eventually, run

import svpy

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def executed(reachable: Path, *words: str, **options: object) -> list[str]:
    """What was executed, in order, failures left out."""
    run("strace", "-f", "-qq", "-e", "trace=execve", "-z", "-o", reachable / "trace", *words, **options)
    lines = (reachable / "trace").read_text().splitlines()
    return [line.split('"')[1] for line in lines if "execve(" in line]


@needs_strace
def test_a_chain_of_our_own_costs_one_execve(reachable: Path) -> None:
    (reachable / "e").mkdir()
    words = ["pgrphack", "envdir", "e", "setlock", "f", "softlimit", "-o", "50", "true"]
    assert executed(reachable, *words, cwd=reachable) == [f"{BIN}/pgrphack", "/usr/bin/true"]


@needs_strace
def test_links_to_our_scripts_are_ours(reachable: Path) -> None:
    (reachable / "links").mkdir()
    for name in ("pgrphack", "softlimit"):
        (reachable / "links" / name).symlink_to(BIN / name)
    env = environment(PATH=f"{reachable}/links:/usr/bin")
    words = ["pgrphack", "softlimit", f"{BIN}/softlimit", "true"]
    assert executed(reachable, *words, env=env) == [f"{reachable}/links/pgrphack", "/usr/bin/true"]


@needs_strace
@beside_c
def test_another_of_the_same_name_is_executed(reachable: Path) -> None:
    env = environment(PATH=f"{PEERS}:{BIN}:/usr/bin")
    words = [f"{BIN}/pgrphack", "softlimit", "true"]
    assert executed(reachable, *words, env=env) == [words[0], f"{PEERS}/softlimit", "/usr/bin/true"]


@needs_strace
def test_what_cannot_be_executed_is_passed_over(reachable: Path) -> None:
    (reachable / "dir/softlimit").mkdir(parents=True)
    (reachable / "file").mkdir()
    (reachable / "file/softlimit").write_text("no program")
    env = environment(PATH=f"{reachable}/dir:{reachable}/file:{reachable}/missing:{BIN}:/usr/bin")
    words = [f"{BIN}/pgrphack", "softlimit", "true"]
    assert executed(reachable, *words, env=env) == [words[0], "/usr/bin/true"]


@needs_strace
@as_root
def test_all_is_imported_before_the_first_step(reachable: Path) -> None:
    """After it the library may be out of reach: closed to the user, or no descriptor left to read it with."""
    log = reachable / "log"
    log.mkdir()
    os.chown(log, 65534, 65534)
    words = ["65534:65534", "softlimit", "-o", "100", "setlock", "/dev/null"]
    words += ["envdir", "-f", "/dev/null", "fghack", "multilog", "t", "-*", "+*x", "e", str(log)]
    trace = ("strace", "-f", "-qq", "-e", "trace=openat,setgroups", "-z", "-o", reachable / "trace")
    done = run(*trace, "setuidgid", *words, cwd=reachable, input=b"x\n")
    assert done.returncode == 0
    assert (log / "current").read_bytes().endswith(b" x\n")
    lines = (reachable / "trace").read_text().splitlines()
    steps = [number for number, line in enumerate(lines) if "setgroups(" in line]
    late = [line for line in lines[steps[0] :] if "openat(" in line and "O_CREAT" not in line]
    assert steps
    assert not [line for line in late if ".py" in line or ".so" in line], late


SIZES = [(100, 0), (100_000, 100_000), (131_000, 131_000), (131_000, 500_000)]


@beside_c
@pytest.mark.parametrize("limit", ["300000", "3000000", "8000000"])
@pytest.mark.parametrize(("argument", "variables"), SIZES)
@pytest.mark.parametrize("program", [["/bin/echo"], ["nonexistent"], ["/"], ["sh", "-c", "ulimit -v"]])
def test_limits_below_our_own_size_with_large_words(
    program: list[str], argument: int, variables: int, limit: str, tmp_path: Path
) -> None:
    """Nothing may be allocated that the limit refuses, and what goes wrong must still be said."""
    large = {f"V{n}": "v" * min(variables, 100_000) for n in range((variables + 99_999) // 100_000)}
    outcomes = []
    for tools in (PEERS, BIN):
        words = [str(tools / "softlimit"), "-m", limit, *program, "x" * argument]
        done = run(*words, env={"PATH": "/usr/bin:/bin", **large})
        outcomes.append((done.returncode, done.stdout, done.stderr))
    assert outcomes[0] == outcomes[1]


@as_root
def test_memory_limits_wait_for_the_tools_that_follow() -> None:
    words = ["softlimit", "-m", "3600000", "setuidgid", "nobody", "sh", "-c", "id -u; id -G; ulimit -v"]
    done = run(*words)
    assert (done.stdout, done.stderr) == (b"65534\n65534\n3515\n", b"")


def raw_exec(argv: list[bytes], entries: list[bytes]) -> bytes:
    """The output of a program that got exactly these entries, which only libc's execve can give."""
    program = (
        "import ctypes, sys\n"
        "def vector(words): return (ctypes.c_char_p * (len(words) + 1))(*words, None)\n"
        f"argv, entries = {argv!r}, {entries!r}\n"
        "ctypes.CDLL(None).execve(argv[0], vector(argv), vector(entries))\n"
        "sys.exit('not executed')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=DEADLINE_S
    ).stdout


ODD_ENVIRONMENTS = [
    [],
    [b""],
    [b"A=1", b"B=2", b"A=3"],
    [b"A=1", b"noequals", b"=x", b"", b"B=\xff\n", b""],
    [b"LC_CTYPE=C.UTF-8", b"Z=1"],
    [b"LC_CTYPE=nonsense", b"Z=1"],
    [b"LC_ALL=C", b"Z=1"],
    [b"PYTHONHOME=/nonexistent", b"PYTHONPATH=/nonexistent", b"PYTHONMALLOC=debug", b"PYTHONUTF8=0"],
]


@pytest.mark.parametrize("entries", ODD_ENVIRONMENTS)
def test_the_environment_is_handed_on_byte_for_byte(entries: list[bytes]) -> None:
    argv = [os.fsencode(BIN / "softlimit"), b"-o", b"100", b"/bin/cat", b"/proc/self/environ"]
    assert raw_exec(argv, entries) == b"".join(entry + b"\0" for entry in entries)


@pytest.mark.parametrize("entries", ODD_ENVIRONMENTS)
def test_and_changed_as_c_changes_it(entries: list[bytes], reachable: Path) -> None:
    (reachable / "B").write_bytes(b"new")
    (reachable / "A").write_bytes(b"")
    argv = [os.fsencode(BIN / "envdir"), os.fsencode(reachable), b"/bin/cat", b"/proc/self/environ"]
    if (PEERS / "envdir").exists():
        assert raw_exec(argv, entries) == raw_exec([os.fsencode(PEERS / "envdir"), *argv[1:]], entries)
    else:
        assert b"B=new\0" in raw_exec(argv, entries)


def test_a_link_to_nothing_removes_the_variable(reachable: Path) -> None:
    """C gives it the value of the file before it, if there was one."""
    (reachable / "B").symlink_to("missing")
    for name in "AC":
        (reachable / name).write_text(name)
    done = run("envdir", reachable, "cat", "/proc/self/environ", env=environment(B="old"))
    assert {b"A=A", b"C=C"} < set(done.stdout.split(b"\0"))
    assert b"B=" not in done.stdout


def test_signals_are_handed_on() -> None:
    """The mask and what was ignored stay, but for the two signals CPython ignores by itself."""

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)

    expected = run("grep", "^Sig[BIC]", "/proc/self/status", preexec_fn=prepare)
    done = run(
        "softlimit", "-o", "60", "pgrphack", "grep", "^Sig[BIC]", "/proc/self/status", preexec_fn=prepare
    )
    assert done.stdout == expected.stdout
    assert done.stdout.count(b"\n") == 3


def test_setlock_waits_its_turn(reachable: Path) -> None:
    with Running(
        "setlock", "f", "sh", "-c", "echo locked; read x; echo released", cwd=reachable, stdin=subprocess.PIPE
    ) as first:
        first.line(b"locked")
        with Running("setlock", "f", "echo", "mine", cwd=reachable) as second:
            eventually(lambda: waits_for_a_lock(second.pid), "the second to wait")
            assert run("setlock", "-n", "f", "true", cwd=reachable).returncode == 111
            assert first.process.stdin is not None
            first.process.stdin.close()
            assert second.line() == b"mine"
            assert second.wait() == 0


def waits_for_a_lock(pid: int) -> bool:
    return f" {pid} " in "".join(
        line for line in Path("/proc/locks").read_text().splitlines(True) if "->" in line
    )


def test_fghack_waits_for_what_went_into_the_background(reachable: Path) -> None:
    os.mkfifo(reachable / "go")
    with Running(
        "fghack", "sh", "-c", "(read x <go; echo done) & echo started; exit 5", cwd=reachable
    ) as fghack:
        fghack.line(b"started")
        children = Path(f"/proc/{fghack.pid}/task/{fghack.pid}/children")
        eventually(lambda: zombie(children.read_text()), "sh to end")
        assert fghack.process.poll() is None
        (reachable / "go").write_text("\n")
        assert fghack.line() == b"done"
        assert fghack.wait() == 5


def zombie(children: str) -> bool:
    """Whether all of these processes have ended, unreaped."""
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] for pid in children.split()]
    return set(states) == {"Z"}


def look(pid: int) -> tuple[str, list[bytes]]:
    return Path(f"/proc/{pid}/comm").read_text().strip(), Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(
        b"\0"
    ).split(b"\0")


@as_root
def test_multilog_at_the_end_runs_in_the_same_process(reachable: Path) -> None:
    (reachable / "e").mkdir()
    (reachable / "e/MARK").write_text("here")
    (reachable / "e/LAST").write_text("")
    (reachable / "log").mkdir()
    os.chown(reachable / "log", 65534, 65534)
    chain = ["envdir", str(reachable / "e"), "setuidgid", "nobody", "softlimit", "-m", "3000000", "-o", "60"]
    script = ["-*", "+wanted*", "s4096", "!cat /proc/self/environ >environ; ulimit -n >nofile; cat", "./log"]
    env = environment(LAST="1")
    with Running(*chain, "multilog", *script, cwd=reachable, stdin=subprocess.PIPE, env=env) as log:
        eventually(lambda: (reachable / "log/current").exists(), "multilog to open its folder")
        assert look(log.pid) == ("multilog", [b"multilog", *map(os.fsencode, script)])
        status = Path(f"/proc/{log.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "Groups:\t65534 \n" in status
        limits = Path(f"/proc/{log.pid}/limits").read_text()
        assert "Max open files            60 " in limits
        bound = next(line for line in limits.splitlines() if line.startswith("Max address space")).split()[3]
        assert 3_000_000 < int(bound) < 200_000_000
        assert log.process.stdin is not None
        for number in range(300):
            log.process.stdin.write(b"wanted %d\nother\n" % number)
        log.process.stdin.write((b"wanted " + b"x" * 100 + b"\n") * 100)
        log.process.stdin.close()
        assert log.wait() == 0
        assert log.rest() == b""
    kept = b"".join(path.read_bytes() for path in sorted((reachable / "log").glob("@*.s")))
    kept += (reachable / "log/current").read_bytes()
    assert kept.count(b"wanted") == 400
    assert b"other" not in kept
    assert (reachable / "log/nofile").read_bytes() == b"60\n"
    passed_on = (reachable / "log/environ").read_bytes().split(b"\0")
    assert b"MARK=here" in passed_on
    assert not [entry for entry in passed_on if entry.startswith((b"LAST=", b"LC_CTYPE="))]


@as_root
def test_nothing_of_ours_is_imported_after_setuidgid(reachable: Path) -> None:
    """The package may be out of the account's reach, under root's home: all is imported before."""
    package = Path(svpy.__file__).parent
    shutil.copytree(package, reachable / "hidden/svpy", ignore=shutil.ignore_patterns("__pycache__"))
    (reachable / "hidden").chmod(0o700)
    (reachable / "bin").mkdir()
    for name in ("setuidgid", "softlimit", "multilog"):
        script = reachable / "bin" / name
        script.write_text(
            f"#!{sys.executable} -I\nimport sys\nsys.path.insert(0, '{reachable}/hidden')\n"
            f"from svpy.commands.{name} import main\nmain()\n"
        )
        script.chmod(0o755)
    (reachable / "log").mkdir()
    os.chown(reachable / "log", 65534, 65534)
    words = [
        "setuidgid",
        "nobody",
        "softlimit",
        "-m",
        "9000000",
        "multilog",
        "t",
        "s4096",
        "n50",
        "!cat",
        "./log",
    ]
    env = environment(PATH=f"{reachable}/bin:/usr/bin:/bin")
    done = run(*words, cwd=reachable, input=b"line\n" * 1000, env=env, executable=reachable / "bin/setuidgid")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sum(path.read_bytes().count(b" line\n") for path in (reachable / "log").iterdir()) == 1000


@as_root
def test_a_multilog_out_of_reach_is_refused_in_c_words(reachable: Path) -> None:
    (reachable / "hidden").mkdir(0o700)
    for name in ("setuidgid", "multilog"):
        shutil.copy(BIN / name, reachable / "hidden" / name)
    env = environment(PATH=f"{reachable}/hidden:/usr/bin:/bin")
    done = run(str(reachable / "hidden/setuidgid"), "nobody", "multilog", "./log", cwd=reachable, env=env)
    assert (done.returncode, done.stderr) == (
        111,
        b"setuidgid: fatal: unable to run multilog: access denied\n",
    )


@as_root
def test_works_without_proc(reachable: Path) -> None:
    """Early in a boot or in a bare chroot there may be no /proc."""
    script = (
        "mount -t tmpfs none /proc && "
        "exec softlimit -m 9000000 envdir e setuidgid nobody softlimit -o 40 "
        "sh -c 'echo $MARK ${LC_CTYPE-unset} $(id -u) $(ulimit -n) $(ulimit -v)'"
    )
    (reachable / "e").mkdir()
    (reachable / "e/MARK").write_text("here")
    done = run("unshare", "--mount", "sh", "-c", script, cwd=reachable, env={"PATH": PATH})
    assert (done.stdout, done.stderr) == (b"here unset 65534 40 8789\n", b"")


@pytest.mark.parametrize("charmap", ["EUC-JP", "EUC-KR", "BIG5"])
def test_words_stay_as_they_are_in_old_locales(charmap: str, tmp_path: Path) -> None:
    """In these the interpreter's text does not give every byte back."""
    made = run("localedef", "-i", "POSIX", "-f", charmap, "--no-archive", tmp_path / "old")
    if not (tmp_path / "old").is_dir():
        pytest.skip(os.fsdecode(made.stderr))
    env = environment(LOCPATH=str(tmp_path), LC_ALL="old")
    encoding = run(sys.executable, "-I", "-c", "import sys; print(sys.getfilesystemencoding())", env=env)
    assert encoding.stdout.decode().strip().replace("_", "-").upper() == charmap
    words = [b"\x8e~\xc0\x89", b"\xcd\x80\xa40", b"~\x81\xa2@", b"0\x80@\xd1", b"caf\xc3\xa9", b"\xff"]
    done = run("pgrphack", "softlimit", "-o", "50", "printf", "%s|", *words, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join(word + b"|" for word in words)


def test_a_bug_or_a_limit_never_shows_a_traceback(tmp_path: Path) -> None:
    for words in (
        ["setuidgid", "x" * 5000, "true"],
        ["envdir", "\udcff", "true"],
        ["setlock", "\udcff/x", "true"],
    ):
        done = run(*map(os.fsencode, words), cwd=tmp_path)
        assert done.returncode == 111
        assert done.stderr.count(b"\n") == 1
        assert b"Traceback" not in done.stderr
