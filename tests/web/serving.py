"""`contactcentre web` as a process of its own, the way it runs for users."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from contactcentre.lab.ports import free_port
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


class Server:
    """A running server. `log` is all that it wrote so far."""

    def __init__(self, port: int, log: Path) -> None:
        self.url, self.port, self._log = f"http://127.0.0.1:{port}", port, log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "contactcentre", "web", "--port", str(self.port)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        eventually(self._ready, "the pages are there", 60)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        assert self.process is not None
        self.process.send_signal(with_signal)
        return self.process.wait(timeout=60)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """A server of the settings in the environment, ended afterwards whatever happens."""
    server = Server(free_port(), directory / "web.log")
    try:
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
