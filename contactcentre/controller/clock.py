"""The controller's time: epoch seconds that never jump, whatever happens to the system's clock.

Deadlines, waits and the order of facts are all made of it. When the system's clock is set (by hand, by NTP after hours
without, by the host of a virtual machine) it is followed slowly, so no phone stops ringing at once, nobody is turned
out of a queue, and no wrap-up lasts for an hour. A restart takes the system's time at once.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

RATE = 0.2
"""Seconds that are gained or lost each second at most while the system's clock is followed."""
FAR = 1.0
"""Seconds off at which that is worth a line in the log."""


class Clock:
    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._looked = steady()
        self._now = wall()
        self._far = False

    def __call__(self) -> float:
        """Now, in epoch seconds; never less than before."""
        looked, wall = self._steady(), self._wall()
        passed = looked - self._looked
        now = self._now + passed
        off = wall - now
        if (abs(off) > FAR) is not self._far:
            self._far = not self._far
            if self._far:
                log.warning(
                    "the system's clock has jumped: it is followed slowly, or by a restart", seconds=round(off, 1)
                )
            else:
                log.info("the system's clock is caught up with")
        self._looked, self._now = looked, now + max(-RATE * passed, min(RATE * passed, off))
        return self._now
