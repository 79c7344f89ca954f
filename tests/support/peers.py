"""C daemontools, to run beside ours.

SVPY_PEERS names the folder of its binaries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PEERS = Path(os.environ.get("SVPY_PEERS", "/var/cache/svpy/peers/usr/bin"))

beside_c = pytest.mark.skipif(
    not (PEERS / "setuidgid").exists(), reason=f"C daemontools is not in {PEERS}: set SVPY_PEERS"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
