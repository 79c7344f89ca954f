"""README's picture of svtop."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from support.processes import environment, run

TREE = Path(__file__).parent.parent.parent
PICTURE = TREE / "docs/svtop.svg"


def test_it_can_be_made_anew(tmp_path: Path) -> None:
    done = run(sys.executable, TREE / "bench/picture", tmp_path / "new.svg", env=environment(LANG="C.UTF-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    look(tmp_path / "new.svg")


def test_the_one_in_docs() -> None:
    look(PICTURE)


def look(path: Path) -> None:
    """It shows what it is to show, and nothing of where it was made; nothing is fetched to show it."""
    text = path.read_text()
    shown = [found.text for found in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    words = "".join(word or "" for word in shown).replace("\xa0", " ")
    for wanted in (
        "svtop",
        "/service",
        "qmail-send",
        "qmail-smtpd",
        "tinydns",
        "N not ready",
        "R restarts",
        "end msg",
    ):
        assert wanted in words
    assert re.findall(r"/(?:tmp|root|home|var|work|usr)/", text) == []
    assert "@font-face" not in text
    assert set(re.findall(r"https?://[^\"\s)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }
