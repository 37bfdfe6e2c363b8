"""The side of those who use the embedded services."""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from contactcentre.embedded.places import EmbeddedError, Places
from contactcentre.processes import holder, word_of
from contactcentre.settings import Settings

START_DEADLINE = 90.0
STOP_DEADLINE = 30.0
_WATCH_INTERVAL = 1.0


@dataclass(frozen=True)
class Services:
    """Where PostgreSQL and Redis are."""

    database_url: str
    redis_url: str

    @property
    def celery_url(self) -> str:
        """The Redis URL as Celery's broker wants it."""
        return self.redis_url.replace("unix://", "redis+socket://", 1)


@contextlib.contextmanager
def services(settings: Settings) -> Iterator[Services]:
    """PostgreSQL and Redis: those of the settings, else embedded ones that live while anyone uses them.

    Leaving waits until they are stopped, if this was their last user. Raises EmbeddedError.
    """
    if settings.database_url and settings.redis_url:
        yield Services(settings.database_url, settings.redis_url)
        return
    with _Use(Places(settings.state_dir)) as found:
        yield Services(settings.database_url or found.database_url, settings.redis_url or found.redis_url)


class _Use:
    """One use of the embedded services: holds the users' lock, and brings a killed keeper back."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._lock = -1
        self._owner = os.getpid()
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Services:
        self._places.make()
        self._lock = os.open(self._places.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + START_DEADLINE
            self._join(deadline)
            found = self._await_services(deadline)
        except BaseException:
            os.close(self._lock)
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="embedded-watch")
        self._watcher.start()
        return found

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._owner:
            return  # a forked worker that unwinds: the lock is its parent's, too
        self._over.set()
        if self._watcher:
            self._watcher.join(5)
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._await_end()
        os.close(self._lock)
        self._reap()

    def _join(self, deadline: float) -> None:
        """Waits while a keeper that had no users is stopping."""
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self._places.users_lock} stays locked; the end of {self._places.log} may say why"
                )
            time.sleep(0.02)

    def _await_services(self, deadline: float) -> Services:
        while True:
            known = word_of(self._places.keeper)
            if known is None:
                # one that lost the race against another ends with 0, a killed one with a negative number
                if any(process.poll() == 1 for process in self._spawned):
                    raise EmbeddedError(f"PostgreSQL and Redis cannot be started: {self._last_words()}")
                self._reap()
                if not self._spawned:
                    self._spawn()
            elif "redis_url" in known:
                return Services(str(known["database_url"]), str(known["redis_url"]))
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"PostgreSQL and Redis are not ready after {START_DEADLINE:.0f} s: {self._last_words()}"
                )
            time.sleep(0.02)

    def _spawn(self) -> None:
        with self._places.log.open("ab") as log:
            self._spawned.append(
                subprocess.Popen(
                    [sys.executable, "-m", "contactcentre.embedded.keeper", str(self._places.state)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,  # a Ctrl-C in the user's terminal is not meant for it
                )
            )

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_INTERVAL):
            self._reap()
            if holder(self._places.keeper) is None and not self._spawned:
                self._spawn()

    def _reap(self) -> None:
        self._spawned = [process for process in self._spawned if process.poll() is None]

    def _await_end(self) -> None:
        deadline = time.monotonic() + STOP_DEADLINE
        while (known := word_of(self._places.keeper)) is not None and time.monotonic() < deadline:
            if "stopping" not in known:
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if "stopping" not in (word_of(self._places.keeper) or {"stopping": True}):
                        return  # others use them still
                else:
                    fcntl.flock(self._lock, fcntl.LOCK_UN)
            time.sleep(0.05)

    def _last_words(self) -> str:
        try:
            lines = self._places.log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        errors = [line.partition("Error: ")[2] for line in lines[-50:] if "Error: " in line]
        return f"{errors[-1] if errors else 'it says nothing'} (log: {self._places.log})"
