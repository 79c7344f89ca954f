import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import package, session
from support.natives import OPTIONS, run_so
from support.services import Services

# The same examples every time, however long one takes: a test fails because of what was changed, not by
# chance or on a busy machine. `--hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "svpy", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("svpy")


def pytest_configure(config: pytest.Config) -> None:
    session.begin_afresh()
    session.kill_one_at_a_time()
    # Who only works for another pytest has one that looks after both, and threads that a fork would lose.
    if not hasattr(config, "workerinput"):
        session.go_on_in_a_child()
    # As INT: fixtures and `with` blocks come to their ends, and no test takes it for a failure of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


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


@pytest.fixture(params=OPTIONS)
def runs(request: pytest.FixtureRequest) -> Iterator[str]:
    """For what must be so however loggers run: the test runs both ways."""
    with run_so(request.param):
        yield request.param


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`built(VERSION)` is the package of this tree under that version, built once."""
    why = package.missing()
    if why:
        pytest.skip(why)
    done: dict[str, Path] = {}

    def build(version: str) -> Path:
        if version not in done:
            done[version] = package.build(tmp_path_factory.mktemp("package"), version)
        return done[version]

    return build
