"""What is known of callers: whom they talked with last, and who asked to be called back."""

from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.domain.events import Kind, Outcome
from contactcentre.store.database import Database
from contactcentre.store.tables import contact, event


@dataclass(frozen=True, slots=True)
class Callback:
    """A request to be called back. It is done once the caller, or that number, has talked with an agent."""

    contact_id: str
    at: float
    queue: str
    number: str
    caller: str
    caller_name: str
    requirement: str
    priority: int
    language: str
    done_at: float | None  # None = open


class Callers(Database):
    def last_agent(self, caller: str, since: float) -> str:
        """The agent who talked last with this caller, in a contact that arrived since then; "" = none."""
        known = contact.c
        statement = (
            sa.select(known.agent)
            .where(known.caller == caller, known.arrived >= since, known.agent != "", known.connected.is_not(None))
            .order_by(known.arrived.desc())
            .limit(1)
        )
        with self._begin() as connection:
            return str(connection.scalar(statement) or "")

    def callbacks(self, since: float, queue: str = "", limit: int = 100) -> list[Callback]:
        """Requests of contacts that arrived since then and have ended with it: the open ones first, of these the
        oldest first; then those that are done, the latest first."""
        later = contact.alias("later")
        number = event.c.data["number"].astext
        asked = (
            sa.select(
                contact.c.id,
                event.c.at,
                event.c.data,
                contact.c.caller,
                contact.c.caller_name,
                sa.select(sa.func.min(later.c.connected))
                .where(
                    later.c.caller.in_([number, sa.func.nullif(contact.c.caller, "")]),
                    later.c.arrived > contact.c.arrived,
                    later.c.connected > event.c.at,
                )
                .scalar_subquery()
                .label("done_at"),
            )
            .join(event, event.c.contact_id == contact.c.id)
            .where(contact.c.outcome == Outcome.CALLBACK.value, contact.c.arrived >= since)
            .where(event.c.kind == Kind.CALLBACK_REQUESTED.value)
        )
        if queue:
            asked = asked.where(event.c.data["queue"].astext == queue)
        found = asked.subquery()
        done, at = found.c.done_at, found.c.at
        order = (done.is_not(None), sa.case((done.is_(None), at)), at.desc())
        with self._begin() as connection:
            rows = connection.execute(sa.select(found).order_by(*order).limit(limit)).mappings().all()
        return [
            Callback(
                str(row["id"]),
                row["at"],
                str(row["data"].get("queue", "")),
                str(row["data"].get("number", "")),
                row["caller"],
                row["caller_name"],
                str(row["data"].get("requirement", "")),
                int(row["data"].get("priority") or 0),
                str(row["data"].get("language", "")),
                row["done_at"],
            )
            for row in rows
        ]
