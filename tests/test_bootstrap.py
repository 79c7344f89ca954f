"""bootstrap: what it answers, what it installs and what it leaves alone.

It runs for real, in a mount namespace whose /opt, /usr/local/bin and /usr/local/share are empty and its
own, from a checkout that only root can read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import Running, run

from svpy.core.catalogue import DAEMONS

TREE = Path(__file__).parent.parent
NOBODY = 65534
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
COMMANDS = sorted(PROJECT["scripts"])
PAGES = sorted(path.name for path in (TREE / "man").glob("*.[78]"))
UNITS = sorted(
    [f"system/{path.name}" for path in (TREE / "units").glob("*.service")]
    + [f"user/{path.name}" for path in (TREE / "units/user").glob("*.service")]
)
COMPLETIONS = sorted(
    [f"bash-completion/completions/{name}" for name in (*COMMANDS, "svpy.bash")]
    + [f"fish/vendor_completions.d/{name}.fish" for name in COMMANDS]
    + ["zsh/site-functions/_svpy"]
)


WRONG = [[], ["what"], ["--help"], ["install", "there"], ["install", "top", "x"], ["demo", "2"]]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_answered_with_the_usage(words: list[str]) -> None:
    done = run(TREE / "bootstrap", *words)
    assert done.returncode == 100
    assert done.stdout == b""
    assert done.stderr.startswith(b"bootstrap: usage: ./bootstrap demo | test ")


@pytest.mark.parametrize("word", ["demo", "test", "install", "uninstall"])
def test_it_says_that_it_must_be_root(word: str) -> None:
    dropped = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = run("/bin/sh", "-c", (TREE / "bootstrap").read_text(), "bootstrap", word, cwd="/", **dropped)
    assert (done.returncode, done.stdout) == (111, b"")
    assert done.stderr == (
        b"bootstrap: fatal: unable to set svpy up: "
        b"only root may install packages and start services as other users\n"
    )


@pytest.mark.parametrize("script", ["bootstrap", ".ci/run"])
def test_scripts_are_plain_sh(script: str) -> None:
    path = TREE / script
    assert path.read_bytes().startswith(b"#!/bin/sh\n")
    assert os.access(path, os.X_OK)
    assert run("/bin/sh", "-n", path).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    assert run("shellcheck", path).stdout == b""


class Machine:
    """This machine with those folders empty, for as long as the `with` lasts."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        cover = " && ".join(
            f"mount -t tmpfs none {place}"
            for place in ("/opt", "/usr/local/bin", "/usr/local/lib", "/usr/local/share")
        )
        self.holder = Running(
            "unshare", "--mount", "sh", "-c", f"{cover} && echo ready && exec sleep infinity"
        )
        self.root = Path(f"/proc/{self.holder.pid}/root")
        self.prefix = self.root / "opt/svpy"
        self.links = self.root / "usr/local/bin"
        self.manual = self.root / "usr/local/share/man"
        self.share = self.root / "usr/local/share"
        self.systemd = self.root / "usr/local/lib/systemd"

    def pages(self) -> list[str]:
        """The names in the manual, whatever section they are in."""
        return sorted(path.name for path in self.manual.glob("man*/*"))

    def units(self) -> list[str]:
        """The names in systemd's folders."""
        return sorted(str(path.relative_to(self.systemd)) for path in self.systemd.glob("*/*"))

    def completions(self) -> list[str]:
        """The paths of what is for shells."""
        shells = ("bash-completion", "zsh", "fish")
        found = [path for shell in shells for path in self.share.joinpath(shell).rglob("*")]
        return sorted(str(path.relative_to(self.share)) for path in found if path.is_symlink())

    def __enter__(self) -> Machine:
        self.holder.__enter__()
        self.holder.line(b"ready")
        return self

    def __exit__(self, *error: object) -> None:
        self.holder.__exit__(None, None, None)

    def run(self, *argv: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        namespace = f"--mount=/proc/{self.holder.pid}/ns/mnt"
        return run("nsenter", namespace, *argv, **{"timeout": 120, **options})

    def bootstrap(self, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """bootstrap as an administrator with a strict umask and a Python of their own calls it."""
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", **environment}
        return self.run(self.checkout / "bootstrap", *words, env=own, umask=0o077)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that only root can read, of what bootstrap installs."""
    checkout = tmp_path_factory.mktemp("home") / "checkout"
    checkout.mkdir(mode=0o700)
    for name in ("svpy", "man", "packaging", "units", "service", "completions"):
        shutil.copytree(TREE / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("bootstrap", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(TREE / name, checkout)
    for path in checkout.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    return checkout


@pytest.fixture
def checkout(pristine: Path, tmp_path: Path) -> Path:
    """One that the test may change."""
    return Path(shutil.copytree(pristine, tmp_path / "checkout"))


def require_mounts() -> None:
    if run("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/opt").returncode != 0:
        pytest.skip("no right to mount in a namespace of our own")
    if shutil.which("apt-get") is None:
        pytest.skip("not Debian")


@pytest.fixture(scope="module")
def installed(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    require_mounts()
    with Machine(pristine) as machine:
        before = contents(pristine)
        done = machine.bootstrap("install", TMPDIR=str(tmp_path_factory.mktemp("scratch")))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith(b"svpy is in /opt/svpy, its commands are in /usr/local/bin\n")
        assert done.stderr == b""
        assert contents(pristine) == before, "it wrote to the checkout"
        yield machine


@pytest.fixture
def machine(checkout: Path) -> Iterator[Machine]:
    require_mounts()
    with Machine(checkout) as machine:
        yield machine


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_starts_its_own_interpreter_in_isolation(installed: Machine, name: str) -> None:
    path = installed.prefix / "bin" / name
    module, _, function = PROJECT["scripts"][name].partition(":")
    options = "-I" if name.encode() in DAEMONS else "-IS"
    modules = f"/opt/svpy/lib/python3.{sys.version_info.minor}/site-packages"
    assert path.read_text() == (
        f'#!/opt/svpy/bin/python3 {options}\nimport sys\nsys.path.insert(0, "{modules}")\n'
        f"from {module} import {function}\n{function}()\n"
    )
    assert path.stat().st_mode & 0o7777 == 0o755
    assert os.readlink(installed.links / name) == f"/opt/svpy/bin/{name}"


def test_nothing_else_is_linked(installed: Machine) -> None:
    assert sorted(os.listdir(installed.links)) == COMMANDS
    assert installed.pages() == PAGES
    assert installed.units() == UNITS
    assert installed.completions() == COMPLETIONS


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_what_is_installed(installed: Machine, name: str) -> None:
    place = name.removeprefix("system/")
    assert os.readlink(installed.systemd / name) == f"/opt/svpy/share/units/{place}"
    theirs = (TREE / "units" / place).read_text()
    ours = (installed.prefix / "share/units" / place).read_text()
    assert theirs.count("=/usr/bin/") == ours.count("=/usr/local/bin/svscan ") == 1
    assert ours == theirs.replace("=/usr/bin/", "=/usr/local/bin/")


def test_the_line_for_inittab_names_what_is_installed(installed: Machine) -> None:
    line = (installed.prefix / "share/units/inittab").read_text().splitlines()[-1]
    assert line == "SV:12345:respawn:/usr/local/bin/svscanboot /service"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_found_where_man_looks_for_it(installed: Machine, page: str) -> None:
    place = f"man{page[-1]}/{page}"
    assert os.readlink(installed.manual / place) == f"/opt/svpy/share/man/{place}"
    assert (installed.prefix / "share/man" / place).read_bytes() == (TREE / "man" / page).read_bytes()


def test_a_completion_is_found_by_the_name_of_its_command(installed: Machine) -> None:
    for name, source in (
        ("bash-completion/completions/svc", "svpy.bash"),
        ("fish/vendor_completions.d/svc.fish", "svpy.fish"),
        ("zsh/site-functions/_svpy", "_svpy"),
    ):
        assert os.readlink(installed.share / name) == f"/opt/svpy/share/{name}"
        assert (
            installed.run("cat", f"/usr/local/share/{name}").stdout
            == (TREE / "completions" / source).read_bytes()
        )


def test_every_user_can_read_what_is_installed(installed: Machine) -> None:
    found = list(installed.prefix.rglob("*"))
    assert len(found) > len(COMMANDS)
    for path in (installed.prefix, *found):
        mode = path.lstat().st_mode
        wanted = 0o555 if path.is_dir() else 0o444
        assert mode & wanted == wanted, f"{path}: {mode:o}"
        assert path.is_symlink() or not mode & 0o022, f"{path}: {mode:o}"


def test_nothing_installed_mentions_where_it_came_from(installed: Machine) -> None:
    for name, data in contents(installed.prefix).items():
        assert os.fsencode(installed.checkout.parent) not in data, name
        assert b"/scratch" not in data, name


def test_a_stranger_runs_the_commands_whatever_the_environment_holds(installed: Machine) -> None:
    done = installed.run(
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/local/bin/svpy",
        env={"PATH": "/bin:/usr/bin", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", "HOME": "/root"},
        cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"svpy ")


def test_the_python_of_the_next_debian_finds_it_too(installed: Machine) -> None:
    package = installed.prefix / f"lib/python3.{sys.version_info.minor + 2}/site-packages/svpy/__init__.py"
    assert package.is_file()


def test_the_second_time_nothing_is_done(installed: Machine) -> None:
    def state() -> list[tuple[str, int]]:
        return [(str(path), path.lstat().st_ctime_ns) for path in sorted(installed.prefix.rglob("*"))]

    before = state()
    for path in (installed.checkout / "svpy").rglob("*.py"):
        os.utime(path)
    done = installed.bootstrap("install")
    assert done.stdout.startswith(b"bootstrap: /opt/svpy is up to date\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert state() == before


def test_a_changed_checkout_a_new_python_and_a_command_that_went_away(machine: Machine) -> None:
    assert machine.bootstrap("install").returncode == 0
    (machine.checkout / "svpy/__init__.py").write_text('"""Changed."""\n\n__version__ = "7.8.9"\n')
    (machine.prefix / "bin/of-an-older-python").touch()
    (machine.prefix / ".python").write_text("/usr/bin/python3.1\n")
    (machine.links / "svgone").symlink_to("/opt/svpy/bin/svgone")
    (machine.links / "stranger").symlink_to("/opt/elsewhere")
    (machine.checkout / "man/svok.8").unlink()
    (machine.manual / "man8/svgone.8").symlink_to("/opt/svpy/share/man/svgone.8")
    (machine.manual / "man7/stranger.7").symlink_to("/opt/elsewhere.7")
    done = machine.bootstrap("install")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"installing svpy in /opt/svpy\n" in done.stdout
    assert machine.run("/usr/local/bin/svpy").stdout.startswith(b"svpy 7.8.9")
    assert not (machine.prefix / "bin/of-an-older-python").exists()
    assert sorted(os.listdir(machine.links)) == sorted([*COMMANDS, "stranger"])
    assert machine.pages() == sorted([*{*PAGES} - {"svok.8"}, "stranger.7"])

    # An administrator may have put the manual elsewhere.
    (machine.manual / "man7").rename(machine.manual / "moved")
    (machine.manual / "man7").symlink_to("moved")
    done = machine.bootstrap("uninstall")
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.listdir(machine.links) == ["stranger"]
    assert machine.pages() == ["stranger.7"]
    assert machine.units() == []
    assert machine.completions() == []
    assert not machine.prefix.exists()


def wheel(folder: Path, pin: str) -> None:
    """The least that pip takes for a package."""
    name, version = pin.split("==")
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


def test_extras_come_when_asked_for_and_stay(machine: Machine, tmp_path: Path) -> None:
    """From a folder in place of pip's index."""
    text = (TREE / "bootstrap").read_text()
    top, metrics = re.findall(r'(?m)^(?:TOP|METRICS)="(.*)"$', text)
    for pin in (top, metrics):
        wheel(tmp_path, pin)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}

    def has(pin: str) -> bool:
        name, version = pin.split("==")
        probe = f"import {name}; print({name}.__version__, {name}.__file__)"
        done = machine.run("/opt/svpy/bin/python3", "-I", "-c", probe)
        return done.stdout.startswith(f"{version} /opt/svpy/".encode())

    unreachable = {"PIP_NO_INDEX": "1"}
    done = machine.bootstrap("install", "top", **unreachable)
    assert done.returncode == 111
    assert done.stderr.endswith(
        f"bootstrap: fatal: unable to install {top}: does pip reach its index? "
        "All the rest of svpy is in /opt/svpy\n".encode()
    )
    assert machine.run("/usr/local/bin/svpy").returncode == 0
    assert not has(top)

    # It was asked for, so the next time is told again.
    done = machine.bootstrap("install", **index)
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"bootstrap: pip install {top}\n".encode() in done.stdout
    assert (has(top), has(metrics)) == (True, False)
    assert sorted(os.listdir(machine.links)) == COMMANDS

    done = machine.bootstrap("install", "metrics", "top", **index)
    assert f"bootstrap: pip install {top} {metrics}\n".encode() in done.stdout
    assert (has(top), has(metrics)) == (True, True)
    for words in ([], ["top"]):
        done = machine.bootstrap("install", *words, **unreachable)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"pip" not in done.stdout

    # A new Python means a new environment, into which they come again.
    (machine.prefix / ".python").write_text("/usr/bin/python3.1\n")
    (machine.checkout / "svpy/__init__.py").write_text('"""Changed."""\n\n__version__ = "7.8.9"\n')
    done = machine.bootstrap("install", **index)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (has(top), has(metrics)) == (True, True)


def test_what_is_not_svpys_is_left_alone(machine: Machine) -> None:
    (machine.links / "svc").write_text("another's\n")
    done = machine.bootstrap("install")
    assert done.returncode == 111
    assert done.stderr == (
        b"bootstrap: fatal: unable to link /usr/local/bin/svc: what is there is not svpy's\n"
    )
    assert os.listdir(machine.links) == ["svc"]
    assert (machine.links / "svc").read_text() == "another's\n"
    assert machine.pages() == []

    (machine.links / "svc").unlink()
    page = machine.manual / "man8/svc.8"
    page.parent.mkdir(parents=True)
    page.write_text("another's\n")
    done = machine.bootstrap("install")
    assert done.returncode == 111
    assert done.stderr == (
        b"bootstrap: fatal: unable to link /usr/local/share/man/man8/svc.8: what is there is not svpy's\n"
    )
    assert os.listdir(machine.links) == []
    assert machine.pages() == ["svc.8"]
    assert page.read_text() == "another's\n"

    shutil.rmtree(machine.prefix)
    machine.prefix.mkdir()
    (machine.prefix / "notes").touch()
    for word, doing in (("install", b"install in"), ("uninstall", b"remove")):
        done = machine.bootstrap(word)
        assert done.returncode == 111
        assert done.stderr == (
            b"bootstrap: fatal: unable to " + doing + b" /opt/svpy: what is there is not svpy's\n"
        )
    assert os.listdir(machine.prefix) == ["notes"]


def test_a_package_that_apt_cannot_install_costs_a_sentence(machine: Machine, tmp_path: Path) -> None:
    without = tmp_path / "status"
    packages = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    without.write_text(
        "\n\n".join(text for text in packages if not text.startswith("Package: python3-prctl\n"))
    )
    failing = tmp_path / "apt-get"
    failing.write_text("#!/bin/sh\necho E: no network: $0 >&2\nexit 100\n")
    failing.chmod(0o755)
    for ours, theirs in ((without, "/var/lib/dpkg/status"), (failing, "/usr/bin/apt-get")):
        assert machine.run("mount", "--bind", ours, theirs).returncode == 0
    done = machine.bootstrap("install")
    assert done.returncode == 111
    assert done.stdout == (
        b"bootstrap: apt-get update\n"
        b"bootstrap: warning: apt-get update failed, going on with the lists that are there\n"
        b"bootstrap: apt-get install python3-prctl\n"
    )
    assert done.stderr.splitlines() == [
        b"E: no network: /usr/bin/apt-get",
        b"E: no network: /usr/bin/apt-get",
        b"bootstrap: fatal: unable to install python3-prctl: apt-get failed",
    ]
    assert not machine.prefix.exists()


def test_an_old_python_costs_a_sentence(machine: Machine) -> None:
    assert machine.run("mount", "--bind", "/bin/false", "/usr/bin/python3").returncode == 0
    done = machine.bootstrap("install")
    assert done.returncode == 111
    assert done.stderr == (
        b"bootstrap: fatal: unable to use /usr/bin/python3: Python 3.11 or newer is needed, as in Debian 12\n"
    )


def test_these_tests_run_the_commands_of_such_an_installation() -> None:
    """`./bootstrap test` uses the very launchers that `./bootstrap install` writes."""
    folder = Path(sys.executable).parent
    for name in COMMANDS:
        launcher = folder / name
        if launcher.exists():
            options = "-I" if name.encode() in DAEMONS else "-IS"
            assert launcher.read_text().splitlines()[0] == f"#!{folder}/python3 {options}"
