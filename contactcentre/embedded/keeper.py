"""The keeper process, `python -m contactcentre.embedded.keeper STATE`: the servers' parent."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from contactcentre.embedded.places import Account, EmbeddedError, Places
from contactcentre.embedded.servers import Postgres, Redis, Server, start
from contactcentre.processes import Post, birth

READY_DEADLINE = 60.0
STOP_DEADLINE = 20.0
BEAT = 0.1
LINGER = 1.0
"""Seconds without a user before the servers stop, so that one command after another does not restart them."""
LONGEST_PAUSE = 5.0
LOG_LIMIT = 5_000_000


@dataclass
class _Child:
    server: Server
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    failures: int = 0


class Keeper:
    """Starts both servers, restarts the one that dies, stops them when the last user is gone."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._children: list[_Child] = []
        self._told_to_stop = False

    def run(self) -> None:
        """Returns when everything is stopped. Raises EmbeddedError when a server cannot start."""
        self._places.make()
        post = Post(self._places.keeper)
        if not post.take():
            return
        # both would end us without stopping the servers
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        users = os.open(self._places.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            orphans = post.last_word().get("servers", {})
            post.say({"servers": orphans})
            self._outlive(orphans)
            self._start_all()
            self._tell(post)
            _say("ready")
            self._watch(users, post)
        finally:
            self._stop_all()

    def _tell(self, post: Post) -> None:
        urls = {f"{child.server.kind}_url": child.server.url for child in self._children}
        servers = {str(child.process.pid): birth(child.process.pid) for child in self._children}
        post.say({**urls, "servers": servers})

    def _outlive(self, orphans: dict[str, str]) -> None:
        """Waits until the servers of a killed keeper are gone: the kernel has told them to stop."""
        deadline = time.monotonic() + STOP_DEADLINE
        for text, born in orphans.items():
            while birth(int(text)) == born:
                if time.monotonic() > deadline:
                    _say(f"server {text} of the keeper before us does not stop: killing it")
                    os.kill(int(text), signal.SIGKILL)
                time.sleep(0.05)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_stop = True

    def _start_all(self) -> None:
        account = Account.choose()
        home = self._places.home(account)
        sockets = self._places.sockets(account, home)
        servers: list[Server] = [Postgres.find(account, home, sockets), Redis.find(account, home, sockets)]
        _say(f"data in {home}, sockets in {sockets}, as user {account.name}")
        for server in servers:
            server.prepare()
            self._children.append(_Child(server, start(server, sys.stderr.fileno())))
        for child in self._children:
            self._await_ready(child)

    def _await_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + READY_DEADLINE
        while not child.server.is_ready():
            if child.process.poll() is not None:
                if child.failures >= 5:
                    raise EmbeddedError(f"{child.server.name} ends with {child.process.returncode} at once")
                self._restart(child)
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{child.server.name} is not ready after {READY_DEADLINE:.0f} s")
            if self._told_to_stop:
                raise EmbeddedError("told to stop while starting")
            time.sleep(0.05)

    def _restart(self, child: _Child) -> None:
        child.failures = child.failures + 1 if time.monotonic() - child.started < 60 else 1
        pause = min(LONGEST_PAUSE, 0.1 * 2 ** (child.failures - 1))
        _say(f"{child.server.name} ended with {child.process.returncode}; starting it again in {pause:.1f} s")
        time.sleep(pause)
        child.server.prepare()
        child.process = start(child.server, sys.stderr.fileno())
        child.started = time.monotonic()

    def _watch(self, users: int, post: Post) -> None:
        alone_since: float | None = None
        while not self._told_to_stop:
            time.sleep(BEAT)
            for child in self._children:
                if child.process.poll() is not None:
                    self._restart(child)
                    self._tell(post)
            now = time.monotonic()
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                alone_since = alone_since or now
                if now - alone_since >= LINGER:
                    # kept until we exit: a new user waits here, then finds no keeper and starts the next
                    post.say({"stopping": True})
                    _say("no users left")
                    return
                fcntl.flock(users, fcntl.LOCK_UN)
                continue
            alone_since = None

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.send_signal(child.server.stop_signal)
        for child in self._children:
            try:
                child.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                _say(f"{child.server.name} does not stop: killing it")
                child.process.send_signal(child.server.death_signal)
                try:
                    child.process.wait(5)
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()
        _say("stopped")


def _say(text: str) -> None:
    print(
        f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} keeper {os.getpid()}: {text}",
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    """Standard error is the log. The state directory comes from the command line."""
    try:
        if os.fstat(sys.stderr.fileno()).st_size > LOG_LIMIT:
            os.ftruncate(sys.stderr.fileno(), 0)
        Keeper(Places(Path(sys.argv[1]))).run()
        return 0
    except EmbeddedError as error:
        _say(f"Error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
