"""The order in which waiting contacts are served: one for all queues of the site.

    score = points + rate x waited

`points` are the queue's priority, what the flow added, and what the queue grants the contact's group; `rate` is how
many points a contact of the queue gains while it waits. The highest score comes first; among equals the earliest
arrival, then the id. Scores grow along straight lines, so within a queue the order never changes, and between two
queues it changes once at most.

Everything is counted in whole numbers (tiny parts of a point, milliseconds), so two nodes never round differently.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from contactcentre.domain.site import Queue
from contactcentre.domain.waiting import Waiting

BY_SCORE = "score"
BY_SERVICE_LEVEL = "service-level"
ORDERS = (BY_SCORE, BY_SERVICE_LEVEL)
"""What a site may choose: the rates as its queues state them, or such that 100 points are a queue's service level."""

A_MINUTE = 10**12
POINT = 60_000 * A_MINUTE
"""A rate of one point a minute is A_MINUTE in a millisecond, exactly."""

Key = tuple[int, float, str]
"""The smallest comes first."""


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Claims:
    """How the contacts of one queue claim their turn."""

    rate: int  # in 1/POINT a millisecond
    groups: dict[str, int]  # group of contacts -> points

    @classmethod
    def of(cls, queue: Queue, order: str = BY_SCORE) -> "Claims":
        """`queue.ageing` is in points a minute; by service level, 100 points are gained in `queue.service_level`
        seconds. Raises ValueError for an order that is none of ORDERS."""
        if order not in ORDERS:
            raise ValueError(f"order {order!r} is none of: {', '.join(ORDERS)}")
        a_minute = queue.ageing if order == BY_SCORE else 6000 / queue.service_level
        return cls(round(a_minute * A_MINUTE), dict(queue.groups))

    def points(self, waiting: Waiting) -> float:
        return waiting.priority + self.groups.get(waiting.group, 0)

    def base(self, waiting: Waiting) -> int:
        """The score at the epoch, in 1/POINT: what puts the contacts of one queue in order, whatever the time."""
        score = round(self.points(waiting) * POINT)
        return score - self.rate * milliseconds(waiting.arrived) if self.rate else score

    def place(self, waiting: Waiting) -> Key:
        """The order within the queue, which time does not change."""
        return (-self.base(waiting), waiting.arrived, waiting.contact_id)

    def key(self, waiting: Waiting, now: float) -> Key:
        return (-self.base(waiting) - self.rate * milliseconds(now), waiting.arrived, waiting.contact_id)

    def to_the_front(self, waiting: Waiting, others: Iterable[Waiting]) -> int:
        """A priority with which it comes before all others of its queue; its own where it does already."""
        others = list(others)
        if all(self.place(waiting) < self.place(other) for other in others):
            return waiting.priority
        lacking = max(self.base(other) for other in others) + 1 - self.base(waiting)
        return waiting.priority - (-lacking // POINT)

    def score(self, waiting: Waiting, now: float) -> float:
        """In points, for people."""
        return round(-self.key(waiting, now)[0] / POINT, 2)


STRICT = Claims(0, {})
"""Of contacts whose queue is not in the site: their priority alone."""
