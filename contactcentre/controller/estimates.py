"""The estimated wait of who waits here, and how wrong estimates have been (`domain.estimate` has the formula).

The experience is what the replica sees, of all nodes; after a start, what history remembers. How wrong estimates were
is in history alone: it knows what callers of all nodes were told.
"""

import time
from collections.abc import Callable

import gevent
import structlog

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.estimate import (
    LAST,
    OLDEST,
    OVERTAKING_WINDOW,
    SMALLEST_SAMPLE,
    Error,
    Experience,
    estimate,
)
from contactcentre.domain.index import Index
from contactcentre.domain.site import Queue
from contactcentre.domain.waiting import Waiting
from contactcentre.live import Estimate, Live, LiveError
from contactcentre.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

PUBLISH = 10.0
"""Seconds between two publications of what the next caller of each queue would wait."""

LOOK_BACK = 60.0
"""Seconds between two looks into history: how wrong estimates were, and while it is away whether it is back."""


class Estimates:
    """Told every change by the replica; asked by whoever announces."""

    def __init__(self, index: Index, now: Callable[[], float] = time.time) -> None:
        self._index, self._now = index, now
        self._experience = Experience()
        self._experience.since = self._began = now()
        self._errors: dict[str, Error] = {}

    # -- told by the replica ------------------------------------------------------------------------------------------

    def agent(self, status: AgentStatus) -> None:
        self._experience.agent(status)

    def entered(self, waiting: Waiting) -> None:
        self._experience.entered(waiting)

    def left(self, waiting: Waiting, answered: bool) -> None:
        now = self._now()
        self._experience.left(waiting.queue, answered, now - waiting.entered, now)

    # -- asked --------------------------------------------------------------------------------------------------------

    def of(self, waiting: Waiting) -> float | None:
        """Seconds that this contact will still wait; None = nothing can be said."""
        index, now = self._index, self._now()
        return estimate(waiting, index.ahead(waiting, now), index.crew, index.config, self._experience, now)

    # -- from history -------------------------------------------------------------------------------------------------

    def look_back(self, store: Store) -> None:
        """Learns what was before the start, as soon as history answers; and, again and again, how wrong estimates
        were."""
        remembered = False
        while True:
            try:
                if not remembered:
                    self._remember(store)
                    remembered = True
                self._errors = store.told_errors(self._now() - OLDEST, self._now())
            except StoreUnavailable as error:
                log.warning("estimates go on without history", error=str(error))
            gevent.sleep(LOOK_BACK)

    def _remember(self, store: Store) -> None:
        """Raises StoreUnavailable; then nothing was learned."""
        began, experience, since = self._began, self._experience, self._began - OVERTAKING_WINDOW
        found = [store.lately(queue, began - OLDEST, began) for queue in list(self._index.config.queues)]
        for visits in found:
            for visit in visits:
                experience.left(visit.queue, visit.answered, visit.left - visit.entered, visit.left)
                if visit.answered:
                    experience.handled(visit.queue, visit.handled, visit.left)
                if visit.entered > began - OVERTAKING_WINDOW:
                    experience.entered(Waiting("", visit.queue, priority=visit.priority, entered=visit.entered))
            if len(visits) == LAST:  # who came before is not known
                since = max(since, min(visit.entered for visit in visits))
            gevent.sleep(0)  # calls go on
        experience.since = since
        log.info("estimates begin with experience", contacts=sum(map(len, found)))

    # -- for everybody else -------------------------------------------------------------------------------------------

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
        error = self._errors.get(queue)
        if error is None or error.number < SMALLEST_SAMPLE:
            return Estimate(now, seconds)
        return Estimate(now, seconds, error.number, round(error.bias, 1), round(error.p80, 1))
