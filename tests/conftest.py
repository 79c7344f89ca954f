from pathlib import Path

import pytest
from support.services import Services


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """An empty folder of services."""
    return Services(tmp_path)
