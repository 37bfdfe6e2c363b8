"""A private Redis for each test that asks for one, on a unix socket in a short temporary directory."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from contactcentre.embedded.servers import find_redis
from contactcentre.live import Live, connect


class RedisServer:
    """A redis-server with an append-only file, to be killed and started again at will."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"unix://{directory}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", f"{self.directory}/redis.sock", "--dir", str(self.directory)]
        options += ["--appendonly", "yes", "--save", "", "--logfile", str(log)]
        self._process = subprocess.Popen(["redis-server", *options], executable=find_redis())
        client, give_up = connect(self.url), time.monotonic() + 60
        while True:
            try:
                client.ping()
                break
            except RedisError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    raise AssertionError(log.read_text()) from None
                time.sleep(0.01)
        client.close()

    def freeze(self) -> None:
        """It takes connections and answers nothing, as a machine that swaps does."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def lose_data(self) -> None:
        """Killed, and its disk is gone."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)  # Redis 7
        (self.directory / "appendonly.aof").unlink(missing_ok=True)  # Redis 6
        self.start()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(60)
            self._process = None


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="cc-redis-") as directory:
        made = RedisServer(Path(directory))
        made.start()
        yield made
        made.kill()


@pytest.fixture
def redis(server: RedisServer) -> Iterator["Redis"]:
    client = connect(server.url)
    yield client
    client.close()


@pytest.fixture
def live(redis: "Redis") -> Live:
    return Live(redis)
