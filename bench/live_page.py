"""How soon a change of the live state is in every browser: one web process, many open live pages.

Each change carries the time at which it was written to Redis; a client notes when its bytes arrived. The clients run in
this process, on the same machine.

CLIENTS=500 open pages, RATE=100 changes a second, SECONDS=10.
"""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import requests  # noqa: E402

from bench.measure import close, cpu_seconds, milliseconds, scratch  # noqa: E402
from contactcentre import embedded  # noqa: E402
from contactcentre.live import ContactNow, Live, connect  # noqa: E402
from contactcentre.settings import STATE_DIR, Settings  # noqa: E402
from contactcentre.store import Store  # noqa: E402
from contactcentre.web import accounts  # noqa: E402

CLIENTS = int(os.environ.get("CLIENTS", "500"))
RATE = float(os.environ.get("RATE", "100"))
SECONDS = float(os.environ.get("SECONDS", "10"))
PASSWORD = "violet tractor pondering"  # noqa: S105 (of a database that lives as long as the bench)
SENT = re.compile(rb'"flow":"sent-([\d.]+)"')


class Page:
    """One open live page."""

    def __init__(self, port: int, cookie: str) -> None:
        self.delays: list[float] = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\n\r\n".encode())
        self._socket.recv(65536)
        self._reader = gevent.spawn(self._read)

    def _read(self) -> None:
        while data := self._socket.recv(65536):
            now = time.time()
            self.delays += [now - float(sent) for sent in SENT.findall(data)]

    def close(self) -> None:
        self._reader.kill()
        self._socket.close()


def signed_in(port: int) -> str:
    """The cookie of somebody who has signed in."""
    with requests.Session() as browser:
        page = browser.get(f"http://127.0.0.1:{port}/login", timeout=10).text
        token = re.search(r'csrf_token" value="([^"]+)', page)
        assert token is not None
        form = {"csrf_token": token[1], "name": "bench", "password": PASSWORD}
        browser.post(f"http://127.0.0.1:{port}/login", form, timeout=10).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def run(live: Live, port: int, worker: int) -> dict[str, Any]:
    cookie = signed_in(port)
    pages = [Page(port, cookie) for _ in range(CLIENTS)]
    used, began, n = cpu_seconds(worker), time.time(), 0
    while time.time() - began < SECONDS:
        n += 1
        live.put_contact(ContactNow(f"c{n % 50}", "node1", "ivr", flow=f"sent-{time.time():.4f}"))
        gevent.sleep(max(0.0, began + n / RATE - time.time()))
    gevent.sleep(1.0)
    took = cpu_seconds(worker) - used
    delays = [delay for page in pages for delay in page.delays]
    for page in pages:
        page.close()
    return {
        "clients": CLIENTS,
        "changes": n,
        "delivered": len(delays),
        "expected": n * CLIENTS,
        "written_to_received": milliseconds(delays),
        "web_cpu_percent": round(100 * took / SECONDS, 1),
    }


def main() -> None:
    with scratch() as directory:
        os.environ[STATE_DIR] = str(directory)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        with embedded.services(Settings()) as services, closing(connect(services.redis_url)) as redis:
            with closing(Store(services.database_url)) as store:
                store.migrate()
                store.add_user("bench", accounts.hash_password(PASSWORD), "supervisor")
            web = subprocess.Popen([sys.executable, "-m", "contactcentre", "web", "--port", str(port)])
            try:
                result = run(Live(redis), port, _worker(web, port))
            finally:
                web.terminate()
                web.wait(timeout=20)
    close({"bench": "live_page", **result})


def _worker(web: "subprocess.Popen[bytes]", port: int) -> int:
    """The pid of the process that serves, once it does."""
    for _ in range(300):
        gevent.sleep(0.1)
        try:
            if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                children = Path(f"/proc/{web.pid}/task/{web.pid}/children").read_text().split()
                return int(children[-1])
        except requests.ConnectionError:
            continue
    raise TimeoutError("the web process did not become ready within 30 seconds")


if __name__ == "__main__":
    main()
