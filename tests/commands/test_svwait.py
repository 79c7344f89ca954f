"""svwait: real services under a real svscan, and every way in which what it waits for can come."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from support.processes import DEADLINE_S, Running, environment, eventually, run
from support.services import STAYS, Services, alive, is_hosted, script, svscan, with_services_in

USAGE = b"svwait: usage: svwait -u | -d | -r | -x [-a | -o] [-t seconds] [dir ...]\n"
LATE = b"svwait: fatal: timed out, not up: "


class Waiting(Running):
    """svwait, which hears of changes from now on."""

    def __init__(self, *words: str | bytes | Path, **options: object) -> None:
        super().__init__("svwait", *words, **options)
        try:
            eventually(self.hears)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def hears(self) -> bool:
        """It watches something."""
        assert self.process.poll() is None, f"it has ended: {self.rest()!r}"
        base = f"/proc/{self.pid}/fd"
        return any("inotify" in os.readlink(f"{base}/{fd}") for fd in os.listdir(base))

    def switches(self) -> str:
        """How often it has run."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return "".join(re.findall(r"ctxt_switches:\t(\d+)", status))

    def done(self, code: int = 0, said: bytes = b"") -> None:
        assert self.wait() == code, self.rest()
        assert self.rest() == said


def wait(*words: str | bytes | Path, cwd: Path, code: int = 0, said: bytes = b"") -> None:
    """svwait to its end."""
    done = run("svwait", *words, cwd=cwd)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", said)


def test_up_down_and_gone(services: Services) -> None:
    """One svscan, from before it begins until after it was killed."""
    here = services.folder
    with Waiting("-u", "a", "later", cwd=here) as both, Waiting("-o", "-u", "no", "a", cwd=here) as one:
        services.make("a", log="exec cat >/dev/null")
        with svscan(services) as daemon:
            one.done()
            assert both.process.poll() is None
            services.make("later")
            both.done()
            wait("-u", "a", "a/log", "later", cwd=here)
            assert services.pid("a") and services.pid("later")
            first = services.pid("a")

            with Waiting("-d", "a", cwd=here) as down:
                services.svc("-t", "later")
                services.svc("-d", "a")
                down.done()
            assert not alive(first)
            with Waiting("-u", "a", cwd=here) as up:
                services.svc("-u", "a")
                up.done()

            with Waiting("-x", "a", cwd=here) as gone, Waiting("-d", "a", cwd=here) as down:
                (here / "a").rename(here / ".a")
                run("svc", "-dx", ".a", ".a/log", cwd=here)
                gone.done()
                down.done()
            wait("-x", "a", "never/there", ".a/log", cwd=here)
            wait("-d", ".a", cwd=here)

            with Waiting("-x", "later", cwd=here) as gone:
                pid = services.pid("later")
                os.kill(daemon.pid, signal.SIGKILL)
                gone.done()
            assert alive(pid)
            wait(
                "-t0",
                "-u",
                "later",
                cwd=here,
                code=99,
                said=b"svwait: fatal: timed out, not up: later (no svscan)\n",
            )
        # What it has left behind is taken up again.
        with Waiting("-u", "later", cwd=here) as up, svscan(services):
            up.done()


def test_nothing_is_asked_while_nothing_happens(services: Services) -> None:
    """Others may look, services may write: it does not run until what it waits for comes."""
    here = services.folder
    service = services.make("a", "echo $$ >>started; exec sleep 1000", log="exec multilog t ./main")
    services.make("b", down=True)
    services.make("c")
    with svscan(services):
        services.up("a")
        services.up("c")
        eventually(lambda: is_hosted(here / "b"))
        nothing_is_asked(services, service)


def nothing_is_asked(services: Services, service: Path) -> None:
    here = services.folder
    missing = ("-o", "-u", "b", "none/here")
    with Waiting(*missing, cwd=here) as up, Waiting("-o", "-x", "a", "c", cwd=here) as gone:
        eventually(lambda: sleeps(up) and sleeps(gone))
        before = up.switches(), gone.switches()
        for _ in range(3):
            run("svstat", "--json", "a", "b", "c", cwd=here)
            run("svok", "a", cwd=here)
            (service / "log/main/x").touch()
        assert (up.switches(), gone.switches()) == before
        services.svc("-u", "b")
        services.svc("-dx", "c")
        up.done()
        gone.done()


def sleeps(waiting: Waiting) -> bool:
    """It has come to rest: it has not run for as long as this process needed to look a hundred times."""
    looks = {(waiting.switches(), Path(f"/proc/{waiting.pid}/stat").read_text()) for _ in range(100)}
    return len(looks) == 1 and ") S " in looks.pop()[1]


