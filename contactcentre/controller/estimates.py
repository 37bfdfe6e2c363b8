"""The estimated wait of who waits here, and how wrong estimates have been (`domain.estimate` has the formula).

The experience is what the replica sees, of all nodes; after a start, what history remembers.
"""

import time
from collections import defaultdict
from collections.abc import Callable

import gevent
import structlog

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.estimate import OLDEST, Accuracy, Experience, estimate
from contactcentre.domain.index import Index
from contactcentre.domain.site import Queue
from contactcentre.domain.waiting import Waiting
from contactcentre.live import Estimate, Live, LiveError
from contactcentre.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

PUBLISH = 10.0
"""Seconds between two publications of what the next caller of each queue would wait."""


class Estimates:
    """Told every change by the replica; asked by whoever announces."""

    def __init__(self, index: Index, now: Callable[[], float] = time.time) -> None:
        self._index, self._now = index, now
        self._experience = Experience()
        self._accuracy: defaultdict[str, Accuracy] = defaultdict(Accuracy)
        self._told: dict[str, list[tuple[float, float]]] = {}  # contact -> when, and how many seconds

    # -- told by the replica ------------------------------------------------------------------------------------------

    def agent(self, status: AgentStatus) -> None:
        self._experience.agent(status)

    def entered(self, waiting: Waiting) -> None:
        self._experience.entered(waiting)

    def left(self, waiting: Waiting, answered: bool) -> None:
        now = self._now()
        self._experience.left(waiting.queue, answered, now - waiting.entered, now)
        for at, seconds in self._told.pop(waiting.contact_id, ()):
            if answered:  # who hung up would have waited longer, nobody knows how long
                self._accuracy[waiting.queue].add(seconds, now - at)

    # -- asked --------------------------------------------------------------------------------------------------------

    def of(self, waiting: Waiting) -> float | None:
        """Seconds that this contact will still wait; None = nothing can be said."""
        index, now = self._index, self._now()
        return estimate(waiting, index.ahead(waiting, now), index.crew, index.config, self._experience, now)

    def told(self, waiting: Waiting, seconds: float) -> None:
        """The caller was told so: what becomes of it is measured."""
        self._told.setdefault(waiting.contact_id, []).append((self._now(), seconds))

    # -- for everybody else -------------------------------------------------------------------------------------------

    def remember(self, store: Store) -> None:
        """Begins with what history knows of the last hours, so that estimates outlive a restart."""
        now = self._now()
        try:
            visits = store.lately(now - OLDEST)
        except StoreUnavailable as error:
            log.warning("estimates begin without experience", error=str(error))
            return
        for visit in visits:
            self._experience.left(visit.queue, visit.answered, visit.waited, visit.left)
            if visit.handled:
                self._experience.handled(visit.queue, visit.handled, visit.left)
        log.info("estimates begin with experience", contacts=len(visits))

    def publish(self, live: Live, node: str) -> None:
        """For pages and commands, again and again."""
        while True:
            gevent.sleep(PUBLISH)
            found = {}
            for queue, settings in list(self._index.config.queues.items()):
                found[queue] = self._next(queue, settings, node)
                gevent.sleep(0)  # calls go on
            try:
                live.publish_estimates(found)
            except LiveError as error:
                log.info("estimates not published", error=str(error))

    def _next(self, queue: str, settings: Queue, node: str) -> Estimate:
        """Of a caller who came now and asked for nothing more than the queue does."""
        now = self._now()
        seconds = self.of(Waiting("~", queue, node, priority=settings.priority, arrived=now, entered=now))
        error = self._accuracy[queue].error
        number, bias, p80 = (error.number, error.bias, error.p80) if error else (0, 0.0, 0.0)
        return Estimate(at=now, seconds=seconds, number=number, bias=round(bias, 1), p80=round(p80, 1))
