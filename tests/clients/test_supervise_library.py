"""PyPI's `supervise`: it refuses a status that is not 18 bytes (or runit's 20), and writes into control.

It is of Python 2's time. Its text is left alone, but for the `L` of one number; the names that mean something
else in Python 2 are given to it."""

from __future__ import annotations

import builtins
import os
import re
import struct
import time
import types
from pathlib import Path
from typing import Any

import pytest
from support.clients import CLIENTS, MODULES, needs
from support.processes import eventually
from support.services import Services, stopped, svscan

LIBRARY = CLIENTS / MODULES / "supervise.py"
pytestmark = [
    pytest.mark.slow,
    needs(MODULES / "supervise.py"),
    # It leaves the status file to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


def python_2_open(path: str, mode: str) -> Any:
    """`w+` was C's: for reading too, so that a fifo without a reader did not stop it, and without a seek."""
    if mode == "w+":
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w")
    return Path(path).open(mode)


def python_2_unpack(layout: str, data: bytes) -> tuple[Any, ...]:
    return tuple(v.decode("latin-1") if isinstance(v, bytes) else v for v in struct.unpack(layout, data))


def python_2_map(function: Any, items: Any) -> list[Any]:
    return list(builtins.map(function, items))


@pytest.fixture(scope="module")
def library() -> types.ModuleType:
    text, changed = re.subn(r"\b(\d+)L$", r"\1", LIBRARY.read_text(), flags=re.M)
    assert changed == 1
    module = types.ModuleType("supervise")
    # It has `import struct` itself, so what it is to find must stand there.
    text = text.replace("import struct\n", "")
    module.__dict__.update(
        map=python_2_map,
        long=int,
        open=python_2_open,
        struct=types.SimpleNamespace(unpack=python_2_unpack, pack=struct.pack),
    )
    exec(compile(text, LIBRARY, "exec"), module.__dict__)
    return module


def test_it_reads_the_status_and_controls(library: Any, services: Services) -> None:
    begun = time.time()
    folder = services.make("web", "trap 'touch told' USR1; touch ready; while :; do sleep 1 & wait; done")
    with svscan(services):
        first = services.up("web")
        service = library.Service(str(folder))

        def status() -> Any:
            return service.status()

        assert status().status == library.STATUS_UP
        assert status().pid == first
        assert 0 <= status().uptime <= time.time() - begun + 1

        eventually((folder / "ready").exists, "its trap")
        service.user1()
        eventually((folder / "told").exists, "its USR1")

        service.pause()
        eventually(lambda: status().action == library.PAUSED, "paused")
        eventually(lambda: stopped(first), "its STOP")
        service.cont()
        eventually(lambda: status().action != library.PAUSED and not stopped(first), "its CONT")

        service.terminate()
        services.up("web", since=first)
        service.down()
        eventually(lambda: status().status == library.STATUS_DOWN, "down")
        assert (status().pid, len((folder / "supervise/status").read_bytes())) == (None, 18)
        service.once()
        last = services.up("web")
        service.kill()
        eventually(lambda: status().pid is None, "down after its one run")
        assert services.pid("web") == 0 and last != first


def test_it_refuses_another_length(library: Any, tmp_path: Path) -> None:
    """What is tested above is the library's own check."""
    (tmp_path / "supervise").mkdir()
    (tmp_path / "supervise/status").write_bytes(bytes(19))
    with pytest.raises(AssertionError, match="Unknown status format"):
        library.Service(str(tmp_path)).status()
