"""Whether a new call is let in: above what one process can do in time, one call more would make all of them worse.

Who talks or waits has precedence: only who has just come is turned away, by the PBX's own dialplan, with a message
(`settings.overload` of the site), and is in history with the outcome `overload`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog

log = structlog.get_logger(__name__)

LOOKS = 3
"""In a row that the process must be late, or in time again. One may be anything, a second of them is not."""

EVENTS = 1_000
"""Events of the PBX that wait to be taken: so many are a flood."""

CATCH_UP = 15.0
"""Seconds after calls were taken up, in which being late closes no door: hundreds at once are late for themselves, and
whoever calls in these seconds would be turned away for a controller that was restarted."""


@dataclass(frozen=True, slots=True)
class Limits:
    lag: float = 0.0
    """Seconds that the process, decisions or the PBX may be late; 0 = any time."""
    contacts: int = 0
    """At the same time; 0 = any number."""


NO_LIMITS = Limits()


class Admission:
    def __init__(self, limits: Limits, *others: Callable[[], float]) -> None:
        """`others` tell how late (seconds) what else calls wait for is: decisions, the PBX."""
        self._limits, self._others = limits, others
        self._lags: deque[float] = deque(maxlen=LOOKS)
        self._catches_up_until = 0.0  # monotonic
        self.late = False
        """The process does not keep up."""
        self.turned_away = 0

    def catch_up(self) -> None:
        """Calls are being taken up that somebody else had conducted, or we before the link was lost."""
        self._catches_up_until = monotonic() + CATCH_UP

    def look(self, lag: float) -> None:
        """How late the process is now; told at every look of its pulse."""
        self._lags.append(max(lag, *(late() for late in self._others), 0.0))
        limit = self._limits.lag
        if not limit or len(self._lags) < LOOKS:
            return
        if not self.late and min(self._lags) > limit and monotonic() > self._catches_up_until:
            self.late = True
            log.warning(
                "more calls than can be served in time: new ones are turned away",
                late_seconds=round(max(self._lags), 2),
            )
        elif self.late and max(self._lags) < limit / 2:
            self.late = False
            log.warning("calls are let in again", turned_away=self.turned_away)

    def refuses(self, contacts: int, events: int) -> bool:
        """Whether one call more is turned away, with so many contacts there and so many events that wait."""
        full = bool(self._limits.contacts) and contacts >= self._limits.contacts
        return self.late or full or events > EVENTS
