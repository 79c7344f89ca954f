"""trio without what no supervisor needs of it.

Rules of this module:

- `trio`, `trio.abc` and `trio.lowlevel` are trio's own modules from the beginning, but of what they gather
  from the rest of trio they have only what stands in the table below. The rest (TLS, sockets, files,
  subprocesses) needs OpenSSL, `idna`, `subprocess` and more: a third of the memory that svscan would have;
- who asks one of them for any other name gets it: that module is executed then, as `import trio` would have
  done;
- where another trio is not made of these parts, it is imported plainly.

Stand-ins for `ssl`, `hashlib`, `hmac` and `idna` were tried: they save half as much, and trio would have
kept modules that cannot work.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "trio": {
        "trio._core": (
            "BrokenResourceError",
            "BusyResourceError",
            "CancelScope",
            "Cancelled",
            "ClosedResourceError",
            "Nursery",
            "RunFinishedError",
            "TASK_STATUS_IGNORED",
            "TrioInternalError",
            "WouldBlock",
            "current_effective_deadline",
            "current_time",
            "open_nursery",
            "run",
        ),
        "trio._sync": ("Event",),
        "trio._timeouts": (
            "fail_after",
            "fail_at",
            "move_on_after",
            "move_on_at",
            "sleep",
            "sleep_forever",
            "sleep_until",
        ),
    },
    "trio.abc": {"trio._abc": ("Clock", "Instrument")},
    "trio.lowlevel": {
        "trio._core": (
            "Abort",
            "checkpoint",
            "reschedule",
            "wait_readable",
            "wait_task_rescheduled",
            "wait_writable",
        )
    },
}
"""Which of its names each module is given from the beginning, and from where: what svpy uses, and what those
parts use of the others when they run."""


def import_trio() -> None:
    """What `import trio` does, if nobody has done it yet. Raises what that raises."""
    if "trio" in sys.modules:
        return
    with _no_library_search():
        try:
            with _late("pathlib"):
                for name in _PARTS:
                    _begin(name)
                for name in _PARTS:
                    _fill(name)
        except Exception:
            _purge()
            importlib.import_module("trio")


def _begin(name: str) -> None:
    """Let a module be there, not executed yet."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(name)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def _fill(name: str) -> None:
    module = sys.modules[name]
    for part, names in _PARTS[name].items():
        source = importlib.import_module(part)
        for each in names:
            setattr(module, each, getattr(source, each))
    module.__dict__["__getattr__"] = _rest_of(module)


def _rest_of(module: ModuleType) -> Callable[[str], object]:
    """What a module is asked for a name with that it has not (PEP 562)."""

    def rest(name: str) -> object:
        # Whoever looks at modules asks for such names of all of them.
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        if module.__dict__.get("__getattr__") is rest:
            del module.__dict__["__getattr__"]
            assert module.__spec__ is not None and module.__spec__.loader is not None
            with _no_library_search():
                module.__spec__.loader.exec_module(module)
        return getattr(module, name)

    return rest


def _purge() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "trio"]:
        del sys.modules[name]


@contextmanager
def _no_library_search() -> Iterator[None]:
    """trio 0.23 and newer look for libpthread while they are imported, to give threads names, of which we
    have none: through ldconfig, a process more at every start, and where that does not find it through a
    compiler and a temporary file, without which they cannot be imported. A container may have none of
    these. What would look is not even imported: it brings `subprocess`, `tempfile` and all of `shutil`."""
    import ctypes

    name = "ctypes.util"
    real = sys.modules.get(name)
    stand_in = ModuleType(name)
    vars(stand_in)["find_library"] = _nowhere
    sys.modules[name] = vars(ctypes)["util"] = stand_in
    try:
        yield
    finally:
        del sys.modules[name], vars(ctypes)["util"]
        if real is not None:
            sys.modules[name] = vars(ctypes)["util"] = real


@contextmanager
def _late(name: str) -> Iterator[None]:
    """Who imports this module now gets it when they first use it. (trio 0.22 imports `pathlib`, with URLs and
    IP addresses behind it, and uses it only in what is not imported here.)"""
    if name in sys.modules:
        yield
        return

    def rest(attribute: str) -> object:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    sys.modules[name] = stand_in = ModuleType(name)
    vars(stand_in)["__getattr__"] = rest
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


def _nowhere(name: str) -> str | None:
    return None
