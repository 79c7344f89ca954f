"""Each pattern of the corpus under svpy's svscan, and under C's beside it; one svscan hosts them all."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from support import namespaces
from support.natives import OPTIONS, run_so
from support.peers import PEERS, beside_c
from support.processes import BIN

from corpus.patterns import CORPUS, SHARED
from corpus.scene import CORPUS_FOLDER, Pattern, Scene, hosted

NAMES = [pattern.name for pattern in CORPUS]


@pytest.fixture(scope="module", autouse=True)
def _needs_namespaces() -> None:
    if reason := namespaces.missing("gzip", "bash"):
        pytest.skip(reason)


@pytest.fixture(scope="module", params=OPTIONS)
def ours(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """However loggers run."""
    with run_so(request.param), hosted(CORPUS, BIN) as scene:
        scene.how = request.param
        yield scene


@pytest.fixture(scope="module")
def theirs() -> Iterator[Scene]:
    with hosted(CORPUS, PEERS) as scene:
        yield scene


def test_the_corpus_is_whole() -> None:
    folders = {path.parent.name for path in CORPUS_FOLDER.glob("*/run")}
    named = [name for pattern in CORPUS for name in (*pattern.services, *pattern.later)]
    assert sorted(named) == sorted(folders)


@pytest.mark.parametrize("pattern", CORPUS, ids=NAMES)
def test_under_svpy(pattern: Pattern, ours: Scene) -> None:
    # What is executed shares nothing, as with C.
    is_as_c = pattern.differs == SHARED and ours.how == "executed"
    expected = pattern.theirs if is_as_c else pattern.sees
    assert pattern.observe(ours) == expected, pattern.observe.__doc__


@beside_c
@pytest.mark.parametrize("pattern", CORPUS, ids=NAMES)
def test_under_c(pattern: Pattern, theirs: Scene) -> None:
    expected = pattern.sees if pattern.theirs is None else pattern.theirs
    assert pattern.observe(theirs) == expected, pattern.observe.__doc__


def test_all_of_it_stops_in_order(ours: Scene) -> None:
    # The daemon behind fghack is reached by no signal to fghack, and stays otherwise.
    ours.svc("-o", "fghack")
    daemon = int(ours.lines("fghack/daemon", 1)[0])
    ours.apart.kill(daemon, signal.SIGTERM)
    ours.wait_state("fghack", "down, normally up")
    assert ours.apart.stop() == (0, [])
