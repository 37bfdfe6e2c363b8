"""How long contacts waited lately, and what they had been told: what estimates begin with, and how wrong they were."""

from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.domain.estimate import LAST, Error
from contactcentre.domain.events import LeftQueue
from contactcentre.store.database import Database
from contactcentre.store.tables import TOLD_WAIT, event, leg, queue_visit, told_wait


@dataclass(frozen=True, slots=True)
class Wait:
    """One visit of a queue that is over. Seconds, and epoch seconds."""

    queue: str
    priority: int
    entered: float
    left: float
    answered: bool
    handled: float  # from the offer to the end of wrap-up; 0 = not answered


class Waits(Database):
    def lately(self, queue: str, since: float, until: float, most: int = LAST) -> list[Wait]:
        """The last `most` visits of a queue that lie in [since, until), in the order of their ends."""
        visit = queue_visit.c
        statement = (
            sa.select(
                visit.priority,
                visit.entered,
                visit.left,
                (visit.reason == LeftQueue.ANSWERED).label("answered"),
                (visit.talk + visit.wrap_up).label("worked"),
                _offered().label("offered"),
            )
            .where(visit.queue == queue, visit.entered >= since, visit.left < until, visit.waited.is_not(None))
            .order_by(visit.entered.desc())
            .limit(most)
        )
        with self._begin() as connection:
            rows = connection.execute(statement).all()
        found = [
            Wait(queue, priority, entered, left, answered, worked + left - (offered or left) if answered else 0.0)
            for priority, entered, left, answered, worked, offered in rows
        ]
        return sorted(found, key=lambda wait: wait.left)

    def told_errors(self, since: float, until: float) -> dict[str, Error]:
        """By queue, how wrong the estimates were that callers heard in [since, until), of those who were answered:
        only they can tell. Told, minus the seconds from then until that agent was offered (`domain.estimate.error_of`).
        """
        said, visit = event.c, queue_visit.c
        waited = _epoch(sa.func.coalesce(_offered(), visit.left)) - _epoch(said.at)
        error = sa.cast(told_wait, sa.Double) - sa.func.greatest(0.0, waited)
        each = (
            sa.select(visit.queue, error.label("error"))
            .join(
                queue_visit,
                sa.and_(
                    visit.contact_id == said.contact_id,
                    visit.queue == said.data["queue"].astext,
                    visit.entered <= said.at,
                    visit.left >= said.at,
                    visit.reason == LeftQueue.ANSWERED,
                ),
            )
            .where(TOLD_WAIT, said.at >= since, said.at < until)
            .subquery()
        )
        p80 = sa.func.percentile_cont(0.8).within_group(sa.func.abs(each.c.error))
        statement = sa.select(each.c.queue, sa.func.count(), sa.func.avg(each.c.error), p80).group_by(each.c.queue)
        with self._begin() as connection:
            return {queue: Error(*numbers) for queue, *numbers in connection.execute(statement)}


def _offered() -> sa.ScalarSelect[float]:
    """When the agent was offered who answered a visit."""
    mine, visit = leg.c, queue_visit.c
    return (
        sa.select(mine.started)
        .where(mine.contact_id == visit.contact_id, mine.agent == visit.agent, mine.answered <= visit.left)
        .order_by(mine.started.desc())
        .limit(1)
        .correlate(queue_visit)
        .scalar_subquery()
    )


def _epoch(at: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
    return sa.cast(sa.func.extract("epoch", at), sa.Double)
