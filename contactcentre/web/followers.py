"""Programs that follow facts as they are recorded."""

import threading
import time
from collections.abc import Callable

from contactcentre.web.fanout import TooMany

MOST = 100
"""Of a process: each reads its facts for itself, after the last one that it has."""

LOOK_SECONDS = 0.5


class Followers:
    """Counts them, and looks whether there is something new once for all of them."""

    def __init__(self, numbers: Callable[[], tuple[int, int]]) -> None:
        """`numbers`: of the oldest fact and of the newest."""
        self._numbers, self._lock = numbers, threading.Lock()
        self._there, self._newest, self._due = 0, 0, 0.0

    def enter(self) -> None:
        """Raises TooMany."""
        with self._lock:
            if self._there >= MOST:
                raise TooMany(f"{MOST} programs follow facts already")
            self._there += 1

    def leave(self) -> None:
        with self._lock:
            self._there -= 1

    def newest(self) -> int:
        """The newest fact's number, as it was at most LOOK_SECONDS ago. Raises StoreUnavailable."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._newest = self._numbers()[1]
                self._due = time.monotonic() + LOOK_SECONDS
            return self._newest
