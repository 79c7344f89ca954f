"""What svscan has of trio, and that whoever wants the rest of it gets it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support.processes import eventually, run
from support.services import Services, svscan

import svpy

ROOT = Path(svpy.__file__).parent
NOT_USED = {
    "ssl", "_ssl", "hashlib", "_hashlib", "hmac", "idna", "json", "pathlib", "subprocess", "tempfile",
    "shutil", "trio.socket", "trio._subprocess", "trio.testing",
}  # fmt: skip

USED = f"""
import os, sys
sys.path.append({str(ROOT.parent)!r})
import svpy.daemon.main
import trio

async def fails():
    raise LookupError

async def work():
    with trio.move_on_after(0.001) as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    event = trio.Event()
    reading, writing = os.pipe()
    os.write(writing, b"x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(event.wait)
        nursery.start_soon(trio.lowlevel.wait_readable, reading)
        nursery.start_soon(trio.lowlevel.wait_writable, writing)
        event.set()
    for pause_s in 0, 0.001:
        await trio.sleep(pause_s)
    await trio.sleep_until(trio.current_time())
    await trio.lowlevel.checkpoint()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails)
    except (LookupError, BaseExceptionGroup):
        print("raised")

trio.run(work, clock=svpy.daemon.main.Monotonic())
"""


def python(program: str) -> list[str]:
    """What it prints, a line each."""
    done = run(sys.executable, "-I", "-c", program)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_what_is_not_used_is_not_imported() -> None:
    said = python(USED + "print(*sys.modules)")
    assert said[0] == "raised"
    assert not NOT_USED & set(said[1].split())


def test_who_asks_for_the_rest_gets_it() -> None:
    """trio's own: the same objects, in the modules that everybody has."""
    before = "class Here: pass\nhere = Here(); here.trio, here.event = trio, trio.Event\n"
    asks = """
import ctypes.util, pathlib, ssl, trio.testing
from trio.lowlevel import spawn_system_task
assert trio is here.trio and trio.Event is here.event
assert trio.SSLStream.__init__ and trio.abc.Stream and trio.lowlevel.open_process and trio.__version__
assert issubclass(svpy.daemon.main.Monotonic, trio.abc.Clock) and trio.TrioInternalError
for module, name in (ctypes.util, "find_library"), (pathlib, "PurePath"), (ssl, "SSLContext"):
    assert getattr(module, name).__module__.partition(".")[0] == module.__name__.partition(".")[0], module
async def all_of_it():
    return await trio.to_thread.run_sync(lambda: "works")
print(trio.run(all_of_it))
"""
    first = "import sys\n" + f"sys.path.append({str(ROOT.parent)!r})\nimport svpy.daemon.main, trio\n"
    assert python(first + before + asks) == ["works"]
    assert python(USED + before + asks) == ["raised", "works"]


def test_another_trio_is_imported_plainly() -> None:
    """One in which a part is missing, or a name in one."""
    for part, names in (("trio._nowhere", ("run",)), ("trio._core", ("no_such_name",))):
        program = f"""
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("parts", {str(ROOT / "daemon/parts.py")!r})
parts = module_from_spec(spec)
spec.loader.exec_module(parts)
parts._PARTS["trio.lowlevel"][{part!r}] = {names!r}
parts.import_trio()
import trio
assert "ssl" in sys.modules and "__getattr__" not in vars(trio.lowlevel)
async def work():
    await trio.lowlevel.checkpoint()
    return "works"
print(trio.run(work))
"""
        assert python(program) == ["works"]


def test_svscan_has_no_openssl(services: Services) -> None:
    """From its start over a restart, a scan and the end of a service."""
    services.make("a", run="echo runs; exec sleep 1000", log="exec cat")
    with svscan(services) as daemon:
        pid = services.up("a")
        services.svc("-t", "a")
        services.up("a", since=pid)
        services.svc("-d", "a")
        eventually(lambda: services.state("a").startswith("down"))
        maps = Path(f"/proc/{daemon.pid}/maps").read_text()
        mapped = {os.path.basename(line.split()[-1]) for line in maps.splitlines() if "/" in line}
        assert any(name.startswith("libc.so") for name in mapped)
        assert not [name for name in mapped if name.startswith(("libssl", "libcrypto", "liblzma", "libbz2"))]
        assert daemon.stop() == 0
