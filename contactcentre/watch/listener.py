"""A small HTTP server on loopback in each process: `/healthz`, `/readyz`, `/metrics`.

A server of its own, and not the live state, for it must answer when Redis is away; and not the dashboard's, for that is
open to browsers, and one process cannot tell how another is. Under gevent its threads are greenlets: a hung process
does not answer, which is the truth.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from contactcentre import logs
from contactcentre.settings import Settings

PLACES = ("controller", "recorder", "worker", "web")
"""The port of a process is the setting's, plus its place here."""

TAKEN_AGAIN = 5.0
"""Seconds after which a port that somebody else has is asked for again: a stand-by gets the dead one's."""

CONNECTIONS = 16
"""Served at a time; one more is closed at once."""

REQUEST_SECONDS = 5.0
"""Within which a client says what it wants."""

log = logs.get(__name__)


class Collector(Protocol):
    def collect(self) -> Iterable[Metric]: ...


Parts = Callable[[], Mapping[str, bool]]
"""What a process depends on, by name, and whether it is there. Asked anew for each request."""


class Listener:
    """Listens from `start` to `stop`. `essential`: the parts without which the process cannot do its work."""

    def __init__(self, settings: Settings, process: str, parts: Parts, essential: Iterable[str], *tell: Collector):
        self._address = settings.watch_bind, settings.watch_port + PLACES.index(process)
        self._wanted = settings.watch_port != 0
        self._parts, self._essential = parts, frozenset(essential)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        for collector in tell:
            self._registry.register(collector)
        self._server: _Server | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """In the background, also while somebody else has the port. With port 0 nobody listens."""
        if self._wanted:
            threading.Thread(target=self._serve, name="watch", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def leave(self) -> None:
        """In a process that was forked from the one that listens: the port is to be free when that one has ended."""
        if self._server is not None:
            self._server.socket.close()

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """(HTTP status, what is said). `degraded` = works, and something is away that it can do without for a time."""
        parts = dict(self._parts())
        if all(parts.values()):
            return 200, {"status": "ok", "parts": parts}
        if all(parts[name] for name in parts.keys() & self._essential):
            return 200, {"status": "degraded", "parts": parts}
        return 503, {"status": "not ready", "parts": parts}

    def metrics(self) -> bytes:
        return generate_latest(self._registry)

    def _serve(self) -> None:
        complained = False
        while not self._stopping.is_set():
            try:
                self._server = _Server(self._address, self)
            except OSError as error:
                if not complained:
                    host, port = self._address
                    log.warning("health and metrics are not served", address=f"{host}:{port}", error=str(error))
                complained = True
                self._stopping.wait(TAKEN_AGAIN)
                continue
            self._server.serve_forever()
            return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTIONS

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.info("a look at health or metrics failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_SECONDS
    server_version, sys_version = "contactcentre", ""

    def do_GET(self) -> None:
        listener = self.server.listener
        match self.path.partition("?")[0]:
            case "/healthz":
                self._say(200, {"status": "ok", "now": time.time()})
            case "/readyz":
                self._say(*listener.readiness())
            case "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, listener.metrics())
            case _:
                self._say(404, {"status": "no such place: /healthz, /readyz, /metrics"})

    def _say(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants a line for each scrape."""
