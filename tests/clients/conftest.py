"""Most of these tests need root, namespaces, and the clients; without them they are skipped and say why."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from support import clients
from support.clients import ClientHost

missing = cache(clients.why_not)


@pytest.fixture(scope="module")
def host() -> Iterator[ClientHost]:
    """One for all tests of a client: it is the client's own start that takes time, less at its second."""
    if reason := missing():
        pytest.skip(reason)
    with ClientHost() as host:
        yield host
