"""svpy-exporter as Prometheus sees it: real services, a real svscan, HTTP over sockets."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from support.namespaces import in_network_of, missing
from support.processes import Running, eventually, run
from support.services import Services, descriptors, svscan

from svpy.core.exposition import METRICS

OPENMETRICS = "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4; q=0.5"
PORT = 10511
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Connection(http.client.HTTPConnection):
    """Over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("exporter", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path)


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def answer(
    client: http.client.HTTPConnection, path: str = "/metrics", method: str = "GET", accept: str = OPENMETRICS
) -> tuple[int, str, str]:
    client.request(method, path, headers={"Accept": accept})
    said = client.getresponse()
    found = said.status, said.headers.get("Content-Type", ""), said.read().decode()
    client.close()
    return found


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in openmetrics(text)
        for sample in family.samples
    }


class Exporter:
    """One on a unix socket."""

    def __init__(self, path: Path, running: Running) -> None:
        self.path = path
        self.running = running
        self.pid = running.pid

    def ask(self, *words: str, **options: str) -> tuple[int, str, str]:
        return answer(Connection(self.path), *words, **options)

    def metrics(self) -> Samples:
        code, kind, text = self.ask()
        assert code == 200 and kind.startswith("application/openmetrics-text; version="), kind
        return samples(text)

    def of(self, name: str, **labels: str) -> float | None:
        return self.metrics().get((name, frozenset(labels.items())))

    def service(self, name: str, service: str, logger: str = "false") -> float | None:
        return self.of(f"svpy_service_{name}", service=service, logger=logger)


def is_over(running: Running) -> bool:
    assert running.process.poll() is None, running.rest()
    return False


