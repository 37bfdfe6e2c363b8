"""Who is calling, from history: asked while a caller waits, so never for long."""

from collections.abc import Callable

import structlog
from gevent.event import AsyncResult

from contactcentre.controller.greenlets import Greenlets
from contactcentre.domain.flows.leaving import callable_number
from contactcentre.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

REMEMBERED = 30 * 86400.0
"""Seconds for which a conversation makes an agent the caller's last one."""

DEADLINE = 0.5
"""Seconds that a caller waits for the answer at most; then the call goes on without."""

PAUSE = 10.0
"""Seconds for which history is not asked again after it did not answer."""


class Callers:
    def __init__(self, store: Store, greenlets: Greenlets, now: Callable[[], float]) -> None:
        self._store, self._greenlets, self._now = store, greenlets, now
        self._away_until = 0.0

    def last_agent(self, number: str) -> str:
        """The agent whom this caller talked with last; "" when there is none, when the number is withheld, or when
        history does not answer in time."""
        if not callable_number(number) or self._now() < self._away_until:
            return ""
        found: AsyncResult[str | None] = AsyncResult()
        self._greenlets.spawn("last agent", self._ask, number, found)
        agent = found.wait(DEADLINE)
        if agent is None:
            self._away_until = self._now() + PAUSE
            log.warning("history did not say who talked with a caller last")
        return agent or ""

    def _ask(self, number: str, found: "AsyncResult[str | None]") -> None:
        try:
            found.set(self._store.last_agent(number, self._now() - REMEMBERED))
        except StoreUnavailable:
            found.set(None)
