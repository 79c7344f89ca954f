"""svpy-exporter's server: HTTP, for one page.

Rules of this module:

- `GET /metrics` is answered, `/` with a link to it, and HEAD as both without a body; the standard library's
  server bounds what a request may be, prometheus_client chooses the format by what the client accepts;
- each connection has a thread, and there are never many: where there are MOST, the oldest is cut off for a
  new one, so that who is slow, or says nothing, keeps nobody waiting;
- without connections it waits for signals, for connections and for log folders that rotate, and for nothing
  else;
- TERM and INT end it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from svpy.core.listenwords import Where
from svpy.daemon.collecting import Collector
from svpy.system.entry import described
from svpy.system.logwatch import LogWatch
from svpy.system.serving import Listener
from svpy.system.tell import say

MOST = 16
"""Connections that are served. Who was cut off may take a moment to end: so many more are allowed."""

PATIENCE_S = 10.0
"""How long a client may take for each piece that it sends, and for all that it is sent."""

PAGE = b"/metrics"
_HOME = b'<!DOCTYPE html><title>svpy-exporter</title><a href="/metrics">metrics</a>\n'


class Exporter:
    """Listens, and serves what is found in a folder."""

    def __init__(self, where: Where, folder: bytes) -> None:
        """Raises OSError."""
        # Before there is a socket that would stay behind.
        self._woken_fd = _woken_by(signal.SIGTERM, signal.SIGINT)
        self._listener = Listener(where)
        self._logs = LogWatch()
        self._registry = CollectorRegistry()
        self._collector = Collector(folder, self._logs)
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)
        self._open: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        self._threads = 0

    def run(self) -> None:
        """Until TERM or INT."""
        poll = select.poll()
        for fd in (self._woken_fd, self._listener.socket.fileno()):
            poll.register(fd, select.POLLIN)
        threading.Thread(target=self._hear, daemon=True).start()
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._woken_fd in ready:
                    return
                self._accept()
        finally:
            self._listener.close()

    def _hear(self) -> None:
        """A thread of its own: where a disk hangs, connections and signals do not."""
        while (fd := self._logs.fd) >= 0:
            select.select([fd], [], [])
            self._collector.hear()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.socket.accept()
        except OSError:
            return  # It has gone again, or there are no descriptors left for the moment.
        client.settimeout(PATIENCE_S)
        with self._lock:
            if self._threads >= 2 * MOST:
                client.close()
                return
            if len(self._open) >= MOST:
                _cut_off(next(iter(self._open)))
            self._open[client] = None
            self._threads += 1
        try:
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        except RuntimeError:
            self._closed(client)

    def _serve(self, client: socket.socket) -> None:
        try:
            Handler(client, self._page)
        except OSError:
            pass  # It took too long, or has gone.
        except Exception as error:
            say(b"svpy-exporter: warning: unexpected " + described(error))
        finally:
            self._closed(client)

    def _closed(self, client: socket.socket) -> None:
        with self._lock:
            self._open.pop(client, None)
            self._threads -= 1
        client.close()

    def _page(self, accepted: str) -> tuple[bytes, str]:
        try:
            encode, content_type = choose_encoder(accepted)
        except Exception:
            # What a client says it accepts is no version to its liking.
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type


def _woken_by(*numbers: int) -> int:
    """What is readable when one of these signals has come."""
    woken_fd, wakes_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wakes_fd)
    for number in numbers:
        signal.signal(number, lambda *heard: None)
    return woken_fd


def _cut_off(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Handler(BaseHTTPRequestHandler):
    """One connection, and one request on it. `page` makes the page of metrics."""

    server_version = "svpy-exporter"
    sys_version = ""
    timeout = PATIENCE_S

    def __init__(self, client: socket.socket, page: Callable[[str], tuple[bytes, str]]) -> None:
        self._page = page
        super().__init__(client, ("", 0), None)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == PAGE.decode():
            self._answer(*self._page(self.headers.get("Accept", "")))
        elif path == "/":
            self._answer(_HOME, "text/html; charset=utf-8")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse

    def log_message(self, format: str, *words: object) -> None:
        """Nobody needs to read of each scrape, and what a client sends is no line of ours."""