def test_what_is_not_there_yet(tmp_path: Path) -> None:
    """Folders, links and what they lead to come one after the other, and go again."""
    made = Services(tmp_path)
    far = tmp_path / "x/y/z"
    with Waiting("-u", far, "dangling", cwd=tmp_path) as up, svscan(made):
        (tmp_path / "dangling").symlink_to("target/service")
        (tmp_path / "x/y").mkdir(parents=True)
        far.symlink_to(made.folder / "a")
        (tmp_path / "target").mkdir()
        made.make("a")
        made.up("a")
        far.unlink()
        made.make("b", down=True)
        eventually(lambda: is_hosted(made.folder / "b"))
        far.symlink_to(made.folder / "b")
        (tmp_path / "target/service").symlink_to(made.folder / "b")
        assert up.hears()
        made.svc("-u", "b")
        up.done()


def test_supervise_may_be_a_link(services: Services, tmp_path: Path) -> None:
    """To a place that is there later than it is, as /run after a boot."""
    new = services.prepare("a")
    (new / "supervise").symlink_to(tmp_path / "run/a")
    new.rename(services.folder / "a")
    with Waiting("-u", "a", cwd=services.folder) as up:
        (tmp_path / "run").mkdir()
        assert up.hears()
        with svscan(services):
            up.done()


def test_one_that_restarts_in_a_loop_is_up(services: Services) -> None:
    services.make("a", "exit 1")
    with Waiting("-u", "a", cwd=services.folder) as up, svscan(services):
        up.done()


def test_ready(services: Services) -> None:
    """By what its file `ready` asks for; without one it is ready when it is up. svstat knows it, too."""
    here = services.folder
    new = services.prepare("a", f"while ! [ -e go ]; do sleep 0.1; done; >there; {STAYS}")
    (new / "ready").write_text("file there\n")
    new.rename(here / "a")
    services.make("b")
    with svscan(services):
        wait("-u", "a", "b", cwd=here)
        wait("-r", "b", cwd=here)
        eventually(lambda: services.told("a")["why_not"])
        done = run("svwait", "-r", "-t", "0", "a", cwd=here)
        why = services.told("a")["why_not"].encode()
        assert (done.returncode, done.stdout) == (99, b"")
        assert done.stderr == b"svwait: fatal: timed out, not ready: a (not ready: " + why + b")\n"
        assert services.told("a").items() >= {"state": "not ready", "up": True, "as_wanted": False}.items()
        assert b"\n    not ready: " + why + b"\n" in run("svstat", "-l", "a", cwd=here).stdout
        with Waiting("-r", "a", "b", cwd=here) as ready:
            (here / "a/go").touch()
            ready.done()
        assert (here / "a/there").exists()
        assert services.told("a").items() >= {"state": "up", "ready": True, "why_not": None}.items()
        assert run("svstat", "--check", "a", "b", cwd=here).returncode == 0


def test_a_logger_that_is_a_file_is_gone_when_both_are(services: Services) -> None:
    new = services.prepare("a")
    script(new / "log", "exec cat >/dev/null")
    new.rename(services.folder / "a")
    with svscan(services) as daemon:
        services.up("a")
        eventually(lambda: os.path.exists(services.folder / "a/supervise/log/ok"))
        with Waiting("-x", "a", cwd=services.folder) as gone:
            assert daemon.stop() == 0
            gone.done()


def test_without_folders_it_is_all_of_service(services: Services) -> None:
    """Of a machine whose /service is another folder. Who is wanted down is not meant to be up."""
    services.make("a", log="exec cat >/dev/null")
    services.make("down", down=True)
    assert everywhere(services.folder, "-t0", "-u")[:2] == (99, LATE + b"a (no svscan)\n")
    with svscan(services):
        assert everywhere(services.folder, "-u") == (0, b"")
        assert everywhere(services.folder, "-t0", "-r") == (0, b"")
        assert everywhere(services.folder, "-t0", "-d")[0] == 99
        assert everywhere(services.folder, "-ot0", "-d") == (0, b"")
        services.svc("-d", "a")
        assert everywhere(services.folder, "-d") == (0, b"")
    assert everywhere(services.folder.parent / "making", "-t0", "-u") == (0, b""), "all of none"
    said = b"svwait: fatal: unable to read /service: file does not exist\n"
    assert everywhere(services.folder / "missing", "-u") == (111, said)


def everywhere(folder: Path, *words: str) -> tuple[int, bytes]:
    """svwait where /service is another folder: code and messages."""
    done = with_services_in(folder, "svwait", *words)
    return done.returncode, done.stderr.replace(bytes(folder) + b"/", b"")


