"""Who is calling, from history: asked while a caller waits, so never for long."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from gevent.event import AsyncResult

from contactcentre.controller.greenlets import Greenlets
from contactcentre.domain.customers import number_of, preference
from contactcentre.domain.flows.leaving import callable_number
from contactcentre.domain.results import NotAcceptable
from contactcentre.store import Store, StoreUnavailable

Known = TypeVar("Known")

log = structlog.get_logger(__name__)

REMEMBERED = 30 * 86400.0
"""Seconds for which a conversation makes an agent the caller's last one."""

DEADLINE = 0.5
"""Seconds that a caller waits for the answer at most; then the call goes on without."""

PAUSE = 10.0
"""Seconds for which history is not asked again after it did not answer."""


class Callers:
    def __init__(
        self, store: Store, greenlets: Greenlets, now: Callable[[], float], country: Callable[[], str] = str
    ) -> None:
        """`country`: whose national numbers are read."""
        self._store, self._greenlets, self._now, self._country = store, greenlets, now, country
        self._away_until = 0.0

    def last_agent(self, number: str) -> str:
        """The agent whom this caller talked with last; "" when there is none, when the number is withheld, or when
        history does not answer in time."""
        return self._ask(number, lambda: self._store.last_agent(number, self._now() - REMEMBERED)) or ""

    def wanted_agent(self, number: str) -> tuple[str, float | None]:
        """Whom another program wants for this caller (`domain.customers.preference`), as far as it has said so before;
        nobody in the cases above."""

        def asked() -> tuple[str, float | None]:
            try:
                return preference(self._store.customer_of(number_of(number, self._country())))
            except NotAcceptable:
                return "", None

        return self._ask(number, asked) or ("", None)

    def _ask(self, number: str, question: Callable[[], Known]) -> Known | None:
        if not callable_number(number) or self._now() < self._away_until:
            return None
        found: AsyncResult[Known | None] = AsyncResult()
        self._greenlets.spawn("who calls", self._answer, question, found)
        known = found.wait(DEADLINE)
        if known is None:
            self._away_until = self._now() + PAUSE
            log.warning("history did not say who a caller is")
        return known

    def _answer(self, question: Callable[[], Known], found: "AsyncResult[Known | None]") -> None:
        try:
            found.set(question())
        except StoreUnavailable:
            found.set(None)
