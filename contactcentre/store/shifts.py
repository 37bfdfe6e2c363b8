"""What agents did, for the question why one of them gets no calls. Every query is bounded, and steps into an index."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.shift import Change
from contactcentre.store.database import Database
from contactcentre.store.tables import agent_event, event

MOST_CHANGES = 2000
"""Of one agent that are read: more than anybody makes in a day."""


class Shifts(Database):
    def agent_changes(self, agent: str, since: float, until: float) -> list[Change]:
        """The agent's changes in [since, until) in the order of time, and the last one before: the state then."""
        fact = agent_event.c
        columns = (fact.at, fact.state, fact.reason, fact.contact_id, fact.queue)
        order = (fact.at.desc(), fact.version.desc())
        mine = sa.select(*columns).where(fact.agent == agent).order_by(*order)
        with self._begin() as connection:
            within = connection.execute(mine.where(fact.at >= since, fact.at < until).limit(MOST_CHANGES)).all()
            before = connection.execute(mine.where(fact.at < since).limit(1)).all()
        rows = reversed([*within, *before])
        return [Change(at, state, reason, contact_id or "", queue) for at, state, reason, contact_id, queue in rows]

    def contacts_offered(self, agent: str, since: float, most: int = 20) -> list[str]:
        """Ids of the contacts that were offered to the agent since then, the latest offer first."""
        fact = agent_event.c
        return self._contacts(fact.agent == agent, since, most)

    def contacts_offered_to_others(self, agent: str, queues: Iterable[str], since: float, most: int = 200) -> list[str]:
        """Ids of the contacts of these queues that were offered to others since then, the latest offer first."""
        fact = agent_event.c
        return self._contacts((fact.agent != agent) & fact.queue.in_(list(queues)), since, most)

    def _contacts(self, condition: sa.ColumnElement[bool], since: float, limit: int) -> list[str]:
        fact = agent_event.c
        statement = (
            sa.select(fact.contact_id)
            .where(condition, fact.at >= since, fact.contact_id.is_not(None))
            .where(fact.state == AgentState.OFFERED, fact.previous != AgentState.OFFERED)
            .order_by(fact.at.desc())
            .limit(limit)
        )
        with self._begin() as connection:
            return list(dict.fromkeys(str(id) for id in connection.scalars(statement)))

    def facts(self, contact_ids: Sequence[str], kinds: Iterable[Kind]) -> dict[str, list[Event]]:
        """Some kinds of these contacts' facts, by contact, in their order."""
        found: dict[str, list[Event]] = defaultdict(list)
        own = event.c
        statement = (
            sa.select(own.contact_id, own.seq, own.at, own.kind, own.data)
            .where(own.contact_id.in_(contact_ids), own.kind.in_([kind.value for kind in kinds]))
            .order_by(own.contact_id, own.seq)
        )
        with self._begin() as connection:
            for contact_id, seq, at, kind, data in connection.execute(statement) if contact_ids else ():
                found[contact_id].append(Event(contact_id, seq, at, Kind(kind), data))
        return dict(found)
