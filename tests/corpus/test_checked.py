"""svcheck on every pattern of the corpus: no warning and no error, because all of them do what they are for.

So on the examples of the manual and of docs/, as far as they do not depend on the machine."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import run

from corpus.patterns import CORPUS
from corpus.scene import Scene

ROOT = Path(__file__).resolve().parents[2]
OF_THE_MACHINE = {"unknown-user", "no-program", "log-not-writable", "no-rules", "no-envdir", "no-interpreter"}
"""An example is read where its accounts and programs are not."""
NOTES = {
    "down-with-text": ["down"],
    "log-bare-s/log": ["multilog-clamped"],
    "log-s50000000/log": ["multilog-clamped"],
    "log-unknown-letter/log": ["multilog-ignored", "multilog-ignored"],
    "shebang-none": ["no-shebang"],
}

SHOWN_TO_BE_BAD = re.compile(r"(?:(?!\n#!)(?s:.)){0,200}\n# svcheck .*\n.*: error: ")
"""What may stand behind an example: that svcheck finds what is wrong with it."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for folders of other users")


@pytest.fixture
def scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="svpy-checked-") as folder:
        Path(folder).chmod(0o755)
        yield Scene(Path(folder))


def test_the_corpus_gives_no_false_alarm(scene: Scene) -> None:
    for pattern in CORPUS:
        for name in (*pattern.services, *pattern.later):
            if not (scene.service / name).exists():
                scene.bring(name)
        if pattern.prepare:
            pattern.prepare(scene)
    names = sorted(path.name for path in scene.service.iterdir())
    inner = "svscan-in-svscan/inner/one"
    done = run("svcheck", "--json", *names, inner, cwd=scene.service, env={"PATH": scene.path})
    found = json.loads(done.stdout)["findings"]
    assert [each for each in found if each["severity"] != "note"] == []
    assert (done.returncode, done.stderr) == (0, b"")
    notes: dict[str, list[str]] = {}
    for each in found:
        if each["id"] != "other-owner":  # A whole log/ of its user's.
            folder = each["folder"] + ("/log" if (each["file"] or "").startswith("log/") else "")
            notes.setdefault(folder, []).append(each["id"])
    assert notes == NOTES


def examples() -> dict[str, list[str]]:
    """Scripts in pages, each from its `#!` line to where it ends there."""
    found = {}
    pages = [*(ROOT / "man").glob("*.[78]"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    for page in sorted(pages):
        text = page.read_text()
        if page.suffix in (".7", ".8"):
            text = text.replace("\\&", "").replace("\\e", "\\")
        scripts = re.finditer(r"(?ms)^ *(#! ?/bin/.*?)^ *(?:\.|\.Ed|EOF|END|```|# cat .*?)$", text)
        good = [each[1] for each in scripts if not SHOWN_TO_BE_BAD.match(text, each.end())]
        if good:
            found[page.name] = [re.sub(r"(?m)^ {4}", "", script) for script in good]
    return found


EXAMPLES = examples()


def test_there_are_examples() -> None:
    assert {"setuidgid.8", "svpy-service.7", "svscan.8"} <= EXAMPLES.keys()


@pytest.mark.parametrize("page", EXAMPLES)
def test_examples_give_no_false_alarm(page: str, scene: Scene) -> None:
    folders = []
    for number, script in enumerate(EXAMPLES[page]):
        folder = scene.service / str(number)
        folder.mkdir()
        place = folder
        if "multilog" in script:
            (folder / "run").write_text("#!/bin/sh\nexec 2>&1\nexec sleep 1000\n")
            (folder / "run").chmod(0o755)
            place = folder / "log"
            place.mkdir()
        (place / "run").write_text(script)
        (place / "run").chmod(0o755)
        folders.append(folder)
    found = json.loads(run("svcheck", "--json", *folders).stdout)["findings"]
    assert [
        each for each in found if each["severity"] != "note" and each["id"] not in OF_THE_MACHINE
    ] == [], EXAMPLES[page]
