"""What the pages refer to exists: files, headings, manual pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.package import TREE

PAGES = sorted(
    path for path in (*TREE.glob("*.md"), *TREE.glob("docs/**/*.md")) if "__pycache__" not in path.parts
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MANUAL = re.compile(r"\b((?:sv|multi|tai64|set|env|soft|fg|pgrp|super|readproc)[a-z0-9-]*)\(([78])\)")


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_what_a_page_refers_to_exists(page: Path) -> None:
    text = page.read_text()
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path), f"{page}: {target}"
    for name, section in MANUAL.findall(text):
        assert (TREE / f"man/{name}.{section}").exists(), f"{page}: {name}({section})"