def listens(path: Path) -> bool:
    """A socket is there a moment before it listens."""
    try:
        connected(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


@pytest.fixture
def exporter(services: Services, tmp_path: Path) -> Iterator[Exporter]:
    path = tmp_path / "socket"
    with Running("svpy-exporter", "--listen", f"unix:{path}", services.folder) as running:
        eventually(lambda: is_over(running) or listens(path))
        yield Exporter(path, running)


def test_services_as_they_live_and_die(services: Services, exporter: Exporter, tmp_path: Path) -> None:
    """One look after the other at one scene: what is counted goes on over the death of a svscan."""
    assert exporter.of("svpy_up") == 1 and exporter.of("svpy_svscan_up") == 0
    services.make("ends", run="exit 3")
    services.make("killed", run="kill -9 $$")
    services.make("kept-down", down=True)
    services.make("given-up", run="exit 100")
    log = services.make("logged", run="exec cat fifo", log="exec multilog s4096 ./main")
    os.mkfifo(log / "fifo")
    os.rename(services.prepare("odd"), os.fsencode(services.folder) + b'/caf\xc3\xa9 \xff\\"\n')
    odd = 'caf\u00e9 \\xff\\x5c"\\x0a'
    with svscan(services) as first:
        services.up("logged/log")
        eventually(lambda: exporter.service("up", odd) == 1)
        eventually(lambda: (exporter.service("restarts_total", "ends") or 0) >= 1)
        eventually(lambda: exporter.service("last_exit_signal", "killed") == 9)
        eventually(lambda: exporter.of("svpy_services", state="failed", logger="false") == 1)
        now = exporter.metrics()

        def value(name: str, service: str, logger: str = "false") -> float | None:
            return now.get(
                (f"svpy_service_{name}", frozenset({"service": service, "logger": logger}.items()))
            )

        assert (value("last_exit_code", "ends"), value("last_exit_signal", "ends")) == (3, 0)
        assert value("last_exit_code", "killed") is None
        assert (value("up", "kept-down"), value("wanted_up", "kept-down")) == (0, 0)
        assert (value("as_wanted", "kept-down"), value("as_wanted", "given-up")) == (1, 0)
        assert (value("last_exit_code", "given-up"), value("ready", "logged")) == (100, 1)
        assert value("up", "logged", "true") == value("supervised", "logged", "true") == 1
        assert (value("restarts_total", "logged"), value("last_exit_code", "logged")) == (0, None)
        memory = value("resident_memory_bytes", "logged")
        assert memory is not None and memory > 100_000 and value("processes", "logged") == 1
        started = value("start_time_seconds", "logged")
        assert started is not None and abs(started - os.stat(f"/proc/{services.pid('logged')}").st_ctime) < 60

        # Its log: written to, and rotated.
        folder = {"service": "logged", "folder": str(log / "log/main")}
        before = exporter.metrics()
        assert before["svpy_log_rotations_total", frozenset(folder.items())] == 0
        with (log / "fifo").open("wb", buffering=0) as fifo:
            for number in range(300):
                fifo.write(b"%064d\n" % number)
            written = 300 * 65
            eventually(lambda: exporter.of("svpy_log_written_bytes_total", **folder) == written)
            rotations = exporter.of("svpy_log_rotations_total", **folder)
            assert rotations is not None and rotations >= 3, "of 4096 bytes or less"
            held = exporter.of("svpy_log_bytes", **folder)
            assert held is not None and 0 < held <= written

            # Scans are its process's, restarts are not.
            eventually(lambda: (exporter.of("svpy_scans_total") or 0) >= 1)
            restarts = exporter.service("restarts_total", "ends") or 0
            first.process.kill()
            first.wait()
            eventually(lambda: exporter.of("svpy_svscan_up") == 0)
            assert exporter.service("supervised", "ends") == 0
            with svscan(services):
                eventually(lambda: exporter.of("svpy_svscan_up") == 1)
                seen = [restarts]
                while seen[-1] < restarts + 2:
                    seen.append(exporter.service("restarts_total", "ends") or seen[-1])
                assert seen == sorted(seen)
                assert exporter.of("svpy_log_written_bytes_total", **folder) == written
                # Nothing is kept from one look to the next but what is needed.
                held_before = descriptors(exporter.pid)
                for _ in range(20):
                    exporter.metrics()
                eventually(lambda: len(descriptors(exporter.pid)) <= len(held_before))
                both_formats(exporter)
                shutil.move(services.folder, tmp_path / "away")
                gone = exporter.metrics()
                assert gone["svpy_up", frozenset()] == gone["svpy_svscan_up", frozenset()] == 0
                assert not [name for name, labels in gone if ("service", odd) in labels]
                shutil.move(tmp_path / "away", services.folder)
                assert exporter.service("up", odd) == 1
    exporter.running.signal(signal.SIGTERM)
    assert exporter.running.wait() == 0
    assert exporter.running.rest() == b"" and not exporter.path.exists()


def both_formats(exporter: Exporter) -> None:
    """Both are what their parsers take, and each metric is there under its own name."""
    code, kind, text = exporter.ask()
    assert code == 200 and text.endswith("# EOF\n")
    ours = {family.name: family for family in openmetrics(text) if family.name.startswith("svpy_")}
    assert set(ours) == {row.name.removesuffix("_total") for row in METRICS}
    for row in METRICS:
        family = ours[row.name.removesuffix("_total")]
        assert family.samples, row.name
        assert (family.type, family.documentation) == (row.kind, row.help)
        for sample in family.samples:
            assert set(sample.labels) == set(row.labels)
    for accept in ("", "text/plain", "*/*"):
        code, kind, text = exporter.ask(accept=accept)
        assert code == 200 and kind.startswith("text/plain; version="), kind
        names = {sample.name for family in plain(text) for sample in family.samples}
        assert {row.name for row in METRICS} <= names
        assert "process_resident_memory_bytes" in names


def test_what_is_asked_for_and_what_is_not(exporter: Exporter) -> None:
    assert exporter.ask("/")[0] == 200 and 'href="/metrics"' in exporter.ask("/")[2]
    assert exporter.ask("/metrics?name=x")[0] == 200
    assert [exporter.ask(path)[0] for path in ("/favicon.ico", "/metrics/", "/../metrics")] == [404] * 3
    assert [exporter.ask("/metrics", method)[0] for method in ("POST", "DELETE", "PUT")] == [405] * 3
    assert (exporter.ask("/metrics", "HEAD")[0], exporter.ask("/metrics", "HEAD")[2]) == (200, "")
    assert exporter.ask(accept="application/openmetrics-text; version=none")[0] == 200
    for rude, said in (
        (b"GET /" + b"x" * 70000 + b" HTTP/1.0\r\n\r\n", b"414"),
        (b"GET /metrics HTTP/1.0\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"\0\1\2\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.0\r\nA: " + b"b" * 70000 + b"\r\n\r\n", b"431"),
    ):
        with connected(exporter.path) as client:
            try:
                client.sendall(rude)
            except OSError:
                pass  # It has heard enough.
            heard = received(client)
            assert said in heard or not heard, heard
    assert exporter.of("svpy_up") == 1
    exporter.running.signal(signal.SIGINT)
    assert exporter.running.wait() == 0
    assert exporter.running.rest() == b"", "nobody is told of requests"


def received(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except ConnectionResetError:
        return b""


def test_who_is_slow_keeps_nobody_waiting(exporter: Exporter) -> None:
    assert exporter.of("svpy_up") == 1
    held = len(descriptors(exporter.pid))
    silent = [connected(exporter.path) for _ in range(40)]
    for client in silent[::2]:
        try:
            client.sendall(b"GET /metrics HT")
        except OSError:
            pass  # Cut off already.
    assert exporter.of("svpy_up") == 1
    assert threads(exporter.pid) <= 2 * 16 + 2
    # The oldest were cut off, the youngest are still waited for.
    assert received(silent[0]) == b""
    for client in silent:
        client.close()
    eventually(lambda: len(descriptors(exporter.pid)) <= held)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


ALONE = "import sys; sys.path[:0] = [sys.argv[1]]; from svpy.system.loopback import bring_up; bring_up()"


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_port_of_the_loopback_interface(services: Services) -> None:
    here = str(Path(__file__).parents[2])
    lines = f'"{sys.executable}" -c "$1" "{here}" && exec "$2" "$3"'
    words = ["unshare", "--net", "sh", "-c", lines, "sh", ALONE, "svpy-exporter", services.folder]
    with Running(*words) as running:

        def ask(address: str) -> Callable[[], tuple[int, str, str]]:
            return lambda: answer(http.client.HTTPConnection(address, PORT, timeout=60))

        def is_there() -> bool:
            if os.stat(f"/proc/{running.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
                return False
            try:
                return in_network_of(running.pid, ask("127.0.0.1"))[0] == 200
            except OSError:
                return False

        eventually(is_there)
        with pytest.raises(ConnectionRefusedError):
            in_network_of(running.pid, ask("127.0.0.2"))
        into = ["nsenter", f"--net=/proc/{running.pid}/ns/net", "svpy-exporter"]
        taken = run(*into, services.folder)
        assert (taken.returncode, taken.stdout, taken.stderr) == (
            111,
            b"",
            b"svpy-exporter: fatal: unable to listen on 127.0.0.1:10511: address already used\n",
        )
        with Running(*into, "--listen", "0.0.0.0:10512", services.folder):

            def everywhere() -> bool:
                client = http.client.HTTPConnection("127.0.0.2", 10512, timeout=60)
                try:
                    return answer(client)[0] == 200
                except OSError:
                    return False

            eventually(lambda: in_network_of(running.pid, everywhere))
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_what_is_at_the_path_of_its_socket(services: Services, exporter: Exporter, tmp_path: Path) -> None:
    """A dead socket of ours gives way. Nothing else does, and nothing is followed."""
    assert stat.S_IMODE(exporter.path.stat().st_mode) == 0o660
    target = tmp_path / "target"

    def refused(path: Path, why: bytes) -> None:
        done = run("svpy-exporter", "--listen", f"unix:{path}", services.folder)
        message = b"svpy-exporter: fatal: unable to listen on unix:" + bytes(path) + b": " + why + b"\n"
        assert (done.returncode, done.stderr) == (111, message)

    refused(exporter.path, b"address already used")
    target.write_text("kept")
    refused(target, b"address already used")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "link", b"address already used")
    assert target.read_text() == "kept" and (tmp_path / "link").is_symlink()
    assert not (tmp_path / "nowhere").exists()
    refused(tmp_path / "none/socket", b"file does not exist")
    refused(tmp_path / ("x" * 120), b"file name too long")
    exporter.running.process.kill()
    exporter.running.wait()
    assert exporter.path.exists()
    (tmp_path / "to-dead").symlink_to(exporter.path)
    refused(tmp_path / "to-dead", b"address already used")
    if os.geteuid() == 0:
        os.chown(exporter.path, 12345, 12345)
        refused(exporter.path, b"address already used")
        os.chown(exporter.path, 0, 0)
    with Running("svpy-exporter", "--listen", f"unix:{exporter.path}", services.folder) as again:
        eventually(lambda: listens(exporter.path))
        # Another has taken its place: what is there now is not its own to remove.
        exporter.path.unlink()
        exporter.path.write_text("another's")
        again.signal(signal.SIGTERM)
        assert again.wait() == 0
    assert exporter.path.read_text() == "another's"


@pytest.mark.parametrize(
    "words",
    [
        ["--listen"], ["--unknown"], ["a", "b"], ["--listen", "10511"], ["--listen", "localhost:"],
        ["--listen", "::1:10511"], ["--listen", "127.0.0.1:65536"], ["--listen", "unix:"],
        ["--listen", ":80"],
    ],
)  # fmt: skip
def test_wrong_words(words: list[str]) -> None:
    done = run("svpy-exporter", *words)
    usage = b"svpy-exporter: usage: svpy-exporter [--listen where] [dir]\n"
    assert (done.returncode, done.stdout, done.stderr) == (100, b"", usage)


def test_without_its_library_it_says_where_that_is() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
from svpy.commands.svpy_exporter import main
main()
"""
    done = run(sys.executable, "-c", program, cwd=Path(__file__).parents[2])
    assert done.returncode == 111
    assert done.stderr == (
        b"svpy-exporter: fatal: unable to import prometheus_client: it is in Debian's "
        b"python3-prometheus-client, and in svpy[metrics]\n"
    )


EXAMPLE = Path(__file__).parents[2] / "service/svpy-exporter/run"
NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_the_example_gives_a_user_what_it_takes_to_see_all() -> None:
    """As a service of the svscan that it watches. Without it, what it may not see has no value."""
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        as_nobody(Services(Path(root)), Path(root) / "sockets")


def as_nobody(services: Services, sockets: Path) -> None:
    services.make("plain")
    sockets.mkdir()
    os.chown(sockets, NOBODY, NOBODY)
    text = EXAMPLE.read_text()
    for old, new in (
        ("--reuid=svpy-exporter --regid=svpy-exporter", f"--reuid={NOBODY} --regid={NOBODY}"),
        ("=$may svpy-exporter\n", f"=$may svpy-exporter --listen unix:{sockets}/all {services.folder}\n"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    services.make("svpy-exporter", text)
    services.make("less", text.replace("/all", "/less").replace(",+dac_override,+sys_ptrace", ""))
    with svscan(services) as daemon:
        for name, sees_all in (("all", True), ("less", False)):
            exporter = Exporter(sockets / name, daemon)
            eventually(lambda exporter=exporter: listens(exporter.path))
            services.up("plain")
            found = exporter.metrics()
            plain_service = frozenset({"service": "plain", "logger": "false"}.items())
            assert found["svpy_up", frozenset()] == 1
            assert found["svpy_svscan_up", frozenset()] == sees_all
            assert found["svpy_service_up", plain_service] == sees_all
            assert (("svpy_service_restarts_total", plain_service) in found) == sees_all
        status = Path(f"/proc/{services.pid('svpy-exporter')}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n" in status
        # 1: CAP_DAC_OVERRIDE; 19: CAP_SYS_PTRACE.
        assert f"CapEff:\t{1 << 1 | 1 << 19:016x}\n" in status
        assert daemon.stop() == 0
