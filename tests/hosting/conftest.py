"""Hosting needs root, namespaces and ucspi-tcp; without them every test here is skipped and says why."""

from __future__ import annotations

from functools import cache

import pytest
from support import namespaces


@cache
def missing() -> str:
    return namespaces.missing("tcpserver", "tcprules", "pivot_root", "hostname")


@pytest.fixture(autouse=True)
def needs_a_host() -> None:
    if reason := missing():
        pytest.skip(reason)
