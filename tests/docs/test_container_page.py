"""docs/container: what the Containerfile says is done by hand, step after step, over a Debian with only
its base, for no registry of images can be reached here and nothing that builds images is installed; then its
ENTRYPOINT is PID 1 of a namespace, and what the Deployment asks is asked of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import minimal, mirror
from support.clients import CLIENTS, MODULES
from support.minimal import ENVIRONMENT, Minimal
from support.namespaces import children
from support.package import TREE
from support.processes import Running, eventually, run

import svpy

CONTEXT = TREE / "docs/container"
NOT_READY, READY = 99, 0


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, the rest of it) of a Containerfile."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", text))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


INSTRUCTIONS = instructions((CONTEXT / "Containerfile").read_text())
(ENTRYPOINT,) = (json.loads(rest) for name, rest in INSTRUCTIONS if name == "ENTRYPOINT")


class Image:
    """A root in which the instructions are carried out."""

    def __init__(self, host: Minimal, context: Path) -> None:
        self.host = host
        self.context = context

    def FROM(self, rest: str) -> None:
        """The base is there: what mmdebstrap makes of the same packages, and what svpy needs of Debian."""
        assert re.fullmatch(r"debian:[a-z]+-slim", rest)

    def COPY(self, rest: str) -> None:
        *sources, to = shlex.split(rest)
        for pattern in sources:
            found = sorted(self.context.glob(pattern))
            assert found, pattern
            for source in found:
                if source.is_dir():
                    # What is in it, as COPY has it.
                    shutil.copytree(source, f"{self.host.root}{to}", dirs_exist_ok=True)
                else:
                    shutil.copy(source, f"{self.host.root}{to}")

    def RUN(self, rest: str) -> None:
        done = self.host.command("sh", "-c", rest, timeout=120)
        assert done.returncode == 0, (rest, done)

    def ENTRYPOINT(self, rest: str) -> None:
        pass


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, built: Callable[[str], Path]) -> Iterator[Minimal]:
    why = minimal.missing() or mirror.missing("ucspi-tcp")
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("image")
    context = folder / "context"
    shutil.copytree(CONTEXT, context)
    shutil.copy(built(svpy.__version__), context)
    layer = folder / "layer"
    layer.mkdir()
    with Minimal(layer) as host:
        mirror.serve(host)
        made = Image(host, context)
        for name, rest in INSTRUCTIONS:
            getattr(made, name)(rest)
        yield host


class Started(Running):
    """The ENTRYPOINT, as PID 1."""

    def __init__(self, image: Minimal) -> None:
        apart = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--mount-proc")
        super().__init__(*image.inside(*apart, *ENTRYPOINT), env=ENVIRONMENT, start_new_session=True)
        try:
            eventually(self._is_up, "PID 1 of the container")
        except BaseException:
            super().__exit__(None, None, None)
            raise

    def _is_up(self) -> bool:
        """nsenter, unshare, PID 1."""
        assert self.process.poll() is None, self.rest()
        pid = self.pid
        for _ in range(2):
            below = children(pid)
            if not below:
                return False
            (pid,) = below
        self.init_pid = pid
        return Path(f"/proc/{pid}/comm").read_text() == "svscan\n"

    def __exit__(self, *raised: Any) -> None:
        if self.process.poll() is None:
            os.kill(self.init_pid, signal.SIGKILL)  # nsenter would leave it behind
            self.wait()
        super().__exit__(*raised)

    def exec(self, *argv: str) -> int:
        """The exit code of a command inside, as a probe gets it."""
        done = run("nsenter", "-t", str(self.init_pid), "-a", "-r", "-w", "--", *argv, env=ENVIRONMENT)
        assert b"Traceback" not in done.stderr
        return done.returncode

    def pid_of(self, folder: Path) -> int:
        return int.from_bytes((folder / "supervise/status").read_bytes()[12:16], "little")


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """What the Deployment says of its pods."""
    reads = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    with (CONTEXT / "web.yaml").open() as file:
        done = run(
            "/usr/bin/python3", "-c", reads, stdin=file,
            env={"PATH": os.defpath, "PYTHONPATH": str(CLIENTS / MODULES)},
        )  # fmt: skip
    if b"No module named 'yaml'" in done.stderr:
        pytest.skip(f"needs python3-yaml, here or in {CLIENTS}: ./bootstrap test")
    deployment = json.loads(done.stdout)
    assert (
        deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    )
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def test_it_is_killed_only_after_svscan_has_killed(pod: dict[str, Any]) -> None:
    told_s = int(ENTRYPOINT[ENTRYPOINT.index("--stop-timeout") + 1])
    assert pod["terminationGracePeriodSeconds"] > told_s


def test_the_container_runs_is_ready_and_ends_in_order(image: Minimal, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    readiness, liveness = (container[name]["exec"]["command"] for name in ("readinessProbe", "livenessProbe"))
    web = image.root / "etc/service/web"
    answering = (web / "run").read_text()
    (web / "run").write_text("#!/bin/sh\nexec sleep 1000\n")
    with Started(image) as started:
        eventually(lambda: started.pid_of(web), "the service up")
        assert started.exec(*readiness) == NOT_READY
        assert started.exec(*liveness) == 0
        (web / "run").write_text(answering)
        started.exec("svc", "-t", "/service/web")
        eventually(lambda: started.exec(*readiness) == READY, "ready")
        started.line(b"web: Serving HTTP on 0.0.0.0 port 8080")
        os.kill(started.init_pid, signal.SIGTERM)
        assert started.wait() == 0


def test_it_ends_with_what_is_essential(image: Minimal) -> None:
    with Started(image) as started:
        started.line(b"web: Serving HTTP on 0.0.0.0 port 8080")
        started.exec("sh", "-c", "kill -9 $(svstat /service/web | sed 's/.*(pid //; s/).*//')")
        assert started.wait() == 128 + signal.SIGKILL
