"""What a waiting caller is told, and when.

Two rhythms, both counted from the moment the contact entered the queue: its position (with the estimated wait, where
the queue says so) every `announce_position` seconds, first after `announce_first`; and the queue's comfort prompts, in
turn, every `prompts_every` seconds. Counting from the entry makes a restarted controller go on in step instead of
saying everything again, and keeps hundreds who wait from being told at once when the queue's settings change.

Two announcements never overlap, and between the end of one and the next there are `PAUSE` seconds of music. What that
pause has put off comes right after it; what it has put off past its next turn is left out. While a phone rings for the
contact nothing is said: the answer would cut it off.
"""

from dataclasses import dataclass
from math import floor, inf

from contactcentre.domain.site import Queue

PAUSE = 10.0
"""Seconds of music between two announcements, at least. (app_queue's `min-announce-frequency` is 15.)"""

LONGEST = 60.0
"""Seconds after which an announcement counts as over although nobody has said so."""


@dataclass(frozen=True, slots=True)
class Position:
    """It is time to say the place in the queue."""


@dataclass(frozen=True, slots=True)
class Comfort:
    """It is time to play this prompt."""

    prompt: str


class Treatment:
    """The announcements of one contact in one queue. All times are epoch seconds."""

    def __init__(self, queue: Queue, entered: float, resumed: float | None = None, heard: int | None = None) -> None:
        """`resumed`: what was due until then, an earlier controller has said. `heard`: the position it said last."""
        self.entered = entered
        self._queue = queue
        self._position_at = self._comfort_at = -inf if resumed is None else resumed  # what was due until then is over
        self._quiet_until = -inf if resumed is None else resumed
        self._turn = 0 if resumed is None else max(0, floor((resumed - entered) / queue.prompts_every))
        self._heard = heard

    def configure(self, queue: Queue, now: float) -> None:
        """The queue's settings have changed while the contact waits: what they would have said until now is over."""
        self._queue = queue
        self._position_at, self._comfort_at = max(self._position_at, now), max(self._comfort_at, now)

    @property
    def moment(self) -> float | None:
        """When something is to be said next; None = never."""
        moments = [at for at in (self._next_position(), self._next_comfort()) if at is not None]
        return max(min(moments), self._quiet_until) if moments else None

    def due(self, now: float) -> Position | Comfort | None:
        """What is to be said now, the one that has been due longer first. It counts as begun: tell its end."""
        if now < self._quiet_until:
            return None
        position, comfort = self._next_position(), self._next_comfort()
        if position is not None and position <= now and (comfort is None or position <= comfort):
            self._position_at, self._quiet_until = now, now + LONGEST
            return Position()
        if comfort is not None and comfort <= now:
            self._comfort_at, self._quiet_until = now, now + LONGEST
            prompt = self._queue.prompts[self._turn % len(self._queue.prompts)]
            self._turn += 1
            return Comfort(prompt)
        return None

    def over(self, now: float) -> None:
        """What was being said has ended, or could not be said."""
        self._quiet_until = now + PAUSE

    def kind(self, position: int) -> int:
        """The position to be said when it is `position`: with `position_only_improves` never a worse one than the
        caller has heard before, although somebody with right of way came in between."""
        if self._queue.position_only_improves and self._heard is not None:
            return min(position, self._heard)
        return position

    def heard(self, position: int) -> None:
        """The caller hears this position now."""
        self._heard = position

    def _next_position(self) -> float | None:
        if not self._queue.announce_position:
            return None
        every = max(1.0, self._queue.announce_position)
        first = every if self._queue.announce_first is None else self._queue.announce_first
        return _after(self._position_at, self.entered + first, every)

    def _next_comfort(self) -> float | None:
        every = self._queue.prompts_every
        return _after(self._comfort_at, self.entered + every, every) if self._queue.prompts else None


def _after(moment: float, first: float, every: float) -> float:
    """The first of first, first + every, ... that is later than `moment`."""
    return first if first > moment else first + every * (floor((moment - first) / every) + 1)
