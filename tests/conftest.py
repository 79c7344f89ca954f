import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import session
from support.services import Services


def pytest_configure() -> None:
    session.begin_afresh()
    session.go_on_in_a_child()
    # Fixtures and `with` blocks come to their ends.
    signal.signal(signal.SIGTERM, lambda number, frame: pytest.exit("terminated", 143))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """An empty folder of services."""
    return Services(tmp_path)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can reach: tmp_path is below one that is ours alone."""
    folder = Path(tempfile.mkdtemp(prefix="svpy-reachable-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
