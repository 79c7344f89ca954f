"""The seven chain loaders, each as the shortest command line that loads something."""

from __future__ import annotations

from pathlib import Path

TOOLS: dict[str, str] = {
    "setuidgid": "setuidgid root",
    "envuidgid": "envuidgid nobody",
    "envdir": "envdir e",
    "softlimit": "softlimit -o 50",
    "setlock": "setlock lock",
    "pgrphack": "pgrphack",
    "fghack": "fghack",
}
NOBODY = 65534
JOB_MESSAGES = ((rb"(?m)^(Terminated|Killed)\n", b""),)
"""What a shell says of a job that ended by a signal, if it hears of it in time: to be left out."""


def variables(scene: Path) -> None:
    """The folder `e` that TOOLS has envdir read: something new, something replaced, something removed."""
    (scene / "e").mkdir()
    for name, content in (("NEW", b"one\ntwo\n"), ("HOME", b"/elsewhere \t\n"), ("REMOVED", b"")):
        (scene / "e" / name).write_bytes(content)


def programs(scene: Path) -> None:
    """Something of every kind that a word may lead to."""
    variables(scene)
    for name in ("adir", "found", "hidden"):
        (scene / name).mkdir()
    (scene / "plain").write_bytes(b"no program\n")
    for name, text in (
        ("noshebang", "echo it ran\n"),
        ("badshebang", "#!/nonexistent/sh\n"),
        ("found/badshebang", "#!/bin/sh\necho found/badshebang\n"),
        ("found/marker", "#!/bin/sh\necho marker\n"),
        ("found/plain", "#!/bin/sh\necho found/plain\n"),
        ("hidden/marker", "#!/bin/sh\necho hidden\n"),
    ):
        (scene / name).write_text(text)
        (scene / name).chmod(0o755)
    (scene / "loop").symlink_to("loop")
    (scene / "hidden").chmod(0o700)
