"""Whether a new call is let in: above what can be done in time, one call more would make all of them worse.

Who talks or waits has precedence: only who has just come is turned away, by the PBX's own dialplan, with a message
(`settings.overload` of the site), and is in history with the outcome `overload`.

How many are let in follows from how late calls are: a share of them that is cut while they are late and grows while
they are not. A door that is only open or closed lets in more than can be served as soon as it opens, and what it does
is felt seconds later. Cut by a factor, grown by a step: the way in which streams of packets share a line (Chiu and
Jain, 1989).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog

log = structlog.get_logger(__name__)

FIRST = 8
"""Looks in a row, two seconds, at which calls must be late until the first caller is turned away. A restarted Redis or
a stopped machine may make all late for one second, and whoever calls then is served a second later."""

LOOKS = 3
"""In a row that calls must be late, or in time again, until something more is done."""

CUT = 0.6
"""Of the share of callers who are let in, what is left while calls are late."""

STEP = 0.05
"""What is added to it while they are in time."""

LEAST = 0.05
"""Of the callers, who are let in in any case: else nobody would tell that all is well again."""

MESSAGES = 5.0
"""Callers a second who are turned away with a message, on average. Some seconds of sound for each take a PBX half of
what a call takes, and it has no time left; the others hear the busy tone at once."""

EVENTS = 1_000
"""Events of the PBX that wait to be taken: so many are a flood."""

DEAD = 10.0
"""Seconds before a link is there in which calls were late because the last one was dead, and not for their number. (A
PBX that has too much to do still speaks; then callers were turned away before.)"""

CATCH_UP = 15.0
"""Seconds after a link is there, in which being late closes no door: hundreds of calls that are taken up at once are
late for themselves, and whoever calls in these seconds would be turned away for a controller that was restarted."""


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
        self._lags: deque[float] = deque(maxlen=FIRST)
        self._catches_up_until = 0.0  # monotonic
        self._cut_at = 0.0  # when the share was last cut that had been whole (monotonic)
        self._due = 0.0  # callers who may come in, by the share
        self._messages, self._counted = MESSAGES, monotonic()  # that may begin, and when that was so
        self.share = 1.0
        """Of the callers, who are let in."""
        self.turned_away = 0
        self.late = 0.0
        """By how many seconds calls were late at the last look."""

    def linked(self) -> None:
        """A link is there, and the calls of before are taken up."""
        now = monotonic()
        if self.share < 1.0 and now < self._cut_at + DEAD:
            self._open()
        self._lags.clear()
        self._catches_up_until = now + CATCH_UP

    def look(self, lag: float) -> None:
        """How late the process is now; told at every look of its pulse."""
        self.late = max(lag, *(late() for late in self._others), 0.0)
        self._lags.append(self.late)
        limit, looks = self._limits.lag, FIRST if self.share == 1.0 else LOOKS
        lags = list(self._lags)[-looks:]
        if not limit or len(lags) < looks:
            return
        if min(lags) > limit and monotonic() > self._catches_up_until:
            if self.share == 1.0:
                late = round(max(lags), 2)
                log.warning("more calls than can be served in time: some are turned away", late_seconds=late)
                self._due, self._cut_at = 0.0, monotonic()
            self.share = max(LEAST, self.share * CUT)
            self._lags.clear()
        elif self.share < 1.0 and max(lags) < limit / 2:
            self.share = min(1.0, self.share + STEP)
            self._lags.clear()
            if self.share == 1.0:
                self._open()

    def _open(self) -> None:
        self.share = 1.0
        log.warning("all calls are let in again", turned_away=self.turned_away)

    def closed(self, contacts: int, events: int) -> bool:
        """Whether some, or all, who come now are turned away, with so many contacts there and events that wait."""
        return self.share < 1.0 or self._is_full(contacts, events)

    def refuses(self, contacts: int, events: int) -> bool:
        """Whether the one who has just come is turned away, which is asked once for each."""
        if self._is_full(contacts, events):
            self.turned_away += 1
            return True
        if self.share == 1.0:
            return False
        self._due = min(1.0, self._due) + self.share
        if self._due < 1.0:
            self.turned_away += 1
            return True
        self._due -= 1.0
        return False

    def may_say_so(self) -> bool:
        """Whether the PBX has time for a message to who is turned away, which is asked once for each."""
        now = monotonic()
        self._messages = min(MESSAGES, self._messages + MESSAGES * (now - self._counted))
        self._counted = now
        if self._messages < 1.0:
            return False
        self._messages -= 1.0
        return True

    def _is_full(self, contacts: int, events: int) -> bool:
        return (bool(self._limits.contacts) and contacts >= self._limits.contacts) or events > EVENTS
