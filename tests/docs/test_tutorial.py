"""docs/tutorial.md: every command is typed, one after the other, on a Debian that has nothing but its base,
with systemd as its PID 1, and the answers are those of the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import booted, mailhost, minimal, mirror, pages
from support.booted import Booted, CannotBoot
from support.minimal import ENVIRONMENT
from support.package import TREE
from support.processes import eventually

import svpy

PAGE = TREE / "docs/tutorial.md"
PACKAGES = ("opensmtpd", "ca-certificates", "ucspi-tcp")
LOOKS = ("svstat", "svwait", "svlog", "svcheck", "tail", "cat", "grep", "journalctl", "ls")
"""What these show may need a moment: a reader would look again."""
FOUND = {"svcheck": (1, 2)}
"""Exit codes that say only what the answer does."""
COMMAND_S = 120


@pytest.fixture
def machine(built: Callable[[str], Path]) -> Iterator[Booted]:
    why = minimal.missing() or booted.why_not(minimal.ROOT) or mirror.missing(*PACKAGES)
    if why:
        pytest.skip(why)
    try:
        booting = Booted(minimal.ROOT)
    except CannotBoot as error:
        pytest.skip(str(error))
    with booting as machine:
        mailhost.name_it(machine)
        mirror.serve(machine)
        shutil.copy(built(svpy.__version__), machine.root / "root")
        yield machine


class Reader:
    """Types what the page says, in /root."""

    def __init__(self, machine: Booted) -> None:
        self.machine = machine
        self.said = ""

    def type(self, command: str) -> int:
        done = self.machine.command(
            "sh", "-c", f"exec 2>&1; cd /root; {command}", env=ENVIRONMENT, timeout=COMMAND_S
        )
        self.said = done.stdout.decode()
        return done.returncode

    def does(self, step: pages.Typed) -> None:
        def as_shown() -> bool:
            return self.type(step.command) in (0, *FOUND.get(step.command.split()[0], ())) and pages.matches(
                step.answer, self.said
            )

        try:
            if step.command.split()[0] in LOOKS:
                eventually(as_shown, step.command)
            else:
                assert as_shown()
        except AssertionError as error:
            error.add_note(f"{step.command}\nshould have said {step.answer}\nit said {self.said}")
            raise

    def writes(self, step: pages.File) -> None:
        path = self.machine.path(step.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.content)


def test_every_command_answers_as_shown(machine: Booted, tmp_path: Path) -> None:
    reader = Reader(machine)
    steps = pages.steps(PAGE)
    assert sum(isinstance(step, pages.Typed) for step in steps) > 25
    has_qmail = False
    for step in steps:
        if step.heading == "qmail" and not has_qmail:
            have_qmail(machine, tmp_path)
            has_qmail = True
        if isinstance(step, pages.Typed):
            reader.does(step)
        else:
            reader.writes(step)
    assert has_qmail


def have_qmail(machine: Booted, folder: Path) -> None:
    """Its accounts and /var/qmail, for which the stand-ins are here."""
    shutil.copy(mailhost.qmail_tar(folder / "qmail.tar"), machine.path("/tmp"))
    shutil.copy(TREE / "docs/fleet/mail-host.conf", machine.path("/tmp"))
    done = machine.command(
        "sh", "-ec", "systemd-sysusers /tmp/mail-host.conf; tar -C /var -xpf /tmp/qmail.tar", env=ENVIRONMENT
    )
    assert done.returncode == 0, done


def test_an_answer_is_told_from_another() -> None:
    assert pages.matches(["a 12 b", "...", "c"], "a  7 b\nx\ny\nc\n")
    assert pages.matches(["..."], "")
    assert not pages.matches(["a 12 b"], "a 12 c\n")
    assert not pages.matches(["a"], "a\nb\n")
    assert not pages.matches([], "unable\n")
    assert pages.matches(["x ... stat=Delivered"], "x delay=0s stat=Delivered\n")
