"""What became of alerts, and the numbers that only history has."""

from collections.abc import Collection
from dataclasses import fields

import sqlalchemy as sa

from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.events import LeftQueue
from contactcentre.domain.metrics import FLOW_OUT
from contactcentre.store.database import Database
from contactcentre.store.paging import after, cursor_at
from contactcentre.store.tables import alert_event, queue_visit

MOST_IN_A_ROW = 100


class AlertHistory(Database):
    def alert_facts(
        self, since: float, queues: Collection[str] | None = None, limit: int = 200, cursor: str = ""
    ) -> tuple[list[AlertFact], str]:
        """(newest first, of these queues; the next page's cursor, "" on the last one). Raises BadCursor."""
        own = alert_event.c
        statement = sa.select(alert_event).where(own.at >= sa.literal(since, own.at.type))
        if queues is not None:
            statement = statement.where(own.queue.in_(list(queues)))
        if cursor:
            statement = statement.where(after(cursor, own.at, own.id))
        names = [one.name for one in fields(AlertFact)]
        with self._begin() as connection:
            rows = connection.execute(statement.order_by(own.at.desc(), own.id.desc()).limit(limit + 1)).mappings()
            found = [AlertFact(**{name: row[name] for name in names}) for row in rows]
        more = cursor_at(found[limit - 1].at, found[limit - 1].id) if len(found) > limit else ""
        return found[:limit], more

    def alert_fact(self, id: str, state: str) -> AlertFact | None:
        own, names = alert_event.c, [one.name for one in fields(AlertFact)]
        with self._begin() as connection:
            found = connection.execute(sa.select(alert_event).where(own.id == id, own.state == state)).mappings()
            row = found.one_or_none()
        return None if row is None else AlertFact(**{name: row[name] for name in names})

    def abandoned_in_a_row(self, queues: Collection[str], since: float) -> dict[str, int]:
        """How many of each queue's last contacts gave up waiting, one after the other, among those that have come into
        it since then. Contacts that went elsewhere do not count."""
        own = queue_visit.c
        place = sa.func.row_number().over(partition_by=own.queue, order_by=own.left.desc()).label("place")
        last = (
            sa.select(own.queue, own.reason, place)
            .where(own.entered >= sa.literal(since, own.entered.type), own.queue.in_(list(queues)))
            .where(own.reason != "", own.reason.not_in(list(FLOW_OUT)))
            .subquery()
        )
        statement = sa.select(last.c.queue, last.c.reason).where(last.c.place <= MOST_IN_A_ROW)
        found, over = dict.fromkeys(queues, 0), set[str]()
        with self._begin() as connection:
            for queue, reason in connection.execute(statement.order_by(last.c.queue, last.c.place)):
                if reason == LeftQueue.ANSWERED:
                    over.add(queue)
                elif queue not in over:
                    found[queue] += 1
        return found
