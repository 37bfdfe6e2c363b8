"""How late this process is: a greenlet that wants to wake at a time, and looks when it did.

A process on gevent does one thing at a time. What takes too long in one place delays everything else, and this one,
too; so its lateness is what every call feels.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator

from prometheus_client.core import Metric

from contactcentre.watch.families import gauge, single
from contactcentre.watch.histogram import Histogram

EVERY = 0.25
"""Seconds between two looks."""

REMEMBERED = 60.0
"""Seconds for which the worst lateness is remembered: longer than the pause between two scrapes."""


class Pulse:
    def __init__(self, *each: Callable[[float], None], every: float = EVERY) -> None:
        """`each` is told at every look how late it was (seconds); must not block."""
        self._each, self._every = each, every
        self.lags = Histogram()
        self._late: deque[tuple[float, float]] = deque(maxlen=round(REMEMBERED / every))

    def run(self) -> None:
        while True:
            due = time.monotonic() + self._every
            time.sleep(self._every)
            now = time.monotonic()
            lag = max(0.0, now - due)
            self.lags.observe(lag)
            self._late.append((now, lag))
            for tell in self._each:
                tell(lag)

    @property
    def worst(self) -> float:
        """The worst lateness of the last minute, seconds."""
        since = time.monotonic() - REMEMBERED
        return max((lag for at, lag in self._late if at >= since), default=0.0)

    def collect(self) -> Iterator[Metric]:
        yield single("hub_lag_seconds", "How late the process woke, looked at 4 times a second.", self.lags)
        yield gauge("hub_lag_worst_seconds", "How late it woke at worst, within the last minute.", self.worst)
