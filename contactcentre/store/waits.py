"""How long contacts waited lately, and what they had been told: what estimates begin with, and how wrong they were."""

from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.domain.estimate import LAST
from contactcentre.domain.events import Kind, LeftQueue
from contactcentre.store.database import Database
from contactcentre.store.tables import event, queue_visit


@dataclass(frozen=True, slots=True)
class Wait:
    """One visit of a queue that is over. Seconds, and epoch seconds."""

    queue: str
    left: float
    waited: float
    answered: bool
    handled: float  # talk and wrap-up; 0 = not answered


class Waits(Database):
    def lately(self, since: float, each: int = LAST) -> list[Wait]:
        """The last `each` visits of every queue that ended since then, in the order of their ends."""
        visit = queue_visit.c
        place = sa.func.row_number().over(partition_by=visit.queue, order_by=visit.left.desc()).label("place")
        last = (
            sa.select(visit.queue, visit.left, visit.waited, visit.reason, visit.talk, visit.wrap_up, place)
            .where(visit.left >= since, visit.entered >= since - 86400, visit.waited.is_not(None))
            .subquery()
        )
        statement = sa.select(last).where(last.c.place <= each).order_by(last.c.left)
        with self._begin() as connection:
            rows = connection.execute(statement).mappings().all()
        return [
            Wait(
                row["queue"],
                row["left"],
                row["waited"],
                row["reason"] == LeftQueue.ANSWERED,
                row["talk"] + row["wrap_up"] if row["reason"] == LeftQueue.ANSWERED else 0.0,
            )
            for row in rows
        ]

    def told_waits(self, since: float, until: float) -> dict[str, list[tuple[float, float]]]:
        """By queue, the (told, actual) seconds of every estimate that callers heard in [since, until) and that came to
        an answer: only those can tell. What `domain.estimate.error_of` takes."""
        said, visit = event.c, queue_visit.c
        estimate = said.data["estimate"].astext
        statement = (
            sa.select(visit.queue, sa.cast(estimate, sa.Float).label("told"), said.at, visit.left)
            .join(
                queue_visit,
                sa.and_(visit.contact_id == said.contact_id, visit.entered <= said.at, visit.left >= said.at),
            )
            .where(said.kind == Kind.ANNOUNCED.value, said.at >= since, said.at < until)
            .where(visit.reason == LeftQueue.ANSWERED, estimate != "")
            .order_by(said.at)
        )
        found: dict[str, list[tuple[float, float]]] = {}
        with self._begin() as connection:
            for row in connection.execute(statement).mappings():
                found.setdefault(row["queue"], []).append((float(row["told"]), row["left"] - row["at"]))
        return found
