"""Facts in the order in which they were recorded, for programs that follow them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from contactcentre.domain.webhooks import AGENT_STATE
from contactcentre.store.database import Database
from contactcentre.store.tables import agent_event, contact, event, recording_event, said_event, voicemail

_NONE: sa.ColumnElement[int] = sa.literal_column("0")


@dataclass(frozen=True, slots=True)
class Fact:
    """`number` counts all facts as they are recorded, with gaps: who reads in its order misses none, for the recorder's
    lock lets no smaller number appear after a greater one. `queues`, `agents`, `boxes`: those of the contact by now."""

    number: int
    contact: str  # "" = none
    seq: int
    at: float
    kind: str
    data: Mapping[str, Any]
    queues: tuple[str, ...]
    agents: tuple[str, ...]
    boxes: tuple[str, ...]


class Facts(Database):
    def fact_numbers(self) -> tuple[int, int]:
        """The oldest and the newest; (0, 0) where there is none."""
        oldest = [sa.select(sa.func.min(table.c.number)).scalar_subquery() for table in _TABLES]
        newest = [sa.select(sa.func.max(table.c.number)).scalar_subquery() for table in _TABLES]
        with self._begin() as connection:
            row = connection.execute(sa.select(sa.func.least(*oldest), sa.func.greatest(*newest))).one()
        return int(row[0] or 0), int(row[1] or 0)

    def facts_after(self, number: int, limit: int = 200) -> Sequence[Fact]:
        """Those recorded after this one, in order."""
        found = sa.union_all(*(_of(table, number, limit) for table in _TABLES)).subquery()
        boxes = sa.select(sa.func.array_agg(voicemail.c.box)).where(voicemail.c.contact_id == found.c.contact_id)
        statement = (
            sa.select(found, contact.c.queues, contact.c.agents, boxes.scalar_subquery().label("boxes"))
            .select_from(found.outerjoin(contact, contact.c.id == found.c.contact_id))
            .order_by(found.c.number)
            .limit(limit)
        )
        with self._begin() as connection:
            return [_fact(row) for row in connection.execute(statement)]


_TABLES = (event, said_event, recording_event, agent_event)


def _of(table: sa.Table, number: int, limit: int) -> sa.Select[Any]:
    own = table.c
    kind: sa.ColumnElement[Any] = own.kind if "kind" in own else sa.literal(AGENT_STATE)
    seq: sa.ColumnElement[Any] = own.seq if "seq" in own else _NONE
    parts = ("agent", "state", "previous", "reason", "queue")
    data = own.data if "data" in own else sa.func.jsonb_build_object(*(x for name in parts for x in (name, own[name])))
    columns = (own.number, own.contact_id, seq.label("seq"), own.at, kind.label("kind"), data.label("data"))
    page = sa.select(*columns).where(own.number > number).order_by(own.number).limit(limit).subquery()
    return sa.select(page)


def _fact(row: sa.Row[Any]) -> Fact:
    return Fact(
        row.number,
        row.contact_id or "",
        row.seq,
        row.at,
        row.kind,
        row.data,
        tuple(row.queues or ()),
        tuple(row.agents or ()),
        tuple(row.boxes or ()),
    )