def test_times(services: Services) -> None:
    here = services.folder
    services.make("down", down=True)
    for word in ("0", "0.05", "0."):
        began = time.monotonic()
        wait(
            "-u",
            "-t",
            word,
            "none",
            cwd=here,
            code=99,
            said=b"svwait: fatal: timed out, not up: none (unknown)\n",
        )
        assert 0 + float(word) <= time.monotonic() - began < DEADLINE_S
    names = ["a", "b\x1b", "c", "d", "e"]
    said = LATE + b"a (unknown), b? (unknown), c (unknown) and 2 more\n"
    wait("-ut0", *names, cwd=here, code=99, said=said)
    wait("-xt0", *names, cwd=here)
    wait("-x", "-o", "-t9" + "9" * 400, "none", cwd=here)


@pytest.mark.parametrize(
    "words",
    [[], ["-a", "x"], ["-u", "-d", "x"], ["-u", "-t", "", "x"], ["-u", "-t", "-1", "x"], ["-ut", "1e3", "x"],
     ["-ut", "x"]],
)  # fmt: skip
def test_wrong_words(words: list[str], tmp_path: Path) -> None:
    wait(*words, cwd=tmp_path, code=100, said=USAGE)


def test_an_option_that_is_not_known(tmp_path: Path) -> None:
    wait("-w", cwd=tmp_path, code=100, said=b"svwait: illegal option -- w\n" + USAGE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_seen_is_not_waited_for(reachable: Path) -> None:
    made = Services(reachable)
    folder = made.make("a")
    with svscan(made):
        made.up("a")
        for letter in "udrx":
            done = run("setuidgid", "nobody", "svwait", f"-{letter}", "a", cwd=made.folder)
            assert (done.returncode, done.stderr) == (
                111,
                b"svwait: fatal: unable to look at a: access denied\n",
            )
        (folder / "supervise").chmod(0o711)
        (folder / "supervise/ok").chmod(0o666)
        run("setuidgid", "nobody", "svwait", "-u", "a", cwd=made.folder)
        done = run("setuidgid", "nobody", "svwait", "-d", "a", cwd=made.folder)
        assert done.stderr == b"svwait: fatal: unable to watch a/supervise: access denied\n"
        (folder / "supervise").chmod(0o755)
        made.folder.chmod(0o711)
        with Waiting("-d", "a", cwd=made.folder, user=65534) as down:
            made.svc("-d", "a")
            down.done()


def test_a_terminal_sees_how_far_it_is(services: Services) -> None:
    """On stderr, of several, in one line; and nothing of it is left."""
    here = services.folder
    for name in ("a", "b", "c"):
        services.make(name, down=name != "a")
    terminal = ["script", "-qec", "stty cols 40; svwait -u a b c", "/dev/null"]
    with svscan(services):
        services.up("a")
        with Running(*terminal, cwd=here, env=environment(TERM="xterm")) as shown:
            eventually(lambda: is_shown(shown, b"\rsvwait: 1 of 3 up, waiting for b\x1b[K"))
            services.svc("-u", "b")
            eventually(lambda: is_shown(shown, b"\rsvwait: 2 of 3 up, waiting for c\x1b[K"))
            services.svc("-u", "c")
            assert shown.wait() == 0
            shown.rest()
            assert shown.said.endswith(b"\r\x1b[K") and b"\n" not in shown.said
        for term in ("dumb", "xterm"):
            words = ["-t0", "a", "none"] if term == "xterm" else ["-t0.01", "a", "none"]
            shown_once = run("script", "-qec", f"svwait -u {' '.join(words)}", "/dev/null", cwd=here,
                             env=environment(TERM=term))  # fmt: skip
            assert shown_once.stdout == LATE + b"none (unknown)\r\n"


def is_shown(shown: Running, text: bytes) -> bool:
    os.set_blocking(shown.process.stdout.fileno(), False)  # type: ignore[union-attr]
    try:
        shown.said += os.read(shown.process.stdout.fileno(), 4096)  # type: ignore[union-attr]
    except BlockingIOError:
        pass
    return text in shown.said


def test_many_folders_take_no_more_descriptors_than_there_are(services: Services) -> None:
    """Each takes three at most; the limit is raised to what may be had."""
    names = [f"s{number}" for number in range(400)]
    for name in names:
        (services.folder / name).mkdir()
    wait("-x", *names, cwd=services.folder)
    done = run("prlimit", "--nofile=256:4096", "svwait", "-t0.2", "-d", *names, cwd=services.folder)
    assert done.returncode == 99 and done.stderr.endswith(b" and 397 more\n")
