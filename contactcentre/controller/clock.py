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
LOOK = 0.02
"""Seconds between two looks at the system's clock, of those who keep asking."""
FAR = 1.0
"""Seconds off at which that is worth a line in the log."""


class Clock:
    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._looked = steady()
        self._now = self._told = wall()  # at the last look, and what was answered last
        self._far = False

    def __call__(self) -> float:
        """Now, in epoch seconds; never less than before."""
        passed = self._steady() - self._looked
        if passed >= LOOK:
            self._look(passed)
            passed = 0.0
        now = self._now + passed
        if now > self._told:  # a look may have taken a little back
            self._told = now
        return self._told

    def _look(self, passed: float) -> None:
        """Follows the system's clock. `passed`: seconds since the last look."""
        self._looked += passed
        now = self._now + passed
        off = self._wall() - now
        if (abs(off) > FAR) is not self._far:
            self._far = not self._far
            if self._far:
                log.warning(
                    "the system's clock has jumped: it is followed slowly, or by a restart", seconds=round(off, 1)
                )
            else:
                log.info("the system's clock is caught up with")
        self._now = now + max(-RATE * passed, min(RATE * passed, off))
