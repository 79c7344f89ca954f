"""Shells that may be somebody's /bin/sh."""

from __future__ import annotations

import os
import shutil

from support.peers import PEERS


def shell(name: str) -> str | None:
    """Where it is, None if it is not here. Debian's busybox lies beside C daemontools: to install it would
    put it in the place of busybox-static, which has commands of its own."""
    beside = (PEERS.parent.parent / "bin", PEERS)
    return shutil.which(name, path=":".join(map(str, beside)) + ":" + os.environ["PATH"])
